"""The kernel program: a tree of lines and blocks that the template lays out.

Example: ``Block("if (a0 < 100) {", [Line("const float v0 = p0[a0];", "%x")])``. Nothing here knows of tensors;
a line keeps the op that it computes so that compiler messages and faults map back to the model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

NAME = re.compile(r"[A-Za-z_]\w*")


@dataclass
class Line:
    """``defines`` names the variable of a declaration that has no other effect."""

    text: str
    origin: str = ""
    defines: str = ""


@dataclass
class Block:
    """``head`` opens a brace, the matching one closes it; ``unroll`` asks for the pragma in front."""

    head: str
    items: list[Line | Block] = field(default_factory=list)
    unroll: bool | int | None = None
    tail: str = "}"


@dataclass
class Scope:
    """A place for statements: those before its inner loop, that loop, those after it."""

    before: list[Line | Block] = field(default_factory=list)
    inner: Block | None = None
    after: list[Line | Block] = field(default_factory=list)
    memo: dict[tuple[int, str], str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)  # axis or run-time index -> C variable, as known here

    @property
    def items(self) -> list[Line | Block]:
        return [*self.before, *([self.inner] if self.inner else []), *self.after]


@dataclass(frozen=True)
class Text:
    """One line of a kernel's body for the template."""

    indent: int
    text: str
    origin: str


def pruned(items: list[Line | Block], used: set[str] | None = None) -> list[Line | Block]:
    """The program without declarations that nothing reads; ``used`` collects names from the end to the start."""
    used = set() if used is None else used
    kept: list[Line | Block] = []
    for item in reversed(items):
        if isinstance(item, Block):
            item.items = pruned(item.items, used)
            used.update(NAME.findall(item.head))
        elif item.defines and item.defines not in used:
            continue
        else:
            used.discard(item.defines)
            used.update(set(NAME.findall(item.text)) - {item.defines})
        kept.append(item)
    return kept[::-1]


def flatten(items: list[Line | Block], indent: int = 1) -> Iterator[Text]:
    for item in items:
        if isinstance(item, Line):
            yield Text(indent, item.text, item.origin)
            continue
        if item.unroll is not None:
            yield Text(indent, "#pragma unroll" if item.unroll is True else f"#pragma unroll {int(item.unroll)}", "")
        yield Text(indent, item.head, "")
        yield from flatten(item.items, indent + 1)
        yield Text(indent, item.tail, "")
