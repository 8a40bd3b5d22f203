"""Arithmetic: add to rem, max to clamp, sign and rounding to integers.

Example: ``%c = add %a, %b : f32[4]``. Floats are IEEE's and round once to the operand's type; integers wrap.
"""

from __future__ import annotations

from fstc.ir.ops.entry import Array, computed, elementwise, numpy
from fstc.ir.ops.opdef import Kind, OpDef
from fstc.ir.ops.rules import ANY, FLOAT, NUMBER, SIGNED, clamp


def _div(x: Array, y: Array) -> Array:
    import numpy as np

    safe = np.where((y == 0) | _overflows(x, y), np.ones_like(y), y)
    quotient = (x - np.fmod(x, safe)) // safe
    quotient = np.where(_overflows(x, y), x, quotient)
    return np.where(y == 0, ~np.zeros_like(x), quotient)


def _rem(x: Array, y: Array) -> Array:
    import numpy as np

    special = (y == 0) | _overflows(x, y)
    rest = np.fmod(x, np.where(special, np.ones_like(y), y))
    return np.where(y == 0, x, rest)


def _overflows(x: Array, y: Array) -> Array:
    """lowest / -1, the one quotient that does not fit."""
    import numpy as np

    if x.dtype.kind != "i":
        return np.zeros(x.shape, bool)
    return (x == np.iinfo(x.dtype).min) & (y == -1)


def _max(x: Array, y: Array) -> Array:
    import numpy as np

    return np.where((x == 0) & (y == 0), x + y, np.maximum(x, y))  # -0 + -0 is -0, any other sum of zeros +0


def _min(x: Array, y: Array) -> Array:
    return -_max(-x, -y)


def _away_from_zero(x: Array) -> Array:
    import numpy as np

    whole = np.trunc(x)
    return np.where(np.abs(x - whole) >= 0.5, whole + np.copysign(1.0, x), whole)


def _integer_power(base: Array, exponent: Array) -> Array:
    import numpy as np

    unsigned = np.dtype(f"u{base.dtype.itemsize}")
    left, square = exponent.astype(unsigned), base.copy()
    result = np.ones_like(base)
    for _ in range(8 * base.dtype.itemsize):
        result = np.where(left & unsigned.type(1) != 0, result * square, result)
        square = square * square
        left = left >> unsigned.type(1)
    if base.dtype.kind == "u":
        return result
    inverse = np.where(base == 1, 1, np.where(base == -1, np.where(exponent & 1 != 0, -1, 1), 0))
    return np.where(exponent < 0, inverse, result)


def _sign(x: Array) -> Array:
    import numpy as np

    return np.copysign(np.sign(x), x)


def _clamp(low: Array, x: Array, high: Array) -> Array:
    return _min(_max(x, low), high)


def _integer_clamp(low: Array, x: Array, high: Array) -> Array:
    import numpy as np

    return np.minimum(np.maximum(x, low), high)


def _by_kind(floats: str, integers: str, logic: str = "") -> dict[str, str]:
    return {"f": floats, "i": integers, "u": integers} | ({"b": logic} if logic else {})


_HUNDREDS = (-100.0, 100.0)
_QUOTIENT = (_HUNDREDS, (0.5, 100.0))

ARITHMETIC: tuple[OpDef, ...] = (
    elementwise("add", "Sum; integers wrap, booleans: or.", ANY, computed(numpy("add"), numpy("add")),
        _by_kind("{0} + {1}", "fst::add({0}, {1})", "{0} || {1}"), commutative=True),
    elementwise("sub", "Difference; integers wrap; not for booleans.",
        NUMBER, computed(numpy("subtract"), numpy("subtract")),
        _by_kind("{0} - {1}", "fst::sub({0}, {1})"), alias="subtract"),
    elementwise("mul", "Product; integers wrap, booleans: and.", ANY, computed(numpy("multiply"), numpy("multiply")),
        _by_kind("{0} * {1}", "fst::mul({0}, {1})", "{0} && {1}"), alias="multiply", commutative=True),
    elementwise("div", "Quotient; floats as IEEE, integers truncate, x / 0 is all ones (-1), lowest / -1 is lowest.",
        NUMBER, computed(numpy("divide"), _div), _by_kind("{0} / {1}", "fst::div({0}, {1})"),
        alias="divide", kind=Kind.EXPENSIVE, domain=_QUOTIENT),
    elementwise("rem", "Remainder of the truncated quotient, with the dividend's sign; integers: x % 0 is x, "
        "lowest % -1 is 0.", NUMBER, computed(numpy("fmod"), _rem), "fst::rem({0}, {1})",
        alias="remainder", kind=Kind.EXPENSIVE, domain=_QUOTIENT),
    elementwise("max", "Larger operand; NaN when either is NaN, -0 is below +0; booleans: or.", ANY,
        computed(_max, numpy("maximum")), "fst::max({0}, {1})", alias="maximum", commutative=True),
    elementwise("min", "Smaller operand; NaN when either is NaN, -0 is below +0; booleans: and.", ANY,
        computed(_min, numpy("minimum")), "fst::min({0}, {1})", alias="minimum", commutative=True),
    elementwise("pow", "Power; floats as IEEE pow (pow(x, 0) and pow(1, x) are 1), integers wrap, a negative exponent "
        "gives 0 unless the base is 1 or -1.", NUMBER, computed(numpy("power"), _integer_power),
        "fst::pow({0}, {1})", alias="power", kind=Kind.EXPENSIVE, domain=((0.1, 4.0), (-3.0, 3.0))),
    elementwise("abs", "Magnitude; -0 gives 0, the lowest integer stays as it is.",
        SIGNED, computed(numpy("abs"), numpy("abs")),
        "fst::abs({0})", arity=1),
    elementwise("neg", "Negation; integers wrap: the lowest signed integer stays as it is.",
        NUMBER, computed(numpy("negative"), numpy("negative")),
        _by_kind("-{0}", "fst::neg({0})"), arity=1, alias="negate"),
    elementwise("sign", "-1, 0 or 1; zeros keep their sign, NaN stays NaN.", SIGNED, computed(_sign, numpy("sign")),
        "fst::sign({0})", arity=1),
    elementwise("floor", "Largest integer not above; zeros keep their sign.",
        FLOAT, computed(numpy("floor")), "fst::floor({0})", arity=1,
        domain=(_HUNDREDS,)),
    elementwise("ceil", "Smallest integer not below; of -1 to 0 it is -0.",
        FLOAT, computed(numpy("ceil")), "fst::ceil({0})", arity=1,
        domain=(_HUNDREDS,)),
    elementwise("round_nearest_even", "Nearest integer, ties to even; zeros keep their sign.",
        FLOAT, computed(numpy("rint")),
        "fst::round_nearest_even({0})", arity=1, domain=(_HUNDREDS,)),
    elementwise("round_nearest_afz", "Nearest integer, ties away from zero; zeros keep their sign.",
        FLOAT, computed(_away_from_zero),
        "fst::round_nearest_afz({0})", arity=1, domain=(_HUNDREDS,)),
    elementwise("clamp", "clamp(low, x, high) is min(max(x, low), high), NaN as there; each bound is a scalar or "
        "has x's shape.", ANY, computed(_clamp, _integer_clamp), "fst::clamp({0}, {1}, {2})", arity=3, infer=clamp,
        domain=((-50.0, 0.0), _HUNDREDS, (1.0, 50.0)), operands="low, x, high"),
)  # fmt: skip
