"""Arithmetic, comparisons, logic and conversions of elements.

Example: ``ARITHMETIC["add"](cx, x, y, 1)``. Operands are promoted as torch does; integers given to a function of
floats become torch's default type.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

from fstc.frontends.artefact import Unsupported
from fstc.frontends.builder import Builder, Val
from fstc.frontends.composed import activations, elementary
from fstc.frontends.torch.context import Argument, Context, Handler, aten
from fstc.ir.types import BOOL, I64, DType


def _op(name: str) -> Callable[..., Val]:
    return lambda b, *xs: b.ew(name, *xs)


def _same(name: str) -> Handler:
    """One op of the table, in the promoted type."""
    return lambda cx, *xs: cx.pointwise(_op(name), *xs)


def _once(f: Callable[..., Val]) -> Handler:
    """An expansion of ``composed``, computed wide and rounded once."""
    return lambda cx, *xs: cx.pointwise(f, *xs, once=True)


def _rounding(name: str) -> Handler:
    """Integers are whole already."""

    def handler(cx: Context, x: Val) -> Val:
        return x if not x.dtype.is_float else cx.pointwise(_op(name), x)

    return handler


def _scaled(b: Builder, x: Val, alpha: float) -> Val:
    return x if alpha == 1 else b.ew("mul", x, alpha)


def add(cx: Context, x: Argument, y: Argument, alpha: float = 1) -> Val:
    return cx.pointwise(lambda b, x, y: b.ew("add", x, _scaled(b, y, alpha)), x, y, once=alpha != 1)


def sub(cx: Context, x: Argument, y: Argument, alpha: float = 1) -> Val:
    return cx.pointwise(lambda b, x, y: b.ew("sub", x, _scaled(b, y, alpha)), x, y, once=alpha != 1)


def rsub(cx: Context, x: Argument, y: Argument, alpha: float = 1) -> Val:
    return sub(cx, y, x, alpha)


def div(cx: Context, x: Argument, y: Argument, rounding_mode: str | None = None) -> Val:
    if rounding_mode == "floor":
        return floor_divide(cx, x, y)
    if rounding_mode == "trunc" and cx.dtype.is_float:
        return cx.pointwise(lambda b, x, y: elementary.trunc(b, b.ew("div", x, y)), x, y, once=True)
    return cx.pointwise(_op("div"), x, y)


def floor_divide(cx: Context, x: Argument, y: Argument) -> Val:
    return cx.pointwise(elementary.floor_divide, x, y, once=True)


def remainder(cx: Context, x: Argument, y: Argument) -> Val:
    return cx.pointwise(elementary.floor_mod, x, y, once=True)


_POWERS: dict[float, Callable[[Builder, Val], Val]] = {
    1.0: lambda b, x: x,
    2.0: elementary.square,
    3.0: lambda b, x: b.ew("mul", b.ew("mul", x, x), x),
    0.5: lambda b, x: b.ew("sqrt", x),
    -0.5: lambda b, x: b.ew("rsqrt", x),
    -1.0: elementary.reciprocal,
    -2.0: lambda b, x: elementary.reciprocal(b, elementary.square(b, x)),
}


def power(cx: Context, x: Argument, y: Argument) -> Val:
    if not isinstance(y, Val) and float(y) in _POWERS and (cx.dtype.is_float or y > 0):
        return cx.pointwise(_POWERS[float(y)], x, once=True)
    return cx.pointwise(_op("pow"), x, y)


def comparison(direction: str) -> Handler:
    def handler(cx: Context, x: Argument, y: Argument) -> Val:
        dtype = cx.promote(x, y)
        if cx.dtype != BOOL:
            raise Unsupported(f"a comparison that gives {cx.dtype}")
        return cx.b.compare(direction, cx.val(x, dtype), cx.val(y, dtype))

    return handler


def logical(name: str) -> Handler:
    return lambda cx, *xs: cx.b.ew(name, *(cx.val(x, BOOL) for x in xs))


def shift(name: str, unsigned: str) -> Handler:
    def handler(cx: Context, x: Argument, y: Argument) -> Val:
        return cx.pointwise(_op(unsigned if cx.dtype.kind == "u" else name), x, y)

    return handler


def where(cx: Context, condition: Val, x: Argument, y: Argument) -> Val:
    p = cx.val(condition, BOOL)
    return cx.pointwise(lambda b, x, y: b.select(p, x, y), x, y)


def clamp(cx: Context, x: Val, low: Argument | None = None, high: Argument | None = None) -> Val:
    """NaN anywhere gives NaN, and a lower bound above the upper one loses."""
    found: Argument = x
    if low is not None:
        found = cx.pointwise(_op("max"), found, low)
    return found if high is None else cx.pointwise(_op("min"), found, high)  # type: ignore[return-value]


def _larger_number(name: str) -> Handler:
    """fmax and fmin: the other operand where one is NaN."""

    def of(b: Builder, x: Val, y: Val) -> Val:
        both = b.ew(name, x, y)
        if not x.dtype.is_float:
            return both
        return b.select(elementary.isnan(b, x), y, b.select(elementary.isnan(b, y), x, both))

    return lambda cx, x, y: cx.pointwise(of, x, y)


def heaviside(b: Builder, x: Val, at_zero: Val) -> Val:
    step = b.select(b.compare("LT", x, 0), b.full(0, x.dtype, ()), b.full(1, x.dtype, ()))
    step = b.select(b.compare("EQ", x, 0), at_zero, b.broadcast(step, x.shape))
    return b.select(elementary.isnan(b, x), 0, step) if x.dtype.is_float else step


def sgn(cx: Context, x: Val) -> Val:
    return elementary.sign(cx.b, x, nan=0.0)


def round_(cx: Context, x: Val, decimals: int = 0) -> Val:
    if not x.dtype.is_float:
        return x

    def of(b: Builder, x: Val) -> Val:
        if not decimals:
            return b.ew("round_nearest_even", x)
        scale = 10.0 ** abs(decimals)
        up, down = ("mul", "div") if decimals > 0 else ("div", "mul")
        return b.ew(down, b.ew("round_nearest_even", b.ew(up, x, scale)), scale)

    return cx.pointwise(of, x, once=True)


def frac(b: Builder, x: Val) -> Val:
    return b.ew("sub", x, elementary.trunc(b, x))


def addcmul(cx: Context, x: Val, y: Val, z: Val, value: float = 1) -> Val:
    def of(b: Builder, x: Val, y: Val, z: Val) -> Val:
        return b.ew("add", x, b.ew("mul", _scaled(b, y, value), z))

    return cx.pointwise(of, x, y, z, once=True)


def addcdiv(cx: Context, x: Val, y: Val, z: Val, value: float = 1) -> Val:
    def of(b: Builder, x: Val, y: Val, z: Val) -> Val:
        return b.ew("add", x, _scaled(b, b.ew("div", y, z), value))

    return cx.pointwise(of, x, y, z, once=True)


def lerp(cx: Context, x: Val, y: Val, weight: Argument) -> Val:
    """From the nearer end, as torch does, so that weight 1 gives ``y`` itself."""

    def of(b: Builder, x: Val, y: Val, w: Val) -> Val:
        gap = b.ew("sub", y, x)
        near = b.ew("add", x, b.ew("mul", w, gap))
        far = b.ew("sub", y, b.ew("mul", gap, b.ew("sub", 1.0, w)))
        return b.select(b.broadcast(b.compare("LT", b.ew("abs", w), 0.5), near.shape), near, far)

    return cx.pointwise(of, x, y, weight, once=True)


def convert(cx: Context, x: Val, dtype: DType | None = None, *rest: Any) -> Val:
    dtype = dtype or x.dtype
    if x.dtype.is_float and dtype.is_integer and dtype.size < 8:
        x = cx.b.convert(x, I64)  # through 64 bits, as torch's CPU does: it wraps
    return cx.b.convert(x, dtype)


def nan_to_num(
    cx: Context, x: Val, nan: float | None = None, high: float | None = None, low: float | None = None
) -> Val:
    if not x.dtype.is_float:
        return x
    most = largest(x.dtype)
    bounds = most if high is None else high, -most if low is None else low
    return elementary.nan_to_num(cx.b, x, nan or 0.0, *bounds)


def largest(dtype: DType) -> float:
    """The largest finite number of a float type."""
    import ml_dtypes

    return float(ml_dtypes.finfo(dtype.numpy()).max)  # type: ignore[no-untyped-call]


def logit(cx: Context, x: Val, eps: float | None = None) -> Val:
    return cx.pointwise(lambda b, x: elementary.logit(b, x, eps), x, once=True)


def is_sign_infinite(value: float) -> Handler:
    def handler(cx: Context, x: Val) -> Val:
        return cx.b.compare("EQ", x, value) if x.dtype.is_float else cx.b.full(False, BOOL, x.shape)

    return handler


def _predicate(f: Callable[[Builder, Val], Val]) -> Handler:
    return lambda cx, x: f(cx.b, x)


def ldexp(b: Builder, x: Val, y: Val) -> Val:
    return b.ew("mul", x, elementary.exp2(b, y))


_DIRECT = "exp expm1 log log1p sqrt rsqrt sin cos tan sinh cosh tanh erf erfc atan2 abs neg"
_EXPANDED: dict[str, Callable[..., Val]] = {
    "acos": elementary.acos, "acosh": elementary.acosh, "asin": elementary.asin, "asinh": elementary.asinh,
    "atan": elementary.atan, "atanh": elementary.atanh, "log2": elementary.log2, "log10": elementary.log10,
    "exp2": elementary.exp2, "reciprocal": elementary.reciprocal, "sinc": elementary.sinc,
    "copysign": elementary.copysign, "hypot": elementary.hypot, "logaddexp": elementary.logaddexp,
    "logaddexp2": partial(elementary.logaddexp, base=2.0), "xlogy": elementary.xlogy,
    "special_xlog1py": partial(elementary.xlogy, log="log1p"), "heaviside": heaviside, "frac": frac,
    "square": elementary.square, "ldexp": ldexp, "deg2rad": lambda b, x: b.ew("mul", x, math.pi / 180),
    "rad2deg": lambda b, x: b.ew("mul", x, 180 / math.pi),
}  # fmt: skip

ARITHMETIC: dict[str, Handler] = aten({
    **{name: _same(name) for name in _DIRECT.split()},
    **{name: _once(f) for name, f in _EXPANDED.items()},
    "sigmoid": _same("logistic"), "fmod": _same("rem"), "maximum": _same("max"), "minimum": _same("min"),
    "floor": _rounding("floor"), "ceil": _rounding("ceil"),
    "trunc": lambda cx, x: elementary.trunc(cx.b, x), "round": round_,
    "add": add, "sub": sub, "rsub": rsub, "mul": _same("mul"), "div": div, "true_divide": div,
    "floor_divide": floor_divide, "remainder": remainder, "pow": power, "float_power": _same("pow"),
    "fmax": _larger_number("max"), "fmin": _larger_number("min"), "sign": sgn, "sgn": sgn,
    "positive": lambda cx, x: x, "signbit": _predicate(elementary.signbit),
    "eq": comparison("EQ"), "ne": comparison("NE"), "lt": comparison("LT"), "le": comparison("LE"),
    "gt": comparison("GT"), "ge": comparison("GE"),
    "logical_and": logical("and"), "logical_or": logical("or"), "logical_xor": logical("xor"),
    "logical_not": logical("not"), "bitwise_and": _same("and"), "bitwise_or": _same("or"),
    "bitwise_xor": _same("xor"), "bitwise_not": _same("not"), "__and__": _same("and"), "__or__": _same("or"),
    "__xor__": _same("xor"),
    "bitwise_left_shift": shift("shift_left", "shift_left"), "__lshift__": shift("shift_left", "shift_left"),
    "bitwise_right_shift": shift("shift_right_arithmetic", "shift_right_logical"),
    "__rshift__": shift("shift_right_arithmetic", "shift_right_logical"),
    "isnan": _predicate(elementary.isnan), "isinf": _predicate(elementary.isinf),
    "isfinite": _predicate(elementary.is_finite), "isposinf": is_sign_infinite(math.inf),
    "isneginf": is_sign_infinite(-math.inf), "nan_to_num": nan_to_num, "logit": logit,
    "special_logit": logit,
    "where.self": where, "where.ScalarSelf": where, "where.ScalarOther": where, "where.Scalar": where,
    "clamp": clamp, "clip": clamp, "clamp_min": lambda cx, x, low: clamp(cx, x, low),
    "clamp_max": lambda cx, x, high: clamp(cx, x, None, high),
    "addcmul": addcmul, "addcdiv": addcdiv, "lerp": lerp,
    "_to_copy": convert, "to.dtype": convert,
})  # fmt: skip

ARITHMETIC["prims.convert_element_type"] = convert

ACTIVATIONS: dict[str, Handler] = aten({
    "relu": lambda cx, x: activations.relu(cx.b, x),
    "relu6": lambda cx, x: activations.hard_tanh(cx.b, x, 0.0, 6.0),
    "hardtanh": lambda cx, x, low=-1.0, high=1.0: activations.hard_tanh(cx.b, x, low, high),
    "leaky_relu": lambda cx, x, slope=0.01: activations.leaky_relu(cx.b, x, slope),
    "elu": lambda cx, x, *p: activations.elu(cx.b, x, *p),
    "celu": lambda cx, x, alpha=1.0: activations.celu(cx.b, x, alpha),
    "selu": lambda cx, x: activations.selu(cx.b, x),
    "gelu": lambda cx, x, approximate="none": activations.gelu(cx.b, x, approximate),
    "silu": lambda cx, x: activations.silu(cx.b, x),
    "mish": lambda cx, x: activations.mish(cx.b, x),
    "softplus": lambda cx, x, beta=1, threshold=20: activations.softplus(cx.b, x, beta, threshold),
    "hardsigmoid": lambda cx, x: activations.hard_sigmoid(cx.b, x),
    "hardswish": lambda cx, x: activations.hard_swish(cx.b, x),
    "hardshrink": lambda cx, x, lambd=0.5: activations.hard_shrink(cx.b, x, lambd),
    "softshrink": lambda cx, x, lambd=0.5: activations.soft_shrink(cx.b, x, lambd),
    "threshold": lambda cx, x, limit, value: activations.threshold(cx.b, x, limit, value),
    "log_sigmoid": lambda cx, x: activations.log_sigmoid(cx.b, x),
    "glu": lambda cx, x, dim=-1: activations.glu(cx.b, x, dim),
})  # fmt: skip
