"""Embedding bags, histograms and products of grouped rows: what recommenders and mixtures of experts are made of.

Example: ``BAGS["aten._embedding_bag"](cx, table, indices, offsets)``. Bags of one known length are a plain reduction;
others, and offsets known at run time only, are scattered.
"""

from __future__ import annotations

import math
from typing import Any

from fstc.frontends.artefact import Unsupported
from fstc.frontends.builder import Val
from fstc.frontends.composed import products
from fstc.frontends.composed.indexing import one_hot, scatter_nd, take
from fstc.frontends.composed.precision import wide
from fstc.frontends.composed.products import Factor
from fstc.frontends.torch.context import Context, Handler, each
from fstc.ir.types import BOOL, I64

SUM, MEAN, MAX = 0, 1, 2


def embedding_bag(
    cx: Context, table: Val, indices: Val, offsets: Val, scale: bool = False, mode: int = SUM, sparse: bool = False,
    weights: Val | None = None, include_last: bool = False, padding: int = -1,
) -> list[Any]:  # fmt: skip
    """The bags. What torch returns beside them serves its gradient; it is refused where it is read."""
    if any(cx.is_read(i) for i in range(1, len(cx.types))):
        raise Unsupported("the bookkeeping of an embedding bag")
    b = cx.b
    rows = wide(b, take(b, table, cx.index(indices, table.shape[0], negative=False), 0, wrap=False))
    if weights is not None:
        rows = b.ew("mul", rows, b.expand(b.convert(weights, rows.dtype), [1]))
    counted = b.full(True, BOOL, indices.shape) if padding < 0 else b.compare("NE", indices, padding)
    bags = offsets.shape[0] - include_last
    neutral = -math.inf if mode == MAX else 0.0
    if padding >= 0:
        rows = b.select(b.broadcast(b.expand(counted, [1]), rows.shape), rows, neutral)
    length = _length(offsets, indices.shape[0], bags)
    counts = b.convert(counted, rows.dtype)
    if length:
        shaped = b.reshape(rows, (bags, length, rows.shape[1]))
        found = b.reduce("max" if mode == MAX else "sum", shaped, [1])
        count = b.reduce("sum", b.reshape(counts, (bags, length)), [1])
    else:
        bag = b.expand(_bag_of(cx, offsets, indices.shape[0], bags), [1])
        start = b.full(neutral, rows.dtype, (bags, rows.shape[1]))
        found = scatter_nd(b, start, bag, rows, "max" if mode == MAX else "add", wrap=False)
        count = scatter_nd(b, b.full(0.0, rows.dtype, (bags,)), bag, counts, "add", wrap=False)
    count = b.expand(count, [1])
    if mode == MEAN:
        found = b.ew("div", found, b.ew("max", count, 1.0))
    if mode == MAX:
        found = b.select(b.broadcast(b.compare("GT", count, 0.0), found.shape), found, 0.0)
    rest = [b.full(0, t.dtype, t.shape) if t else None for t in cx.types[1:]]
    return [b.convert(found, table.dtype), *rest]


def _length(offsets: Val, count: int, bags: int) -> int:
    """The one length of all bags, where it is known; else 0."""
    if offsets.known is None or not bags or count % bags:
        return 0
    starts = [int(v) for v in offsets.known.reshape(-1)[:bags]]
    return count // bags if starts == list(range(0, count, count // bags or 1)) else 0


def _bag_of(cx: Context, offsets: Val, count: int, bags: int) -> Val:
    """Of each position, the last bag that starts at or before it."""
    b = cx.b
    starts = b.expand(b.convert(b.slice_axis(offsets, 0, 0, bags), I64), [0])
    before = b.compare("LE", starts, b.expand(b.iota(I64, (count,), 0), [1]))
    return b.ew("sub", b.reduce("sum", b.convert(before, I64), [1]), 1)


def histc(cx: Context, x: Val, bins: int = 100, low: float = 0, high: float = 0) -> Val:
    """Counts of elements in equal bins of [low, high]; the range of the data where both are equal."""
    b = cx.b
    flat = b.reshape(x, (-1,))
    if low == high:
        raise Unsupported("a histogram whose range depends on data")
    place = b.ew("floor", b.ew("mul", b.ew("sub", wide(b, flat), low), bins / (high - low)))
    place = b.ew("min", b.convert(place, I64), bins - 1)  # the upper bound belongs to the last bin
    inside = b.ew("and", b.compare("GE", flat, low), b.compare("LE", flat, high))
    hit = b.ew("and", one_hot(b, place, bins), b.expand(inside, [1]))
    return b.reduce("sum", b.convert(hit, cx.dtype), [0])


def grouped_product(cx: Context, x: Val, weight: Val, offsets: Val, *rest: Any) -> Val:
    """Rows of ``x`` times the matrix of their group; a group ends where ``offsets`` says.

    Which rows a group has is known at run time only: all matrices are applied, and one result a row is kept.
    """
    b = cx.b
    if x.rank != 2 or weight.rank != 3 or any(r is not None for r in rest):
        raise Unsupported("a grouped product of this form")
    every = products.dot(b, Factor(x), Factor(weight), contract=[(1, 1)])  # [rows, groups, columns]
    ends = b.expand(b.convert(offsets, I64), [0])
    position = b.expand(b.iota(I64, (x.shape[0],), 0), [1])
    group = b.reduce("sum", b.convert(b.compare("LE", ends, position), I64), [1])
    chosen = b.expand(one_hot(b, group, weight.shape[0]), [2])
    kept = b.select(b.broadcast(chosen, every.shape), every, 0.0)
    return cx.result(b.reduce("sum", kept, [1]))


BAGS: dict[str, Handler] = {
    **each("aten._embedding_bag aten._embedding_bag_forward_only", embedding_bag),
    "aten.histc": histc,
    **each("aten._grouped_mm transformers.grouped_mm_fallback", grouped_product),
}
