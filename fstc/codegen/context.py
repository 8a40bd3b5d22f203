"""State of lowering one part: the pattern, the placement, scopes, and names handed out.

Example: ``ctx.declare("float", "a + b", scope, origin)`` adds ``const float v7 = a + b;`` and returns ``"v7"``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fstc.codegen.digits import slot, tops
from fstc.codegen.program import Block, Line, Scope
from fstc.ir.graph import Node
from fstc.ir.pattern import Pattern
from fstc.ir.types import DType
from fstc.plan.artefact import AxisPlace, Exchange, Hold, Nest


def rounded(dtype: DType, text: str) -> str:
    """Policy ``strict``: a narrow float is rounded where it is defined."""
    return f"fst::round<{dtype.storage}>({text})" if dtype.is_float and dtype.size < 4 else text


@dataclass
class Level:
    """One level of the current nest: a scope, and the axes whose index is known from here on."""

    scope: Scope
    bound: set[str]


@dataclass
class Context:
    pattern: Pattern
    places: dict[str, AxisPlace]
    nests: tuple[Nest, ...]
    holds: dict[int, Hold]
    exchanges: dict[int, Exchange]
    params: Mapping[int, str]  # input and output values -> pointer names
    warps: int  # of the launch
    wide: bool  # 64-bit indices
    bases: dict[str, str] = field(default_factory=dict)  # axis -> C variable at the part's top
    levels: list[Level] = field(default_factory=list)
    branches: list[Scope] = field(default_factory=list)
    loops: dict[str, tuple[str, str]] = field(default_factory=dict)  # axis -> (serial step, vector element) here
    defined: set[int] = field(default_factory=set)  # holds that have been written
    top: list[Line | Block] = field(default_factory=list)
    stored: dict[str, str] = field(default_factory=dict)  # value in a register -> the same in its storage type
    serial: dict[str, int] = field(default_factory=dict)  # name families -> numbers used

    @property
    def index_type(self) -> str:
        return "fst::i64" if self.wide else "int"

    @property
    def tops(self) -> dict[str, int]:
        found = tops(self.places.values())
        used = found["warp"]
        found["warp"] = used if used == self.warps else 2 * used
        return found

    def fresh(self, family: str) -> str:
        number = self.serial.get(family, 0)
        self.serial[family] = number + 1
        return f"{family}{number}"

    def declare(self, ctype: str, text: str, scope: Scope, origin: str = "", family: str = "v") -> str:
        name = self.fresh(family)
        scope.before.append(Line(f"const {ctype} {name} = {text};", origin, name))
        return name

    def up(self, dtype: DType, text: str, scope: Scope, origin: str = "") -> str:
        """A stored element in its compute type; a statement only where that is another type."""
        if dtype.storage == dtype.compute:
            return text
        name = self.declare(dtype.compute, f"fst::up({text})", scope, origin)
        self.stored[name] = text
        return name

    def down(self, dtype: DType, text: str) -> str:
        """A value in its storage type; what is known to be rounded already is not rounded again."""
        return text if dtype.storage == dtype.compute else self.stored.get(text, f"fst::down<{dtype.storage}>({text})")

    def each(self, count: int, items: list[Line | Block]) -> list[Line | Block]:
        """``items`` for every ``k`` below ``count``; they stand alone where there is one."""
        return items if count == 1 else [Block(f"for (int k = 0; k < {count}; ++k) {{", items, unroll=True)]

    def origin(self, node: Node) -> str:
        value = self.pattern.graph.values[node.outputs[0]]
        return f"%{value.name} = {node.op.name}"

    def level_of(self, axes: frozenset[str] | set[str]) -> int:
        """The outermost level at which all these axes are known."""
        missing = {a for a in axes if a in self.places}
        for depth, level in enumerate(self.levels):
            missing -= level.bound
            if not missing:
                return depth
        return len(self.levels) - 1

    def in_thread(self, axis: str) -> bool:
        """Whether every index of the axis is at hand in each thread."""
        place = self.places[axis]
        return place.lanes == place.warps == place.grid == 1

    def names(self, depth: int) -> dict[str, str]:
        found = dict(self.bases)
        for level in self.levels[: depth + 1]:
            found.update(level.scope.names)
        for branch in self.branches:
            found.update(branch.names)
        return found

    def cell(self, array: str, count: int, position: str = "k") -> str:
        """An element of a thread's array; an array of one element is a plain variable."""
        return array if count == 1 else f"{array}[{position}]"

    def slot(self, axes: tuple[str, ...], fixed: Mapping[str, int] | None = None) -> str:
        """Position in an array over ``axes`` at the current loops; ``fixed`` axes sit at a constant index."""
        where = dict(self.loops)
        for axis in axes:
            place = self.places[axis]
            if fixed and axis in fixed:
                step = place.vector * place.lanes * place.warps
                where[axis] = (str(fixed[axis] // step % place.serial), str(fixed[axis] % place.vector))
        return slot(axes, self.places, where)

    def count(self, axes: tuple[str, ...]) -> int:
        total = 1
        for axis in axes:
            total *= self.places[axis].per_thread
        return total
