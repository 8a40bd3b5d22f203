"""Diagnostic and decision codes for people: all of them as a list or a page, or one with its text.

Example: ``codes_markdown()`` is docs/diagnostics.md below its marker; ``fstc explain --format md`` prints it.
"""

from __future__ import annotations

from collections.abc import Iterable
from textwrap import indent

from fstc.report.table import Report, Table, markdown_table
from fstc.support.codes import CODES, Code

SECTIONS = (
    ("FST00", "Files and artefacts"),
    ("FST01", "Syntax"),
    ("FST02", "Names and types"),
    ("FST03", "Attributes, shapes, extents, constants"),
    ("FST04", "Input of the planner"),
    ("FST05", "Compilers and packages"),
    ("FST06", "Running and verifying"),
    ("FST07", "Comparing"),
    ("FST08", "Importing"),
    ("FST09", "Bugs"),
    ("FSN", "Decisions of the planner"),
)


def code_list(codes: Iterable[Code] = tuple(CODES.values())) -> Report:
    known = list(codes)
    rows = tuple((c.code, c.meaning) for c in known)
    return Report([{"code": c.code, "meaning": c.meaning} for c in known], (Table(("code", "meaning"), rows),))


def one_code(entry: Code) -> Report:
    fields = {"code": entry.code, "meaning": entry.meaning, "text": entry.text, "exit": entry.exit}
    ends = f"A command that ends with it exits with {entry.exit}." if entry.exit else ""
    return Report(fields, (f"{entry.code}: {entry.meaning}", entry.text, ends))


def codes_markdown() -> str:
    """An index of all codes, then a section a range of codes and an entry a code."""
    blocks = [index_markdown()]
    for prefix, title in SECTIONS:
        blocks.append(f"## {title}")
        blocks += [_entry(c) for c in CODES.values() if c.code.startswith(prefix)]
    return "\n\n".join(blocks) + "\n"


def index_markdown() -> str:
    """A row a code, each a link to its entry, with the exit code of a command that ends with it."""
    rows = tuple((f"[{c.code}](#{c.code.lower()})", c.meaning, c.exit or None) for c in CODES.values())
    return markdown_table(Table(("code", "meaning", "exit"), rows))


def _entry(code: Code) -> str:
    ends = f" (exit {code.exit})" if code.exit else ""
    return f"### {code.code}\n\n**{code.meaning}**{ends}\n\n{indent(code.text, '> ', lambda _: True)}"
