"""Tensors from nothing, numbers from tensors, and what is refused by name with its reason.

Example: ``SOURCES["aten.arange.start_step"](cx, 0, 10, 2, I64)``. Small ranges are known while importing, large ones
are counted by the kernels.
"""

from __future__ import annotations

from typing import Any

from fstc.frontends.artefact import Unsupported
from fstc.frontends.builder import Val
from fstc.frontends.emitter import FOLD_ELEMENTS
from fstc.frontends.torch.context import Argument, Context, Handler, aten, each
from fstc.ir.types import I32

RANDOM = "random numbers differ from framework to framework"
DEPENDS = "the shape depends on data"


def full(cx: Context, shape: Any, value: Argument, *rest: Any) -> Val:
    return cx.b.broadcast(cx.val(value, cx.dtype), cx.shape)


def filled(value: int) -> Handler:
    """zeros, ones and their likes; empty is zeros, since its content is not defined."""
    return lambda cx, *rest: cx.b.full(value, cx.dtype, cx.shape)


def arange(cx: Context, start: float, end: float, step: float = 1, *rest: Any) -> Val:
    import numpy as np

    from fstc.ir.ops.numerics import cast

    count, dtype = cx.shape[0], cx.dtype
    if count > FOLD_ELEMENTS and dtype.is_integer:
        b = cx.b
        found = b.iota(dtype, (count,), 0)
        found = found if step == 1 else b.ew("mul", found, int(step))
        return found if start == 0 else b.ew("add", found, int(start))
    whole = dtype.is_integer and all(float(v).is_integer() for v in (start, step))
    steps: Any = np.arange(count, dtype=np.int64 if whole else np.float64)
    values = int(start) + steps * int(step) if whole else start + steps * step
    return cx.b.constant(np.asarray(cast(values, dtype)))


def arange_default(cx: Context, end: float, *rest: Any) -> Val:
    return arange(cx, 0, end)


def arange_start(cx: Context, start: float, end: float, *rest: Any) -> Val:
    return arange(cx, start, end)


def linspace(cx: Context, start: Argument, end: Argument, steps: int, *rest: Any) -> Val:
    """From both ends to the middle, as torch counts."""
    import numpy as np

    from fstc.ir.ops.numerics import cast

    if isinstance(start, Val) or isinstance(end, Val):
        raise Unsupported("linspace between tensors")
    places = np.arange(steps, dtype=np.float64)
    step = (end - start) / (steps - 1) if steps > 1 else 0.0
    values = np.where(places < steps // 2, start + step * places, end - step * (steps - 1 - places))
    values = values if steps > 1 else np.full(steps, float(start))
    return cx.b.constant(np.asarray(cast(values if cx.dtype.is_float else np.trunc(values), cx.dtype)))


def eye(cx: Context, n: int, m: int | None = None, *rest: Any) -> Val:
    b, shape = cx.b, cx.shape
    return b.convert(b.compare("EQ", b.iota(I32, shape, 0), b.iota(I32, shape, 1)), cx.dtype)


def scalar_tensor(cx: Context, value: Argument, *rest: Any) -> Val:
    return cx.val(value, cx.dtype)


def item(cx: Context, x: Val) -> Any:
    """A number out of a tensor: known, or the model depends on data."""
    if x.known is None:
        raise Unsupported(".item() of a tensor that is known at run time only: what follows depends on data")
    return x.known.reshape(()).item()


def nonzero(cx: Context, x: Val) -> Val:
    import numpy as np

    if x.known is None:
        raise Unsupported(DEPENDS)
    return cx.b.constant(np.stack(np.nonzero(x.known), 1).astype(np.int64).reshape(-1, x.rank))


def dropout(cx: Context, x: Val, p: float, train: bool | None = True) -> Any:
    if p and train:
        raise Unsupported(f"dropout: {RANDOM}")
    kept = cx.b.full(True, cx.type(1).dtype, x.shape) if len(cx.types) > 1 else None
    return x if kept is None else (x, kept)


def size(cx: Context, x: Val, dim: int | None = None) -> Any:
    return list(x.shape) if dim is None else x.shape[dim]


def stride(cx: Context, x: Val, dim: int) -> int:
    return int(cx.strides[dim])


def numel(cx: Context, x: Val) -> int:
    return x.type.elements


def nothing(cx: Context, *rest: Any) -> None:
    """An assertion on values: torch has its say when it traces."""


def refused(reason: str) -> Handler:
    def handler(cx: Context, *rest: Any) -> Any:
        raise Unsupported(reason)

    return handler


SOURCES: dict[str, Handler] = aten({
    "full": full, "full_like": full, "fill": full, "new_full": lambda cx, x, shape, value, *rest:
    full(cx, shape, value),
    **each("zeros zeros_like new_zeros empty empty_like new_empty empty_strided new_empty_strided "
                    "empty_permuted zero _efficientzerotensor _new_zeros_with_same_feature_meta", filled(0)),
    **each("ones ones_like new_ones", filled(1)),
    "arange.start_step": arange, "arange.start": arange_start, "arange.default": arange_default, "eye": eye,
    "linspace.default": linspace, "scalar_tensor": scalar_tensor, "_local_scalar_dense": item, "item": item,
    "nonzero": nonzero, "native_dropout": dropout, "dropout": dropout, "sym_size": size, "sym_stride": stride,
    "sym_numel": numel, "sym_storage_offset": lambda cx, x: 0,
    **each("_assert_async _assert_scalar _assert_tensor_metadata sym_constrain_range "
                    "sym_constrain_range_for_size _functional_assert_async _functional_assert_scalar", nothing),
    **each("rand randn randint randperm rand_like randn_like randint_like bernoulli normal uniform "
                    "exponential multinomial poisson cauchy geometric log_normal random normal_functional "
                    "binomial rrelu_with_noise rrelu_with_noise_functional", refused(RANDOM)),
    **each("masked_select unique_dim _unique2 unique_consecutive nonzero_static argwhere bincount "
                    "repeat_interleave.Tensor", refused(DEPENDS)),
})  # fmt: skip
