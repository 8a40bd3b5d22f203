"""Compare a computed tensor with the oracle's: errors, the worst element, and a verdict.

Example: ``compare("y", got, want, tolerance(F32, reduction=1024, depth=6))``. An element passes when
``|got - want| <= rtol * |want| + atol``. Integers and booleans must be equal; NaN must meet NaN and an
infinity the same infinity.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any

from fstc.ir.types import DType

Array = Any  # numpy.ndarray; numpy is imported where it is used

# Distance from 1 to the next value.
EPS = {"f64": 2.0**-52, "f32": 2.0**-23, "f16": 2.0**-10, "bf16": 2.0**-7, "f8e4m3fn": 2.0**-3, "f8e5m2": 2.0**-2}
SMALLEST = {"f64": 5e-324, "f32": 2.0**-149, "f16": 2.0**-24, "bf16": 2.0**-133, "f8e4m3fn": 2.0**-9, "f8e5m2": 2.0**-16}
ULP_WIDTH = {1: "int8", 2: "int16", 4: "int32", 8: "int64"}


@dataclass(frozen=True)
class Tolerance:
    """``scaled`` is a part of the tensor's largest magnitude: what cancellation may leave behind."""

    rtol: float = 0.0
    scaled: float = 0.0
    atol: float = 0.0


@dataclass(frozen=True)
class Comparison:
    """One tensor against the oracle. ``worst`` is the index of the element that is furthest over its bound."""

    name: str
    type: str
    ok: bool
    max_abs: float
    max_rel: float
    max_ulp: float
    wrong: int  # elements outside the tolerance
    worst: tuple[int, ...] = ()
    got: str = ""
    want: str = ""
    nonfinite: int = 0  # elements where NaN or Inf disagree
    tolerance: Tolerance = Tolerance()
    excess: float = 0.0  # largest error over its bound; above 1 fails

    @property
    def rank(self) -> tuple[bool, float]:
        """Sort key: failing tensors first, then the closest to failing."""
        return (self.ok, -self.excess)


def tolerance(dtype: DType, reduction: int = 1, depth: int = 1, coarsest: float = 0.0) -> Tolerance:
    """What rounding may explain for a result of ``dtype``.

    ``depth`` roundings on the longest way from an input, sums of ``reduction`` terms accumulated in f32 (f64
    for f64; errors of a sum grow like its root for values that are not all of one sign), and ``coarsest``
    the largest EPS of the float types that are rounded to on the way: one value that falls on the other
    side of a tie moves everything after it by that much.
    """
    if not dtype.is_float:
        return Tolerance()
    accumulator = EPS["f64"] if dtype.name == "f64" else EPS["f32"]
    unit = max(EPS[dtype.name], coarsest)
    bound = unit + accumulator * (4 + 2 * depth + 2 * sqrt(reduction))
    if coarsest > accumulator:
        bound += coarsest * sqrt(depth)
    return Tolerance(rtol=bound, scaled=bound, atol=SMALLEST[dtype.name] * 2)


def compare(name: str, got: Array, want: Array, allowed: Tolerance, dtype: DType) -> Comparison:
    """``got`` has the dtype's storage type; ``want`` may be wider (the oracle's float64)."""
    text = f"{dtype}[{','.join(map(str, want.shape))}]"
    if got.shape != want.shape:
        return Comparison(name, text, False, 0, 0, 0, wrong=got.size, got=str(got.shape), want=str(want.shape))
    if want.size == 0:
        return Comparison(name, text, True, 0, 0, 0, wrong=0, tolerance=allowed)
    return _floats(name, text, got, want, allowed, dtype) if dtype.is_float else _exact(name, text, got, want)


def _exact(name: str, text: str, got: Array, want: Array) -> Comparison:
    import numpy as np

    if got.dtype == np.bool_:  # poison left in a boolean is neither 0 nor 1
        got, want = got.view(np.uint8), want.astype(np.uint8)
    different = got != want
    wrong = int(np.count_nonzero(different))
    if not wrong:
        return Comparison(name, text, True, 0, 0, 0, wrong=0)
    gap = np.abs(got.astype(np.float64) - want.astype(np.float64))
    where = np.unravel_index(int(np.argmax(different * (gap + 1))), got.shape)
    worst = tuple(int(i) for i in where)
    return Comparison(
        name, text, False, float(gap.max()), float((gap / np.maximum(np.abs(want.astype(np.float64)), 1)).max()),
        float(gap.max()), wrong, worst, str(got[worst]), str(want[worst]), excess=float("inf"),
    )  # fmt: skip


def _floats(name: str, text: str, got: Array, want: Array, allowed: Tolerance, dtype: DType) -> Comparison:
    import numpy as np

    wide, exact = got.astype(np.float64), want.astype(np.float64)
    rounded = want.astype(got.dtype).astype(np.float64)  # overflow to infinity happens in the storage type
    with np.errstate(all="ignore"):
        finite = np.isfinite(wide) & np.isfinite(rounded)
        same = np.where(np.isnan(rounded), np.isnan(wide), wide == rounded)
        nonfinite = ~finite & ~same
        error = np.where(finite, np.abs(wide - exact), 0.0)
        size = np.abs(np.where(finite, exact, 0.0))
        bound = allowed.rtol * size + allowed.scaled * float(size.max()) + allowed.atol
        excess = np.where(nonfinite, np.inf, error / bound)
        relative = np.where(finite & (size > 0), error / size, 0.0)
    wrong = int(np.count_nonzero(~(excess <= 1)))
    worst = tuple(int(i) for i in np.unravel_index(int(np.argmax(excess)), got.shape))
    return Comparison(
        name, text, wrong == 0, float(error.max()), float(relative.max()),
        _ulps(got, want, finite), wrong, worst, str(got[worst]), f"{float(exact[worst]):.9g}",
        int(np.count_nonzero(nonfinite)), allowed, float(excess[worst]),
    )  # fmt: skip


def _ulps(got: Array, want: Array, finite: Array) -> float:
    """Largest distance in representable values of the storage type."""
    import numpy as np

    if not finite.any():
        return 0.0
    gap = np.abs(_ordered(got) - _ordered(want.astype(got.dtype)))
    return float(np.where(finite, gap, 0).max())


def _ordered(values: Array) -> Array:
    """Floats as integers (held in float64) in which neighbours differ by one."""
    import numpy as np

    bits = np.ascontiguousarray(values).view(ULP_WIDTH[values.dtype.itemsize]).astype(np.int64)
    magnitude = bits & ((1 << (8 * values.dtype.itemsize - 1)) - 1)
    return np.where(bits < 0, -magnitude, magnitude).astype(np.float64)
