"""Matrix products and convolutions: library calls.

Example: a ``dot_general`` of bf16 that asks for f32 is ``dot_general`` with an f32 result. Operands of two types are
converted to the wider one first. A reversed convolution window is a ``reverse`` of the kernel.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fstc.frontends.builder import Val
from fstc.frontends.stablehlo.layout import known
from fstc.frontends.stablehlo.walk import Entry, Site
from fstc.ir.types import I32, DType, TensorType

ORDERS = (
    "input_batch_dimension", "input_feature_dimension", "input_spatial_dimensions", "kernel_output_feature_dimension",
    "kernel_input_feature_dimension", "kernel_spatial_dimensions", "output_batch_dimension",
    "output_feature_dimension", "output_spatial_dimensions",
)  # fmt: skip


def dot_general(s: Site, x: Val, y: Val) -> Val:
    numbers = s.attr("dot_dimension_numbers")
    pairs = {
        "lhs_batch": numbers["lhs_batching_dimensions"],
        "rhs_batch": numbers["rhs_batching_dimensions"],
        "lhs_contract": numbers["lhs_contracting_dimensions"],
        "rhs_contract": numbers["rhs_contracting_dimensions"],
    }
    return _product(s, x, y, pairs)


def dot(s: Site, x: Val, y: Val) -> Val:
    return _product(s, x, y, {"lhs_contract": (x.rank - 1,), "rhs_contract": (0,)})


def _product(s: Site, x: Val, y: Val, pairs: Mapping[str, Any]) -> Val:
    """Of booleans: is any of the pairs true on both sides?"""
    result = s.dtype()
    x, y = _alike(s, x, y)
    numbers = I32 if result.kind == "b" else result
    return s.b.convert(s.b.op("dot_general", [x, y], TensorType(numbers, ()), **pairs)[0], result)


def _alike(s: Site, x: Val, y: Val) -> tuple[Val, Val]:
    """Both of one type that holds either, and that the product can be formed in."""
    result = s.dtype()
    if "b" in (x.dtype.kind, y.dtype.kind, result.kind):
        result = I32 if result.kind == "b" else result
        return s.b.convert(x, result), s.b.convert(y, result)
    if x.dtype == y.dtype or (x.dtype.size == y.dtype.size == 1 and x.dtype.is_float and y.dtype.is_float):
        return (x, y) if x.dtype.is_float == result.is_float else (s.b.convert(x, result), s.b.convert(y, result))
    common = _wider(x.dtype, y.dtype, result)
    return s.b.convert(x, common), s.b.convert(y, common)


def _wider(x: DType, y: DType, result: DType) -> DType:
    """The wider of two floats (f16 and bf16: the result's type); integers are multiplied in the result's type."""
    if x.is_float and y.is_float and x.size != y.size:
        return x if x.size > y.size else y
    return result


def convolution(s: Site, x: Val, kernel: Val) -> Val:
    flat = s.ints("padding")
    return _convolution(s, x, kernel, tuple(zip(flat[::2], flat[1::2], strict=True)))


def dynamic_conv(s: Site, x: Val, kernel: Val, padding: Val) -> Val:
    flat = known(padding, "the padding")
    return _convolution(s, x, kernel, tuple(zip(flat[::2], flat[1::2], strict=True)))


def _convolution(s: Site, x: Val, kernel: Val, padding: tuple[tuple[int, int], ...]) -> Val:
    numbers = s.attr("dimension_numbers")
    reversal = s.ints("window_reversal")
    kernel = s.b.reverse(kernel, [d for d, r in zip(numbers["kernel_spatial_dimensions"], reversal, strict=False) if r])
    x, kernel = _alike(s, x, kernel)
    return s.b.op(
        "convolution",
        [x, kernel],
        TensorType(s.dtype(), ()),
        window_strides=s.ints("window_strides"),
        padding=padding,
        lhs_dilation=s.ints("lhs_dilation"),
        rhs_dilation=s.ints("rhs_dilation"),
        feature_group_count=s.attr("feature_group_count", 1),
        batch_group_count=s.attr("batch_group_count", 1),
        **{name: numbers[name] for name in ORDERS},
    )[0]


PRODUCTS: Mapping[str, Entry] = {
    "stablehlo.dot_general": Entry(dot_general, "`dot_general`", library=True),
    "stablehlo.dot": Entry(dot, "`dot_general`", library=True),
    "stablehlo.convolution": Entry(convolution, "`convolution`; a reversed window: `reverse` first", library=True),
    "stablehlo.dynamic_conv": Entry(dynamic_conv, "`convolution` with known padding", library=True),
}
