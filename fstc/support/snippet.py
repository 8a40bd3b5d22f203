"""One source line with a caret below it.

Example, for a span over ``sub %0, %1``::

     --> softmax.fir:3:8
    3 |   %2 = sub %0, %1
      |        ^^^^^^^^^^ [32,128] against [32]

Tabs stay tabs in the line and in the padding, so that the caret stands right at any tab width; wide
characters count two columns; control characters are shown as pictures and cannot drive a terminal;
very long lines are cut around the caret.
"""

from __future__ import annotations

import unicodedata

from fstc.support.source import Span

WIDTH = 120  # columns of source text; a longer line is cut around the caret
BEFORE = 40  # columns kept before the caret when cutting
CUT = "\u2026"


def snippet(span: Span, text: str = "") -> list[str]:
    """The place, the line and the caret line; a span over several lines is underlined on its first."""
    line, column, content = span.source.locate(span.start)
    begin = min(column - 1, len(content))
    end = max(begin, min(begin + span.end - span.start, len(content)))
    before, marked, after = _cut(content[:begin], content[begin:end], content[end:])
    gutter = " " * len(str(line))
    pad = "".join("\t" if c == "\t" else " " * _columns(c) for c in before)
    caret = "^" * max(1, sum(map(_columns, marked)))
    shown = safe_text(before + marked + after, keep_tabs=True)
    return [
        f"{gutter}--> {safe_text(span.source.name)}:{line}:{column}",
        f"{line} | {shown}".rstrip(),
        f"{gutter} | {pad}{caret} {safe_text(text)}".rstrip(),
    ]


def safe_text(text: str, keep_tabs: bool = False) -> str:
    """Text in which nothing moves the cursor or reorders the line."""
    return "".join(c if c.isprintable() or (keep_tabs and c == "\t") else _picture(c) for c in text)


def _picture(c: str) -> str:
    """A visible one-column stand-in: U+2400.. for C0 controls, else the replacement character."""
    return chr(0x2400 + ord(c)) if ord(c) < 0x20 else "\u2421" if c == "\x7f" else "\ufffd"


def _columns(c: str) -> int:
    if unicodedata.combining(c):
        return 0
    return 2 if unicodedata.east_asian_width(c) in "WF" else 1


def _cut(before: str, marked: str, after: str) -> tuple[str, str, str]:
    if len(before) + len(marked) + len(after) <= WIDTH:
        return before, marked, after
    if len(before) > BEFORE:
        before = CUT + before[-BEFORE:]
    room = WIDTH - len(before)
    if len(marked) > room:
        return before, marked[: room - 1] + CUT, ""
    room -= len(marked)
    return before, marked, after if len(after) <= room else after[: max(0, room - 1)] + CUT
