"""Element-wise ops of StableHLO: nearly all are ops of the table under another name.

Example: ``stablehlo.exponential`` is ``exp``. A comparison in total order compares bit patterns as integers.
"""

from __future__ import annotations

from collections.abc import Mapping

from fstc.frontends.artefact import Unsupported
from fstc.frontends.builder import Builder, Val
from fstc.frontends.stablehlo.walk import Entry, Handler, Site
from fstc.ir.types import DTYPES, DType, TensorType

SAME_NAME = (
    "abs", "add", "and", "atan2", "cbrt", "ceil", "clamp", "floor", "is_finite", "log", "logistic", "not", "or",
    "popcnt", "round_nearest_afz", "round_nearest_even", "rsqrt", "select", "shift_left", "shift_right_arithmetic",
    "shift_right_logical", "sqrt", "tan", "tanh", "xor",
)  # fmt: skip
RENAMED = {
    "count_leading_zeros": "clz",
    "cosine": "cos",
    "divide": "div",
    "exponential": "exp",
    "exponential_minus_one": "expm1",
    "log_plus_one": "log1p",
    "maximum": "max",
    "minimum": "min",
    "multiply": "mul",
    "negate": "neg",
    "power": "pow",
    "remainder": "rem",
    "sine": "sin",
    "subtract": "sub",
}


def plain(name: str) -> Handler:
    """The op of the table of that name."""
    return lambda s, *xs: s.b.op(name, xs)[0]


def sign(s: Site, x: Val) -> Val:
    return s.b.ew("min", x, 1) if x.dtype.kind == "u" else s.b.ew("sign", x)


def compare(s: Site, x: Val, y: Val) -> Val:
    return compared(s.b, s.attr("comparison_direction"), s.attr("compare_type"), x, y)


def compared(b: Builder, direction: str, kind: str | None, x: Val, y: Val) -> Val:
    """``kind``: FLOAT, TOTALORDER, SIGNED, UNSIGNED; the element type decides where it is not said."""
    if kind == "TOTALORDER" and x.dtype.is_float:
        x, y = total_order(b, x), total_order(b, y)
    return b.ew("compare", x, y, direction=direction)


def total_order(b: Builder, x: Val) -> Val:
    """Integers in the order of the floats: -inf, ..., -0, +0, ..., inf, NaN. (fstc's NaN has no sign.)"""
    signed = DTYPES[f"i{8 * x.dtype.size}"]
    bits = b.op("bitcast_convert", [x], TensorType(signed, x.shape))[0]
    return b.select(b.compare("LT", bits, 0), b.ew("xor", bits, 2 ** (8 * signed.size - 1) - 1), bits)


def convert(s: Site, x: Val) -> Val:
    return s.b.convert(x, s.dtype())


def bitcast_convert(s: Site, x: Val) -> Val:
    """Of equal width an op; between integers of different widths, shifts and masks over a last dimension."""
    b, to = s.b, s.dtype()
    if x.dtype == to:
        return x
    if to.size == x.dtype.size and "b" not in (x.dtype.kind, to.kind):
        return b.op("bitcast_convert", [x], TensorType(to, x.shape))[0]
    if "b" in (x.dtype.kind, to.kind):
        raise Unsupported("bits of booleans are not defined")
    source, wide = DTYPES[f"u{8 * x.dtype.size}"], DTYPES[f"u{8 * to.size}"]
    bits = x if x.dtype == source else b.op("bitcast_convert", [x], TensorType(source, x.shape))[0]
    found = _split(b, bits, wide) if to.size < x.dtype.size else _joined(b, bits, wide)
    return found if to == wide else b.op("bitcast_convert", [found], TensorType(to, found.shape))[0]


def _split(b: Builder, bits: Val, narrow: DType) -> Val:
    """Each integer as several narrower ones along a new last dimension, the lowest first."""
    count = bits.dtype.size // narrow.size
    parts = [
        b.convert(b.ew("shift_right_logical", bits, 8 * narrow.size * i) if i else bits, narrow) for i in range(count)
    ]
    return b.concat([b.expand(p, (-1,)) for p in parts], -1)


def _joined(b: Builder, bits: Val, wide: DType) -> Val:
    """The last dimension as one wider integer, the lowest first."""
    width = 8 * bits.dtype.size
    found = None
    for i in range(wide.size // bits.dtype.size):
        part = b.convert(b.squeeze(b.slice_axis(bits, -1, i, i + 1), (-1,)), wide)
        shifted = b.ew("shift_left", part, width * i) if i else part
        found = shifted if found is None else b.ew("or", found, shifted)
    assert found is not None
    return found


def reduce_precision(s: Site, x: Val) -> Val:
    exponent, mantissa = s.attr("exponent_bits"), s.attr("mantissa_bits")
    return s.b.op("reduce_precision", [x], exponent_bits=exponent, mantissa_bits=mantissa)[0]


ELEMENTWISE: Mapping[str, Entry] = {
    **{f"stablehlo.{name}": Entry(plain(name), f"`{name}`") for name in SAME_NAME},
    **{f"stablehlo.{theirs}": Entry(plain(ours), f"`{ours}`") for theirs, ours in RENAMED.items()},
    "stablehlo.sign": Entry(sign, "`sign`; of unsigned integers `min` with 1"),
    "stablehlo.compare": Entry(compare, "`compare`; in total order, of the bits as integers"),
    "stablehlo.convert": Entry(convert, "`convert`"),
    "stablehlo.bitcast_convert": Entry(
        bitcast_convert, "`bitcast_convert`; to another width, shifts along a last dimension"
    ),
    "stablehlo.reduce_precision": Entry(reduce_precision, "`reduce_precision`"),
}
