"""Reductions, running folds and statistics.

Example: ``REDUCTIONS["aten.sum.dim_IntList"](cx, x, [1], True, None)``. Sums of bools and integers are in 64 bits;
narrow floats are reduced in f32 and rounded once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from fstc.frontends.artefact import Unsupported
from fstc.frontends.builder import Builder, Val
from fstc.frontends.composed import elementary, normalize
from fstc.frontends.composed.precision import rounded_once, wide
from fstc.frontends.composed.scans import running
from fstc.frontends.torch.context import Context, Handler, aten, axes_of, axis
from fstc.ir.types import BOOL, DType

Dims = int | Sequence[int] | None


def _summed(how: str) -> Handler:
    """sum and prod; the result's type is what is summed."""

    def handler(cx: Context, x: Val, dims: Dims = None, keep: bool = False, dtype: DType | None = None) -> Val:
        return cx.b.reduce(how, cx.b.convert(x, cx.dtype), axes_of(dims, x.rank), keep)

    return handler


def _summed_all(how: str) -> Handler:
    return lambda cx, x, dtype=None: cx.b.reduce(how, cx.b.convert(x, cx.dtype))


def mean(cx: Context, x: Val, dims: Dims = None, keep: bool = False, dtype: DType | None = None) -> Val:
    return cx.result(cx.b.mean(wide(cx.b, cx.result(x)), axes_of(dims, x.rank), keep))


def _extreme(how: str) -> Handler:
    def handler(cx: Context, x: Val, dims: Dims = None, keep: bool = False) -> Val:
        return cx.b.reduce(how, x, axes_of(dims, x.rank), keep)

    return handler


def _logical(how: str) -> Handler:
    """any and all, where uint8 gives uint8; of no dimensions, given as a list, each element by itself."""

    def handler(cx: Context, x: Val, dims: Dims = None, keep: bool = False) -> Val:
        chosen = axes_of(dims, x.rank, empty_is_all=dims is None)
        return cx.result(cx.b.reduce(how, cx.b.convert(x, BOOL), chosen, keep))

    return handler


def _located(name: str) -> Handler:
    """max.dim and min.dim: values and positions."""

    def handler(cx: Context, x: Val, dim: int, keep: bool = False) -> tuple[Val, Val]:
        if not x.rank:
            return x, cx.b.full(0, cx.type(1).dtype, ())
        value, index = cx.b.op(name, [x], axis=dim % x.rank)
        found = (value, cx.i64(index))
        return tuple(cx.b.expand(v, [dim % x.rank]) for v in found) if keep else found  # type: ignore[return-value]

    return handler


def _position(name: str) -> Handler:
    """argmax and argmin; without a dimension, in the flat tensor."""

    def handler(cx: Context, x: Val, dim: int | None = None, keep: bool = False) -> Val:
        flat = cx.b.reshape(x, (-1,)) if dim is None or not x.rank else x
        at = 0 if dim is None or not x.rank else dim % x.rank
        return cx.b.reshape(cx.i64(cx.b.op(name, [flat], axis=at)[1]), cx.shape)

    return handler


def aminmax(cx: Context, x: Val, dim: int | None = None, keep: bool = False) -> tuple[Val, Val]:
    chosen = axes_of(dim, x.rank)
    low, high = cx.b.reduce("min", x, chosen, keep), cx.b.reduce("max", x, chosen, keep)
    return cx.b.reshape(low, cx.shape), cx.b.reshape(high, cx.shape)


def _variance(cx: Context, x: Val, dims: Dims, correction: float, keep: bool) -> tuple[Val, Val]:
    b, chosen = cx.b, axes_of(dims, x.rank)
    mean, variance, _ = normalize.moments(b, x, chosen, correction)
    if not keep:
        mean, variance = b.squeeze(mean, chosen), b.squeeze(variance, chosen)
    return variance, mean


def _varied(root: bool, with_mean: bool, form: str) -> Handler:
    def finished(cx: Context, x: Val, dims: Dims, correction: float, keep: bool) -> Val | tuple[Val, Val]:
        variance, mean = _variance(cx, x, dims, correction, keep)
        found = cx.b.ew("sqrt", variance) if root else variance
        return (cx.result(found, 0), cx.result(mean, 1)) if with_mean else cx.result(found)

    def whole(cx: Context, x: Val, unbiased: bool = True) -> Val | tuple[Val, Val]:
        return finished(cx, x, None, float(unbiased), False)

    def dims(cx: Context, x: Val, dims: Dims, unbiased: bool = True, keep: bool = False) -> Val | tuple[Val, Val]:
        return finished(cx, x, dims, float(unbiased), keep)

    def corrected(
        cx: Context, x: Val, dims: Dims = None, correction: float | None = None, keep: bool = False
    ) -> Val | tuple[Val, Val]:
        return finished(cx, x, dims, 1.0 if correction is None else float(correction), keep)

    forms: dict[str, Handler] = {"default": whole, "dim": dims, "correction": corrected}
    return forms[form]


def cumsum(cx: Context, x: Val, dim: int, dtype: DType | None = None) -> Val:
    x = cx.result(x)
    return cx.b.op("cumsum", [x], axis=dim % x.rank)[0] if x.rank else x


def cumprod(cx: Context, x: Val, dim: int, dtype: DType | None = None) -> Val:
    def of(x: Val) -> Val:
        return running(cx.b, lambda b, x, y: [b.ew("mul", *x, *y)], [x], dim % x.rank)[0]

    return rounded_once(cx.b, of, cx.result(x)) if x.rank else cx.result(x)


