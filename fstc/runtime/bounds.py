"""How much rounding a value has seen: what a tolerance depends on.

Example: ``roughness(graph)[value]`` is ``Roughness(depth=6, reduction=1024.0, narrow=2**-7)`` for a LayerNorm
over 1024 columns that is rounded to bf16 once.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod, sqrt

from fstc.ir.graph import Graph, Node
from fstc.ir.ops.opdef import Kind
from fstc.runtime.compare import EPS

MOVES_ONLY = (Kind.LAYOUT, Kind.SOURCE)


@dataclass(frozen=True)
class Roughness:
    """On the longest way from the inputs: what happens to a value.

    ``depth`` roundings, sums of ``reduction`` terms, the EPS of the coarsest type that is rounded to, and the
    EPS of roundings to types below f32, added up.
    """

    depth: int = 0
    reduction: float = 1.0
    coarsest: float = 0.0
    narrow: float = 0.0


def roughness(graph: Graph) -> list[Roughness]:
    """Per value of the graph, the worst over its operands, and what its own op adds."""
    found = [Roughness() for _ in graph.values]
    for node in graph.nodes:
        before = [found[i] for i in node.inputs] or [Roughness()]
        moves = node.op.kind in MOVES_ONLY
        for output in node.outputs:
            own = 0.0 if moves else EPS.get(graph.type(output).dtype.name, 0.0)
            rounds = own if own > EPS["f32"] else 0.0
            found[output] = Roughness(
                depth=max(r.depth for r in before) + (not moves),
                reduction=max(r.reduction for r in before) + terms(graph, node),
                coarsest=max(own, *(r.coarsest for r in before)),
                narrow=max(r.narrow for r in before) + rounds,
            )
    return found


def terms(graph: Graph, node: Node) -> float:
    """How many terms one result element sums up, at least."""
    if node.op.kind not in (Kind.REDUCTION, Kind.LIBRARY) or not node.inputs:
        return 0.0
    sizes = [graph.type(i).elements for i in node.inputs]
    result = max(1, min(graph.type(o).elements for o in node.outputs))
    if node.op.kind is Kind.REDUCTION or len(sizes) < 2:
        return max(sizes) / result
    # A contraction of [B,M,K] with [B,K,N] into [B,M,N]: |a| |b| / |c| = B K K.
    return sqrt(prod(sizes[:2]) / result)
