"""Diagnostics: what a user sees when an input is refused.

Example::

    raise FstcError(Diagnostic("FST0301", "operand shapes differ", Label(span, "[32,128] against [32]"),
                               notes=(Note("%1 gets its shape here", other),), help="broadcast %1 first"))

``FstcError`` is the user's mistake and carries every independent diagnostic of one run; a bug of ours
is an ``assert`` or :class:`InternalError`. Rendering is plain text, JSON or GitHub annotations; colour
and streams belong to the command line.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fstc.support.codes import exit_code
from fstc.support.snippet import safe_text, snippet
from fstc.support.source import Span


@dataclass(frozen=True, slots=True)
class Label:
    """A place in the source and what is wrong there."""

    span: Span
    text: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """The other culprit, or a fact that helps; ``span`` is absent when it has no place."""

    text: str
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding. ``label`` is absent only for errors about a whole file, which ``file`` names."""

    code: str
    message: str
    label: Label | None = None
    notes: tuple[Note, ...] = ()
    help: str = ""
    file: str = ""
    severity: str = field(default="error")  # or "warning"


class FstcError(Exception):
    """The user's input is refused, for the reasons given. ``exit_code`` follows from the first code."""

    def __init__(self, first: Diagnostic, *more: Diagnostic) -> None:
        self.diagnostics = (first, *more)
        super().__init__("\n".join(f"{d.code}: {d.message}" for d in self.diagnostics))

    @property
    def exit_code(self) -> int:
        return exit_code(self.diagnostics[0].code)


class InternalError(Exception):
    """fstc contradicts itself: a bug to report, never the user's mistake."""


def render_text(diagnostics: Iterable[Diagnostic]) -> str:
    """All diagnostics in the shape of rustc's, with a blank line between two."""
    return "\n".join(_text(d) for d in diagnostics)


def render_json(diagnostics: Iterable[Diagnostic]) -> str:
    """One JSON object a line: code, severity, message, place, notes, help."""
    return "".join(json.dumps(as_dict(d), sort_keys=True, ensure_ascii=False) + "\n" for d in diagnostics)


def render_github(diagnostics: Iterable[Diagnostic]) -> str:
    """Workflow commands: GitHub draws them at the line of the pull request."""
    return "".join(_github(d) + "\n" for d in diagnostics)


RENDERERS: dict[str, Callable[[Iterable[Diagnostic]], str]] = {
    "text": render_text,
    "json": render_json,
    "github": render_github,
}


def as_dict(d: Diagnostic) -> dict[str, Any]:
    """The JSON form of one diagnostic; absent places are left out."""
    place = _place(d.label.span) if d.label else ({"file": d.file} if d.file else {})
    notes = [{"text": n.text, **(_place(n.span) if n.span else {})} for n in d.notes]
    label = d.label.text if d.label else ""
    return {"code": d.code, "severity": d.severity, "message": d.message, "label": label, **place} | {
        "notes": notes,
        "help": d.help,
    }


def _text(d: Diagnostic) -> str:
    lines = [f"{d.severity}[{d.code}]: {safe_text(d.message)}"]
    if d.label:
        lines += snippet(d.label.span, d.label.text)
    elif d.file:
        lines.append(f" --> {safe_text(d.file)}")
    for note in d.notes:
        lines.append(f"note: {safe_text(note.text)}")
        if note.span:
            lines += snippet(note.span)
    if d.help:
        lines.append(f"help: {safe_text(d.help)}")
    return "\n".join(lines) + "\n"


def _place(span: Span) -> dict[str, Any]:
    line, column, _ = span.source.locate(span.start)
    end_line, end_column, _ = span.source.locate(span.end)
    return {
        "file": span.source.name,
        "line": line,
        "column": column,
        "end_line": end_line,
        "end_column": end_column,
    }


def _github(d: Diagnostic) -> str:
    fields = {"file": d.file}
    message = d.message
    if d.label:
        place = _place(d.label.span)
        fields = {"file": place["file"], "line": place["line"], "col": place["column"]}
        message += f" ({d.label.text})" if d.label.text else ""
    message += "".join(f"\nnote: {n.text}" for n in d.notes)
    message += f"\nhelp: {d.help}" if d.help else ""
    return annotation(d.severity, {**fields, "title": d.code}, message)


def annotation(severity: str, fields: Mapping[str, Any], message: str) -> str:
    """A workflow command of GitHub: ``::warning file=a.fir,title=FST0101::message``; empty fields are left out."""
    properties = ",".join(f"{k}={_escape(str(v), ',:')}" for k, v in fields.items() if v)
    return f"::{severity} {properties}::{_escape(message, '')}"


def _escape(text: str, also: str) -> str:
    """Percent-encode what GitHub's command syntax reserves."""
    for c in "%\r\n" + also:
        text = text.replace(c, f"%{ord(c):02X}")
    return text
