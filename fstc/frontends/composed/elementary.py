"""Elementary functions that the op table lacks, from those that it has.

Example: ``asinh(b, x)``. Each is within a few units in the last place over its whole range, infinities, NaN and signed
zeros included, and computes narrow floats in f32.
"""

from __future__ import annotations

import math

from fstc.frontends.builder import Builder, Val
from fstc.frontends.composed.precision import rounded_once
from fstc.ir.types import BOOL, F64


def asin(b: Builder, x: Val) -> Val:
    return rounded_once(b, lambda x: b.ew("atan2", x, _opposite(b, x)), x)


def acos(b: Builder, x: Val) -> Val:
    return rounded_once(b, lambda x: b.ew("atan2", _opposite(b, x), x), x)


def atan(b: Builder, x: Val) -> Val:
    return rounded_once(b, lambda x: b.ew("atan2", x, 1.0), x)


def _opposite(b: Builder, x: Val) -> Val:
    """sqrt(1 - x^2) without cancellation near 1; NaN outside."""
    return b.ew("sqrt", b.ew("mul", b.ew("sub", 1.0, x), b.ew("add", x, 1.0)))


def asinh(b: Builder, x: Val) -> Val:
    def of(x: Val) -> Val:
        a = b.ew("abs", x)
        square = b.ew("mul", a, a)
        near = b.ew("log1p", b.ew("add", a, b.ew("div", square, _plus_one(b, b.ew("sqrt", _plus_one(b, square))))))
        return b.ew("mul", b.ew("sign", x), b.select(_large(b, a), _log_twice(b, a), near))

    return rounded_once(b, of, x)


def acosh(b: Builder, x: Val) -> Val:
    def of(x: Val) -> Val:
        t = b.ew("sub", x, 1.0)
        near = b.ew("log1p", b.ew("add", t, b.ew("mul", b.ew("sqrt", t), b.ew("sqrt", b.ew("add", t, 2.0)))))
        return b.select(_large(b, x), _log_twice(b, x), near)

    return rounded_once(b, of, x)


def atanh(b: Builder, x: Val) -> Val:
    def of(x: Val) -> Val:
        a = b.ew("abs", x)
        ratio = b.ew("div", b.ew("add", a, a), b.ew("sub", 1.0, a))
        return b.ew("mul", b.ew("mul", b.ew("sign", x), 0.5), b.ew("log1p", ratio))

    return rounded_once(b, of, x)


def _plus_one(b: Builder, x: Val) -> Val:
    return b.ew("add", x, 1.0)


def _large(b: Builder, a: Val) -> Val:
    """From here on 1 is lost beside the square, and the square will overflow later."""
    return b.compare("GT", a, 2.0**28 if a.dtype == F64 else 2.0**14)


def _log_twice(b: Builder, a: Val) -> Val:
    return b.ew("add", b.ew("log", a), math.log(2.0))


def log2(b: Builder, x: Val) -> Val:
    return rounded_once(b, lambda x: b.ew("mul", b.ew("log", x), 1.0 / math.log(2.0)), x)


def log10(b: Builder, x: Val) -> Val:
    return rounded_once(b, lambda x: b.ew("mul", b.ew("log", x), 1.0 / math.log(10.0)), x)


def exp2(b: Builder, x: Val) -> Val:
    return rounded_once(b, lambda x: b.ew("pow", b.full(2.0, x.dtype, x.shape), x), x)


def reciprocal(b: Builder, x: Val) -> Val:
    return b.ew("div", 1.0, x)


def square(b: Builder, x: Val) -> Val:
    return b.ew("mul", x, x)


def isnan(b: Builder, x: Val) -> Val:
    return b.compare("NE", x, x) if x.dtype.is_float else b.full(False, BOOL, x.shape)


def isinf(b: Builder, x: Val) -> Val:
    if not x.dtype.is_float or x.dtype.name == "f8e4m3fn":
        return b.full(False, BOOL, x.shape)
    return b.compare("EQ", b.ew("abs", x), math.inf)


def is_finite(b: Builder, x: Val) -> Val:
    return b.ew("is_finite", x) if x.dtype.is_float else b.full(True, BOOL, x.shape)


def sign(b: Builder, x: Val, nan: float | None = None) -> Val:
    """-1, 0 or 1 for all types; ``nan``: what NaN gives, itself when not said."""
    if x.dtype == BOOL:
        return x
    if x.dtype.kind == "u":
        return b.ew("min", x, 1)
    found = b.ew("sign", x)
    return b.select(isnan(b, x), nan, found) if nan is not None and x.dtype.is_float else found


def signbit(b: Builder, x: Val) -> Val:
    """Is the sign negative, that of a zero too (a NaN has none that is defined)?"""
    if not x.dtype.is_float:
        return b.compare("LT", x, 0) if x.dtype.kind == "i" else b.full(False, BOOL, x.shape)
    # atan2(-0, -1) is -pi and atan2(0, -1) is pi: the one function of the table that tells zeros apart.
    return b.select(b.compare("EQ", x, 0.0), b.compare("LT", b.ew("atan2", x, -1.0), 0.0), b.compare("LT", x, 0.0))


def copysign(b: Builder, x: Val, y: Val) -> Val:
    a = b.ew("abs", x)
    return b.select(signbit(b, y), b.ew("neg", a), a)


def trunc(b: Builder, x: Val) -> Val:
    """Towards zero; zeros keep their sign."""
    if not x.dtype.is_float:
        return x
    return b.select(b.compare("LT", x, 0.0), b.ew("ceil", x), b.ew("floor", x))


