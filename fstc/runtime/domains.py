"""Which values an input may take: its own attributes, and what the ops that read it ask for.

Example: an ``i32`` input whose reshape indexes the rows of ``f32[30522,768]`` gets ``low=0, high=30522``. What is
read through a computation is not traced: such an input states its domain in the ``.fir``.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from fstc.ir.graph import Graph, Node
from fstc.ir.ops.addressing import Addressing, gather_addressing, scatter_addressing
from fstc.ir.ops.opdef import Form

MOVES = frozenset({Form.RESHAPE, Form.TRANSPOSE, Form.REVERSE})
"""The result holds the operand's elements, each once."""

COPIES = MOVES | {Form.BROADCAST, Form.SLICE, Form.DYNAMIC_SLICE, Form.PAD, Form.CONCATENATE}
"""Elements of the result are elements of operand 0 (of any operand, for a concatenation)."""


@dataclass(frozen=True)
class Domain:
    """Values from ``low`` up to ``high`` (integers: not including it); ``distinct``: no value twice."""

    low: float = -inf
    high: float = inf
    distinct: bool = False

    def meet(self, other: Domain) -> Domain:
        low, high = max(self.low, other.low), min(self.high, other.high)
        return self if low > high else Domain(low, high, self.distinct or other.distinct)

    @property
    def bounded(self) -> bool:
        return self.low > -inf or self.high < inf


def traced(graph: Graph) -> list[Domain]:
    """Per value of the graph what its readers ask for, through ops that only move elements."""
    found = [Domain()] * len(graph.values)
    for node in reversed(graph.nodes):
        for operand, domain in _asked(graph, node).items():
            value = node.inputs[operand]
            found[value] = found[value].meet(domain)
        if node.op.form in COPIES or _converts(graph, node):
            result = found[node.outputs[0]]
            passed = result if node.op.form in MOVES or _converts(graph, node) else Domain(result.low, result.high)
            for value in node.inputs if node.op.form is Form.CONCATENATE else node.inputs[:1]:
                found[value] = found[value].meet(passed)
    return found


def _converts(graph: Graph, node: Node) -> bool:
    """The op changes the element type and, within the new type's range, not the value."""
    if node.op.form is not Form.ELEMENTWISE or len(node.inputs) != 1 or node.op.bits:
        return False
    source, result = graph.type(node.inputs[0]).dtype, graph.type(node.outputs[0]).dtype
    return source != result and "b" not in (source.kind, result.kind)


def _asked(graph: Graph, node: Node) -> dict[int, Domain]:
    """Operand number to the domain that the op itself asks for."""
    form = node.op.form
    shape = graph.type(node.inputs[0]).shape if node.inputs else ()
    if form is Form.GATHER:
        return {1: _positions(gather_addressing(graph.infer_args(node)))}
    if form is Form.SCATTER:
        places = scatter_addressing(graph.infer_args(node))
        positions = _positions(places)
        distinct = bool(node.attr("unique_indices")) and len(places.index_map) == 1
        return {1: Domain(positions.low, positions.high, distinct)}
    if form is Form.DYNAMIC_SLICE:
        return {d + 1: Domain(0, n - k + 1) for d, (n, k) in enumerate(zip(shape, node.attr("sizes"), strict=True))}
    if form is Form.DYNAMIC_UPDATE_SLICE:
        sizes = graph.type(node.inputs[1]).shape
        return {d + 2: Domain(0, n - k + 1) for d, (n, k) in enumerate(zip(shape, sizes, strict=True))}
    return {i: Domain(*bounds) for i, bounds in enumerate(node.op.domain) if bounds and i < len(node.inputs)}


def _positions(a: Addressing) -> Domain:
    """Starts at which a window fits in every dimension that the indices address."""
    return Domain(0, max(1, min((a.operand[d] - a.sizes[d] + 1 for d in a.index_map), default=1)))
