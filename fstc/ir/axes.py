"""Axes: every dimension of every value as an ordered product of shared index variables.

Example: in a softmax over ``f32[8,12,64]`` all values share the axes ``(a0 a1)``: a0 = 96 rows, a1 = 64 columns,
whatever transposes and reshapes lie between. Definitions and pitfalls: ``docs/architecture.md``, "Axes".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import gcd, prod

from fstc.ir.axis_forest import AxisForest
from fstc.ir.graph import Graph, Node
from fstc.ir.indexing import per_dim
from fstc.ir.ops.opdef import Form
from fstc.support.affine import ZERO, Index, Term, linearize, var


@dataclass(frozen=True, slots=True)
class Axis:
    name: str
    extent: int


@dataclass(frozen=True)
class Axes:
    """The axes of a graph.

    index:   per value its canonical index, one expression over axis variables a dimension.
    members: per value the names of its axes, outermost first.
    reduced: per node the names of the axes that it reduces away.
    renamed: operand edges (node, operand position) that address the value by other axes than its own.
    """

    axes: tuple[Axis, ...]
    index: tuple[tuple[Index, ...], ...]
    members: tuple[tuple[str, ...], ...]
    reduced: tuple[tuple[str, ...], ...]
    renamed: tuple[tuple[int, int], ...]

    @cached_property
    def extents(self) -> dict[str, int]:
        return {a.name: a.extent for a in self.axes}


class _Analysis:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.forest = AxisForest()
        self.dims: list[list[list[int]]] = []
        self.cut: list[int] = []  # axes addressed otherwise than as themselves; they are not merged
        self.renamed: list[tuple[int, int]] = []
        self.links: list[tuple[int, int]] = []  # (concatenation axis, node): wishes to take a picked axis's name
        self.picks: dict[int, list[int]] = {}  # slice node -> picked axes

    def run(self) -> None:
        for value in self.graph.values:
            empty = value.type.elements == 0
            self.dims.append([[] if e == 1 or empty else [self.forest.new(e, value.id)] for e in value.type.shape])
        for node in self.graph.nodes:
            rule = _RULES.get(node.op.form)
            if rule and all(self.graph.type(v).elements for v in (*node.inputs, *node.outputs)):
                rule(self, node)
        self._name_concatenations()

    def tie(self, node: Node, operand: int, left: Sequence[int], right: Sequence[int]) -> None:
        if not self.forest.unify(left, right):
            self.renamed.append((node.id, operand))

    def flat(self, value: int) -> list[int]:
        return [a for dim in self.dims[value] for a in dim]

    def _name_concatenations(self) -> None:
        """A concatenation axis takes the name of the axis that its parts were picked from, where harmless."""
        for axis, node_id in self.links:
            leaves = self.forest.expand([axis])
            if len(leaves) != 1:
                continue
            stack, seen = list(self.graph.nodes[node_id].inputs), set[int]()
            while stack and len(seen) < 64:
                value = stack.pop()
                producer = self.graph.values[value].node
                if value in seen or producer < 0:
                    continue
                seen.add(value)
                for picked in self.picks.get(producer, ()):
                    found = self.forest.expand([picked])
                    if len(found) == 1 and self.forest.extent[found[0]] == self.forest.extent[leaves[0]]:
                        self.forest.union(found[0], self.forest.find(leaves[0]))
                if self.graph.nodes[producer].op.form in (Form.ELEMENTWISE, Form.BROADCAST, Form.RESHAPE):
                    stack += self.graph.nodes[producer].inputs


def _elementwise(s: _Analysis, node: Node) -> None:
    out = s.dims[node.outputs[0]]
    for k, value in enumerate(node.inputs):
        for a, b in zip(s.dims[value], out, strict=False):
            s.tie(node, k, a, b)


def _reduce(s: _Analysis, node: Node) -> None:
    first = s.dims[node.inputs[0]]
    axes = reduced_dims(node)
    kept = [dim for n, dim in enumerate(first) if n not in axes]
    for k, value in enumerate(node.inputs):
        if k and s.graph.type(value).shape == s.graph.type(node.inputs[0]).shape:
            for a, b in zip(s.dims[value], first, strict=True):
                s.tie(node, k, a, b)
    for value in node.outputs:
        for a, b in zip(kept, s.dims[value], strict=True):
            s.tie(node, 0, a, b)


def _broadcast(s: _Analysis, node: Node) -> None:
    for n, d in enumerate(node.attr("dims")):
        if s.dims[node.inputs[0]][n]:
            s.tie(node, 0, s.dims[node.inputs[0]][n], s.dims[node.outputs[0]][d])


def _reshape(s: _Analysis, node: Node) -> None:
    s.tie(node, 0, s.flat(node.inputs[0]), s.flat(node.outputs[0]))


def _transpose(s: _Analysis, node: Node) -> None:
    for n, p in enumerate(node.attr("permutation")):
        s.tie(node, 0, s.dims[node.inputs[0]][p], s.dims[node.outputs[0]][n])


def _reverse(s: _Analysis, node: Node) -> None:
    for n, (a, b) in enumerate(zip(s.dims[node.inputs[0]], s.dims[node.outputs[0]], strict=True)):
        if n in node.attr("dimensions"):
            s.cut += a + b
        else:
            s.tie(node, 0, a, b)


def _slice(s: _Analysis, node: Node) -> None:
    """Full dimensions unify; offsets and extents on a common unit split the axis into (n, unit)."""
    shape = s.graph.type(node.inputs[0]).shape
    rows = zip(shape, node.attr("start"), node.attr("limit"), per_dim(node, "strides", len(shape), 1), strict=True)
    for n, (extent, start, limit, stride) in enumerate(rows):
        a, b = s.dims[node.inputs[0]][n], s.dims[node.outputs[0]][n]
        size = -(-(limit - start) // stride)
        if size == extent:
            s.tie(node, 0, a, b)
            continue
        s.cut += a + b
        unit = gcd(gcd(extent, start), limit - start)
        if stride > 1 and extent % stride == 0 and start < stride and size == extent // stride:
            outer, inner = s.forest.new(extent // stride), s.forest.new(stride)
            s.forest.unify(a, [outer, inner])
            s.forest.unify([outer], b)
            s.picks.setdefault(node.id, []).append(inner)
        elif stride == 1 and 1 < unit < extent:
            outer, inner = s.forest.new(extent // unit), s.forest.new(unit)
            if not s.forest.unify(a, [outer, inner]):
                continue
            if size == unit:
                s.tie(node, 0, [inner], b)
                s.picks.setdefault(node.id, []).append(outer)
            else:
                s.forest.unify(b, [s.forest.new(size // unit), inner])


def _concatenate(s: _Analysis, node: Node) -> None:
    d = node.attr("dimension")
    sizes = [s.graph.type(v).shape[d] for v in node.inputs]
    out = s.dims[node.outputs[0]]
    inner: list[int] = []
    even = len(set(sizes)) == 1 and len(sizes) > 1
    if even:
        which = s.forest.new(len(sizes))
        inner = [s.forest.new(sizes[0])] if sizes[0] > 1 else []
        s.forest.unify(out[d], [which, *inner])
        s.links.append((which, node.id))
    s.cut += out[d]
    for k, value in enumerate(node.inputs):
        for n, a in enumerate(s.dims[value]):
            if n != d:
                s.tie(node, k, a, out[n])
            elif even and inner:
                s.tie(node, k, a, inner)
            else:
                s.cut += a


def _pad(s: _Analysis, node: Node) -> None:
    interior = per_dim(node, "interior", s.graph.type(node.inputs[0]).rank, 0)
    for n, (a, b) in enumerate(zip(s.dims[node.inputs[0]], s.dims[node.outputs[0]], strict=True)):
        if node.attr("low")[n] or node.attr("high")[n] or interior[n]:
            s.cut += a + b
        else:
            s.tie(node, 0, a, b)


def _same_extents(s: _Analysis, node: Node, operand: int) -> None:
    value, out = node.inputs[operand], node.outputs[0]
    pairs = zip(s.graph.type(value).shape, s.graph.type(out).shape, strict=True)
    for n, (e, f) in enumerate(pairs):
        a, b = s.dims[value][n], s.dims[out][n]
        if e == f:
            s.tie(node, operand, a, b)
        else:
            s.cut += a + b


def _dynamic_slice(s: _Analysis, node: Node) -> None:
    _same_extents(s, node, 0)


def _dynamic_update_slice(s: _Analysis, node: Node) -> None:
    _same_extents(s, node, 0)
    _same_extents(s, node, 1)


def _gather(s: _Analysis, node: Node) -> None:
    operand, indices = node.inputs
    out = s.dims[node.outputs[0]]
    shape, sizes, ivd = s.graph.type(operand).shape, node.attr("slice_sizes"), node.attr("index_vector_dim")
    gone = (*node.attr("collapsed_slice_dims"), *node.attr("operand_batching_dims"))
    kept = [n for n in range(len(shape)) if n not in gone]
    for n, d in zip(kept, node.attr("offset_dims"), strict=True):
        if sizes[n] == shape[n]:
            s.tie(node, 0, s.dims[operand][n], out[d])
        else:
            s.cut += s.dims[operand][n] + out[d]
    batch = [d for d in range(len(out)) if d not in node.attr("offset_dims")]
    looked = [n for n in range(s.graph.type(indices).rank) if n != ivd]
    for n, d in zip(looked, batch, strict=True):
        s.tie(node, 1, s.dims[indices][n], out[d])


def _window(s: _Analysis, node: Node) -> None:
    for n, size in enumerate(node.attr("window_dimensions")):
        a, b = s.dims[node.inputs[0]][n], s.dims[node.outputs[0]][n]
        same = s.graph.type(node.inputs[0]).shape[n] == s.graph.type(node.outputs[0]).shape[n]
        if size == 1 and same:
            s.tie(node, 0, a, b)
        else:
            s.cut += a + b


def _scan(s: _Analysis, node: Node) -> None:
    for a, b in zip(s.dims[node.inputs[0]], s.dims[node.outputs[0]], strict=True):
        s.tie(node, 0, a, b)
    s.cut += s.dims[node.outputs[0]][node.attr("axis")]


_RULES: dict[Form, Callable[[_Analysis, Node], None]] = {
    Form.ELEMENTWISE: _elementwise,
    Form.REDUCE: _reduce,
    Form.BROADCAST: _broadcast,
    Form.RESHAPE: _reshape,
    Form.TRANSPOSE: _transpose,
    Form.REVERSE: _reverse,
    Form.SLICE: _slice,
    Form.CONCATENATE: _concatenate,
    Form.PAD: _pad,
    Form.DYNAMIC_SLICE: _dynamic_slice,
    Form.DYNAMIC_UPDATE_SLICE: _dynamic_update_slice,
    Form.GATHER: _gather,
    Form.REDUCE_WINDOW: _window,
    Form.SCAN: _scan,
}


def reduced_dims(node: Node) -> tuple[int, ...]:
    """Dimensions of operand 0 that a REDUCE node removes."""
    axes = node.attr("axes")
    return tuple(axes) if axes is not None else (node.attr("axis"),)


def find_axes(graph: Graph) -> Axes:
    """Axis analysis of a graph without library calls; near-linear in the number of operands.

    Raises nothing: what does not match keeps axes of its own.
    """
    s = _Analysis(graph)
    s.run()
    atoms = [[s.forest.expand(dim) for dim in dims] for dims in s.dims]
    reduced = [
        tuple(a for n in reduced_dims(node) for a in atoms[node.inputs[0]][n]) if node.op.form is Form.REDUCE else ()
        for node in graph.nodes
    ]
    chain = _merge(s, graph, atoms, reduced)
    return _named(s, graph, atoms, reduced, chain)


def _merge(
    s: _Analysis, graph: Graph, atoms: list[list[list[int]]], reduced: list[tuple[int, ...]]
) -> dict[int, tuple[int, ...]]:
    """Join atoms that are neighbours wherever either occurs; returns atom -> its run, outermost first."""
    after: dict[int, int | None] = {}
    before: dict[int, int | None] = {}
    alone = set(s.forest.expand(s.cut))
    for dims in atoms:
        flat = [a for dim in dims for a in dim]
        for n, atom in enumerate(flat):
            right = flat[n + 1] if n + 1 < len(flat) else None
            left = flat[n - 1] if n else None
            if after.setdefault(atom, right) != right:
                after[atom] = None
            if before.setdefault(atom, left) != left:
                before[atom] = None
    removers: dict[int, dict[int, None]] = {}  # atom -> the nodes that reduce it away
    for node, gone in enumerate(reduced):
        for atom in gone:
            removers.setdefault(atom, {})[node] = None
    edges = {}
    for atom, right in after.items():
        if right is None or before.get(right) != atom or atom in alone or right in alone:
            continue
        if removers.get(atom) == removers.get(right):
            edges[atom] = right
    inner = set(edges.values())
    chain: dict[int, tuple[int, ...]] = {}
    for head in after:
        if head in inner:
            continue
        atoms_of = [head]
        while atoms_of[-1] in edges:
            atoms_of.append(edges[atoms_of[-1]])
        run = tuple(atoms_of)
        chain |= dict.fromkeys(run, run)
    return chain


def _named(
    s: _Analysis,
    graph: Graph,
    atoms: list[list[list[int]]],
    reduced: list[tuple[int, ...]],
    chain: dict[int, tuple[int, ...]],
) -> Axes:
    order: dict[tuple[int, ...], str] = {}
    place: dict[int, Index] = {}
    for dims in atoms:
        for atom in (a for dim in dims for a in dim):
            run = chain[atom]
            if run not in order:
                order[run] = f"a{len(order)}"
                whole = var(order[run], prod(s.forest.extent[a] for a in run))
                stride = 1
                for part in reversed(run):
                    extent = s.forest.extent[part]
                    place[part] = (whole // stride) % extent if part != run[0] else whole // stride
                    stride *= extent
    indices: dict[tuple[tuple[int, ...], ...], tuple[Index, ...]] = {}  # many values have the same axes
    index = []
    for dims in atoms:
        key = tuple(map(tuple, dims))
        if key not in indices:
            indices[key] = tuple(
                linearize(tuple(place[a] for a in d), tuple(s.forest.extent[a] for a in d)) for d in key
            )
        index.append(indices[key])
    named: dict[tuple[int, ...], tuple[str, ...]] = {}

    def members(flat: tuple[int, ...]) -> tuple[str, ...]:
        if flat not in named:
            named[flat] = tuple(dict.fromkeys(order[chain[a]] for a in flat))
        return named[flat]

    axes = tuple(Axis(name, prod(s.forest.extent[a] for a in run)) for run, name in order.items())
    return Axes(
        axes=axes,
        index=tuple(index),
        members=tuple(members(tuple(a for dim in dims for a in dim)) for dims in atoms),
        reduced=tuple(members(r) for r in reduced),
        renamed=tuple(dict.fromkeys(s.renamed)),
    )


def _variables(index: Index) -> Iterator[Term]:
    for term, _ in index.terms:
        if term.arg is None:
            yield term
        else:
            yield from _variables(term.arg)


def coordinates(canonical: tuple[Index, ...], shape: tuple[int, ...], at: tuple[Index, ...]) -> dict[str, Index] | None:
    """The axis coordinates that address ``at``, given a value's canonical index; None when they do not exist.

    Solves ``canonical[d] = at[d]`` for the axis variables: ``{"a1": 0 * ..}`` for a pick, the variable itself where
    ``at`` is canonical.
    """
    found: dict[str, Index] = {}
    if canonical == at:
        return {term.key: Index(0, ((term, 1),)) for i in canonical for term in _variables(i)}
    for own, asked, extent in zip(canonical, at, shape, strict=True):
        if extent == 1:
            continue
        for n, (term, stride) in enumerate(sorted(own.terms, key=lambda t: -t[1])):
            if term.arg is not None:
                if own != asked:
                    return None
                here = {t.key: Index(0, ((t, 1),)) for t in _variables(own)}
                if any(found.setdefault(key, index) != index for key, index in here.items()):
                    return None
                continue
            value = asked // stride
            if n:
                value = value % (term.high + 1)
            if found.setdefault(term.key, value) != value:
                return None
    return found


__all__ = ["ZERO", "Axes", "Axis", "coordinates", "find_axes", "reduced_dims"]
