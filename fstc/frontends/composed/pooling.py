"""Pooling over the last dimensions by window ops.

Example: ``max_pool(b, x, (3, 3), (2, 2), ((1, 1), (1, 1)))`` for x of [N, C, H, W]. Sizes, strides, dilations and the
(low, high) padding have one entry per pooled dimension; all dimensions before those are walked one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

from fstc.frontends.builder import Builder, Val
from fstc.frontends.emitter import LimitError
from fstc.ir.ops.opdef import OpError
from fstc.ir.types import F32, I64

Pairs = Sequence[tuple[int, int]]
MOST_COUNTED = 1 << 24  # windows times elements, along one dimension
MOST_POSITIONS = 1024  # of a window whose positions are visited one by one


def ceil_padding(
    extents: Sequence[int], sizes: Sequence[int], strides: Sequence[int], padding: Pairs, dilations: Sequence[int] = ()
) -> list[tuple[int, int]]:
    """The padding that makes windows begin as long as one starts within the data or the low padding."""
    found = []
    columns = zip(extents, sizes, strides, padding, dilations or [1] * len(sizes), strict=True)
    for n, size, stride, (low, high), dilation in columns:
        reach = (size - 1) * dilation + 1
        count = -(-(n + low + high - reach) // stride) + 1
        if (count - 1) * stride >= n + low:  # the last window would see the high padding only
            count -= 1
        found.append((low, (count - 1) * stride + reach - n - low))
    return found


def max_pool(
    b: Builder, x: Val, sizes: Sequence[int], strides: Sequence[int], padding: Pairs, dilations: Sequence[int] = ()
) -> Val:
    return b.op("window_max", [x], **_window(x, sizes, strides, padding, dilations))[0]


def max_pool_indices(
    b: Builder, x: Val, sizes: Sequence[int], strides: Sequence[int], padding: Pairs, dilations: Sequence[int] = ()
) -> tuple[Val, Val]:
    """The largest of each window, and its i64 row-major place among the pooled dimensions; the first NaN wins."""
    if _count(sizes) > MOST_POSITIONS:
        raise OpError(f"indices of a window of {list(sizes)}: more than {MOST_POSITIONS} positions")
    rank = len(sizes)
    extents, lead = x.shape[x.rank - rank :], x.rank - rank
    zeros = [0] * lead
    lowest: Any = float("-inf") if x.dtype.is_float else False if x.dtype.kind == "b" else _least(x)
    low, high = [p for p, _ in padding], [p for _, p in padding]
    place = b.reshape(b.iota(I64, [_count(extents)], 0), extents)
    padded = b.pad(x, lowest, [*zeros, *low], [*zeros, *high])
    places = b.pad(place, -1, low, high)
    steps = list(strides)
    out = max_pool(b, x, sizes, strides, padding, dilations).shape[lead:]
    best: Val | None = None
    where: Val | None = None
    for position in product(*map(range, sizes)):
        first = [p * d for p, d in zip(position, dilations or [1] * rank, strict=True)]
        limit = [f + (n - 1) * s + 1 for f, n, s in zip(first, out, steps, strict=True)]
        seen = b.slice(padded, [*zeros, *first], [*x.shape[:lead], *limit], [1] * lead + steps)
        here = b.broadcast(b.slice(places, first, limit, steps), seen.shape)
        if best is None or where is None:
            best, where = seen, here
            continue
        # padding never wins over data, not even over its own value; a NaN wins unless one was there before
        better = b.ew(
            "or", b.compare("GT", seen, best), b.ew("and", b.compare("LT", where, 0), b.compare("GE", here, 0))
        )
        if x.dtype.is_float:
            fresh = b.ew("and", b.compare("NE", seen, seen), b.compare("EQ", best, best))
            better = b.ew("or", better, fresh)
        best, where = b.select(better, seen, best), b.select(better, here, where)
    assert best is not None and where is not None
    return best, where


def sum_pool(
    b: Builder, x: Val, sizes: Sequence[int], strides: Sequence[int], padding: Pairs, dilations: Sequence[int] = ()
) -> Val:
    return b.op("window_sum", [x], **_window(x, sizes, strides, padding, dilations))[0]


def avg_pool(
    b: Builder,
    x: Val,
    sizes: Sequence[int],
    strides: Sequence[int],
    padding: Pairs,
    dilations: Sequence[int] = (),
    *,
    counted: Pairs | None = None,
    divisor: float | None = None,
) -> Val:
    """The mean of each window. ``counted``: padding whose zeros count as elements; ``divisor``: instead of the count.

    16-bit floats are summed and divided in f32 and rounded once.
    """
    wide = b.convert(x, F32) if x.dtype.is_float and x.dtype.size < 4 else x
    total = sum_pool(b, wide, sizes, strides, padding, dilations)
    if divisor is not None:
        return b.convert(b.ew("div", total, divisor), x.dtype)
    counts = _counts(x, total, sizes, strides, padding, dilations, counted or [(0, 0)] * len(sizes))
    return b.convert(b.ew("div", total, b.convert(b.constant(counts), wide.dtype)), x.dtype)


def lp_pool(
    b: Builder, x: Val, p: float, sizes: Sequence[int], strides: Sequence[int], padding: Pairs,
    dilations: Sequence[int] = (),
) -> Val:  # fmt: skip
    """The p-norm of each window; powers and sums of 16-bit floats in f32."""
    wide = b.convert(x, F32) if x.dtype.is_float and x.dtype.size < 4 else x
    size = b.ew("abs", wide)
    power = size if p == 1 else b.ew("mul", wide, wide) if p == 2 else b.ew("pow", size, float(p))
    total = sum_pool(b, power, sizes, strides, padding, dilations)
    root = total if p == 1 else b.ew("sqrt", total) if p == 2 else b.ew("pow", total, 1.0 / p)
    return b.convert(root, x.dtype)


def _window(
    x: Val, sizes: Sequence[int], strides: Sequence[int], padding: Pairs, dilations: Sequence[int]
) -> dict[str, Any]:
    lead = x.rank - len(sizes)
    ones = [1] * lead
    return {
        "window_dimensions": [*ones, *sizes],
        "window_strides": [*ones, *strides],
        "window_dilations": [*ones, *(dilations or [1] * len(sizes))],
        "padding": [*[(0, 0)] * lead, *padding],
    }


def _counts(
    x: Val, total: Val, sizes: Sequence[int], strides: Sequence[int], padding: Pairs, dilations: Sequence[int],
    counted: Pairs,
) -> Any:  # fmt: skip
    """How many counted elements each window sees: a product of one count a dimension."""
    import numpy as np

    rank, found = len(sizes), np.ones([1] * len(sizes), np.int64)
    extents, outs = x.shape[x.rank - rank :], total.shape[x.rank - rank :]
    for d in range(rank):
        if outs[d] * sizes[d] > MOST_COUNTED:
            raise LimitError(f"counting what {outs[d]} windows of {sizes[d]} elements see")
        dilation = dilations[d] if dilations else 1
        places = np.arange(outs[d])[:, None] * strides[d] + np.arange(sizes[d]) * dilation - padding[d][0]
        low, high = counted[d]
        seen = ((places >= -low) & (places < extents[d] + high)).sum(1)
        found = found * seen.reshape([-1 if e == d else 1 for e in range(rank)])
    uniform = not found.size or bool((found == found.flat[0]).all())
    return np.full([1] * rank, found.flat[0] if found.size else 1) if uniform else found


def _count(extents: Sequence[int]) -> int:
    found = 1
    for n in extents:
        found *= n
    return found


def _least(x: Val) -> int:
    import numpy as np

    return int(np.iinfo(x.dtype.numpy()).min)
