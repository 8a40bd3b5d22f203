"""Activation functions, each computed in f32 for narrow floats and rounded once.

Example: ``gelu(b, x, approximate="tanh")``. NaN stays NaN in all of them.
"""

from __future__ import annotations

import math

from fstc.frontends.builder import Builder, Val
from fstc.frontends.composed.precision import exact, rounded_once


def relu(b: Builder, x: Val) -> Val:
    return b.ew("max", x, 0)


def clamp(b: Builder, x: Val, low: float | None, high: float | None) -> Val:
    """Bounds that the type cannot hold are applied in f32, as frameworks do."""
    bounds = [v for v in (low, high) if v is not None]
    if x.dtype.is_float and not all(math.isnan(v) or exact(v, x) for v in bounds):
        return rounded_once(b, lambda x: _clamped(b, x, low, high), x)
    return _clamped(b, x, low, high)


def _clamped(b: Builder, x: Val, low: float | None, high: float | None) -> Val:
    x = x if low is None else b.ew("max", x, low)
    return x if high is None else b.ew("min", x, high)


def hard_tanh(b: Builder, x: Val, low: float = -1.0, high: float = 1.0) -> Val:
    return clamp(b, x, low, high)


def leaky_relu(b: Builder, x: Val, slope: float = 0.01) -> Val:
    return rounded_once(b, lambda x: b.select(b.compare("GT", x, 0.0), x, b.ew("mul", x, slope)), x)


def prelu(b: Builder, x: Val, slope: Val) -> Val:
    """``slope`` broadcasts to ``x``."""
    return rounded_once(b, lambda x, s: b.select(b.compare("GT", x, 0), x, b.ew("mul", x, s)), x, slope)


def elu(b: Builder, x: Val, alpha: float = 1.0, scale: float = 1.0, input_scale: float = 1.0) -> Val:
    """x > 0: scale x, else scale alpha (exp(input_scale x) - 1)."""

    def of(x: Val) -> Val:
        low = b.ew("expm1", x if input_scale == 1.0 else b.ew("mul", x, input_scale))
        low = low if alpha * scale == 1.0 else b.ew("mul", low, alpha * scale)
        return b.select(b.compare("GT", x, 0.0), x if scale == 1.0 else b.ew("mul", x, scale), low)

    return rounded_once(b, of, x)


def celu(b: Builder, x: Val, alpha: float = 1.0) -> Val:
    return elu(b, x, alpha, 1.0, 1.0 / alpha)


def selu(b: Builder, x: Val, alpha: float = 1.6732632423543772, scale: float = 1.0507009873554805) -> Val:
    return elu(b, x, alpha, scale)


def gelu(b: Builder, x: Val, approximate: str = "none") -> Val:
    """``approximate``: none (with erf) or tanh."""

    def exact_form(x: Val) -> Val:
        return b.ew("mul", b.ew("mul", x, 0.5), b.ew("add", b.ew("erf", b.ew("mul", x, math.sqrt(0.5))), 1.0))

    def tanh_form(x: Val) -> Val:
        cube = b.ew("mul", b.ew("mul", x, x), x)
        inner = b.ew("mul", b.ew("add", x, b.ew("mul", cube, 0.044715)), math.sqrt(2.0 / math.pi))
        return b.ew("mul", b.ew("mul", x, 0.5), b.ew("add", b.ew("tanh", inner), 1.0))

    return rounded_once(b, tanh_form if approximate == "tanh" else exact_form, x)


def silu(b: Builder, x: Val, beta: float = 1.0) -> Val:
    """x * logistic(beta x), also called swish."""
    return rounded_once(b, lambda x: b.ew("mul", x, b.ew("logistic", x if beta == 1.0 else b.ew("mul", x, beta))), x)


def softplus(b: Builder, x: Val, beta: float = 1.0, threshold: float | None = None) -> Val:
    """log(1 + exp(beta x)) / beta without overflow; ``x`` itself where beta x is above ``threshold``."""

    def of(x: Val) -> Val:
        t = x if beta == 1.0 else b.ew("mul", x, beta)
        soft = b.ew("add", b.ew("max", t, 0.0), b.ew("log1p", b.ew("exp", b.ew("neg", b.ew("abs", t)))))
        soft = soft if beta == 1.0 else b.ew("div", soft, beta)
        return soft if threshold is None else b.select(b.compare("GT", t, threshold), x, soft)

    return rounded_once(b, of, x)


def log_sigmoid(b: Builder, x: Val) -> Val:
    def of(x: Val) -> Val:
        return b.ew("sub", b.ew("min", x, 0.0), b.ew("log1p", b.ew("exp", b.ew("neg", b.ew("abs", x)))))

    return rounded_once(b, of, x)


def mish(b: Builder, x: Val) -> Val:
    return rounded_once(b, lambda x: b.ew("mul", x, b.ew("tanh", softplus(b, x))), x)


def softsign(b: Builder, x: Val) -> Val:
    return rounded_once(b, lambda x: b.ew("div", x, b.ew("add", b.ew("abs", x), 1.0)), x)


def hard_sigmoid(b: Builder, x: Val, alpha: float = 1.0 / 6.0, beta: float = 0.5) -> Val:
    """alpha x + beta clamped into [0, 1]."""
    return rounded_once(b, lambda x: _clamped(b, b.ew("add", b.ew("mul", x, alpha), beta), 0.0, 1.0), x)


def hard_swish(b: Builder, x: Val) -> Val:
    """x * clamp(x + 3, 0, 6) / 6."""

    def of(x: Val) -> Val:
        return b.ew("div", b.ew("mul", x, _clamped(b, b.ew("add", x, 3.0), 0.0, 6.0)), 6.0)

    return rounded_once(b, of, x)


def hard_shrink(b: Builder, x: Val, lambd: float = 0.5) -> Val:
    """0 where -lambd <= x <= lambd."""

    def of(x: Val) -> Val:
        inside = b.ew("and", b.compare("GE", x, -lambd), b.compare("LE", x, lambd))
        return b.select(inside, 0.0, x)

    return rounded_once(b, of, x)


def soft_shrink(b: Builder, x: Val, lambd: float = 0.5, bias: float | None = None) -> Val:
    """Towards 0 by ``bias`` (``lambd`` when not given), 0 where -lambd <= x <= lambd."""
    step = lambd if bias is None else bias

    def of(x: Val) -> Val:
        above = b.select(b.compare("GT", x, lambd), b.ew("sub", x, step), b.ew("mul", x, 0.0))
        return b.select(b.compare("LT", x, -lambd), b.ew("add", x, step), above)

    return rounded_once(b, of, x)


def tanh_shrink(b: Builder, x: Val) -> Val:
    return rounded_once(b, lambda x: b.ew("sub", x, b.ew("tanh", x)), x)


def threshold(b: Builder, x: Val, limit: float, value: float) -> Val:
    """``value`` where x <= limit."""
    return b.select(b.compare("LE", x, limit), value, x)


def glu(b: Builder, x: Val, axis: int = -1) -> Val:
    """The first half along an axis times the logistic of the second."""
    half = x.shape[axis] // 2
    first, second = b.slice_axis(x, axis, 0, half), b.slice_axis(x, axis, half, 2 * half)
    return rounded_once(b, lambda x, y: b.ew("mul", x, b.ew("logistic", y)), first, second)
