"""A domain: which values a tensor may take. And which ops keep values as they are.

Example: ``Domain(0, 30522).meet(Domain(high=100))`` is ``Domain(0, 100)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from fstc.ir.graph import Graph, Node
from fstc.ir.ops.opdef import Form

MOVES = frozenset({Form.RESHAPE, Form.TRANSPOSE, Form.REVERSE})
"""The result holds the operand's elements, each once."""

COPIES = MOVES | {Form.BROADCAST, Form.SLICE, Form.DYNAMIC_SLICE, Form.PAD, Form.CONCATENATE}
"""Elements of the result are elements of operand 0 (of any operand, for a concatenation)."""

MOST_POINTS = 8


@dataclass(frozen=True)
class Domain:
    """Values from ``low`` up to ``high`` (integers: not including it).

    ``distinct``: no value twice. ``points``: numbers that values are compared with, so that some should be equal.
    ``mask``: 1 where it marks what counts with ones, -1 with zeros, 0 where it is no mask.
    """

    low: float = -inf
    high: float = inf
    distinct: bool = False
    points: tuple[float, ...] = ()
    mask: int = 0

    def meet(self, other: Domain) -> Domain:
        """Both; this one's bounds where no value is in both."""
        low, high = max(self.low, other.low), min(self.high, other.high)
        if low >= high:
            low, high = self.low, self.high
        points = tuple(dict.fromkeys(self.points + other.points))[:MOST_POINTS]
        return Domain(low, high, self.distinct or other.distinct, points, self.mask or other.mask)

    @property
    def bounded(self) -> bool:
        return self.low > -inf or self.high < inf


def converts(graph: Graph, node: Node) -> bool:
    """The op changes the element type and, within the new type's range, not the value."""
    if node.op.form is not Form.ELEMENTWISE or len(node.inputs) != 1 or node.op.bits:
        return False
    source, result = graph.type(node.inputs[0]).dtype, graph.type(node.outputs[0]).dtype
    return source != result and "b" not in (source.kind, result.kind)
