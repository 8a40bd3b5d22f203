"""Roots, exponentials, logarithms, trigonometry and the error functions, on floats.

Example: ``%y = rsqrt %x : f32[8]``. The reference is float64 rounded once; a kernel computes in float (double for
f64) with the device's functions, a few units in the last place away. 16- and 8-bit operands are computed in float.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from fstc.ir.ops.entry import Array, Domain, Function, computed, elementwise, numpy
from fstc.ir.ops.opdef import Kind, OpDef
from fstc.ir.ops.rules import FLOAT

SMALL: Domain = ((-4.0, 4.0),)
POSITIVE: Domain = ((0.01, 100.0),)
ANGLE: Domain = ((-10.0, 10.0),)


def _rsqrt(x: Array) -> Array:
    import numpy as np

    return 1.0 / np.sqrt(x)


def _mapped(function: Callable[[float], float]) -> Function:
    """A function of the math module on every element: NumPy has no erf, and this takes 0.1 us an element."""

    def call(x: Array) -> Array:
        import numpy as np

        return np.fromiter(map(function, x.ravel().tolist()), np.float64, x.size).reshape(x.shape)

    return call


def _logistic(x: Array) -> Array:
    """1 / (1 + exp(-x)) through exp of a negative number only."""
    import numpy as np

    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1.0) / (1.0 + e)


def _entry(name: str, doc: str, function: str | Function, domain: Domain, alias: str = "") -> OpDef:
    """A float function of as many operands as it has domains; ``fst::`` has it under the op's name."""
    args = ", ".join(f"{{{i}}}" for i in range(len(domain)))
    reference = computed(numpy(function) if isinstance(function, str) else function)
    return elementwise(name, doc, FLOAT, reference, f"fst::{name}({args})", arity=len(domain), alias=alias,
                       kind=Kind.EXPENSIVE, domain=domain)  # fmt: skip


TRANSCENDENTAL: tuple[OpDef, ...] = (
    _entry("exp", "e to the power x.", "exp", SMALL, "exponential"),
    _entry("expm1", "exp(x) - 1, accurate near 0.", "expm1", SMALL, "exponential_minus_one"),
    _entry("log", "Natural logarithm; -inf at 0, NaN below.", "log", POSITIVE),
    _entry("log1p", "log(1 + x), accurate near 0.", "log1p", ((-0.9, 100.0),), "log_plus_one"),
    _entry("sqrt", "Square root, correctly rounded; NaN below 0, -0 at -0.", "sqrt", POSITIVE),
    _entry("rsqrt", "1 / sqrt(x): two IEEE operations; inf at 0, -inf at -0.", _rsqrt, POSITIVE),
    _entry("cbrt", "Cube root, of negative numbers too.", "cbrt", ((-100.0, 100.0),)),
    _entry("sin", "Sine.", "sin", ANGLE, "sine"),
    _entry("cos", "Cosine.", "cos", ANGLE, "cosine"),
    _entry("tan", "Tangent.", "tan", ((-1.5, 1.5),)),
    _entry("atan2", "Angle of the point (x, y) = (operand 1, operand 0), from -pi to pi.", "arctan2", SMALL + SMALL),
    _entry("sinh", "Hyperbolic sine.", "sinh", SMALL),
    _entry("cosh", "Hyperbolic cosine.", "cosh", SMALL),
    _entry("tanh", "Hyperbolic tangent.", "tanh", SMALL),
    _entry("erf", "Error function.", _mapped(math.erf), SMALL),
    _entry("erfc", "1 - erf(x), accurate where erf is near 1.", _mapped(math.erfc), SMALL),
    _entry("logistic", "1 / (1 + exp(-x)), accurate for very negative x.", _logistic, ((-10.0, 10.0),)),
)
