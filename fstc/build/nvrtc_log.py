"""Read NVRTC's log: errors with their places, and what ptxas says about each function.

Example: ``used_by_function(log)["softmax"].spill_stores``. The log's wording is NVIDIA's; a line that is not
understood is left to the raw log and never an error.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace

from fstc.support.diagnostics import Diagnostic, Label, Note
from fstc.support.source import Source, Span

ERROR = re.compile(r"^(?P<file>[^\n(]+)\((?P<line>\d+)\): (?:catastrophic )?error:? (?P<text>.*)$", re.MULTILINE)
FUNCTION = re.compile(r"Function properties for (\S+)")
FRAME = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
NOT_STABLE = re.compile(r"^ptxas info\s*: Compile time = .*\n?", re.MULTILINE)
MOST_ERRORS = 20


@dataclass(frozen=True)
class Used:
    """What ptxas reports of one function. Sizes are bytes."""

    stack: int = 0
    spill_stores: int = 0
    spill_loads: int = 0


def stable_log(raw: bytes) -> str:
    """The log as text, without what differs from run to run."""
    return NOT_STABLE.sub("", raw.rstrip(b"\0 \n").decode("utf-8", "replace"))


def used_by_function(log: str) -> Mapping[str, Used]:
    """By symbol; a function that the log does not name used nothing."""
    found: dict[str, Used] = defaultdict(Used)
    name = ""
    for line in log.splitlines():
        if match := FUNCTION.search(line):
            name = match[1]
        elif name and (match := FRAME.search(line)):
            stack, stores, loads = (int(g) for g in match.groups())
            found[name] = replace(found[name], stack=stack, spill_stores=stores, spill_loads=loads)
            name = ""
    return found


def error_diagnostics(
    log: str, unit: str, name: str, source: str, headers: Mapping[str, str], left: str
) -> tuple[Diagnostic, ...]:
    """One diagnostic an error of the log, at its line of the kernel or of the prelude; at least one.

    ``name`` is what the kernel's file is called outside, ``unit`` what NVRTC calls it.
    """
    texts = {file: Source(file, text) for file, text in headers.items()} | {unit: Source(name, source)}
    found = []
    for match in list(ERROR.finditer(log))[:MOST_ERRORS]:
        file, line, text = match["file"], int(match["line"]), match["text"]
        label = _line(texts[file], line) if file in texts else None
        found.append(Diagnostic("FST0501", f"NVRTC: {text}", label, file="" if label else file, help=left))
    if found:
        return tuple(found)
    notes = tuple(Note(line) for line in log.splitlines()[:MOST_ERRORS])
    return (Diagnostic("FST0501", f"NVRTC rejected {name}", notes=notes, file=name, help=left),)


def _line(source: Source, number: int) -> Label | None:
    lines = source.text.split("\n")
    if not 0 < number <= len(lines):
        return None
    start = sum(len(line) + 1 for line in lines[: number - 1])
    text = lines[number - 1]
    indent = len(text) - len(text.lstrip())
    return Label(Span(source, start + indent, start + len(text)))
