"""Quantised operators: element-wise graphs around integer products.

Example: ``QLinearMatMul`` is a product of i32 operands, scaled, rounded to nearest even and saturated.
"""

from __future__ import annotations

from collections.abc import Mapping

from fstc.frontends.builder import Builder, Val
from fstc.frontends.composed import products
from fstc.frontends.onnx.node import Handler, Node
from fstc.frontends.onnx.operators.contractions import fitting, padding, spatial
from fstc.frontends.onnx.operators.elementwise import FINITE
from fstc.frontends.onnx.problems import wrong
from fstc.frontends.onnx.tensors import DTYPES, element_type
from fstc.ir.types import F32, I32, U8, DType


def along(n: Node, v: Val, x: Val, axis: int) -> Val:
    """A scale or zero point so that it broadcasts to x: one number, one per index of an axis, or one per block."""
    b, block = n.b, n.integer("block_size", 0)
    if v.type.elements == 1 and v.rank <= 1:
        return b.reshape(v, ())
    axis = n.axis(axis, x.rank)
    if v.rank == 1 and not (block and x.rank == 1):
        if v.shape[0] != x.shape[axis]:
            raise wrong(f"{v.type} along axis {axis} of {x.type}")
        return b.reshape(v, [v.shape[0] if d == axis else 1 for d in range(x.rank)])
    extent = x.shape[axis]
    fits = v.rank == x.rank and all(v.shape[d] in (e, 1) for d, e in enumerate(x.shape) if d != axis)
    if block < 1 or not fits or v.shape[axis] != -(-extent // block):
        raise wrong(f"blocks of {block} along axis {axis} of {x.type} with {v.type}")
    lead, rest = v.shape[: axis + 1], v.shape[axis + 1 :]
    wide = b.broadcast_in_dim(v, (*lead, block, *rest), [*range(axis + 1), *range(axis + 2, v.rank + 1)])
    return b.slice_axis(b.reshape(wide, (*lead[:-1], lead[-1] * block, *rest)), axis, 0, extent)


def saturated(b: Builder, x: Val, zero: Val | None, dtype: DType, saturate: bool = True) -> Val:
    """f32 rounded to nearest even, moved by the zero point, cut to the range of ``dtype``."""
    import numpy as np

    if dtype.is_float:
        x = x if zero is None else b.ew("add", x, b.convert(zero, F32))
        limit = FINITE.get(dtype.name) if saturate else None
        return b.convert(x if limit is None else b.ew("max", b.ew("min", x, limit), -limit), dtype)
    x = b.ew("round_nearest_even", x)
    x = x if zero is None else b.ew("add", x, b.convert(zero, F32))
    info = np.iinfo(dtype.numpy())
    return b.convert(b.ew("max", b.ew("min", x, float(info.max)), float(info.min)), dtype)


def quantize(n: Node) -> Val:
    b, x, scale, zero = n.b, n[0], n[1], n.get(2)
    number = n.integer("output_dtype", 0)
    dtype = zero.dtype if zero is not None else (DTYPES.get(number) or element_type(number)) if number else U8
    axis = n.integer("axis", 1)
    ratio = b.ew("div", b.convert(x, F32), along(n, b.convert(scale, F32), x, axis))
    shift = None if zero is None else along(n, zero, x, axis)
    return saturated(b, ratio, shift, dtype, bool(n.integer("saturate", 1)))


def dequantize(n: Node) -> Val:
    b, x, scale, zero = n.b, n[0], n[1], n.get(2)
    if zero is not None and zero.dtype != x.dtype:
        raise wrong(f"the zero point is {zero.dtype}, the input {x.dtype}")
    axis = n.integer("axis", 1)
    value = b.convert(x, F32)
    if zero is not None:
        value = b.ew("sub", value, b.convert(along(n, zero, x, axis), F32))
    number = n.integer("output_dtype", 0)
    dtype = (DTYPES.get(number) or element_type(number)) if number else scale.dtype
    return b.convert(b.ew("mul", value, along(n, b.convert(scale, F32), x, axis)), dtype)


def dynamic_quantize(n: Node) -> list[Val]:
    """To u8, with the scale and zero point that the tensor's own range gives."""
    b, x = n.b, n[0]
    high = b.ew("max", b.reduce("max", x), 0.0)
    low = b.ew("min", b.reduce("min", x), 0.0)
    scale = b.ew("div", b.ew("sub", high, low), 255.0)
    zero = b.ew("round_nearest_even", b.ew("max", b.ew("min", b.ew("div", b.ew("neg", low), scale), 255.0), 0.0))
    point = b.convert(zero, U8)
    return [saturated(b, b.ew("div", x, scale), point, U8), scale, point]


def _less_zero(b: Builder, x: Val, zero: Val | None) -> Val:
    """x - zero point, exactly."""
    return b.convert(x, I32) if zero is None else b.ew("sub", b.convert(x, I32), b.convert(zero, I32))


def _by_row(b: Builder, zero: Val | None) -> Val | None:
    """A zero point for each row stands in a column."""
    if zero is None or zero.type.elements == 1:
        return None if zero is None else b.reshape(zero, ())
    return b.expand(zero, [-1]) if zero.rank == 1 else zero


def _by_column(b: Builder, zero: Val | None) -> Val | None:
    return b.reshape(zero, ()) if zero is not None and zero.type.elements == 1 else zero


def _integer_product(n: Node, x: Val, y: Val, zero_x: Val | None, zero_y: Val | None) -> Val:
    b = n.b
    return products.matmul(b, _less_zero(b, x, _by_row(b, zero_x)), _less_zero(b, y, _by_column(b, zero_y)))


def matmul_integer(n: Node) -> Val:
    return _integer_product(n, n[0], n[1], n.get(2), n.get(3))


def linear_matmul(n: Node) -> Val:
    b, x, y = n.b, n[0], n[3]
    total = b.convert(_integer_product(n, x, y, n[2], n[5]), F32)
    scales = [b.convert(v, F32) for v in (n[1], n[4], n[6])]
    left, right, result = _by_row(b, scales[0]), _by_column(b, scales[1]), b.reshape(scales[2], ())
    assert left is not None and right is not None
    factor = b.ew("div", b.ew("mul", left, right), result)
    return saturated(b, b.ew("mul", total, factor), b.reshape(n[7], ()), n[7].dtype)


def _integer_convolution(n: Node, x: Val, w: Val, zero_x: Val | None, zero_w: Val | None, bias: Val | None) -> Val:
    """Padding is the zero point, so it is 0 after that is taken off."""
    b = n.b
    if x.rank < 3 or x.rank != w.rank:
        raise wrong(f"a convolution of {x.type} with {w.type}")
    window, extents = w.shape[2:], x.shape[2:]
    strides, dilations = spatial(n, window, extents)
    pads = padding(n, window, extents, strides, dilations)
    fitting(window, extents, dilations, pads)
    zero_x = None if zero_x is None else b.reshape(zero_x, ())
    if zero_w is not None:
        one = zero_w.type.elements == 1
        zero_w = b.reshape(zero_w, () if one else (zero_w.type.elements, *[1] * (w.rank - 1)))
    left, right = _less_zero(b, x, zero_x), _less_zero(b, w, zero_w)
    return products.convolution(b, left, right, bias, strides, pads, dilations, n.integer("group", 1))


def convolution_integer(n: Node) -> Val:
    return _integer_convolution(n, n[0], n[1], n.get(2), n.get(3), None)


def linear_convolution(n: Node) -> Val:
    b, x, w = n.b, n[0], n[3]
    total = b.convert(_integer_convolution(n, x, w, n[2], n[5], n.get(8)), F32)
    scale_w = b.convert(n[4], F32)
    one = scale_w.type.elements == 1
    scale_w = b.reshape(scale_w, () if one else (scale_w.type.elements, *[1] * (w.rank - 2)))
    left, result = (b.reshape(b.convert(v, F32), ()) for v in (n[1], n[6]))
    factor = b.ew("div", b.ew("mul", left, scale_w), result)
    return saturated(b, b.ew("mul", total, factor), b.reshape(n[7], ()), n[7].dtype)


QUANTIZED: Mapping[str, Handler] = {
    "QuantizeLinear": quantize, "DequantizeLinear": dequantize, "DynamicQuantizeLinear": dynamic_quantize,
    "MatMulInteger": matmul_integer, "QLinearMatMul": linear_matmul, "ConvInteger": convolution_integer,
    "QLinearConv": linear_convolution,
}  # fmt: skip
