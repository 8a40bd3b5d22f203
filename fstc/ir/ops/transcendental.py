"""Roots, exponentials, logarithms, trigonometry and the error functions, on floats.

Example: ``%y = rsqrt %x : f32[8]``. The reference is float64 rounded once; a kernel computes in float (double for
f64) with the device's functions, a few units in the last place away. 16- and 8-bit operands are computed in float.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fstc.ir.ops.arithmetic import computed, numpy
from fstc.ir.ops.opdef import Form, Kind, OpDef
from fstc.ir.ops.rules import FLOAT, describe, same
from fstc.ir.ops.special import erf, erfc, logistic

Domain = tuple[tuple[float, float], ...]

SMALL: Domain = ((-4.0, 4.0),)
POSITIVE: Domain = ((0.01, 100.0),)
ANGLE: Domain = ((-10.0, 10.0),)


def _rsqrt(x: Any) -> Any:
    import numpy as np

    return 1.0 / np.sqrt(x)


def _entry(name: str, doc: str, function: str | Callable[..., Any], domain: Domain, *aliases: str) -> OpDef:
    """A float function of as many operands as it has domains; ``fst::`` has it under the op's name."""
    args = ", ".join(f"{{{i}}}" for i in range(len(domain)))
    return OpDef(
        name=name,
        kind=Kind.EXPENSIVE,
        form=Form.ELEMENTWISE,
        doc=doc,
        arity=(len(domain), len(domain)),
        infer=same(FLOAT),
        reference=computed(numpy(function) if isinstance(function, str) else function),
        cuda=f"fst::{name}({args})",
        domain=domain,
        dtypes=describe(FLOAT),
        aliases=aliases,
    )


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
    _entry("erf", "Error function.", erf, SMALL),
    _entry("erfc", "1 - erf(x), accurate where erf is near 1.", erfc, SMALL),
    _entry("logistic", "1 / (1 + exp(-x)), accurate for very negative x.", logistic, ((-10.0, 10.0),)),
)
