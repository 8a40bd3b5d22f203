"""Softmax and normalisation; statistics of narrow floats are computed in f32 and rounded at the end.

Example: ``y, mean, rstd = layer_norm(b, x, (2,), weight, bias, 1e-5)``. Parameters may have another float type than
the tensor, as mixed precision has it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from math import prod

from fstc.frontends.builder import Builder, Val
from fstc.frontends.composed.precision import rounded_once, wide


def softmax(b: Builder, x: Val, axis: int) -> Val:
    def of(x: Val) -> Val:
        e = b.ew("exp", b.ew("sub", x, b.reduce("max", x, (axis,), keep=True)))
        return b.ew("div", e, b.reduce("sum", e, (axis,), keep=True))

    return rounded_once(b, of, x)


def safe_softmax(b: Builder, x: Val, axis: int) -> Val:
    """Softmax that gives 0 in a row of -inf alone, where everything is masked; two choices a row are all it takes."""

    def of(x: Val) -> Val:
        peak = b.reduce("max", x, (axis,), keep=True)
        peak = b.select(b.compare("EQ", peak, -math.inf), 0.0, peak)
        e = b.ew("exp", b.ew("sub", x, peak))
        total = b.reduce("sum", e, (axis,), keep=True)
        return b.ew("div", e, b.select(b.compare("EQ", total, 0.0), 1.0, total))

    return rounded_once(b, of, x)


def log_softmax(b: Builder, x: Val, axis: int) -> Val:
    def of(x: Val) -> Val:
        shifted = b.ew("sub", x, b.reduce("max", x, (axis,), keep=True))
        return b.ew("sub", shifted, b.ew("log", b.reduce("sum", b.ew("exp", shifted), (axis,), keep=True)))

    return rounded_once(b, of, x)


def logsumexp(b: Builder, x: Val, axes: Sequence[int], keep: bool = False) -> Val:
    def of(x: Val) -> Val:
        peak = b.reduce("max", x, axes, keep=True)
        peak = b.select(b.ew("is_finite", peak), peak, 0.0)  # a row of -inf alone gives -inf, not NaN
        total = b.ew("log", b.reduce("sum", b.ew("exp", b.ew("sub", x, peak)), axes, keep=True))
        found = b.ew("add", total, peak)
        return found if keep else b.squeeze(found, axes)

    return rounded_once(b, of, x)


def moments(b: Builder, x: Val, axes: Sequence[int], correction: float = 0.0) -> tuple[Val, Val, Val]:
    """Mean and variance with the axes kept, and ``x`` minus the mean; all in f32 for narrow floats.

    The variance divides by the number of elements less ``correction``: NaN or infinite where that is 0 or below.
    """
    x = wide(b, x)
    mean = b.mean(x, axes, keep=True)
    centred = b.ew("sub", x, mean)
    count = prod(x.shape[a] for a in {a % x.rank for a in axes}) if x.rank else 1
    total = b.reduce("sum", b.ew("mul", centred, centred), axes, keep=True)
    return mean, b.ew("div", total, max(float(count) - correction, 0.0)), centred


def layer_norm(
    b: Builder, x: Val, axes: Sequence[int], weight: Val | None, bias: Val | None, eps: float
) -> tuple[Val, Val, Val]:
    """The normalised tensor, and mean and 1 / deviation with the axes kept (in f32 for narrow floats).

    ``weight`` and ``bias`` broadcast to ``x``.
    """
    mean, variance, centred = moments(b, x, axes)
    rstd = b.ew("rsqrt", b.ew("add", variance, eps))
    y = _affine(b, b.ew("mul", centred, rstd), weight, bias)
    return b.convert(y, x.dtype), mean, rstd


def rms_norm(b: Builder, x: Val, axes: Sequence[int], weight: Val | None, eps: float) -> Val:
    """x / sqrt(mean(x^2) + eps) * weight."""
    wider = wide(b, x)
    square = b.mean(b.ew("mul", wider, wider), axes, keep=True)
    y = b.ew("mul", wider, b.ew("rsqrt", b.ew("add", square, eps)))
    return b.convert(_affine(b, y, weight, None), x.dtype)


def group_norm(
    b: Builder, x: Val, groups: int, weight: Val | None, bias: Val | None, eps: float
) -> tuple[Val, Val, Val]:
    """Over each group of channels (axis 1) and all that follows; mean and rstd are [batch, groups]."""
    n, channels = x.shape[:2]
    grouped = b.reshape(x, (n, groups, channels // groups, *x.shape[2:]))
    axes = tuple(range(2, grouped.rank))
    mean, variance, centred = moments(b, grouped, axes)
    rstd = b.ew("rsqrt", b.ew("add", variance, eps))
    y = b.reshape(b.ew("mul", centred, rstd), x.shape)
    y = _affine(b, y, _channels(b, weight, x.rank), _channels(b, bias, x.rank))
    return b.convert(y, x.dtype), b.reshape(mean, (n, groups)), b.reshape(rstd, (n, groups))


def instance_norm(b: Builder, x: Val, weight: Val | None, bias: Val | None, eps: float) -> Val:
    """Each channel (axis 1) of each element of the batch by itself."""
    axes = tuple(range(2, x.rank))
    return layer_norm(b, x, axes, _channels(b, weight, x.rank), _channels(b, bias, x.rank), eps)[0]


def batch_norm(b: Builder, x: Val, mean: Val, variance: Val, weight: Val | None, bias: Val | None, eps: float) -> Val:
    """With given statistics, one a channel (axis 1).

    The channel's scale is made first, so that constant statistics become one product and one sum a channel.
    """
    scale = b.ew("rsqrt", b.ew("add", wide(b, variance), eps))
    y = b.ew("sub", wide(b, x), _of_channels(b, wide(b, mean), x.rank))
    y = b.ew("mul", y, _of_channels(b, scale if weight is None else b.ew("mul", scale, wide(b, weight)), x.rank))
    return b.convert(_affine(b, y, None, _channels(b, bias, x.rank)), x.dtype)


def batch_norm_training(b: Builder, x: Val, weight: Val | None, bias: Val | None, eps: float) -> tuple[Val, Val, Val]:
    """With the batch's own statistics; also mean and (biased) variance, one a channel, in f32 for narrow floats."""
    axes = tuple(d for d in range(x.rank) if d != 1)
    mean, variance, centred = moments(b, x, axes)
    y = b.ew("mul", centred, b.ew("rsqrt", b.ew("add", variance, eps)))
    y = _affine(b, y, _channels(b, weight, x.rank), _channels(b, bias, x.rank))
    shape = (x.shape[1],)
    return b.convert(y, x.dtype), b.reshape(mean, shape), b.reshape(variance, shape)


def _affine(b: Builder, y: Val, weight: Val | None, bias: Val | None) -> Val:
    if weight is not None:
        y = b.ew("mul", y, wide(b, weight))
    return y if bias is None else b.ew("add", y, wide(b, bias))


def _channels(b: Builder, v: Val | None, rank: int) -> Val | None:
    return None if v is None else _of_channels(b, v, rank)


def _of_channels(b: Builder, v: Val, rank: int) -> Val:
    """[C] as [C, 1, ...], which broadcasts along axis 1."""
    return b.reshape(v, (*v.shape, *(1,) * (rank - 2)))
