"""Lower one placed part to a kernel program: nests of loops, collectives between them, stores.

Example: a LayerNorm lowers to: array declarations; nest 0 (load, hold, partial sums); shuffles and an exchange; nest 1
(squared deviations); the same; nest 2 (normalise and store). Decisions were taken by ``plan``; nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from fstc.codegen.collectives import Collectives
from fstc.codegen.context import Context, Level
from fstc.codegen.digits import added, base_text, scaled, step
from fstc.codegen.program import Block, Line, Scope, pruned
from fstc.codegen.values import Values
from fstc.ir.graph import Node
from fstc.ir.indexing import scatter_target
from fstc.ir.ops.opdef import Form
from fstc.ir.pattern import Key, Pattern, initials, operands, scan_index
from fstc.plan.artefact import AxisPlace, Exchange, Hold, Nest
from fstc.support.affine import linearize, ranged

FAR = 2**62  # bound of an index that a scatter reads; what lies outside of the operand is dropped


def lower_part(
    pattern: Pattern,
    placement: tuple[AxisPlace, ...],
    nests: tuple[Nest, ...],
    holds: tuple[Hold, ...],
    exchanges: tuple[Exchange, ...],
    *,
    params: Mapping[int, str],
    warps: int,
    wide: bool,
) -> list[Line | Block]:
    """The body of one part. Ids are those of ``pattern.graph``; ``block`` and ``arena`` are declared by the caller."""
    ctx = Context(
        pattern=pattern,
        places={p.axis: p for p in placement},
        nests=nests,
        holds={h.value: h for h in holds},
        exchanges={e.node: e for e in exchanges},
        params=params,
        warps=warps,
        wide=wide,
    )
    return _Lowering(ctx).run()


class _Lowering:
    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.pattern = ctx.pattern
        self.graph = ctx.pattern.graph
        self.results: dict[int, tuple[str, tuple[str, ...]]] = {}
        self.values = Values(ctx, self.results)
        self.collectives = Collectives(ctx, self.values)
        self.met: frozenset[str] = frozenset()  # conditions around the nest that is being written

    def run(self) -> list[Line | Block]:
        self._bases()
        self._holds()
        for phase in range(self.pattern.phases()):
            self._accumulators(phase)
            finished: list[Node] = []
            for nest in self.ctx.nests:
                if nest.phase == phase:
                    for part, tests in self._apart(nest):
                        self._nest(part, tests)
                    finished += [self.graph.nodes[n] for n in nest.reduces]
            reductions = [n for n in finished if n.op.form is Form.REDUCE]
            self.collectives.finish(reductions)
            for node in reductions:
                for k, value in enumerate(node.outputs):
                    self.results[value] = (self.array(node, k), self.pattern.kept(node))
        return pruned(self.ctx.top)

    # -- declarations -----------------------------------------------------------------------------------------

    def _bases(self) -> None:
        tops = self.ctx.tops
        for axis, place in self.ctx.places.items():
            text = base_text(place, tops)
            self.ctx.bases[axis] = axis if text != "0" else text
            if text != "0":
                declared = f"const {self.ctx.index_type} {axis} = {text};"
                self.ctx.top.append(Line(declared, f"axis {axis}, extent {place.extent}", axis))

    def array(self, node: Node, component: int) -> str:
        return f"r{node.outputs[component]}"

    def _accumulators(self, phase: int) -> None:
        """Partial results of the phase's reductions; an initial value may be a result of an earlier phase."""
        for node in self.pattern.reductions:
            if self.pattern.depth[node.id] - 1 != phase:
                continue
            count = self.ctx.count(self.pattern.kept(node))
            for k, value in enumerate(node.outputs):
                dtype = self.graph.type(value).dtype
                first = self._first(node, k)
                name = self.array(node, k)
                if count == 1:
                    self.ctx.top.append(Line(f"{dtype.compute} {name} = {first};", self.ctx.origin(node)))
                    continue
                self.ctx.top.append(Line(f"{dtype.compute} {name}[{count}];", self.ctx.origin(node)))
                self.ctx.top += self.ctx.each(count, [Line(f"{name}[k] = {first};")])

    def _holds(self) -> None:
        for value, hold in self.ctx.holds.items():
            storage = self.graph.type(value).dtype.storage
            origin = f"%{self.graph.values[value].name}, kept in {hold.carrier}"
            name = f"h{value}"
            if hold.carrier == "register":
                size = f"[{hold.elements}]" if hold.elements > 1 else ""
                self.ctx.top.append(Line(f"{storage} {name}{size};", origin))
            else:
                self.ctx.top.append(
                    Line(f"{storage}* {name} = reinterpret_cast<{storage}*>(arena + {hold.offset});", origin)
                )

    def _first(self, node: Node, component: int) -> str:
        """What an accumulator starts from: the identity, or for an ordered fold the initial value."""
        if self.values.monoid(node) is None:
            scope = Scope()
            self.ctx.levels = [Level(scope, set())]
            text = self.values.at(initials(self.graph, node)[component], ())
            self.ctx.levels = []
            self.ctx.top += scope.before
            return text
        return self.collectives.identity(node, component)

    # -- nests ------------------------------------------------------------------------------------------------

    def _nest_axes(self, nest: Nest) -> list[str]:
        axes: dict[str, None] = {}
        for root in self.pattern.roots:
            if root.node in nest.reduces or (root.node < 0 and root.value in nest.stores):
                axes.update(dict.fromkeys(root.axes))
        return list(axes)

    def _apart(self, nest: Nest) -> list[tuple[Nest, list[str]]]:
        """The nest, and what of it only some blocks do, under the conditions that these meet.

        That are stores that lack axes of the grid and need other loads than the rest: all blocks would load for one.

        Example: of ``f32[32,128]`` all is stored, and its first row a second time.
        """
        pattern = self.pattern
        roots = [r for r in pattern.roots if r.node in nest.reduces or (r.node < 0 and r.value in nest.stores)]
        tests = {r.value: self.collectives.zero(frozenset(r.axes), ("block",)) for r in roots if r.node < 0}
        if not any(tests.values()):
            return [(nest, [])]
        loads = {r.value: self._loads(r.keys) for r in roots if r.node < 0}
        everywhere = [r for r in roots if r.node >= 0 or not tests[r.value]]
        known = self._loads(tuple(k for r in everywhere for k in r.keys))
        few = [v for v in nest.stores if tests.get(v) and loads[v] - known]
        if not everywhere or not few:
            return [(nest, [])]
        rest = replace(nest, stores=tuple(v for v in nest.stores if v not in few))
        return [(rest, []), *((replace(nest, reduces=(), stores=(v,)), tests[v]) for v in few)]

    def _loads(self, keys: tuple[Key, ...]) -> set[Key]:
        return {k for k in self.pattern.reach(keys) if self.pattern.instances[k].role == "load"}

    def _nest(self, nest: Nest, tests: Sequence[str] = ()) -> None:
        """Guards of loop-less axes, serial loops, vector loops, roots; closed from the inside out.

        ``tests``: further conditions of all of it.
        """
        ctx = self.ctx
        axes = self._nest_axes(nest)
        self.values.tiles.clear()
        ctx.loops = {a: ("0", "0") for a in axes if ctx.places[a].per_thread == 1}
        top = Scope(names={a: ctx.bases[a] for a in axes if ctx.places[a].serial == 1})
        bound = {a for a in axes if ctx.places[a].per_thread == 1}
        guards = [*tests]
        self.met = frozenset(tests)
        guards += [
            f"{ctx.bases[a]} < {ctx.places[a].extent}"
            for a in axes
            if ctx.places[a].serial == 1 and ctx.places[a].covered > ctx.places[a].extent
        ]
        ctx.levels = [Level(top, bound)]
        frames: list[Block] = []
        for axis in nest.loops:
            if ctx.places[axis].serial > 1:
                frames.append(self._serial_loop(axis, nest))
        chunk = len(ctx.levels) - 1
        for axis in nest.loops:
            if ctx.places[axis].vector > 1:
                frames.append(self._vector_loop(axis))
        self._roots(nest, chunk)
        for depth in range(len(frames), 0, -1):
            target = frames[depth - 1]
            while target.items and isinstance(target.items[-1], Block):
                target = target.items[-1]
            target.items += ctx.levels[depth].scope.items
            ctx.levels[depth - 1].scope.inner = frames[depth - 1]
        ctx.top.append(Block(f"if ({' && '.join(guards)}) {{" if guards else "{", top.items))
        ctx.levels = []
        ctx.loops = {}
        ctx.defined |= self.values.pending
        self.values.pending.clear()

    def _serial_loop(self, axis: str, nest: Nest) -> Block:
        ctx, place = self.ctx, self.ctx.places[axis]
        counter, name, base = f"s{axis}", f"{axis}s", ctx.bases[axis]
        unroll: bool | int = True if self._indexes_array(axis, nest) else nest.unroll
        block = Block(f"for (int {counter} = 0; {counter} < {place.serial}; ++{counter}) {{", unroll=unroll)
        stride = step(place)
        if stride == 1 and base == "0":
            name = counter
        else:
            shift = added(base, scaled(counter, stride))
            block.items.append(Line(f"const {ctx.index_type} {name} = {shift};", defines=name))
        if place.covered > place.extent:
            block.items.append(Block(f"if ({name} < {place.extent}) {{"))
        bound = {axis} if place.vector == 1 else set()
        ctx.levels.append(Level(Scope(names={axis: name}), bound))
        ctx.loops[axis] = (counter, "0")
        return block

    def _vector_loop(self, axis: str) -> Block:
        ctx, place = self.ctx, self.ctx.places[axis]
        counter, name = f"e{axis}", f"{axis}e"
        block = Block(f"for (int {counter} = 0; {counter} < {place.vector}; ++{counter}) {{", unroll=True)
        chunk = ctx.names(len(ctx.levels) - 1)[axis]
        if chunk == "0":
            name = counter
        else:
            block.items.append(Line(f"const {ctx.index_type} {name} = {chunk} + {counter};", defines=name))
        if place.covered > place.extent and place.extent % place.vector:
            block.items.append(Block(f"if ({name} < {place.extent}) {{"))
        ctx.levels.append(Level(Scope(names={axis: name}), {axis}))
        ctx.loops[axis] = (ctx.loops.get(axis, ("0", "0"))[0], counter)
        return block

    def _indexes_array(self, axis: str, nest: Nest) -> bool:
        """A register array must be indexed by constants, so the loops that index one are unrolled."""
        kept = any(h.carrier == "register" and axis in h.axes for h in self.ctx.holds.values())
        reduced = [n for n in self.pattern.reductions if n.id in nest.reduces and n.op.form is Form.REDUCE]
        partial = any(axis in self.pattern.kept(n) for n in reduced)
        result = any(axis in axes for _, axes in self.results.values())
        return (kept or partial or result) and self.ctx.places[axis].serial <= 128

    # -- roots ------------------------------------------------------------------------------------------------

    def _roots(self, nest: Nest, chunk: int) -> None:
        for root in self.pattern.roots:
            if root.node in nest.reduces:
                self._reduce(self.graph.nodes[root.node], frozenset(root.axes))
            elif root.node < 0 and root.value in nest.stores:
                producer = self.graph.nodes[self.graph.values[root.value].node]
                if producer.op.form is Form.SCATTER:
                    self._scatter(producer, frozenset(root.axes))
                else:
                    self._store(root.value, frozenset(root.axes), chunk)

    def _reduce(self, node: Node, axes: frozenset[str]) -> None:
        ctx = self.ctx
        at = scan_index(self.graph, node, self.pattern.axes.index[node.inputs[0]])
        texts = [self.values.root(v, at) for v in operands(self.graph, node)]
        scope = ctx.levels[ctx.level_of(axes)].scope
        if node.op.form is Form.SCAN:
            self._scan(node, texts[0], scope)
            return
        kept = self.pattern.kept(node)
        state = [ctx.cell(self.array(node, k), ctx.count(kept), ctx.slot(kept)) for k in range(len(node.outputs))]
        if self.values.monoid(node) in ("argmax", "argmin"):
            index = at[node.attr("axis")].c_text(ctx.names(len(ctx.levels) - 1))
            texts.append(ctx.declare("fst::i32", f"fst::i32({index})", scope))
        self.values.combine(node, state, texts, scope.after)

    def _scan(self, node: Node, text: str, scope: Scope) -> None:
        ctx, value = self.ctx, node.outputs[0]
        kept = self.pattern.kept(node)
        state = ctx.cell(self.array(node, 0), ctx.count(kept), ctx.slot(kept))
        self.values.combine(node, [state], [text], scope.after)
        at = scan_index(self.graph, node, self.pattern.axes.index[node.inputs[0]])
        offset = linearize(at, self.graph.type(value).shape).c_text(ctx.names(len(ctx.levels) - 1))
        text = ctx.down(self.graph.type(value).dtype, state)
        line = Line(f"{ctx.params[value]}[{offset}] = {text};", ctx.origin(node))
        scope.after.append(self._once(frozenset(self.pattern.axes.members[value]), line))

    def _store(self, value: int, axes: frozenset[str], chunk: int) -> None:
        """Store an output; with a vector width through a tile, which is moved after the vector loops."""
        ctx = self.ctx
        dtype = self.graph.type(value).dtype
        at = self.pattern.native(value)
        text = self.values.root(value, at)
        scope = ctx.levels[ctx.level_of(axes)].scope
        offset = linearize(at, self.graph.type(value).shape)
        tile = self.values.tiles.tile(value, offset)
        origin = f"%{self.graph.values[value].name}"
        if tile is None:
            where = offset.c_text(ctx.names(len(ctx.levels) - 1))
            line = Line(f"{ctx.params[value]}[{where}] = {ctx.down(dtype, text)};", origin)
            scope.after.append(self._once(axes, line))
            return
        name = ctx.fresh("o")
        ctx.levels[chunk].scope.before.append(Line(f"{tile.declaration(name)};", origin))
        scope.after.append(Line(f"{tile.element(name, ctx.loops)} = {ctx.down(dtype, text)};", origin))
        items: list[Line | Block] = []
        self.values.tiles.store(tile, name, chunk, items)
        ctx.levels[chunk].scope.after.append(self._once(axes, *items))

    def _scatter(self, node: Node, axes: frozenset[str]) -> None:
        """One update: combine what is there with it; an element outside of the operand is dropped."""
        ctx, values, out = self.ctx, self.values, node.outputs[0]
        at = self.pattern.axes.index[node.inputs[2]]
        update = values.at(node.inputs[2], at)
        target = scatter_target(self.graph, node, at)
        scope = ctx.levels[ctx.level_of(axes)].scope
        full = list(target.window)
        for n, where in target.starts:
            name = ctx.declare("long long", f"(long long)({values.at(node.inputs[1], where)})", scope, ctx.origin(node))
            full[n] = full[n] + ranged(name, -FAR, FAR)
        names = ctx.names(len(ctx.levels) - 1)
        shape = self.graph.type(out).shape
        tests = []
        for index, extent in zip(full, shape, strict=True):
            if index.low < 0 or index.high >= extent:
                text = index.c_text(names)
                tests.append(f"{text} >= 0 && {text} < {extent}")
        place = f"{ctx.params[out]}[{linearize(tuple(full), shape).c_text(names)}]"
        dtype = self.graph.type(out).dtype
        old = ctx.fresh("b")
        body: list[Line | Block] = [Line(f"const {dtype.compute} {old} = fst::up({place});", ctx.origin(node))]
        (text,) = values.body(node.regions[0], [old, update], body, ctx.origin(node))
        body.append(Line(f"{place} = fst::down<{dtype.storage}>({text});", ctx.origin(node)))
        guarded = Block(f"if ({' && '.join(tests)}) {{", body) if tests else Block("{", body)
        scope.after.append(self._once(axes, guarded))

    def _once(self, axes: frozenset[str], *items: Line | Block) -> Line | Block:
        """Several threads hold a value that lacks some parallel axes: the first of them stores it."""
        tests = [t for t in self.collectives.first_of(axes) if t not in self.met]
        if not tests:
            return items[0] if len(items) == 1 else Block("{", list(items))
        return Block(f"if ({' && '.join(tests)}) {{", list(items))