def floor_divide(b: Builder, x: Val, y: Val) -> Val:
    """floor(x / y): of integers exactly, of floats as Python has it (from the exact remainder)."""
    if x.dtype.is_integer:
        quotient = b.ew("div", x, y)
        if x.dtype.kind == "u":
            return quotient
        off = b.ew("and", b.compare("NE", b.ew("rem", x, y), 0), _signs_differ(b, x, y))
        return b.ew("sub", quotient, b.convert(off, x.dtype))

    def of(x: Val, y: Val) -> Val:
        rest = b.ew("rem", x, y)
        off = b.ew("and", b.compare("NE", rest, 0.0), b.ew("xor", b.compare("LT", y, 0.0), b.compare("LT", rest, 0.0)))
        quotient = b.ew("div", b.ew("sub", x, rest), y)
        quotient = b.select(off, b.ew("sub", quotient, 1.0), quotient)
        # The quotient is a whole number but for rounding: nearest, and zero with the sign of x / y.
        floor = b.ew("floor", quotient)
        near = b.select(b.compare("GT", b.ew("sub", quotient, floor), 0.5), b.ew("add", floor, 1.0), floor)
        plain = b.ew("div", x, y)
        near = b.select(b.compare("EQ", quotient, 0.0), b.ew("mul", plain, 0.0), near)
        return b.select(b.compare("EQ", y, 0.0), plain, near)

    return rounded_once(b, of, x, y)


def floor_mod(b: Builder, x: Val, y: Val) -> Val:
    """x - floor(x / y) * y with the sign of y, as Python's ``%``."""
    if x.dtype.kind == "u":
        return b.ew("rem", x, y)

    def of(x: Val, y: Val) -> Val:
        rest = b.ew("rem", x, y)
        off = b.ew("and", b.compare("NE", rest, 0), b.ew("xor", b.compare("LT", rest, 0), b.compare("LT", y, 0)))
        return b.select(off, b.ew("add", rest, y), rest)

    return of(x, y) if x.dtype.is_integer else rounded_once(b, of, x, y)


def _signs_differ(b: Builder, x: Val, y: Val) -> Val:
    return b.ew("xor", b.compare("LT", x, 0), b.compare("LT", y, 0))


def nan_to_num(b: Builder, x: Val, nan: float, high: float, low: float) -> Val:
    """NaN and infinities replaced."""
    if not x.dtype.is_float:
        return x
    found = b.select(isnan(b, x), nan, x)
    found = b.select(b.compare("EQ", x, math.inf), high, found)
    return b.select(b.compare("EQ", x, -math.inf), low, found)


def hypot(b: Builder, x: Val, y: Val) -> Val:
    """sqrt(x^2 + y^2) scaled by the larger, so that nothing overflows."""

    def of(x: Val, y: Val) -> Val:
        x, y = b.ew("abs", x), b.ew("abs", y)
        high, low = b.ew("max", x, y), b.ew("min", x, y)
        ratio = b.ew("div", low, b.select(b.compare("EQ", high, 0.0), 1.0, high))
        scaled = b.ew("mul", high, b.ew("sqrt", b.ew("add", b.ew("mul", ratio, ratio), 1.0)))
        infinite = b.ew("or", isinf(b, x), isinf(b, y))
        return b.select(infinite, math.inf, scaled)

    return rounded_once(b, of, x, y)


def logaddexp(b: Builder, x: Val, y: Val, base: float = math.e) -> Val:
    """log(base^x + base^y)."""
    scale = math.log(base)

    def of(x: Val, y: Val) -> Val:
        high, low = b.ew("max", x, y), b.ew("min", x, y)
        gap = b.ew("sub", low, high)
        gap = gap if scale == 1.0 else b.ew("mul", gap, scale)
        tail = b.ew("log1p", b.ew("exp", gap))
        found = b.ew("add", high, tail if scale == 1.0 else b.ew("div", tail, scale))
        return b.select(b.ew("and", b.compare("EQ", x, y), isinf(b, x)), x, found)

    return rounded_once(b, of, x, y)


def xlogy(b: Builder, x: Val, y: Val, log: str = "log") -> Val:
    """x * log(y), 0 where x is 0 and y is no NaN. ``log``: log or log1p."""

    def of(x: Val, y: Val) -> Val:
        found = b.select(b.compare("EQ", x, 0.0), 0.0, b.ew("mul", x, b.ew(log, y)))
        return b.select(isnan(b, y), y, found)

    return rounded_once(b, of, x, y)


def logit(b: Builder, x: Val, eps: float | None = None) -> Val:
    """log(x / (1 - x)), with x clamped into [eps, 1 - eps] where eps is given."""

    def of(x: Val) -> Val:
        if eps is not None:
            x = b.ew("clamp", b.scalar(eps, x.dtype), x, b.scalar(1.0 - eps, x.dtype))
        return b.ew("log", b.ew("div", x, b.ew("sub", 1.0, x)))

    return rounded_once(b, of, x)


def sinc(b: Builder, x: Val) -> Val:
    """sin(pi x) / (pi x), 1 at 0."""

    def of(x: Val) -> Val:
        t = b.ew("mul", x, math.pi)
        zero = b.compare("EQ", t, 0.0)
        return b.select(zero, 1.0, b.ew("div", b.ew("sin", t), b.select(zero, 1.0, t)))

    return rounded_once(b, of, x)
