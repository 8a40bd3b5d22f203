"""Vector loads and stores: a thread's tile of a tensor, moved in accesses of up to 16 bytes.

Example: with ``d: vector 4`` the tile of ``x`` is ``const auto t0 = fst::load_vec<4>(p0 + a1);`` ahead of the vector
loop, inside it the element is ``t0[ea1]``. Vector digits on other axes, or wider than an access, make it an array.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fstc.codegen.context import Context
from fstc.codegen.digits import added, slot
from fstc.codegen.program import Block, Line
from fstc.ir.types import DType
from fstc.plan.artefact import AxisPlace, vector_width
from fstc.support.affine import Index


@dataclass(frozen=True)
class Tile:
    """A thread's elements of one tensor at one chunk: ``accesses`` vectors of ``width`` along ``axis``."""

    value: int
    offset: Index
    dtype: DType
    axis: str
    width: int
    places: Mapping[str, AxisPlace]  # vector digits of the axes that the offset depends on, in accesses along ``axis``

    @property
    def accesses(self) -> int:
        total = 1
        for place in self.places.values():
            total *= place.vector
        return total

    def declaration(self, name: str) -> str:
        count = f"[{self.accesses}]" if self.accesses > 1 else ""
        return f"fst::vec<{self.dtype.storage}, {self.width}> {name}{count}"

    def access(self, name: str, moved: Mapping[str, str]) -> str:
        """The vector that holds the elements ``moved`` (axis -> C text of its vector element)."""
        if self.accesses == 1:
            return name
        where = {}
        for axis in self.places:
            text = moved[axis]
            if axis == self.axis and text != "0":
                text = f"({text} / {self.width})" if self.width > 1 else text
            where[axis] = ("0", text)
        return f"{name}[{slot(self.places, self.places, where)}]"

    def element(self, name: str, loops: Mapping[str, tuple[str, str]]) -> str:
        """The current element, inside the vector loops."""
        moved = {axis: loops[axis][1] for axis in self.places}
        inner = moved[self.axis]
        if self.places[self.axis].vector > 1:
            inner = f"{inner} % {self.width}"
        return f"{self.access(name, moved)}[{inner}]"


