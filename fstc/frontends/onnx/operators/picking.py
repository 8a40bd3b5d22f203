"""Gather and scatter in ONNX's forms, and what is made of them.

Example: ``ScatterElements`` with ``reduction = "add"`` is one scatter whose body adds.
"""

from __future__ import annotations

from collections.abc import Mapping

from fstc.frontends.builder import Val
from fstc.frontends.composed import indexing
from fstc.frontends.onnx.node import Handler, Node
from fstc.frontends.onnx.problems import wrong
from fstc.ir.types import BOOL, I64

REDUCTIONS = ("none", "add", "mul", "min", "max")


def _indices(n: Node, index: int) -> Val:
    if not n[index].dtype.is_integer:
        raise wrong(f"the indices are {n[index].type}, expected integers")
    return n[index]


def _in_range(indices: Val, extent: int) -> None:
    """Known indices outside are the model's mistake; others are only seen when it runs."""
    known = None if indices.known is None else indexing.condensed(indices.known)
    if known is not None and known.size and (int(known.min()) < -extent or int(known.max()) >= extent):
        raise wrong(f"an index is {int(known.min())} or {int(known.max())}, the axis has {extent}")


def gather(n: Node) -> Val:
    axis, indices = n.axis(n.integer("axis", 0), n[0].rank), _indices(n, 1)
    _in_range(indices, n[0].shape[axis])
    return indexing.take(n.b, n[0], indices, axis)


def gather_elements(n: Node) -> Val:
    x, indices = n[0], _indices(n, 1)
    axis = n.axis(n.integer("axis", 0), x.rank)
    rest = [d for d in range(x.rank) if d != axis]
    if indices.rank != x.rank or any(indices.shape[d] > x.shape[d] for d in rest):
        raise wrong(f"indices {indices.type} into {x.type}")
    _in_range(indices, x.shape[axis])
    return indexing.gather_elements(n.b, x, indices, axis)


def gather_nd(n: Node) -> Val:
    x, indices, batch = n[0], _indices(n, 1), n.integer("batch_dims", 0)
    limit = min(x.rank, indices.rank)
    if not 0 <= batch < limit or x.shape[:batch] != indices.shape[:batch] or indices.shape[-1] > x.rank - batch:
        raise wrong(f"indices {indices.type} into {x.type} with `batch_dims` {batch}")
    return indexing.gather_nd(n.b, x, indices, batch)


def scatter_elements(n: Node) -> Val:
    x, indices, updates = n[0], _indices(n, 1), n[2]
    axis, how = n.axis(n.integer("axis", 0), x.rank), n.choice("reduction", "none", REDUCTIONS)
    if indices.rank != x.rank or indices.shape != updates.shape or updates.dtype != x.dtype:
        raise wrong(f"indices {indices.type} and updates {updates.type} into {x.type}")
    _in_range(indices, x.shape[axis])
    return indexing.scatter_elements(n.b, x, indices, updates, axis, "set" if how == "none" else how)


def scatter_nd(n: Node) -> Val:
    x, indices, updates = n[0], _indices(n, 1), n[2]
    how = n.choice("reduction", "none", REDUCTIONS)
    width = indices.shape[-1] if indices.rank else 0
    if not indices.rank or width > x.rank or updates.dtype != x.dtype:
        raise wrong(f"indices {indices.type} and updates {updates.type} into {x.type}")
    if updates.shape != indices.shape[:-1] + x.shape[width:]:
        raise wrong(f"updates {updates.type} for indices {indices.type} into {x.type}")
    return indexing.scatter_nd(n.b, x, indices, updates, "set" if how == "none" else how)


def one_hot(n: Node) -> Val:
    b, indices, values = n.b, n[0], n[2]
    depth = int(n.scalar(1, "depth", 0))
    if depth < 1 or values.shape != (2,):
        raise wrong(f"depth {depth}, values {values.type}")
    axis = n.axis(n.integer("axis", -1), indices.rank + 1)
    places = b.convert(indices, I64)
    places = b.select(b.compare("LT", places, 0), b.ew("add", places, depth), places)
    off, on = (b.reshape(b.slice_axis(values, 0, i, i + 1), ()) for i in range(2))
    hot = indexing.one_hot(b, places, depth, axis)
    return hot if values.dtype == BOOL and _is(off, False) and _is(on, True) else b.select(hot, on, off)


def _is(v: Val, wanted: bool) -> bool:
    return v.known is not None and bool(v.known) == wanted


def tensor_scatter(n: Node) -> Val:
    """A cache with new rows written at a place of its own for each batch; ``circular`` wraps around."""
    b, cache, update, starts = n.b, n[0], n[1], n.get(2)
    axis = n.axis(n.integer("axis", -2), cache.rank)
    circular = n.choice("mode", "linear", ("linear", "circular")) == "circular"
    if update.rank != cache.rank or not axis or update.shape[axis] > cache.shape[axis]:
        raise wrong(f"update {update.type} into {cache.type} along axis {axis}")
    first = b.full(0, I64, cache.shape[:1]) if starts is None else b.convert(starts, I64)
    shape = [update.shape[axis] if d == axis else cache.shape[0] if d == 0 else 1 for d in range(cache.rank)]
    at = b.ew("add", b.reshape(first, [shape[0], *[1] * (cache.rank - 1)]), b.iota(I64, shape, axis))
    if circular:
        at = b.ew("rem", at, cache.shape[axis])
    return indexing.scatter_elements(b, cache, b.broadcast(at, update.shape), update, axis)


PICKING: Mapping[str, Handler] = {
    "Gather": gather, "GatherElements": gather_elements, "GatherND": gather_nd, "ScatterElements": scatter_elements,
    "ScatterND": scatter_nd, "OneHot": one_hot, "TensorScatter": tensor_scatter,
}  # fmt: skip
