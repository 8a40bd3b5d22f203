"""Matrix products, linear layers, attention and convolutions.

Example: ``CONTRACTION["aten.addmm"](cx, bias, x, w, 1, 1)``. A product reads transposes of its operands in place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fstc.frontends.artefact import Unsupported
from fstc.frontends.builder import Builder, Val, common_shape
from fstc.frontends.composed import products
from fstc.frontends.composed.indexing import take
from fstc.frontends.composed.precision import wide
from fstc.frontends.composed.products import Factor
from fstc.frontends.torch.context import Context, Handler, aten, each
from fstc.frontends.torch.reductions import norm_of
from fstc.ir.types import BOOL, F32, DType


def product(cx: Context, x: Val, y: Val, dtype: DType | None = None) -> Val:
    if cx.dtype == BOOL:
        raise Unsupported("a product of bools")
    return products.matmul(cx.b, cx.factor(x), cx.factor(y), dtype)


def linear(cx: Context, x: Val, weight: Val, bias: Val | None = None) -> Val:
    found = products.dot(cx.b, cx.factor(x), cx.factor(weight), contract=[(x.rank - 1, weight.rank - 1)])
    return found if bias is None else cx.b.ew("add", found, bias)


def _added(multiply: Callable[..., Val], wide_product: bool = False) -> Handler:
    """beta * start + alpha * product; the start is not read when beta is 0, NaN or not.

    ``wide_product``: of narrow floats, the product stays in f32 until the sum is rounded, as torch has it.
    """

    def handler(cx: Context, start: Val, x: Val, y: Val, beta: float = 1, alpha: float = 1) -> Val:
        b, dtype = cx.b, x.dtype
        if beta == 1 and alpha == 1 and not wide_product:
            return b.ew("add", multiply(cx, x, y), start)
        found = wide(b, multiply(cx, x, y, F32 if dtype.is_float and dtype.size < 4 else None))
        if not dtype.is_float:  # torch cuts the factors to integers
            alpha, beta = int(alpha), int(beta)
        found = found if alpha == 1 else b.ew("mul", found, cx.val(alpha, found.dtype))
        if beta:
            start = wide(b, start)
            start = start if beta == 1 else b.ew("mul", start, cx.val(beta, start.dtype))
            found = b.ew("add", found, start)
        return b.broadcast(b.convert(found, dtype), cx.shape)

    return handler


def _summed(cx: Context, x: Val, y: Val, dtype: DType | None = None) -> Val:
    """addbmm: the products of a batch, summed in one call over both dimensions."""
    return products.dot(cx.b, Factor(x), Factor(y), contract=[(0, 0), (2, 1)], dtype=dtype)


def outer(cx: Context, x: Val, y: Val, dtype: DType | None = None) -> Val:
    dtype = dtype or cx.dtype
    return cx.b.ew("mul", cx.b.expand(cx.val(x, dtype), [1]), cx.b.expand(cx.val(y, dtype), [0]))


def distances(cx: Context, x: Val, y: Val, order: float, *rest: object) -> Val:
    """Of all pairs of rows, the norm of their difference."""
    b = cx.b
    gap = b.ew("sub", b.expand(x, [-2]), b.expand(y, [-3]))
    return norm_of(cx, gap, order, (gap.rank - 1,), False)


def pair_distances(cx: Context, x: Val, order: float = 2.0) -> Val:
    """Of all pairs of different rows, in the order of the upper triangle."""
    import numpy as np

    b = cx.b
    first, second = (b.constant(i.astype(np.int64)) for i in np.triu_indices(x.shape[0], 1))
    gap = b.ew("sub", take(b, x, first, 0, wrap=False), take(b, x, second, 0, wrap=False))
    return norm_of(cx, gap, order, (1,), False)


def cross(cx: Context, x: Val, y: Val, dim: int = -1) -> Val:
    def of(b: Builder, x: Val, y: Val) -> Val:
        shape = common_shape([x.shape, y.shape])
        x, y = b.broadcast(x, shape), b.broadcast(y, shape)

        def turned(v: Val, first: int) -> Val:
            return b.concat([b.slice_axis(v, dim, first, 3), b.slice_axis(v, dim, 0, first)], dim)

        return b.ew("sub", b.ew("mul", turned(x, 1), turned(y, 2)), b.ew("mul", turned(x, 2), turned(y, 1)))

    return cx.pointwise(of, x, y, once=True)


def convolution(
    cx: Context, x: Val, weight: Val, bias: Val | None, stride: Sequence[int], padding: Sequence[int],
    dilation: Sequence[int], transposed: bool, output_padding: Sequence[int], groups: int,
) -> Val:  # fmt: skip
    b, space = cx.b, weight.rank - 2
    lone = x.rank == space + 1  # without a batch
    x = b.expand(x, [0]) if lone else x
    stride, dilation, output_padding = (_each(v, space) for v in (stride, dilation, output_padding))
    edges = [(p, p) for p in _each(padding, space)]
    if transposed:
        found = products.convolution_transposed(b, x, weight, bias, stride, edges, output_padding, dilation, groups)
    else:
        found = products.convolution(b, x, weight, bias, stride, edges, dilation, groups)
    return b.reshape(found, cx.shape) if lone else found


def _each(values: Sequence[int], count: int) -> list[int]:
    """Torch lets one number stand for all dimensions."""
    return list(values) * count if len(values) == 1 else list(values)


def convolution_backward(
    cx: Context, grad: Val, x: Val, weight: Val, bias_sizes: Sequence[int] | None, stride: Sequence[int],
    padding: Sequence[int], dilation: Sequence[int], transposed: bool, output_padding: Sequence[int], groups: int,
    mask: Sequence[bool],
) -> tuple[Val | None, Val | None, Val | None]:  # fmt: skip
    """Gradients of input, weight and bias, those that ``mask`` asks for."""
    b, space = cx.b, weight.rank - 2
    stride, padding, dilation = (_each(v, space) for v in (stride, padding, dilation))
    of_bias = b.reduce("sum", grad, [0, *range(2, grad.rank)]) if mask[2] else None
    of_input = of_weight = None
    edges = [(p, p) for p in padding]
    if mask[0] and transposed:
        of_input = products.convolution(b, grad, weight, None, stride, edges, dilation, groups)
    elif mask[0]:
        extra = []
        for d in range(space):
            reach = (grad.shape[2 + d] - 1) * stride[d] - 2 * padding[d] + dilation[d] * (weight.shape[2 + d] - 1) + 1
            extra.append(x.shape[2 + d] - reach)
        of_input = products.convolution_transposed(b, grad, weight, None, stride, edges, extra, dilation, groups)
    if mask[1]:
        x, grad = (grad, x) if transposed else (x, grad)  # what is wide, and what one window of it makes
        high = [
            (weight.shape[2 + d] - 1) * dilation[d] + (grad.shape[2 + d] - 1) * stride[d] + 1 - x.shape[2 + d]
            - padding[d] for d in range(space)
        ]  # fmt: skip
        # The batch is summed over: features of the input are a batch here, the gradient is the kernel.
        of_weight = b.op(
            "convolution", [x, grad],
            input_batch_dimension=1, input_feature_dimension=0, kernel_input_feature_dimension=0,
            kernel_output_feature_dimension=1, output_batch_dimension=1, output_feature_dimension=0,
            window_strides=dilation, rhs_dilation=stride, padding=list(zip(padding, high, strict=True)),
            batch_group_count=groups,
        )[0]  # fmt: skip
    return of_input, of_weight, of_bias


CONTRACTION: dict[str, Handler] = aten({
    **each("mm bmm matmul mv dot vdot", product), "linear": linear,
    "addmm": _added(product), "baddbmm": _added(product, True), "addmv": _added(product),
    "addbmm": _added(_summed, True), "addr": _added(outer), "outer": outer, "ger": outer, "linalg_cross": cross,
    "_cdist_forward": distances, "_pdist_forward": pair_distances,
    "convolution": convolution, "convolution_backward": convolution_backward,
})  # fmt: skip
