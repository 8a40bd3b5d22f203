"""Finish reductions across threads: shuffles within a warp, then shared memory across warps.

Example: a row over 8 warps: five ``shfl_xor`` steps, one leader a warp writes its partial result, a barrier, every
thread folds the eight values in the same order. The result is known to all threads of the row.
"""

from __future__ import annotations

from fstc.codegen.context import Context, Level, rounded
from fstc.codegen.digits import added, digit, scaled
from fstc.codegen.program import Block, Line, Scope
from fstc.codegen.values import Values
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
        lanes = warps = 1
        for place in self.ctx.places.values():
            lanes *= place.lanes
            warps *= place.warps
        tests = self.zero(axes, ("lane", "warp", "block"))
        if lanes < 32:
            tests.append(f"lane < {lanes}")
        if warps < self.ctx.warps:
            tests.append(f"warp < {warps}")
        return tests

    def zero(self, axes: frozenset[str], levels: tuple[str, ...]) -> list[str]:
        """Conditions that the digits of all other axes at these levels are 0."""
        tests: list[str] = []
        tops = self.ctx.tops
        for axis, place in self.ctx.places.items():
            if axis in axes:
                continue
            for source, stride, radix in (
                ("lane", place.lane_stride, place.lanes),
                ("warp", place.warp_stride, place.warps),
                ("block", place.grid_stride, place.grid),
            ):
                if radix > 1 and source in levels:
                    tests.append(f"{digit(source, stride, radix, stride * radix == tops[source])} == 0")
        return tests

    # -- within a warp ----------------------------------------------------------------------------------------

    def _count(self, node: Node) -> int:
        return self.ctx.count(self.ctx.pattern.kept(node))

    def _state(self, node: Node) -> list[str]:
        """One partial result, component by component."""
        return [self.ctx.cell(f"r{v}", self._count(node)) for v in node.outputs]

    def _read(self, node: Node, texts: list[str], items: list[Line | Block]) -> list[str]:
        """Another thread's partial result; named where a combiner uses it more than once."""
        if len(texts) == 1 and self.values.monoid(node) is not None:
            return texts
        names = []
        for text, value in zip(texts, node.outputs, strict=True):
            names.append(self.ctx.fresh("x"))
            items.append(Line(f"const {self.graph.type(value).dtype.compute} {names[-1]} = {text};"))
        return names

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
        items: list[Line | Block] = []
        state = self._state(node)
        for mask in sorted(masks, reverse=True):
            other = self._read(node, [f"fst::shfl_xor({text}, {mask})" for text in state], items)
            self.values.combine(node, state, other, items)
        self.ctx.top += self.ctx.each(self._count(node), items)

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
                parts.append(scaled(text, total))
                total *= place.lanes
        return added(*parts), total

    def _cell(self, node: Node, warp: str) -> str:
        """Position of partial result ``k`` of a warp in the exchange."""
        count = self._count(node)
        lane, lanes = self._kept_lanes(node)
        row = added(scaled(warp, lanes), lane)
        return row if count == 1 else added(scaled(row, count), "k")

    def _buffers(self, node: Node) -> list[str]:
        """Pointers into the arena, one a component."""
        offset = self.ctx.exchanges[node.id].offset
        _, lanes = self._kept_lanes(node)
        rows = self.ctx.warps * lanes * self._count(node)
        dtypes = {v: self.graph.type(v).dtype for v in node.outputs}
        sizes = {v: max(4, d.size) if d.is_float else d.size for v, d in dtypes.items()}
        for value in sorted(node.outputs, key=lambda v: -sizes[v]):  # the widest first, so that all are aligned
            ctype = dtypes[value].compute
            where = added("arena", str(offset))
            declared = f"{ctype}* m{value} = reinterpret_cast<{ctype}*>({where});"
            self.ctx.top.append(Line(declared, self.ctx.origin(node)))
            offset += rows * sizes[value]
        return [f"m{v}" for v in node.outputs]

    def _publish(self, node: Node) -> None:
        names = self._buffers(node)
        leaders = self._leader_tests(node)
        body: list[Line | Block] = [
            Line(f"{name}[{self._cell(node, 'warp')}] = {text};", self.ctx.origin(node))
            for name, text in zip(names, self._state(node), strict=True)
        ]
        items = self.ctx.each(self._count(node), body)
        self.ctx.top += [Block(f"if ({' && '.join(leaders)}) {{", items)] if leaders else items

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
        tops = self.ctx.tops
        own: list[str] = []
        loops: list[tuple[str, int, int]] = []
        for axis in self.ctx.pattern.reduced(node):
            place = self.ctx.places[axis]
            if place.warps > 1:
                text = digit("warp", place.warp_stride, place.warps, place.warp_stride * place.warps == tops["warp"])
                own.append(scaled(text, place.warp_stride))
                loops.append((f"j{len(loops)}", place.warps, place.warp_stride))
        first = "0"
        if own != ["warp"]:
            first = self.ctx.fresh("g")
            self.ctx.top.append(Line(f"const int {first} = warp - {' - '.join(scaled(text, 1) for text in own)};"))
        row = added(first, *(scaled(name, stride) for name, _, stride in loops))
        state = self._state(node)
        body: list[Line | Block] = []
        other = self._read(node, [f"m{v}[{self._cell(node, row)}]" for v in node.outputs], body)
        self.values.combine(node, state, other, body)
        inner: list[Line | Block] = body
        for name, radix, _ in reversed(loops):
            inner = [Block(f"for (int {name} = 0; {name} < {radix}; ++{name}) {{", inner, unroll=True)]
        reset: list[Line | Block] = [Line(f"{s} = {self.identity(node, k)};") for k, s in enumerate(state)]
        self.ctx.top += self.ctx.each(self._count(node), [*reset, *inner])

    # -- the result -------------------------------------------------------------------------------------------

    def _round(self, node: Node) -> None:
        """Apply an initial value once, and round a narrow float once."""
        inits = initials(self.graph, node)
        monoid = self.values.monoid(node)
        items: list[Line | Block] = []
        for k, (state, value) in enumerate(zip(self._state(node), node.outputs, strict=True)):
            dtype = self.graph.type(value).dtype
            if inits and monoid is not None:
                text = self._initial(inits[k])
                items.append(Line(f"{state} = fst::op_{monoid}({text}, {state});", self.ctx.origin(node)))
            if dtype.is_float and dtype.size < 4:
                items.append(Line(f"{state} = {rounded(dtype, state)};", self.ctx.origin(node)))
        self.ctx.top += self.ctx.each(self._count(node), items) if items else []

    def _initial(self, value: int) -> str:
        scope = Scope()
        self.ctx.levels = [Level(scope, set())]
        text = self.values.at(value, ())
        self.ctx.levels = []
        self.ctx.top += scope.before
        return text
