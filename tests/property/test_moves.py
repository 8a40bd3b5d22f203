"""What moves elements and what splits reductions, against the op table's references, on random graphs.

``reads`` must name, for every result element of a layout op, the operand element that the reference puts there; a graph
whose reductions are split must mean what it meant.
"""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest

from fstc.ir.graph import Graph, Node
from fstc.ir.indexing import COPIES, At, Condition, reads
from fstc.ir.ops.opdef import Form
from fstc.ir.reference import evaluate
from fstc.ir.rewrite import apply_rewrites
from fstc.runtime.inputs import make_inputs
from fstc.support.affine import Index, ranged
from tests.property.graphs import random_graph
from tests.property.planners import random_splits
from tests.property.test_axes import at

STRIDE = 1_000_000  # operand k's element e is marked k * STRIDE + e
SAMPLE = 40  # result elements of an op that are looked at
AT_RUN_TIME = {Form.GATHER: 1, Form.DYNAMIC_SLICE: 1, Form.DYNAMIC_UPDATE_SLICE: 2}  # first operand that is an index


def marked(graph: Graph, node: Node, values: dict[int, Any]) -> list[Any]:
    """Operands whose elements say where they are; those that are indices stay as they are."""
    first = AT_RUN_TIME.get(node.op.form, len(node.inputs))
    return [
        values[v] if k >= first else k * STRIDE + np.arange(graph.type(v).elements).reshape(graph.type(v).shape)
        for k, v in enumerate(node.inputs)
    ]


def holds(condition: Condition, where: dict[str, int]) -> bool:
    return condition.low <= at(condition.index, where) < condition.high


def check(graph: Graph, node: Node, values: dict[int, Any], random: Random) -> None:
    (result, *_) = node.op.reference(marked(graph, node, values), graph.infer_args(node))
    shape = graph.type(node.outputs[0]).shape
    for _ in range(SAMPLE if result.size else 0):
        place = tuple(random.randrange(e) for e in shape)
        where = {f"i{d}": p for d, p in enumerate(place)}

        def dynamic(operand: int, index: At, low: int, high: int, where: dict[str, int] = where) -> Index:
            stored = int(values[node.inputs[operand]][tuple(at(i, where) for i in index)])
            where[f"d{len(where)}"] = min(max(stored, low), high)
            return ranged(f"d{len(where) - 1}", low, high)

        asked = tuple(ranged(f"i{d}", 0, e - 1) if e > 1 else Index(0) for d, e in enumerate(shape))
        found = next(r for r in reads(graph, node, asked, dynamic) if all(holds(c, where) for c in r.when))
        source = tuple(at(i, where) for i in found.at)
        flat = np.ravel_multi_index(source, graph.type(node.inputs[found.operand]).shape) if source else 0
        assert result[place] == found.operand * STRIDE + flat, f"{node.op.name} at {place}"


@pytest.mark.parametrize("seed", range(400, 460))
def test_reads(seed: int) -> None:
    graph = random_graph(seed)
    values = evaluate(graph, make_inputs(graph, seed), keep="all")
    for node in graph.nodes:
        if node.op.form in COPIES:
            check(graph, node, values, Random(seed))


@pytest.mark.parametrize("seed", range(500, 560))
def test_split_reductions_mean_the_same(seed: int) -> None:
    graph = random_graph(seed)
    splits = random_splits(graph, Random(seed))
    made = apply_rewrites(graph, [(s.value, s.dim, s.parts) for s in splits])
    feeds = make_inputs(graph, seed)
    exact = [n for n in graph.nodes if n.op.monoid not in (None, "max", "min", "and", "or", "argmax", "argmin")]
    if any(graph.type(n.outputs[0]).dtype.is_float for n in exact):
        return  # sums of floats depend on the order; the kernels' own tests judge them
    want, got = evaluate(graph, feeds), evaluate(made, dict(zip(made.inputs, feeds.values(), strict=True)))
    for a, b in zip(graph.outputs, made.outputs, strict=True):
        assert want[a].tobytes() == got[b].tobytes()
