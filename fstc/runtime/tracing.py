"""Which values an input may take: what the ops that read it ask for, traced back through arithmetic.

Example: an ``i32`` input that indexes the rows of ``f32[30522,768]`` gets ``low=0, high=30522``, also where the index
is ``select(i < 0, i + 30522, i)``; one that is only read as ``(1 - x) * -1e9`` is a mask; a variance under
``rsqrt(v + 1e-5)`` is positive. What is read through other computation is not traced: such an input states its domain
in the ``.fir``.
"""

from __future__ import annotations

from dataclasses import replace
from math import sqrt

from fstc.ir.graph import Graph, Node
from fstc.ir.ops.addressing import Addressing, gather_addressing, scatter_addressing
from fstc.ir.ops.opdef import Form
from fstc.runtime.bounds import terms
from fstc.runtime.domain_steps import known_spans, operand_domains
from fstc.runtime.domains import COPIES, MOVES, Domain, converts
from fstc.runtime.masks import find_masks


def traced(graph: Graph) -> list[Domain]:
    """Per value of the graph what its readers ask for."""
    spans = known_spans(graph)
    found = [Domain()] * len(graph.values)
    for node in reversed(graph.nodes):
        for value, domain in (*_asked(graph, node), *_passed(graph, node, found)):
            found[value] = found[value].meet(domain)
        for value, domain in operand_domains(graph, node, found[node.outputs[0]] if node.outputs else Domain(), spans):
            found[value] = found[value].meet(domain)
    for value, mask in find_masks(graph).items():
        found[value] = replace(found[value], mask=mask)
    return found


def _passed(graph: Graph, node: Node, found: list[Domain]) -> list[tuple[int, Domain]]:
    """What the readers of a copy ask of what was copied."""
    if node.op.form not in COPIES and not converts(graph, node):
        return []
    result = found[node.outputs[0]]
    each = result if node.op.form in MOVES or converts(graph, node) else replace(result, distinct=False)
    return [(v, each) for v in (node.inputs if node.op.form is Form.CONCATENATE else node.inputs[:1])]


def _asked(graph: Graph, node: Node) -> list[tuple[int, Domain]]:
    """Values and the domain that the op itself asks for."""
    form = node.op.form
    shape = graph.type(node.inputs[0]).shape if node.inputs else ()
    if form is Form.GATHER:
        return _indices(graph, node.inputs[1], gather_addressing(graph.infer_args(node)), unique=False)
    if form is Form.SCATTER:
        places = scatter_addressing(graph.infer_args(node))
        distinct = bool(node.attr("unique_indices")) and len(places.index_map) == 1
        return _indices(graph, node.inputs[1], places, distinct)
    if form is Form.DYNAMIC_SLICE:
        return _starts(node.inputs[1:], shape, node.attr("sizes"))
    if form is Form.DYNAMIC_UPDATE_SLICE:
        return _starts(node.inputs[2:], shape, graph.type(node.inputs[1]).shape)
    if node.op.library is not None and graph.type(node.outputs[0]).dtype.is_float:
        return _weights(graph, node)
    return [(v, Domain(*b)) for v, b in zip(node.inputs, node.op.domain, strict=False) if b]


def _weights(graph: Graph, node: Node) -> list[tuple[int, Domain]]:
    """Of a product the operand that an input gives, the second one if both: of a variance that keeps its scale.

    With any other, a model of some layers leaves the range in which its functions do something: it saturates, and a
    recurrent one turns chaotic.
    """
    for value in reversed(node.inputs):
        origin = value
        while (producer := graph.values[origin].node) >= 0:
            maker = graph.nodes[producer]
            if maker.op.form not in COPIES and not converts(graph, maker):
                break
            origin = maker.inputs[0]
        else:
            bound = sqrt(3 / max(1.0, terms(graph, node)))
            return [(value, Domain(-bound, bound))]
    return []


def _starts(starts: tuple[int, ...], shape: tuple[int, ...], sizes: tuple[int, ...]) -> list[tuple[int, Domain]]:
    return [(v, Domain(0, n - k + 1)) for v, n, k in zip(starts, shape, sizes, strict=True)]


def _indices(graph: Graph, indices: int, a: Addressing, unique: bool) -> list[tuple[int, Domain]]:
    """Starts at which a window fits: per entry of an index vector where it was put together, else in all dimensions."""
    fits = [Domain(0, max(1, a.operand[d] - a.sizes[d] + 1)) for d in a.index_map]
    node = graph.nodes[graph.values[indices].node] if graph.values[indices].node >= 0 else None
    while node is not None and converts(graph, node):
        indices = node.inputs[0]
        node = graph.nodes[graph.values[indices].node] if graph.values[indices].node >= 0 else None
    if node is not None and node.op.form is Form.CONCATENATE and node.attr("dimension") == a.vector_dim:
        widths = [graph.type(v).shape[a.vector_dim] for v in node.inputs]
        if all(w == 1 for w in widths) and len(widths) == len(fits):
            return list(zip(node.inputs, fits, strict=True))
    return [(indices, Domain(0, min((f.high for f in fits), default=1), unique))]
