"""Logic and bits: not to popcnt, comparisons, select.

Example: ``%m = compare %a, %b {direction = LT} : bool[4]``. Shift counts that are negative or at least the
width shift everything out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fstc.ir.ops.entry import Array, Arrays, Function, computed, elementwise, numpy
from fstc.ir.ops.numerics import quiet, wide
from fstc.ir.ops.opdef import AttrDef, Attrs, Infer, OpDef
from fstc.ir.ops.rules import ANY, FLOAT, INT, LOGIC, predicate, select
from fstc.ir.types import DType

DIRECTIONS = {"EQ": "==", "NE": "!=", "LT": "<", "LE": "<=", "GT": ">", "GE": ">="}
_COMPARE = {
    "EQ": "equal",
    "NE": "not_equal",
    "LT": "less",
    "LE": "less_equal",
    "GT": "greater",
    "GE": "greater_equal",
}


def _compare(arrays: Arrays, infer: Infer) -> tuple[Any, ...]:
    import numpy as np

    x, y = map(wide, arrays) if infer.operands[0].dtype.is_float else arrays
    with quiet():
        return (np.asarray(numpy(_COMPARE[infer.attrs["direction"]])(x, y)),)


def _compare_text(operands: Sequence[DType], result: DType, attrs: Attrs) -> str:
    return f"{{0}} {DIRECTIONS[attrs['direction']]} {{1}}"


def _select(arrays: Arrays, infer: Infer) -> tuple[Any, ...]:
    import numpy as np

    condition, yes, no = arrays
    return (np.asarray(np.where(condition, yes, no)),)


def _is_finite(arrays: Arrays, infer: Infer) -> tuple[Any, ...]:
    import numpy as np

    return (np.asarray(np.isfinite(wide(arrays[0]))),)


def _unsigned(x: Array) -> Array:
    return x.view(f"u{x.dtype.itemsize}") if x.dtype.kind == "i" else x


def _shift(direction: str) -> Function:
    """Shift the bits of x; out of range gives 0, or the sign everywhere for the arithmetic shift."""

    def shift(x: Array, count: Array) -> Array:
        import numpy as np

        width = 8 * x.dtype.itemsize
        bits, amount = _unsigned(x), _unsigned(count)
        inside = amount < width
        amount = np.where(inside, amount, 0).astype(bits.dtype)
        if direction == "left":
            return np.where(inside, bits << amount, 0).astype(bits.dtype).view(x.dtype)
        if direction == "logical":
            return np.where(inside, bits >> amount, 0).astype(bits.dtype).view(x.dtype)
        signed = bits.view(f"i{x.dtype.itemsize}")
        moved = np.where(inside, signed >> amount.view(signed.dtype), signed >> signed.dtype.type(width - 1))
        return moved.astype(signed.dtype).view(x.dtype)

    return shift


def _clz(x: Array) -> Array:
    """Width minus the population of x with every bit below its highest one set."""
    import numpy as np

    bits, width = _unsigned(x), 8 * x.dtype.itemsize
    step = 1
    while step < width:
        bits = bits | (bits >> bits.dtype.type(step))
        step *= 2
    return width - np.bitwise_count(bits).astype(np.int64)


def _popcnt(x: Array) -> Array:
    import numpy as np

    return np.bitwise_count(_unsigned(x))


def _bitwise(symbol: str, logical: str) -> dict[str, str]:
    text = f"{{R}}({{0}} {symbol} {{1}})"  # the cast undoes the promotion of small integers to int
    return {"i": text, "u": text, "b": f"{{0}} {logical} {{1}}"}


_SHIFTED = ((-100.0, 100.0), (0.0, 7.0))
_COMPLEMENT = {"i": "{R}(~{0})", "u": "{R}(~{0})", "b": "!{0}"}
_DIRECTION = AttrDef("direction", "str", choices=tuple(DIRECTIONS), doc="the relation of operand 0 to operand 1")

LOGIC_OPS: tuple[OpDef, ...] = (
    elementwise("not", "Bitwise complement; booleans: negation.", LOGIC, computed(None, numpy("invert")), _COMPLEMENT,
        arity=1),
    elementwise("and", "Bitwise or logical and.", LOGIC, computed(None, numpy("bitwise_and")), _bitwise("&", "&&"),
        commutative=True),
    elementwise("or", "Bitwise or logical or.", LOGIC, computed(None, numpy("bitwise_or")), _bitwise("|", "||"),
        commutative=True),
    elementwise("xor", "Bitwise or logical exclusive or.", LOGIC, computed(None, numpy("bitwise_xor")),
        _bitwise("^", "!="), commutative=True),
    elementwise("shift_left", "Shift towards the high bits; a count outside 0..width-1 gives 0.", INT,
        computed(None, _shift("left")), "fst::shift_left({0}, {1})", domain=_SHIFTED),
    elementwise("shift_right_arithmetic", "Shift towards the low bits, filling with the top bit; a count outside "
        "0..width-1 gives all sign bits.", INT, computed(None, _shift("arithmetic")),
        "fst::shift_right_arithmetic({0}, {1})", domain=_SHIFTED),
    elementwise("shift_right_logical", "Shift towards the low bits, filling with 0; a count outside "
        "0..width-1 gives 0.", INT, computed(None, _shift("logical")), "fst::shift_right_logical({0}, {1})",
        domain=_SHIFTED),
    elementwise("popcnt", "Number of bits set.", INT, computed(None, _popcnt), "fst::popcnt({0})", arity=1),
    elementwise("clz", "Number of zero bits above the highest bit set; the width for 0.", INT, computed(None, _clz),
        "fst::clz({0})", arity=1, alias="count_leading_zeros"),
    elementwise("is_finite", "Neither infinite nor NaN.", FLOAT, _is_finite, "fst::is_finite({0})", arity=1,
        infer=predicate(FLOAT)),
    elementwise("compare", "Comparison by `direction`; with NaN only NE holds, -0 equals +0, false is below true.", ANY,
        _compare, _compare_text, infer=predicate(ANY), attrs=(_DIRECTION,)),
    elementwise("select", "select(p, a, b) is a where p holds, else b; p is a scalar or has their shape.", ANY, _select,
        "{0} ? {1} : {2}", arity=3, infer=select, operands="p, a, b"),
)  # fmt: skip
