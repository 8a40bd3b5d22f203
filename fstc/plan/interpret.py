"""Run a plan in NumPy: no GPU, no compiler, no generated text.

Example: ``interpret(graph, plan, feeds)[graph.outputs[0]]`` is what the kernels of the plan would compute. It follows
the plan, not the graph: steps in order, phases and nests of each part, every thread by its digits, partial results
folded in the thread, by shuffles and through the arena, holds at their carriers. A step sees what was fed and what
earlier steps stored. What nobody wrote, or what another buffer overwrote, is poison (:mod:`fstc.plan.chip`): a plan
that is wrong gives a wrong result or an InternalError.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np

from fstc.ir.graph import Graph, Node
from fstc.ir.indexing import At, scatter_target
from fstc.ir.ops.evaluate import run_region
from fstc.ir.ops.monoid import combine, identity
from fstc.ir.ops.numerics import cast, quiet
from fstc.ir.ops.opdef import Form
from fstc.ir.pattern import Pattern, Root, initials, make_pattern, operands, ordered_axes, scan_index
from fstc.ir.reference import ConstantStore, run_node
from fstc.ir.regions import find_regions
from fstc.ir.rewrite import apply_rewrites
from fstc.ir.subgraph import extract
from fstc.ir.types import DType
from fstc.plan.artefact import Exchange, Kernel, Nest, Part, Plan, Step
from fstc.plan.chip import LANE, WARP, Shared, Threads, poison
from fstc.plan.instances import Array, Instances, accumulate, monoid_of
from fstc.plan.run import replaced
from fstc.support.diagnostics import InternalError

NO_INDEX = 2**31 - 1  # of an argmax that has seen nothing
State = tuple[Array, ...]  # a partial result, one array a component


def interpret(
    graph: Graph, plan: Plan, feeds: Mapping[int, Array], constants: ConstantStore | None = None
) -> dict[int, Array]:
    """Every value that was fed or that a step stored, by id; values of the plan alone have the ids of its scratch."""
    first = {r.hash: r.graph for r in reversed(find_regions(graph))}
    planned = [apply_rewrites(first[r.hash], [(w.value, w.dim, w.parts) for w in r.rewrites]) for r in plan.regions]
    values = dict(feeds)
    for step in plan.steps:
        for value in step.reads:
            if value not in values:
                values[value] = _constant(graph, value, constants)
        reads = [values[v] for v in step.reads]
        if step.kind == "kernel":
            made = _launch(planned[step.region], plan.regions[step.region].kernels[step.kernel], step, reads)
        else:
            made = list(run_node(graph, graph.nodes[step.node], reads, constants))
        values |= zip(step.writes, made, strict=True)
    for value in graph.outputs:
        if value not in values:
            values[value] = _constant(graph, value, constants)
    return values


def _constant(graph: Graph, value: int, constants: ConstantStore | None) -> Array:
    node = graph.values[value].node if value < len(graph.values) else -1
    if node < 0 or graph.nodes[node].op.form is not Form.CONSTANT:
        raise InternalError(f"value {value} is read, and no step before has stored it")
    return run_node(graph, graph.nodes[node], (), constants)[graph.values[value].index]


def _launch(region: Graph, kernel: Kernel, step: Step, reads: Sequence[Array]) -> list[Array]:
    """The results of one launch, in the order of ``step.writes``; its parts do not see each other."""
    inputs = (*dict.fromkeys(v for p in kernel.parts for v in p.inputs), *replaced(region, kernel))
    outputs = tuple(dict.fromkeys(v for p in kernel.parts for v in p.outputs))
    if len(inputs) != len(step.reads) or len(outputs) != len(step.writes):
        raise InternalError(f"{kernel.name}: the step does not pass what the parts read and write")
    given = dict(zip(inputs, reads, strict=True))
    made = {v: np.full(region.type(v).shape, poison(region.type(v).dtype)) for v in outputs}
    with quiet():
        for part in kernel.parts:
            if part.blocks:
                _Part(region, kernel, part, given, made).run()
    return [made[v] for v in outputs]


class _Part:
    """One part of a launch; ids are those of the part's own graph from here on."""

    def __init__(
        self, region: Graph, kernel: Kernel, part: Part, given: Mapping[int, Array], made: Mapping[int, Array]
    ) -> None:
        graph, self.origin = extract(region, part.nodes, keep=frozenset(part.outputs))
        local = {v: n for n, v in enumerate(self.origin)}
        rank = {n: i for i, n in enumerate(sorted(part.nodes))}
        self.pattern: Pattern = make_pattern(graph)
        if self.pattern.refusal:
            raise InternalError(f"{kernel.name}: {self.pattern.refusal.reason}")
        self.graph, self.name = graph, kernel.name
        self.nests = [(n, {rank[r] for r in n.reduces}, {local[s] for s in n.stores}) for n in part.nests]
        self.exchanges = {rank[e.node]: e for e in part.exchanges}
        self.threads = _threads(self.pattern, part)
        if self.threads.warps * 32 > kernel.threads:
            raise InternalError(f"{kernel.name} has {kernel.threads} threads, a part places {self.threads.warps * 32}")
        self.arena = Shared(kernel.shared)
        inputs = {local[v]: given[v] for v in part.inputs}
        holds = {local[h.value]: h for h in part.holds}
        self.replaced = {v: given[self.origin[v]] for v in self._updated()}
        self.outputs = {local[v]: made[v] for v in part.outputs}
        self.instances = Instances(self.pattern, self.threads, self.arena, inputs, holds)

    def _updated(self) -> list[int]:
        return [n.inputs[0] for n in self.graph.nodes if n.op.form is Form.SCATTER]

    def run(self) -> None:
        for phase in sorted({n.phase for n, _, _ in self.nests}):
            partial: dict[int, State] = {}
            for nest, reduces, stores in self.nests:
                if nest.phase == phase:
                    partial |= self._nest(nest, reduces, stores)
            self._finish(partial)

    def _nest(self, nest: Nest, reduces: set[int], stores: set[int]) -> dict[int, State]:
        """Partial results of the nest's reductions; its stores are done."""
        partial: dict[int, State] = {}
        self.instances.begin(nest.loops)
        for root in self.pattern.roots:
            if root.node in reduces:
                node = self.graph.nodes[root.node]
                if node.op.form is Form.SCAN:
                    self._scan(node, root, nest)
                else:
                    partial[root.node] = self._reduce(node, root, nest)
            elif root.node < 0 and root.value in stores:
                producer = self.graph.nodes[self.graph.values[root.value].node]
                if producer.op.form is Form.SCATTER:
                    self._scatter(producer, root)
                else:
                    at = self.pattern.native(root.value)
                    self._store(root.value, at, self.instances.at(root.value, at), root.axes)
        self.instances.end()
        return partial

    # -- stores -----------------------------------------------------------------------------------------------

    def _store(self, value: int, at: At, array: Array, axes: Sequence[str]) -> None:
        out = self.outputs[value]
        numbers = [self.instances.number(i) for i in at]
        writes = self.instances.inside(axes) & self.threads.first(axes)
        for i, extent in zip(numbers, out.shape, strict=True):
            if np.any(writes & ((i < 0) | (i >= extent))):
                raise InternalError(f"{self.name}: %{self.graph.values[value].name} is stored outside of its bounds")
        cells, new = _chosen(writes, _offset(numbers, out.shape), array)
        out.reshape(-1)[cells] = new

    def _scan(self, node: Node, root: Root, nest: Nest) -> None:
        """A running sum: one thread goes along the axis, in the order of its loops."""
        dtype = self.graph.type(node.outputs[0]).dtype
        at = scan_index(self.graph, node, self.pattern.axes.index[node.inputs[0]])
        along = self._ordered(nest, ordered_axes(self.pattern, node))
        x = self._masked(self.instances.at(node.inputs[0], at), root, np.zeros((), dtype.numpy())[()])
        moved = np.moveaxis(x, along, range(x.ndim - len(along), x.ndim))
        flat = accumulate(moved.reshape(*moved.shape[: x.ndim - len(along)], -1), dtype)
        sums = np.cumsum(flat, axis=-1, dtype=flat.dtype)
        sums = np.moveaxis(sums.reshape(moved.shape), range(x.ndim - len(along), x.ndim), along)
        sums = sums + 0.0 if dtype.is_float else sums
        self._store(node.outputs[0], at, cast(sums, dtype), self.pattern.axes.members[node.outputs[0]])

    def _scatter(self, node: Node, root: Root) -> None:
        """Updates join what is in a copy of the operand; those outside of it are dropped."""
        at = self.pattern.axes.index[node.inputs[2]]
        target = scatter_target(self.graph, node, at)
        places = [self.instances.number(i) for i in target.window]
        for n, where in target.starts:
            places[n] = places[n] + self.instances.at(node.inputs[1], where).astype(np.int64)
        out = self.outputs[node.outputs[0]]
        out[...] = self.replaced[node.inputs[0]]
        update = self.instances.at(node.inputs[2], at)
        writes = self.instances.inside(root.axes) & self.threads.first(root.axes)
        for i, extent in zip(places, out.shape, strict=True):
            writes = writes & (i >= 0) & (i < extent)
        cells, new = _chosen(writes, _offset(places, out.shape), update)
        flat = out.reshape(-1)
        (flat[cells],) = run_region(node.regions[0], (flat[cells], new), wide=False)

    # -- reductions -------------------------------------------------------------------------------------------

    def _masked(self, x: Array, root: Root, neutral: Array) -> Array:
        """Every element of the root's space; what lies beyond an extent does not count."""
        return np.where(self.instances.inside(root.axes), x, neutral)

    def _ordered(self, nest: Nest, axes: Sequence[str]) -> list[int]:
        """Dimensions of the axes, the outermost loop first; all must lie in the thread."""
        for axis in axes:
            p = self.threads.places[axis]
            if p.lanes > 1 or p.warps > 1 or p.grid > 1:
                raise InternalError(f"{self.name}: {axis} is folded in order, and lies on several threads")
        looped = [a for a in nest.loops if a in axes]
        return [self.threads.dims[a] for a in (*(a for a in axes if a not in looped), *looped)]

    def _reduce(self, node: Node, root: Root, nest: Nest) -> State:
        """What each thread has of a reduction after its own elements."""
        at = self.pattern.axes.index[node.inputs[0]]
        arrays = [self.instances.at(v, at) for v in operands(self.graph, node)]
        monoid, reduced = monoid_of(node), self.pattern.reduced(node)
        if any(self.threads.places[a].grid > 1 for a in reduced):
            raise InternalError(f"{self.name}: an axis that is reduced lies on the grid")
        if monoid is None:
            return self._fold_in_order(node, root, arrays, self._ordered(nest, reduced))
        state = [
            self._masked(accumulate(x, self._dtype(node, k)), root, self._identity(node, k))
            for k, x in enumerate(arrays)
        ]
        if len(node.outputs) > 1:
            index = np.broadcast_to(self.instances.number(at[node.attr("axis")]), state[0].shape)
            state.append(self._masked(index.astype(np.int32), root, np.int32(NO_INDEX)))
        for axis in reduced:
            state = _halve(monoid, state, self.threads.dims[axis])
        return tuple(state)

    def _fold_in_order(self, node: Node, root: Root, arrays: list[Array], dims: list[int]) -> State:
        shape = np.broadcast_shapes(self.instances.inside(root.axes).shape, *(x.shape for x in arrays))
        arrays = [np.broadcast_to(x, shape) for x in arrays]
        state: State = tuple(self.instances.at(v, ()) for v in initials(self.graph, node))
        inside = np.broadcast_to(self.instances.inside(root.axes), shape)
        for position in product(*(range(shape[d]) for d in dims)):
            step, valid = list(arrays), inside
            for dim, n in zip(dims, position, strict=True):
                step = [np.take(x, [n], axis=dim) for x in step]
                valid = np.take(valid, [n], axis=dim)
            found = run_region(node.regions[0], (*state, *step), wide=False)
            state = tuple(np.where(valid, new, old) for new, old in zip(found, state, strict=True))
        return state

    def _dtype(self, node: Node, component: int) -> DType:
        return self.graph.type(node.outputs[component]).dtype

    def _identity(self, node: Node, component: int) -> Array:
        dtype = self._dtype(node, component)
        if component:
            return np.int32(NO_INDEX)
        neutral = np.full((), identity(str(monoid_of(node)), dtype)).astype(dtype.numpy())
        return accumulate(neutral, dtype)[()]

    def _finish(self, partial: dict[int, State]) -> None:
        """Shuffles, then one exchange for all reductions of the phase that cross warps."""
        crossing = []
        for n, state in partial.items():
            node = self.graph.nodes[n]
            partial[n] = self._shuffle(node, state)
            if any(self.threads.places[a].warps > 1 for a in self.pattern.reduced(node)):
                self._publish(node, partial[n])
                crossing.append(node)
        if crossing:
            self.arena.barrier()
        for node in crossing:
            partial[node.id] = self._gather(node)
        for n, state in partial.items():
            self._result(self.graph.nodes[n], state)

    def _shuffle(self, node: Node, state: State) -> State:
        masks = []
        for axis in self.pattern.reduced(node):
            place = self.threads.places[axis]
            masks += [place.lane_stride << k for k in range(place.lanes.bit_length() - 1)]
        lane = np.arange(self.threads.lanes)
        for mask in sorted(masks, reverse=True):
            state = tuple(_spread(x, LANE, self.threads.lanes) for x in state)
            other = tuple(np.take(x, lane ^ mask, axis=LANE) for x in state)
            state = tuple(_join(str(monoid_of(node)), list(state), list(other)))
        return state

    def _publish(self, node: Node, state: State) -> None:
        """The leaders of each warp write its partial results; every thread that shares kept lanes reads them."""
        kept = self.pattern.kept(node)
        state = tuple(_spread(_spread(x, LANE, self.threads.lanes), WARP, self.threads.warps) for x in state)
        content = tuple(np.take(x, self.threads.leader(kept), axis=LANE) for x in state)
        exchange = self._exchange(node)
        lanes = np.prod([self.threads.places[a].lanes for a in kept], dtype=int)
        each = sum(x.dtype.itemsize for x in state)
        needed = int(self.threads.warps * lanes * self.threads.per_thread(kept) * each)
        if needed > exchange.bytes:
            raise InternalError(f"{self.name}: an exchange has {exchange.bytes} bytes and needs {needed}")
        self.arena.write(f"exchange {node.id}", exchange.offset, exchange.bytes, content)

    def _exchange(self, node: Node) -> Exchange:
        found = self.exchanges.get(node.id)
        if found is None:
            name = self.graph.values[node.outputs[0]].name
            raise InternalError(f"{self.name}: %{name} crosses warps, and has no exchange")
        return found

    def _gather(self, node: Node) -> State:
        content = self.arena.read(f"exchange {node.id}", [self._dtype(node, k) for k in range(len(node.outputs))])
        places = [p for p in (self.threads.places[a] for a in self.pattern.reduced(node)) if p.warps > 1]
        warp = np.arange(self.threads.warps)
        first = warp - sum(warp // p.warp_stride % p.warps * p.warp_stride for p in places)
        state: list[Array] | None = None
        for digits in product(*(range(p.warps) for p in places)):
            source = first + sum(d * p.warp_stride for d, p in zip(digits, places, strict=True))
            other = [np.take(x, source, axis=WARP) for x in content]
            state = other if state is None else _join(str(monoid_of(node)), state, other)
        assert state is not None
        return tuple(state)

    def _result(self, node: Node, state: State) -> None:
        inits, monoid = initials(self.graph, node), monoid_of(node)
        for k, (value, x) in enumerate(zip(node.outputs, state, strict=True)):
            dtype = self._dtype(node, k)
            if monoid is not None and inits:
                x = combine(monoid, accumulate(self.instances.at(inits[k], ()), dtype), x)
            self.instances.results[value] = cast(x + 0.0 if monoid == "add" and dtype.is_float else x, dtype)


def _threads(pattern: Pattern, part: Part) -> Threads:
    places = {p.axis: p for p in part.placement}
    missing = [a for a in pattern.used if a not in places]
    if missing:
        raise InternalError(f"axis {missing[0]} has no place")
    windows = [
        f"w{n.id}_{d}"
        for n in pattern.graph.nodes
        if n.op.form is Form.REDUCE_WINDOW
        for d, size in enumerate(n.attr("window_dimensions"))
        if size > 1
    ]
    return Threads(places, part.blocks, windows)


def _offset(index: Sequence[Array], shape: Sequence[int]) -> Array:
    """Row-major, in elements."""
    total, stride = np.zeros((), np.int64), 1
    for i, extent in zip(reversed(index), reversed(shape), strict=True):
        total, stride = total + i * stride, stride * extent
    return total


def _chosen(where: Array, *arrays: Array) -> tuple[Array, ...]:
    """The elements of each array at the places that hold."""
    chosen, *others = np.broadcast_arrays(where, *arrays)
    return tuple(x[chosen] for x in others)


def _spread(x: Array, dim: int, size: int) -> Array:
    return np.broadcast_to(x, (*x.shape[:dim], size, *x.shape[dim + 1 :])) if x.shape[dim] < size else x


def _halve(monoid: str, state: list[Array], dim: int) -> list[Array]:
    """Fold one dimension to size one."""
    while (size := state[0].shape[dim]) > 1:
        half = size // 2
        pick = [np.take(x, range(half), axis=dim) for x in state]
        other = [np.take(x, range(half, 2 * half), axis=dim) for x in state]
        joined = _join(monoid, pick, other)
        if size % 2:
            rest = [np.take(x, [size - 1], axis=dim) for x in state]
            joined = [np.concatenate([a, b], axis=dim) for a, b in zip(joined, rest, strict=True)]
        state = joined
    return state


def _join(monoid: str, a: list[Array], b: list[Array]) -> list[Array]:
    """Two partial results as one. Of an argmax NaN wins, and the lowest index of equals."""
    if len(a) == 1:
        return [combine(monoid, a[0], b[0])]
    (x, i), (y, j) = a, b
    better = y > x if monoid.endswith("max") else y < x
    if x.dtype.kind == "f":
        better = (better & ~np.isnan(x)) | (np.isnan(y) & ~np.isnan(x))
        same = (x == y) | (np.isnan(x) & np.isnan(y))
    else:
        same = x == y
    second = better | (same & (j < i))
    return [np.where(second, y, x), np.where(second, j, i)]