class Tiles:
    """The tiles of a nest: each is loaded once, at the level where all but its vector elements are known."""

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.loaded: dict[tuple[int, str], tuple[str, Tile]] = {}

    def clear(self) -> None:
        """A new nest starts with no tile."""
        self.loaded = {}

    def tile(self, value: int, offset: Index) -> Tile | None:
        """The tile of a tensor here; None when it cannot be moved in vectors."""
        dtype = self.ctx.pattern.graph.type(value).dtype
        axis, width = vector_width(offset, dtype.size, self.ctx.places)
        width = width & -width
        if width == 1 or axis not in self.ctx.loops:
            return None
        places = {}
        for a, place in self.ctx.places.items():
            if a in offset.variables and place.vector > 1:
                count = place.vector // width if a == axis else place.vector
                places[a] = AxisPlace(axis=a, extent=place.extent, vector=count)
        return Tile(value, offset, dtype, axis, width, places)

    def load(self, value: int, offset: Index) -> str | None:
        """Text of the current element in a tile, which is loaded where it is first asked for."""
        tile = self.tile(value, offset)
        if tile is None:
            return None
        if (value, offset.key) not in self.loaded:
            level = self.level(offset, tile.places)
            if level is None:
                return None
            name = self.ctx.fresh("t")
            self._emit_load(tile, name, level)
            self.loaded[value, offset.key] = (name, tile)
        name, tile = self.loaded[value, offset.key]
        return tile.element(name, self.ctx.loops)

    def level(self, offset: Index, vectors: Mapping[str, AxisPlace]) -> int | None:
        """The level at which everything but these axes' vector elements is known; None when there is none."""
        known: set[str] = set()
        for depth, level in enumerate(self.ctx.levels):
            if level.bound & vectors.keys():
                return None  # a run-time index changes from one vector element to the next
            known |= level.bound | level.scope.names.keys()
            if offset.variables <= known:
                return depth
        return None

    def _emit_load(self, tile: Tile, name: str, level: int) -> None:
        into = self.ctx.levels[level].scope.before
        origin = f"%{self.ctx.pattern.graph.values[tile.value].name}"
        whole = self._whole(tile)
        pointer = self.ctx.params[tile.value]
        if tile.accesses == 1 and whole:
            names = self.ctx.names(level)
            into.append(Line(f"const auto {name} = fst::load_vec<{tile.width}>({self._address(tile, names)});", origin))
            return
        into.append(Line(f"{tile.declaration(name)};", origin))
        items, moved, names = self._loops(into, tile, level)
        target = tile.access(name, moved)
        load = Line(f"{target} = fst::load_vec<{tile.width}>({self._address(tile, names)});", origin)
        one = self._names(level, {**moved, tile.axis: added(moved[tile.axis], "k")})
        single = Line(f"{target}[k] = {pointer}[{tile.offset.c_text(one)}];", origin)
        self._guarded(items, tile, moved, level, load, single)

    def store(self, tile: Tile, name: str, level: int, into: list[Line | Block]) -> None:
        """Move a filled tile to memory, after the vector loops."""
        pointer = self.ctx.params[tile.value]
        items, moved, names = self._loops(into, tile, level)
        source = tile.access(name, moved)
        store = Line(f"fst::store_vec({self._address(tile, names)}, {source});")
        one = self._names(level, {**moved, tile.axis: added(moved[tile.axis], "k")})
        self._guarded(items, tile, moved, level, store, Line(f"{pointer}[{tile.offset.c_text(one)}] = {source}[k];"))

    def _address(self, tile: Tile, names: Mapping[str, str]) -> str:
        return added(self.ctx.params[tile.value], tile.offset.c_text(names))

    def _names(self, level: int, moved: Mapping[str, str]) -> dict[str, str]:
        names = self.ctx.names(level)
        for a, text in moved.items():
            if text != "0":
                chunk = added(names[a], text)
                names[a] = f"({chunk})" if " " in chunk else chunk
        return names

    def _whole(self, tile: Tile) -> bool:
        """Whether no access along the axis is cut by the extent's end."""
        place = self.ctx.places[tile.axis]
        return place.extent % place.vector == 0 or place.covered == place.extent

    def _loops(
        self, items: list[Line | Block], tile: Tile, level: int
    ) -> tuple[list[Line | Block], dict[str, str], dict[str, str]]:
        """Loops over the tile's accesses."""
        moved: dict[str, str] = {}
        for a in tile.places:
            place, by = self.ctx.places[a], tile.width if a == tile.axis else 1
            if place.vector == by:
                moved[a] = "0"
                continue
            name = self.ctx.fresh("j")
            advance = f"++{name}" if by == 1 else f"{name} += {by}"
            block = Block(f"for (int {name} = 0; {name} < {place.vector}; {advance}) {{", unroll=True)
            items.append(block)
            items = block.items
            moved[a] = name
            if a != tile.axis and place.covered > place.extent and place.extent % place.vector:
                guard = Block(f"if ({self._names(level, {a: name})[a]} < {place.extent}) {{")
                items.append(guard)
                items = guard.items
        return items, moved, self._names(level, moved)

    def _guarded(
        self, items: list[Line | Block], tile: Tile, moved: Mapping[str, str], level: int, whole: Line, single: Line
    ) -> None:
        """Whole accesses inside the extent, single elements at its ragged end."""
        if self._whole(tile):
            items.append(whole)
            return
        extent, axis = self.ctx.places[tile.axis].extent, tile.axis
        first = self._names(level, {axis: moved[axis]})[axis]
        inside = self._names(level, {axis: added(moved[axis], "k")})[axis]
        each = Block(f"for (int k = 0; k < {tile.width}; ++k) {{", unroll=True)
        each.items.append(Block(f"if ({inside} < {extent}) {{", [single]))
        items.append(Block(f"if ({added(first, str(tile.width))} <= {extent}) {{", [whole]))
        items.append(Block("else {", [each]))
