"""16-bit and 8-bit floats computed in f32: convert up, compute, round once.

Example: ``rounded_once(b, lambda x: b.ew("mul", x, b.ew("logistic", x)), x)``. Frameworks compute what they call one
operator in f32 and round its result; an expansion that rounded each of its steps would be further off than they are.
"""

from __future__ import annotations

from collections.abc import Callable

from fstc.frontends.builder import Builder, Val
from fstc.ir.types import F32


def wide(b: Builder, x: Val) -> Val:
    """``x`` in f32 where it is a narrower float, else as it is."""
    return b.convert(x, F32) if x.dtype.is_float and x.dtype.size < 4 else x


def rounded_once(b: Builder, f: Callable[..., Val], *xs: Val) -> Val:
    """``f`` of the wide operands, rounded to the type of the first."""
    return b.convert(f(*(wide(b, x) for x in xs)), xs[0].dtype)


def exact(value: float, x: Val) -> bool:
    """Can the type of ``x`` hold the number without rounding?"""
    import numpy as np

    from fstc.ir.ops.numerics import cast

    with np.errstate(over="ignore"):
        return bool(np.asarray(cast(np.asarray(value, np.float64), x.dtype)).astype(np.float64) == value)
