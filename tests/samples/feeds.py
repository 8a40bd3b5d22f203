"""Random inputs of a graph within the domains that its input attributes state.

Example: ``random_feeds(graph, seed=0)["x"]``, an array of the input's own dtype. A float lies in [low, high]
(default [-1, 1]), an integer in [low, high) (default [0, 8)), a permutation holds distinct integers below ``high``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fstc.ir.graph import Graph, Value


def random_feeds(graph: Graph, seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {graph.values[i].name: _draw(rng, graph.values[i]) for i in graph.inputs}


def _draw(rng: np.random.Generator, value: Value) -> Any:
    attrs, shape, dtype = dict(value.attrs), value.type.shape, value.type.dtype
    if dtype.kind == "b":
        return rng.random(shape) < 0.9
    if attrs.get("domain") == "permutation":
        chosen = rng.permutation(int(attrs["high"]))[: value.type.elements]
        return chosen.reshape(shape).astype(dtype.numpy())
    if dtype.is_integer:
        return rng.integers(int(attrs.get("low", 0)), int(attrs.get("high", 8)), shape, dtype=dtype.numpy())
    return rng.uniform(attrs.get("low", -1.0), attrs.get("high", 1.0), shape).astype(dtype.numpy())


__all__ = ["random_feeds"]
