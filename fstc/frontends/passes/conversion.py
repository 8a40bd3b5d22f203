"""Rules of conversions.

Example: ``convert(convert(%x : bf16) : f32) : bf16`` is ``%x``; from f32 through bf16 and back stays: it rounds.
"""

from __future__ import annotations

from fstc.frontends.passes.rewriter import Rewriter, Rule
from fstc.ir.graph import Node
from fstc.ir.types import DType

FLOATS = {"f64": (11, 53), "f32": (8, 24), "f16": (5, 11), "bf16": (8, 8), "f8e4m3fn": (4, 4), "f8e5m2": (5, 3)}
"""Exponent bits, and bits of a number with its leading one."""


def lossless(source: DType, target: DType) -> bool:
    """Does every value of one type stay what it is in the other, infinities and signed zeros included?"""
    if source == target or source.kind == "b":
        return True
    if target.kind == "b" or (source.is_float and not target.is_float):
        return False
    if source.is_float:
        wide = all(a <= b for a, b in zip(FLOATS[source.name], FLOATS[target.name], strict=True))
        return wide and target.name != "f8e4m3fn"
    bits = 8 * source.size - (source.kind == "i")
    if target.is_float:  # a power of two up to 2^bits must not overflow: f16 ends below 2^16
        exponent, digits = FLOATS[target.name]
        return bits <= digits and bits < 1 << exponent - 1
    return bits <= 8 * target.size - (target.kind == "i") and (target.kind == "i" or source.kind == "u")


def same_type(rw: Rewriter, node: Node) -> int | None:
    return node.inputs[0] if rw.dtype(node.inputs[0]) == rw.dtype(node.outputs[0]) else None


def convert_twice(rw: Rewriter, node: Node) -> int | None:
    """A conversion that keeps the value is left out before another one.

    Of an integer that goes through a float to an integer this holds only where the second keeps it as well: a float
    saturates, an integer wraps. Narrowing integers twice keeps the low bits, as narrowing once does.
    """
    made = rw.maker(node.inputs[0], "convert")
    if not made:
        return None
    source, middle, result = rw.dtype(made.inputs[0]), rw.dtype(node.inputs[0]), rw.dtype(node.outputs[0])
    whole = all(d.is_integer for d in (source, middle, result))
    if whole and result.size <= middle.size:
        return rw.convert(made.inputs[0], result)
    if not lossless(source, middle):
        return None
    if not source.is_float and middle.is_float and result.is_integer and not lossless(source, result):
        return None
    return rw.convert(made.inputs[0], result)


def same_bits(rw: Rewriter, node: Node) -> int | None:
    """bitcast_convert to the type that is there already; integers only, since of a NaN the bits may change."""
    source = rw.dtype(node.inputs[0])
    return node.inputs[0] if source == rw.dtype(node.outputs[0]) and not source.is_float else None


CONVERSION: dict[str, tuple[Rule, ...]] = {"convert": (same_type, convert_twice), "bitcast_convert": (same_bits,)}
