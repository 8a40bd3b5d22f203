"""Every op of the table in the oracle's way: f32 carried as float64 agrees with strict f32 to f32's precision."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fstc.ir.graph import Graph, Node, Value
from fstc.ir.ops import OPS
from fstc.ir.ops.opdef import Form, Infer, OpDef, OpError
from fstc.ir.reference import evaluate
from fstc.ir.types import BOOL, F32, I32, TensorType

DOMAINS = (0.2, 0.9)  # inside the domain of every op
EXTRA: dict[str, Any] = {"direction": "LT", "exponent_bits": 5, "mantissa_bits": 10}


def graph_of(op: OpDef) -> Graph | None:
    """The op on f32 operands (a predicate first where the rule wants one), or None when it takes no f32."""
    declared = {a.name: EXTRA.get(a.name, a.default) for a in op.attrs}
    for operands, result in [
        ((F32,) * op.arity[0], F32), ((F32,) * op.arity[0], BOOL), ((F32,) * op.arity[0], I32), ((BOOL, F32, F32), F32),
    ]:  # fmt: skip
        types = tuple(TensorType(d, (64,)) for d in operands)
        if len(types) != op.arity[0]:
            continue
        try:
            (found,) = op.infer(Infer(types, declared, (), (TensorType(result, (64,)),)))
        except OpError:
            continue
        values = [Value(i, f"v{i}", t) for i, t in enumerate(types)] + [Value(len(types), "y", found, 0)]
        ids = tuple(range(len(types)))
        node = Node(0, op, ids, (len(types),), tuple(sorted(declared.items())))
        return Graph("main", tuple(values), (node,), ids, (len(types),))
    return None


@pytest.mark.parametrize("op", [op for op in OPS.values() if op.form is Form.ELEMENTWISE], ids=lambda op: op.name)
def test_wide_agrees(op: OpDef) -> None:
    graph = graph_of(op)
    if graph is None:
        assert op.dtypes not in ("any", "float", "numeric")
        return
    rng = np.random.default_rng(0)
    feeds = {
        i: (rng.random(64) < 0.5) if graph.type(i).dtype == BOOL else rng.uniform(*DOMAINS, 64).astype(np.float32)
        for i in graph.inputs
    }
    (out,) = graph.outputs
    strict, wide = evaluate(graph, feeds)[out], evaluate(graph, feeds, wide=True)[out]
    if graph.type(out).dtype == F32:
        assert wide.dtype == np.float64
        np.testing.assert_allclose(strict, wide, rtol=2**-23, equal_nan=True)
    else:
        np.testing.assert_array_equal(strict, wide)
