"""Vector loads and stores: a thread's tile of a tensor, moved in accesses of up to 16 bytes.

Example: with ``d: vector 4`` the tile of ``x`` is ``float t0[4]``, filled by one 16-byte load ahead of the vector
loop; inside the loop the element is ``t0[e0]``. With vector digits on two axes the tile is two-dimensional.
"""

from __future__ import annotations

from fstc.codegen.context import Context
from fstc.codegen.digits import slot
from fstc.codegen.program import Block, Line, Scope
from fstc.plan.artefact import vector_width
from fstc.support.affine import Index


class Tiles:
    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.pending: set[int] = set()
        self.loaded: dict[tuple[int, str], tuple[str, int]] = {}  # tile and the level that has it

    def clear(self) -> None:
        """A new nest starts with no tile."""
        self.loaded = {}

    def vector(self, value: int, offset: Index) -> tuple[str, int]:
        """(axis, elements of an access); width 1 when the tensor cannot be moved in vectors here."""
        size = self.ctx.pattern.graph.type(value).dtype.size
        axis, width = vector_width(offset, size, self.ctx.places)
        width = width & -width
        return (axis, width) if width > 1 and axis in self.ctx.loops else ("", 1)

    def axes(self, offset: Index) -> tuple[str, ...]:
        """Axes of the tile: those with a vector digit that the offset depends on."""
        return tuple(a for a in self.ctx.places if a in offset.variables and self.ctx.places[a].vector > 1)

    def load(self, value: int, offset: Index, depth: int) -> str | None:
        """Text of the current element in a tile, loading the tile where its serial indices are known."""
        axis, width = self.vector(value, offset)
        if width == 1 or any(a.startswith(("d", "w")) for a in offset.variables):
            return None
        axes = self.axes(offset)
        name, _ = self.loaded.get((value, offset.key), ("", 0))
        if not name:
            name = self.ctx.fresh("t")
            level = self._level(offset)
            self._emit_load(value, offset, axis, width, axes, name, self.ctx.levels[level].scope, level)
            self.loaded[value, offset.key] = (name, level)
        return f"{name}[{self.position(axes)}]"

    def position(self, axes: tuple[str, ...], moved: dict[str, str] | None = None) -> str:
        flat = {a: self.ctx.places[a].__class__(axis=a, extent=0, vector=self.ctx.places[a].vector) for a in axes}
        where = {a: ("0", (moved or {}).get(a, self.ctx.loops.get(a, ("0", "0"))[1])) for a in axes}
        return slot(axes, flat, where)

    def _level(self, offset: Index) -> int:
        """The level at which everything but vector elements is known."""
        wanted = {a for a in offset.variables if a in self.ctx.places}
        for depth in range(len(self.ctx.levels)):
            known = set().union(*(level.bound | set(level.scope.names) for level in self.ctx.levels[: depth + 1]))
            if wanted <= known:
                return depth
        return len(self.ctx.levels) - 1

    def _emit_load(
        self, value: int, offset: Index, axis: str, width: int, axes: tuple[str, ...], name: str, scope: Scope, level: int
    ) -> None:
        dtype = self.ctx.pattern.graph.type(value).dtype
        pointer = self.ctx.params[value]
        total = 1
        for a in axes:
            total *= self.ctx.places[a].vector
        scope.before.append(Line(f"{dtype.storage} {name}[{total}];", f"%{self.ctx.pattern.graph.values[value].name}"))
        items, moved, names = self._loops(scope.before, axes, axis, width, level)
        text = offset.c_text(names)
        lane = self.ctx.fresh("u")
        whole: list[Line | Block] = [
            Line(f"const auto {lane} = fst::load_vec<{width}>({pointer} + {text});"),
            Block(
                f"for (int k = 0; k < {width}; ++k) {{",
                [Line(f"{name}[{self.position(axes, {**moved, axis: self._plus(moved[axis], 'k')})}] = {lane}[k];")],
                unroll=True,
            ),
        ]
        one = {**moved, axis: self._plus(moved[axis], "k")}
        single = Line(f"{name}[{self.position(axes, one)}] = {pointer}[{offset.c_text(self._names(level, one))}];")
        self._guarded(items, axis, width, moved, level, whole, single)

    def store(self, value: int, offset: Index, axis: str, width: int, name: str, level: int, into: list[Line | Block]) -> None:
        """Move a filled tile to memory, after the vector loops."""
        axes = self.axes(offset)
        pointer = self.ctx.params[value]
        dtype = self.ctx.pattern.graph.type(value).dtype
        items, moved, names = self._loops(into, axes, axis, width, level)
        lane = self.ctx.fresh("u")
        one = {**moved, axis: self._plus(moved[axis], "k")}
        whole: list[Line | Block] = [
            Line(f"fst::vec<{dtype.storage}, {width}> {lane};"),
            Block(
                f"for (int k = 0; k < {width}; ++k) {{",
                [Line(f"{lane}[k] = {name}[{self.position(axes, one)}];")],
                unroll=True,
            ),
            Line(f"fst::store_vec({pointer} + {offset.c_text(names)}, {lane});"),
        ]
        single = Line(f"{pointer}[{offset.c_text(self._names(level, one))}] = {name}[{self.position(axes, one)}];")
        self._guarded(items, axis, width, moved, level, whole, single)

    @staticmethod
    def _plus(base: str, more: str) -> str:
        return more if base == "0" else f"{base} + {more}"

    def _names(self, level: int, moved: dict[str, str]) -> dict[str, str]:
        names = self.ctx.names(level)
        chunk = dict(names)
        for a, text in moved.items():
            if text != "0":
                names[a] = f"({chunk[a]} + {text})"
        return names

    def _loops(
        self, items: list[Line | Block], axes: tuple[str, ...], axis: str, width: int, level: int
    ) -> tuple[list[Line | Block], dict[str, str], dict[str, str]]:
        """Loops over the tile's other vector elements, and over the accesses along ``axis``."""
        moved: dict[str, str] = {}
        for a in axes:
            count, step = self.ctx.places[a].vector, width if a == axis else 1
            if count == step:
                moved[a] = "0"
                continue
            name = self.ctx.fresh("j")
            block = Block(f"for (int {name} = 0; {name} < {count}; {name} += {step}) {{", unroll=True)
            items.append(block)
            items = block.items
            moved[a] = name
            place = self.ctx.places[a]
            if a != axis and place.covered > place.extent and place.extent % place.vector:
                guard = Block(f"if ({self._names(level, {a: name})[a]} < {place.extent}) {{")
                items.append(guard)
                items = guard.items
        return items, moved, self._names(level, moved)

    def _guarded(
        self,
        items: list[Line | Block],
        axis: str,
        width: int,
        moved: dict[str, str],
        level: int,
        whole: list[Line | Block],
        single: Line,
    ) -> None:
        """Whole accesses inside the extent, single elements at its ragged end."""
        place = self.ctx.places[axis]
        if place.extent % place.vector == 0 or place.covered == place.extent:
            items += whole
            return
        first = self._names(level, {axis: moved[axis]})[axis]
        items.append(Block(f"if ({first} + {width} <= {place.extent}) {{", whole))
        each = Block(f"for (int k = 0; k < {width}; ++k) {{", unroll=True)
        inside = self._names(level, {axis: self._plus(moved[axis], "k")})[axis]
        each.items.append(Block(f"if ({inside} < {place.extent}) {{", [single]))
        items.append(Block("else {", [each]))
