"""Source text and spans in it.

Example: ``Source("a.fir", text).locate(12) == (2, 3, "  %0 = exp %x : f32[4]")``. Offsets count
characters, not bytes. Lines end at ``\\n`` only, as editors count them.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property


@dataclass(frozen=True)
class Source:
    name: str
    text: str = field(repr=False)

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *(m.end() for m in re.finditer("\n", self.text))]

    def locate(self, offset: int) -> tuple[int, int, str]:
        """(line, column, text of the line) of an offset; line and column count from 1."""
        line = bisect_right(self._starts, max(0, min(offset, len(self.text)))) - 1
        start = self._starts[line]
        end = self.text.find("\n", start)
        return line + 1, offset - start + 1, self.text[start : end if end >= 0 else len(self.text)]


@dataclass(frozen=True, slots=True)
class Span:
    """Half-open character range of a source."""

    source: Source = field(repr=False, compare=False)
    start: int
    end: int
