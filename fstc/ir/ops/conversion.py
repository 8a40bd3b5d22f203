"""Conversions: convert, bitcast_convert, reduce_precision.

Example: ``%h = convert %x : bf16[4]`` rounds to nearest even once, from f64 and from integers too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fstc.ir.ops.entry import elementwise
from fstc.ir.ops.numerics import cast, wide
from fstc.ir.ops.opdef import AttrDef, Attrs, Infer, OpDef
from fstc.ir.ops.rules import ANY, FLOAT, bitcast_convert, convert, reduce_precision
from fstc.ir.types import DType

FORMATS = {"f64": (11, 52), "f32": (8, 23), "f16": (5, 10), "bf16": (8, 7)}
"""Exponent and mantissa bits."""


def _convert(arrays: Sequence[Any], infer: Infer) -> tuple[Any, ...]:
    return (cast(arrays[0], infer.declared[0].dtype),)


def _convert_text(operands: Sequence[DType], result: DType, attrs: Attrs) -> str:
    (source,) = operands
    if source.compute == result.compute and (source.is_float or source == result):
        return "{0}"  # a float in a register already, rounded to storage where the value is defined
    target = result.storage if result.is_float and result.size < 4 else result.compute
    return f"fst::convert<{target}>({{0}})"


def _bitcast(arrays: Sequence[Any], infer: Infer) -> tuple[Any, ...]:
    import numpy as np

    x, source, result = np.asarray(arrays[0]), infer.operands[0].dtype, infer.declared[0].dtype
    if source.is_float:
        bits = x.view(f"u{source.size}")
        canonical = bits.dtype.type((1 << 8 * source.size - 1) - 1)
        x = np.asarray(np.where(np.isnan(wide(x)), canonical, bits), dtype=bits.dtype)
    return (x.view(result.numpy()),)


def _bitcast_text(operands: Sequence[DType], result: DType, attrs: Attrs) -> str:
    (source,) = operands
    if source == result:
        return "{0}"
    return f"fst::bitcast<{result.storage}, {source.storage}>({{0}})"


def _reduce_precision(arrays: Sequence[Any], infer: Infer) -> tuple[Any, ...]:
    """The bits of XLA's rule: round the mantissa to even, then overflow to infinity and flush what lies below."""
    import numpy as np

    dtype = infer.operands[0].dtype
    exponent_bits, mantissa_bits = FORMATS[dtype.name]
    to_exponent, to_mantissa = infer.attrs["exponent_bits"], infer.attrs["mantissa_bits"]
    x = np.asarray(arrays[0])
    bits = x.view(f"u{dtype.size}").astype(np.uint64)
    sign = bits & np.uint64(1 << 8 * dtype.size - 1)
    magnitude = bits ^ sign
    infinite = np.uint64(((1 << exponent_bits) - 1) << mantissa_bits)
    is_nan = magnitude > infinite
    if to_mantissa < mantissa_bits:
        cut = mantissa_bits - to_mantissa
        last = (magnitude >> np.uint64(cut)) & np.uint64(1)
        magnitude = (magnitude + np.uint64((1 << cut - 1) - 1) + last) >> np.uint64(cut) << np.uint64(cut)
    if to_exponent < exponent_bits:
        bias, reduced = (1 << exponent_bits - 1) - 1, (1 << to_exponent - 1) - 1
        exponent = magnitude >> np.uint64(mantissa_bits)
        magnitude = np.where(exponent > bias + reduced, infinite, magnitude)
        magnitude = np.where(exponent <= bias - reduced, np.uint64(0), magnitude)
    out = np.where(is_nan, bits, magnitude | sign)
    return (np.asarray(out, dtype=np.uint64).astype(f"u{dtype.size}").view(x.dtype),)


def _reduce_precision_text(operands: Sequence[DType], result: DType, attrs: Attrs) -> str:
    return f"fst::reduce_precision<{result.storage}, {attrs['exponent_bits']}, {attrs['mantissa_bits']}>({{0}})"


CONVERSION: tuple[OpDef, ...] = (
    elementwise("convert", "The value in the result's dtype. To a float: rounded to nearest even once (f8e4m3fn "
        "overflows to NaN, the others to infinity). Float to integer: truncates, saturates, NaN gives 0. Integer to "
        "integer: wraps. To bool: != 0.", ANY, _convert, _convert_text, arity=1, infer=convert),
    elementwise("bitcast_convert", "The same bits as another dtype of the same width; a NaN first becomes the "
        "canonical one (sign clear, all other bits set), since NaNs carry no payload.", ANY, _bitcast, _bitcast_text,
        arity=1, infer=bitcast_convert, bits=True),
    elementwise("reduce_precision", "The value as a format of the given widths would hold it: rounded to nearest "
        "even, overflow to infinity, magnitudes below the format's normals to zero (unless the exponent is as wide as "
        "before); NaN stays.", FLOAT, _reduce_precision, _reduce_precision_text, arity=1, infer=reduce_precision,
        attrs=(AttrDef("exponent_bits", "int", doc="1 to 11"), AttrDef("mantissa_bits", "int", doc="0 to 52"))),
)  # fmt: skip
