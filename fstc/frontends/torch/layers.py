"""Normalisation, pooling and resizing layers.

Example: ``LAYERS["aten.native_layer_norm"](cx, x, [768], weight, bias, 1e-5)`` gives the output, mean and 1 /
deviation. What a layer returns beside its output is computed only where it is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fstc.frontends.artefact import Unsupported
from fstc.frontends.builder import Val
from fstc.frontends.composed import normalize, pooling, products
from fstc.frontends.composed.indexing import take
from fstc.frontends.composed.precision import wide
from fstc.frontends.composed.products import Factor
from fstc.frontends.torch.context import Context, Handler, aten


def native_layer_norm(
    cx: Context, x: Val, shape: Sequence[int], weight: Val | None, bias: Val | None, eps: float
) -> list[Val]:
    axes = list(range(x.rank - len(shape), x.rank))
    found = normalize.layer_norm(cx.b, x, axes, weight, bias, eps)
    return [cx.result(v, i) for i, v in enumerate(found)]


def layer_norm(
    cx: Context, x: Val, shape: Sequence[int], weight: Val | None = None, bias: Val | None = None, eps: float = 1e-5,
    *rest: object,
) -> Val:  # fmt: skip
    axes = list(range(x.rank - len(shape), x.rank))
    return normalize.layer_norm(cx.b, x, axes, weight, bias, eps)[0]


def rms_norm(cx: Context, x: Val, shape: Sequence[int], weight: Val | None = None, eps: float | None = None) -> Val:
    import numpy as np

    if eps is None:
        eps = float(np.finfo(wide(cx.b, x).dtype.numpy()).eps)
    return cx.result(normalize.rms_norm(cx.b, x, range(x.rank - len(shape), x.rank), weight, eps))


def native_group_norm(
    cx: Context, x: Val, weight: Val | None, bias: Val | None, n: int, c: int, hxw: int, groups: int, eps: float
) -> list[Val]:
    found = normalize.group_norm(cx.b, x, groups, weight, bias, eps)
    return [cx.result(v, i) for i, v in enumerate(found)]


def group_norm(
    cx: Context, x: Val, groups: int, weight: Val | None = None, bias: Val | None = None, eps: float = 1e-5,
    *rest: object,
) -> Val:  # fmt: skip
    return normalize.group_norm(cx.b, x, groups, weight, bias, eps)[0]


def batch_norm_inference(
    cx: Context, x: Val, weight: Val | None, bias: Val | None, mean: Val, variance: Val, momentum: float, eps: float
) -> list[Val]:
    """The saved statistics are empty here."""
    y = normalize.batch_norm(cx.b, x, mean, variance, weight, bias, eps)
    return [y, *(cx.b.full(0, t.dtype, t.shape) for t in cx.types[1:] if t)]


def batch_norm_training(
    cx: Context, x: Val, weight: Val | None, bias: Val | None, mean: Val | None, variance: Val | None, momentum: float,
    eps: float,
) -> list[Val]:  # fmt: skip
    """Output, mean and 1 / deviation of the batch, and running statistics where they are kept."""
    b = cx.b
    y, of_batch, spread = normalize.batch_norm_training(b, x, weight, bias, eps)
    found = [y, of_batch, b.ew("rsqrt", b.ew("add", spread, eps))]
    if mean is not None and variance is not None:
        count = x.type.elements // x.shape[1]
        unbiased = b.ew("mul", spread, count / (count - 1) if count > 1 else float("nan"))
        for old, new in ((mean, of_batch), (variance, unbiased)):
            kept = b.ew("mul", wide(b, old), 1.0 - momentum)
            found.append(b.ew("add", kept, b.ew("mul", wide(b, new), momentum)))
    return [cx.result(v, i) for i, v in enumerate(found[: len(cx.types)])]


def batch_norm_legit(
    cx: Context, x: Val, weight: Val | None, bias: Val | None, mean: Val, variance: Val, training: bool,
    momentum: float, eps: float,
) -> list[Val]:  # fmt: skip
    """The functional form, which also returns the running statistics."""
    if training:
        return batch_norm_training(cx, x, weight, bias, mean, variance, momentum, eps)
    y = normalize.batch_norm(cx.b, x, mean, variance, weight, bias, eps)
    empty = [cx.b.full(0, t.dtype, t.shape) for t in cx.types[1:3] if t]
    found = [y, *empty, mean, variance][: len(cx.types)]
    return [cx.result(v, i) for i, v in enumerate(found)]


def batch_norm_no_stats(
    cx: Context, x: Val, weight: Val | None, bias: Val | None, training: bool, momentum: float, eps: float
) -> list[Val]:
    return batch_norm_training(cx, x, weight, bias, None, None, momentum, eps)


def native_batch_norm(
    cx: Context, x: Val, weight: Val | None, bias: Val | None, mean: Val | None, variance: Val | None, training: bool,
    momentum: float, eps: float,
) -> list[Val]:  # fmt: skip
    if not training and mean is not None and variance is not None:
        return batch_norm_inference(cx, x, weight, bias, mean, variance, momentum, eps)
    return batch_norm_training(cx, x, weight, bias, None, None, momentum, eps)


# -- pooling -----------------------------------------------------------------------------------------------------------


def windows(
    x: Val, rank: int, size: Sequence[int], stride: Sequence[int], padding: Sequence[int],
    dilation: Sequence[int], ceil: bool,
) -> tuple[list[int], list[int], list[tuple[int, int]], list[int]]:  # fmt: skip
    def each(values: Sequence[int]) -> list[int]:
        return list(values) * rank if len(values) == 1 else list(values)

    sizes = each(size)
    strides = each(stride) if len(stride) else sizes
    edges, dilations = [(p, p) for p in each(padding)], each(dilation)
    if ceil:
        edges = pooling.ceil_padding(x.shape[x.rank - rank :], sizes, strides, edges, dilations)
    return sizes, strides, edges, dilations


def max_pool(rank: int) -> Handler:
    def handler(
        cx: Context, x: Val, size: Sequence[int], stride: Sequence[int] = (), padding: Sequence[int] = (0,),
        dilation: Sequence[int] = (1,), ceil: bool = False,
    ) -> list[Val]:  # fmt: skip
        window = windows(x, rank, size, stride, padding, dilation, ceil)
        if cx.is_read(1):
            return list(pooling.max_pool_indices(cx.b, x, *window))
        return [pooling.max_pool(cx.b, x, *window), cx.b.full(0, cx.type(1).dtype, cx.type(1).shape)]

    return handler


def avg_pool(rank: int) -> Handler:
    def handler(
        cx: Context, x: Val, size: Sequence[int], stride: Sequence[int] = (), padding: Sequence[int] = (0,),
        ceil: bool = False, count_padding: bool = True, divisor: int | None = None,
    ) -> Val:  # fmt: skip
        sizes, strides, edges, _ = windows(x, rank, size, stride, padding, (1,), ceil)
        own = [(p, p) for p in (list(padding) * rank)[:rank]] if len(padding) == 1 else [(p, p) for p in padding]
        counted = own if count_padding else None
        found = pooling.avg_pool(cx.b, x, sizes, strides, edges, counted=counted, divisor=divisor)
        if not x.dtype.is_float:
            raise Unsupported(f"average pooling of {x.dtype}")
        return found

    return handler


def adaptive_avg_pool(rank: int) -> Handler:
    """Equal windows where the extents divide; else one product with averages for each dimension."""

    def handler(cx: Context, x: Val, out: Sequence[int]) -> Val:
        b, space = cx.b, x.shape[x.rank - rank :]
        out = cx.shape[len(cx.shape) - rank :]
        if all(n and m % n == 0 for m, n in zip(space, out, strict=True)):
            sizes = [m // n for m, n in zip(space, out, strict=True)]
            if all(n == 1 for n in out):
                return b.convert(b.mean(wide(b, x), range(x.rank - rank, x.rank), keep=True), x.dtype)
            return pooling.avg_pool(b, x, sizes, sizes, [(0, 0)] * rank)
        found = wide(b, x)
        for _, (m, n) in zip(range(rank), zip(space, out, strict=True), strict=True):
            # contracts the first of the pooled dimensions and appends its averages: after all, the order is as before
            weights = b.constant(averages(m, n).astype(found.dtype.numpy()))
            found = products.dot(b, Factor(found), Factor(weights), contract=[(x.rank - rank, 0)])
        return b.convert(found, x.dtype)

    return handler


def adaptive_max_pool(rank: int) -> Handler:
    """Windows of ``i * n // out`` to ``ceil((i + 1) * n / out)``; positions where all have one size."""

    def handler(cx: Context, x: Val, out: Sequence[int]) -> list[Val]:
        b, lead = cx.b, x.rank - rank
        space, out = x.shape[lead:], cx.shape[lead:]
        if all(n and m % n == 0 for m, n in zip(space, out, strict=True)):
            sizes = [m // n for m, n in zip(space, out, strict=True)]
            window = sizes, sizes, [(0, 0)] * rank
            if cx.is_read(1):
                return list(pooling.max_pool_indices(b, x, *window))
            return [pooling.max_pool(b, x, *window), b.full(0, cx.type(1).dtype, cx.type(1).shape)]
        if cx.is_read(1):
            raise Unsupported("positions of an adaptive pooling whose windows differ in size")
        for d, (m, n) in enumerate(zip(space, out, strict=True), start=lead):
            parts = [b.slice_axis(x, d, i * m // n, -(-(i + 1) * m // n)) for i in range(n)]
            x = b.concat([b.reduce("max", p, [d], keep=True) for p in parts], d)
        return [x, b.full(0, cx.type(1).dtype, cx.type(1).shape)]

    return handler


def averages(extent: int, count: int) -> Any:
    """[extent, count]: the share of each element in each average."""
    import numpy as np

    found = np.zeros((extent, count))
    for i in range(count):
        start, stop = i * extent // count, -(-(i + 1) * extent // count)
        found[start:stop, i] = 1.0 / (stop - start)
    return found


# -- resizing ----------------------------------------------------------------------------------------------------------


def _resized(x: Val, sizes: Sequence[int] | None, factors: Sequence[float] | None) -> list[tuple[int, float | None]]:
    """Per dimension: its new extent, and the scale where one was given."""
    space = x.shape[2:]
    if sizes is not None:
        return [(n, None) for n in sizes]
    assert factors is not None
    return [(int(n * f), f) for n, f in zip(space, factors, strict=True)]


def nearest(exact: bool) -> Handler:
    """Repeats where the factor is whole, else a pick of rows known while importing."""
    import numpy as np

    def handler(cx: Context, x: Val, sizes: Sequence[int] | None, *given: Sequence[float] | float | None) -> Val:
        b = cx.b
        factors = given[0] if given and isinstance(given[0], list | tuple) else (list(given) if given else None)
        if sizes is not None and factors is not None and None not in factors:
            steps = [(n, f) for n, f in zip(sizes, factors, strict=True)]
        else:
            steps = _resized(x, sizes, None if sizes is not None else factors)  # type: ignore[arg-type]
        for d, (out, factor) in enumerate(steps, start=2):
            extent = x.shape[d]
            if out == extent and factor is None:
                continue
            if out % extent == 0 and factor in (None, out / extent):
                wide_shape = [*x.shape[: d + 1], out // extent, *x.shape[d + 1 :]]
                kept = [i for i in range(x.rank + 1) if i != d + 1]
                spread = b.broadcast_in_dim(x, wide_shape, kept)
                x = b.reshape(spread, [*x.shape[:d], out, *x.shape[d + 1 :]])
                continue
            scale = np.float32(1.0 / factor) if factor else np.float32(extent) / np.float32(out)
            places = np.arange(out, dtype=np.float32) + np.float32(0.5 if exact else 0.0)
            at = np.minimum((places * scale).astype(np.int64), extent - 1)
            x = take(b, x, b.constant(at), d, wrap=False)
        return x

    return handler


LAYERS: dict[str, Handler] = aten({
    "native_layer_norm": native_layer_norm, "layer_norm": layer_norm, "rms_norm": rms_norm,
    "native_group_norm": native_group_norm, "group_norm": group_norm,
    "_native_batch_norm_legit_no_training": batch_norm_inference,
    "_native_batch_norm_legit_functional": batch_norm_legit, "_native_batch_norm_legit.no_stats":
    batch_norm_no_stats, "native_batch_norm": native_batch_norm,
    "max_pool2d_with_indices": max_pool(2), "max_pool3d_with_indices": max_pool(3),
    "avg_pool1d": avg_pool(1), "avg_pool2d": avg_pool(2), "avg_pool3d": avg_pool(3),
    "_adaptive_avg_pool2d": adaptive_avg_pool(2), "_adaptive_avg_pool3d": adaptive_avg_pool(3),
    "adaptive_avg_pool1d": adaptive_avg_pool(1),
    "adaptive_max_pool2d": adaptive_max_pool(2), "adaptive_max_pool3d": adaptive_max_pool(3),
    **{f"upsample_nearest{d}d": nearest(False) for d in (1, 2, 3)},
    **{f"_upsample_nearest_exact{d}d": nearest(True) for d in (1, 2, 3)},
})  # fmt: skip
