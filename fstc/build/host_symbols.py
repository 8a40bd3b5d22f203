"""From code addresses of a host library to source lines, by binutils' addr2line.

Example: ``Symbols(path).frames([0x11a4])`` is ``[[Frame("load", "fstc.cuh", 40), Frame("copy", "copy.cu", 7)]]``:
innermost first, with what was inlined. Only faults and per-line counts need it; without the tool every list
is empty.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

LINE = re.compile(r"(?P<file>.*):(?P<line>\d+|\?)(?: \(discriminator \d+\))?")


@dataclass(frozen=True)
class Frame:
    function: str
    file: str  # base name
    line: int  # 0 when unknown


class Symbols:
    """Looks addresses up, as offsets from where the library is loaded, and remembers them."""

    def __init__(self, library: Path) -> None:
        self._library = library
        self._known: dict[int, list[Frame]] = {}

    def frames(self, offsets: Sequence[int]) -> list[list[Frame]]:
        """Per return address the chain of frames at the call before it."""
        unknown = sorted({o for o in offsets if o not in self._known})
        if unknown:
            self._known |= dict(zip(unknown, self._look_up(unknown), strict=True))
        return [self._known[o] for o in offsets]

    def _look_up(self, offsets: Sequence[int]) -> list[list[Frame]]:
        tool = shutil.which("addr2line")
        if tool is None or not self._library.exists():
            return [[] for _ in offsets]
        # A return address is one past the call: step back into it.
        text = "".join(f"{offset - 1:#x}\n" for offset in offsets)
        done = subprocess.run(
            [tool, "-e", str(self._library), "-a", "-i", "-f", "-C"],
            input=text, capture_output=True, text=True, errors="replace", check=False,
        )  # fmt: skip
        chains = _parse(done.stdout)
        return chains if len(chains) == len(offsets) else [[] for _ in offsets]


def _parse(text: str) -> list[list[Frame]]:
    """Each address is a line ``0x...``, followed by pairs of function and place."""
    chains: list[list[Frame]] = []
    lines = iter(text.splitlines())
    for first in lines:
        if first.startswith("0x"):
            chains.append([])
            continue
        place = LINE.fullmatch(next(lines, ""))
        if place and chains:
            line = int(place["line"]) if place["line"].isdigit() else 0
            chains[-1].append(Frame(first, Path(place["file"]).name, line))
    return chains
