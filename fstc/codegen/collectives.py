"""Finish reductions across threads: shuffles within a warp, then shared memory across warps.

Example: a row over 8 warps: five ``shfl_xor`` steps, one leader a warp writes its partial result, a barrier, every
thread folds the eight values in the same order. The result is known to all threads of the row.
"""

from __future__ import annotations

from fstc.codegen.context import Context
from fstc.codegen.digits import digit
from fstc.codegen.program import Block, Line
from fstc.codegen.values import Values, rounded
from fstc.ir.graph import Node
from fstc.ir.ops import literal
from fstc.ir.ops.monoid import identity
from fstc.ir.pattern import initials

NO_INDEX = 2**31 - 1  # of an argmax that has seen nothing: loses every tie


class Collectives:
    def __init__(self, ctx: Context, values: Values) -> None:
        self.ctx = ctx
        self.values = values
        self.graph = ctx.pattern.graph

    def identity(self, node: Node, component: int) -> str:
        dtype = self.graph.type(node.outputs[component]).dtype
        monoid = self.values.monoid(node)
        assert monoid is not None
        if component == 1:
            return literal(dtype, NO_INDEX)
        return literal(dtype, identity(monoid, dtype))

    def finish(self, nodes: list[Node]) -> None:
        """All reductions of one phase share a barrier."""
        for node in nodes:
            self._shuffles(node)
        crossing = [n for n in nodes if n.id in self.ctx.exchanges]
        for node in crossing:
            self._publish(node)
        if crossing:
            self.ctx.top.append(Line("__syncthreads();"))
        for node in crossing:
            self._gather(node)
        for node in nodes:
            self._round(node)

    def first_of(self, axes: frozenset[str]) -> list[str]:
        """Conditions for the one thread, of those that differ only in digits of other axes, that acts."""
        tests: list[str] = []
        tops = self.ctx.tops
        lanes = warps = 1
        for axis, place in self.ctx.places.items():
            lanes *= place.lanes
            warps *= place.warps
            if axis in axes:
                continue
            for source, stride, radix, level in (
                ("lane", place.lane_stride, place.lanes, "lane"),
                ("warp", place.warp_stride, place.warps, "warp"),
                ("block", place.grid_stride, place.grid, "block"),
            ):
                if radix > 1:
                    tests.append(f"{digit(source, stride, radix, stride * radix == tops[level])} == 0")
        if lanes < 32:
            tests.append(f"lane < {lanes}")
        if warps < self.ctx.warps:
            tests.append(f"warp < {warps}")
        return tests

    # -- within a warp ----------------------------------------------------------------------------------------

    def _arrays(self, node: Node) -> list[str]:
        return [f"r{self.ctx.prefix}{v}" for v in node.outputs]

    def _shuffles(self, node: Node) -> None:
        masks: list[int] = []
        for axis in self.ctx.pattern.reduced(node):
            place = self.ctx.places[axis]
            radix = place.lanes
            while radix > 1:
                radix //= 2
                masks.append(place.lane_stride * radix)
        if not masks:
            return
        count = self.ctx.count(self.ctx.pattern.kept(node))
        items: list[Line | Block] = []
        state = [f"{a}[k]" for a in self._arrays(node)]
        for mask in sorted(masks, reverse=True):
            other = []
            for text, value in zip(state, node.outputs, strict=True):
                name = self.ctx.fresh("x")
                items.append(Line(f"const {self.graph.type(value).dtype.compute} {name} = fst::shfl_xor({text}, {mask});"))
                other.append(name)
            self.values.combine(node, state, other, items)
        self.ctx.top.append(Block(f"for (int k = 0; k < {count}; ++k) {{", items, unroll=True))

    # -- across warps -----------------------------------------------------------------------------------------

    def _kept_lanes(self, node: Node) -> tuple[str, int]:
        """(C text of the position among kept lane digits, their number)."""
        parts: list[str] = []
        total = 1
        tops = self.ctx.tops
        for axis in self.ctx.pattern.kept(node):
            place = self.ctx.places[axis]
            if place.lanes > 1:
                text = digit("lane", place.lane_stride, place.lanes, place.lane_stride * place.lanes == tops["lane"])
                parts.append(f"({text})" + (f" * {total}" if total > 1 else ""))
                total *= place.lanes
        return " + ".join(parts) or "0", total

    def _buffers(self, node: Node) -> list[str]:
        """Pointers into the arena, one a component."""
        exchange = self.ctx.exchanges[node.id]
        count = self.ctx.count(self.ctx.pattern.kept(node))
        _, lanes = self._kept_lanes(node)
        offset, names = exchange.offset, []
        for value in node.outputs:
            dtype = self.graph.type(value).dtype
            name = f"m{self.ctx.prefix}{value}"
            names.append(name)
            ctype = dtype.compute
            self.ctx.top.append(
                Line(f"{ctype}* {name} = reinterpret_cast<{ctype}*>(arena + {offset});", self.ctx.origin(node))
            )
            size = max(4, dtype.size) if dtype.is_float else dtype.size
            offset += self.ctx.warps * lanes * count * size
        return names

    def _publish(self, node: Node) -> None:
        names = self._buffers(node)
        count = self.ctx.count(self.ctx.pattern.kept(node))
        lane, lanes = self._kept_lanes(node)
        leaders = self._leader_tests(node)
        row = f"(warp * {lanes} + {lane})" if lanes > 1 else "warp"
        body: list[Line | Block] = [
            Line(f"{name}[{row} * {count} + k] = {array}[k];", self.ctx.origin(node))
            for name, array in zip(names, self._arrays(node), strict=True)
        ]
        loop = Block(f"for (int k = 0; k < {count}; ++k) {{", body, unroll=True)
        self.ctx.top.append(Block(f"if ({' && '.join(leaders)}) {{" if leaders else "{", [loop]))

    def _leader_tests(self, node: Node) -> list[str]:
        tests: list[str] = []
        tops = self.ctx.tops
        kept = self.ctx.pattern.kept(node)
        lanes = 1
        for axis, place in self.ctx.places.items():
            lanes *= place.lanes
            if axis not in kept and place.lanes > 1:
                text = digit("lane", place.lane_stride, place.lanes, place.lane_stride * place.lanes == tops["lane"])
                tests.append(f"{text} == 0")
        if lanes < 32:
            tests.append(f"lane < {lanes}")
        return tests

    def _gather(self, node: Node) -> None:
        """Every thread folds the partial results of its row in the order of the warps."""
        names = [f"m{self.ctx.prefix}{v}" for v in node.outputs]
        count = self.ctx.count(self.ctx.pattern.kept(node))
        lane, lanes = self._kept_lanes(node)
        tops = self.ctx.tops
        own: list[str] = []
        loops: list[tuple[str, int, int]] = []
        for axis in self.ctx.pattern.reduced(node):
            place = self.ctx.places[axis]
            if place.warps > 1:
                text = digit("warp", place.warp_stride, place.warps, place.warp_stride * place.warps == tops["warp"])
                own.append(f"({text})" + (f" * {place.warp_stride}" if place.warp_stride > 1 else ""))
                loops.append((f"j{len(loops)}", place.warps, place.warp_stride))
        first = self.ctx.fresh("g")
        self.ctx.top.append(Line(f"const int {first} = warp - {' - '.join(own)};"))
        moved = " + ".join([first, *(name if stride == 1 else f"{name} * {stride}" for name, _, stride in loops)])
        row = f"(({moved}) * {lanes} + {lane})" if lanes > 1 else f"({moved})"
        state = [f"{a}[k]" for a in self._arrays(node)]
        body: list[Line | Block] = []
        other = []
        for name, value in zip(names, node.outputs, strict=True):
            read = self.ctx.fresh("x")
            body.append(Line(f"const {self.graph.type(value).dtype.compute} {read} = {name}[{row} * {count} + k];"))
            other.append(read)
        self.values.combine(node, state, other, body)
        inner: list[Line | Block] = body
        for name, radix, _ in reversed(loops):
            inner = [Block(f"for (int {name} = 0; {name} < {radix}; ++{name}) {{", inner, unroll=True)]
        reset: list[Line | Block] = [Line(f"{s} = {self.identity(node, k)};") for k, s in enumerate(state)]
        self.ctx.top.append(Block(f"for (int k = 0; k < {count}; ++k) {{", [*reset, *inner], unroll=True))

    # -- the result -------------------------------------------------------------------------------------------

    def _round(self, node: Node) -> None:
        """Apply an initial value once, and round a narrow float once."""
        count = self.ctx.count(self.ctx.pattern.kept(node))
        inits = initials(self.graph, node)
        monoid = self.values.monoid(node)
        items: list[Line | Block] = []
        for k, (array, value) in enumerate(zip(self._arrays(node), node.outputs, strict=True)):
            dtype = self.graph.type(value).dtype
            if inits and monoid is not None:
                text = self._initial(inits[k])
                items.append(Line(f"{array}[k] = fst::op_{monoid}({text}, {array}[k]);", self.ctx.origin(node)))
            if dtype.is_float and dtype.size < 4:
                items.append(Line(f"{array}[k] = {rounded(dtype, f'{array}[k]')};", self.ctx.origin(node)))
        if items:
            self.ctx.top.append(Block(f"for (int k = 0; k < {count}; ++k) {{", items, unroll=True))

    def _initial(self, value: int) -> str:
        from fstc.codegen.context import Level
        from fstc.codegen.program import Scope

        scope = Scope()
        self.ctx.levels = [Level(scope, set())]
        text = self.values.at(value, ())
        self.ctx.levels = []
        self.ctx.top += scope.before
        return text
