"""Composite operators that exported programs keep whole, mapped as they are.

Example: ``COMPOSITES["aten.conv2d.default"](cx, x, weight, bias, [1, 1], [0, 0], [1, 1], 1)``. Torch can take each of
them apart, but tracing a program again takes longer than all the rest of an import.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fstc.frontends.artefact import Unsupported
from fstc.frontends.builder import Val
from fstc.frontends.composed import normalize, pooling, products
from fstc.frontends.torch import arithmetic, views
from fstc.frontends.torch.context import Context, Handler, aten, each
from fstc.frontends.torch.layers import windows
from fstc.ir.types import BOOL


def to_other(cx: Context, x: Val, other: Val, *rest: Any) -> Val:
    return arithmetic.convert(cx, x, other.dtype)


def convolution(rank: int) -> Handler:
    """``padding``: amounts, or "same" or "valid"."""

    def handler(
        cx: Context, x: Val, weight: Val, bias: Val | None = None, stride: Sequence[int] = (1,),
        padding: Sequence[int] | str = (0,), dilation: Sequence[int] = (1,), groups: int = 1,
    ) -> Val:  # fmt: skip
        b, lone = cx.b, x.rank == rank + 1
        x = b.expand(x, [0]) if lone else x
        strides, dilations = _each(stride, rank), _each(dilation, rank)
        if padding == "same":  # the odd one goes to the end
            spread = [d * (n - 1) for d, n in zip(dilations, weight.shape[2:], strict=True)]
            edges = [(s // 2, s - s // 2) for s in spread]
        else:
            edges = [(0, 0)] * rank if isinstance(padding, str) else [(p, p) for p in _each(padding, rank)]
        found = products.convolution(b, x, weight, bias, strides, edges, dilations, groups)
        return b.squeeze(found, [0]) if lone else found

    return handler


def _each(values: Sequence[int], rank: int) -> list[int]:
    return list(values) * rank if len(values) == 1 else list(values)


def max_pool(rank: int) -> Handler:
    def handler(
        cx: Context, x: Val, size: Sequence[int], stride: Sequence[int] = (), padding: Sequence[int] = (0,),
        dilation: Sequence[int] = (1,), ceil: bool = False,
    ) -> Val:  # fmt: skip
        return pooling.max_pool(cx.b, x, *windows(x, rank, size, stride, padding, dilation, ceil))

    return handler


def batch_norm(
    cx: Context, x: Val, weight: Val | None, bias: Val | None, mean: Val, variance: Val, training: bool, *rest: Any
) -> Val:
    if training:
        raise Unsupported("batch normalisation in training that was not made functional")
    return normalize.batch_norm(cx.b, x, mean, variance, weight, bias, float(rest[1]))


def pad(cx: Context, x: Val, amounts: Sequence[int], mode: str = "constant", value: float | None = None) -> Val:
    if mode == "constant":
        return views.constant_pad(cx, x, amounts, value or 0)
    modes = {"reflect": views.reflection_pad, "replicate": views.replication_pad, "circular": circular_pad}
    return modes[mode](cx, x, amounts)


def circular_pad(cx: Context, x: Val, amounts: Sequence[int]) -> Val:
    b = cx.b
    for d, (low, high) in enumerate(zip(*views.edges(amounts, x.rank), strict=True)):
        n = x.shape[d]
        parts = [b.slice_axis(x, d, n - low, n)] if low > 0 else []
        parts.append(b.slice_axis(x, d, max(-low, 0), n - max(-high, 0)))
        parts += [b.slice_axis(x, d, 0, high)] if high > 0 else []
        x = b.concat(parts, d)
    return x


def diff(cx: Context, x: Val, n: int = 1, dim: int = -1, before: Val | None = None, after: Val | None = None) -> Val:
    b, at = cx.b, dim % x.rank
    x = b.concat([v for v in (before, x, after) if v is not None], at)
    for _ in range(min(n, x.shape[at])):
        late, early = b.slice_axis(x, at, 1, x.shape[at]), b.slice_axis(x, at, 0, x.shape[at] - 1)
        x = b.ew("xor" if x.dtype == BOOL else "sub", late, early)
    return x


def movedim(cx: Context, x: Val, source: int | Sequence[int], target: int | Sequence[int]) -> Val:
    source, target = ([v] if isinstance(v, int) else list(v) for v in (source, target))
    moved = {t % x.rank: s % x.rank for s, t in zip(source, target, strict=True)}
    rest = iter(d for d in range(x.rank) if d not in moved.values())
    return cx.transposed(x, [moved[d] if d in moved else next(rest) for d in range(x.rank)])


def narrow(cx: Context, x: Val, dim: int, start: int | Val, length: int) -> Val:
    if isinstance(start, Val):
        raise Unsupported("narrow from a tensor")
    first = start % x.shape[dim] if start < 0 else start
    return cx.b.slice_axis(x, dim % x.rank, first, first + length)


def shaped_as(cx: Context, x: Val, other: Val) -> Val:
    return cx.b.reshape(x, cx.shape)


def expand_as(cx: Context, x: Val, other: Val) -> Val:
    return cx.b.broadcast(x, cx.shape)


COMPOSITES: dict[str, Handler] = aten({
    **each("to.dtype_layout to.device", arithmetic.convert), "to.other": to_other, "type_as": to_other,
    "expand_as": expand_as, **each("view_as reshape_as", shaped_as),
    "detach_": lambda cx, x: x,
    **{f"conv{d}d.default": convolution(d) for d in (1, 2, 3)},
    **{f"conv{d}d.padding": convolution(d) for d in (1, 2, 3)},
    **{f"max_pool{d}d.default": max_pool(d) for d in (1, 2, 3)},
    "batch_norm": batch_norm, "pad": pad, "diff": diff, "movedim": movedim, "moveaxis": movedim, "narrow": narrow,
    "max.other": lambda cx, x, y: cx.pointwise(lambda b, x, y: b.ew("max", x, y), x, y),
    "min.other": lambda cx, x, y: cx.pointwise(lambda b, x, y: b.ew("min", x, y), x, y),
})  # fmt: skip