def logcumsumexp(cx: Context, x: Val, dim: int) -> Val:
    def of(x: Val) -> Val:
        return running(cx.b, lambda b, x, y: [elementary.logaddexp(b, x[0], y[0])], [x], dim % x.rank)[0]

    return rounded_once(cx.b, of, x) if x.rank else x


def _running_extreme(direction: str) -> Handler:
    """cummax and cummin: the later of equals, and NaN from where it first stands."""

    def combine(b: Builder, early: Sequence[Val], late: Sequence[Val]) -> list[Val]:
        (x, i), (y, j) = early, late
        newer = b.compare(direction, y, x)
        if x.dtype.is_float:
            newer = b.ew("or", newer, elementary.isnan(b, y))
        return [b.select(newer, y, x), b.select(newer, j, i)]

    def handler(cx: Context, x: Val, dim: int) -> tuple[Val, Val]:
        if not x.rank:
            return x, cx.b.full(0, cx.type(1).dtype, ())
        at = dim % x.rank
        positions = cx.b.iota(cx.type(1).dtype, x.shape, at)
        value, index = running(cx.b, combine, [x, positions], at)
        return value, index

    return handler


def logsumexp(cx: Context, x: Val, dims: Dims, keep: bool = False) -> Val:
    return normalize.logsumexp(cx.b, cx.result(x), axes_of(dims, x.rank), keep)


def count_nonzero(cx: Context, x: Val, dims: Dims = None) -> Val:
    return cx.b.reduce("sum", cx.i64(cx.b.convert(x, BOOL)), axes_of(dims, x.rank))


def vector_norm(
    cx: Context, x: Val, order: float = 2, dims: Dims = None, keep: bool = False, dtype: DType | None = None
) -> Val:
    if dtype is None and not x.dtype.is_float:
        raise Unsupported(f"a norm of {x.dtype}")
    return cx.result(norm_of(cx, wide(cx.b, cx.result(x)), order, axes_of(dims, x.rank), keep))


def norm_of(cx: Context, x: Val, order: float, chosen: Sequence[int], keep: bool) -> Val:
    """The norm of an order over dimensions, in the type of ``x``."""
    b, size = cx.b, cx.b.ew("abs", x)
    if order == 0:
        return b.reduce("sum", b.convert(b.compare("NE", x, 0.0), x.dtype), chosen, keep)
    if math.isinf(order):
        return b.reduce("max" if order > 0 else "min", size, chosen, keep)
    if order == 1:
        return b.reduce("sum", size, chosen, keep)
    if order == 2:
        return b.ew("sqrt", b.reduce("sum", b.ew("mul", x, x), chosen, keep))
    total = b.reduce("sum", b.ew("pow", size, float(order)), chosen, keep)
    return b.ew("pow", total, 1.0 / order)


def norm(
    cx: Context, x: Val, order: float | None = None, dims: Dims = None, keep: bool = False, dtype: DType | None = None
) -> Val:
    return vector_norm(cx, x, 2 if order is None else order, dims, keep, dtype)


def nansum(cx: Context, x: Val, dims: Dims = None, keep: bool = False, dtype: DType | None = None) -> Val:
    x = cx.b.select(elementary.isnan(cx.b, x), 0, x) if x.dtype.is_float else x
    return cx.b.reduce("sum", cx.result(x), axes_of(dims, x.rank), keep)


def softmax(cx: Context, x: Val, dim: int, *rest: object) -> Val:
    """An integer or another type is converted first; a half given as float stays exact that way."""
    x = cx.result(x)
    return normalize.softmax(cx.b, x, axis(dim, x.rank)) if x.rank else cx.b.full(1, x.dtype, ())


def log_softmax(cx: Context, x: Val, dim: int, *rest: object) -> Val:
    x = cx.result(x)
    return normalize.log_softmax(cx.b, x, axis(dim, x.rank)) if x.rank else cx.b.full(0, x.dtype, ())


def safe_softmax(cx: Context, x: Val, dim: int, dtype: DType | None = None) -> Val:
    x = cx.result(x)
    return normalize.safe_softmax(cx.b, x, axis(dim, x.rank)) if x.rank else cx.b.full(1, x.dtype, ())


REDUCTIONS: dict[str, Handler] = aten({
    "sum.default": _summed_all("sum"), "sum.dim_IntList": _summed("sum"), "prod.default": _summed_all("prod"),
    "prod.dim_int": _summed("prod"), "mean.default": lambda cx, x, dtype=None: mean(cx, x), "mean.dim": mean,
    "amax": _extreme("max"), "amin": _extreme("min"), "any": _logical("or"), "all": _logical("and"),
    "max.default": _extreme("max"), "min.default": _extreme("min"),
    "max.dim": _located("argmax"), "min.dim": _located("argmin"),
    "argmax": _position("argmax"), "argmin": _position("argmin"), "aminmax": aminmax,
    **{f"{name}.{form}": _varied("std" in name, "mean" in name, form)
       for name in ("var", "std", "var_mean", "std_mean") for form in ("default", "dim", "correction")},
    "cumsum": cumsum, "cumprod": cumprod, "logcumsumexp": logcumsumexp,
    "cummax": _running_extreme("GE"), "cummin": _running_extreme("LE"), "logsumexp": logsumexp,
    "count_nonzero": count_nonzero, "linalg_vector_norm": vector_norm, "nansum": nansum,
    "norm.Scalar": norm, "norm.ScalarOpt_dim": norm, "norm.ScalarOpt_dtype": lambda cx, x, p, dtype=None:
    norm(cx, x, p, None, False, dtype), "norm.ScalarOpt_dim_dtype": norm,
    "_softmax": softmax, "softmax": softmax, "_log_softmax": log_softmax, "log_softmax": log_softmax,
    "_safe_softmax": safe_softmax,
})  # fmt: skip
