"""Two graphs with the same signature, bit by bit: ``same_results(before, after, tensors, seed)`` lists what differs."""

from __future__ import annotations

from typing import Any

import numpy as np

from fstc.frontends.passes.rewriter import Tensors
from fstc.ir.graph import Graph
from fstc.ir.ops.numerics import quiet, wide
from fstc.ir.reference import evaluate
from fstc.runtime.inputs import make_inputs
from tests.stored import stored


def same_results(before: Graph, after: Graph, tensors: Tensors, seed: int) -> list[str]:
    """The outputs that differ in a bit; NaNs are all alike. Odd seeds put NaN, Inf and -0.0 among the inputs."""
    assert [before.values[i].name for i in before.inputs] == [after.values[i].name for i in after.inputs]
    assert [before.type(i) for i in before.outputs] == [after.type(i) for i in after.outputs]
    feeds = make_inputs(before, seed, specials=seed % 2 == 1)
    store = stored(tensors.arrays)
    with quiet():
        one, other = evaluate(before, feeds, store), evaluate(after, feeds, store)
    pairs = zip(before.outputs, after.outputs, strict=True)
    return [before.values[o].name for o, p in pairs if not np.array_equal(bits(one[o]), bits(other[p]))]


def bits(array: Any) -> Any:
    if array.dtype.kind in "iub":
        return array
    found = np.ascontiguousarray(array).view(f"u{array.dtype.itemsize}").reshape(array.shape)
    return np.where(np.isnan(wide(array)), np.ones_like(found), found)
