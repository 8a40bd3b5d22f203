"""Compare a computed tensor with the oracle's: errors, the worst element, and a verdict.

Example: ``compare("y", got, want, tolerance(F32, reduction=1024, depth=6), F32)``. Integers and booleans must be
equal; NaN must meet NaN and an infinity the same infinity; a finite float may err by what the
:class:`~fstc.runtime.artefact.Tolerance` says.
"""

from __future__ import annotations

from math import sqrt
from typing import Any

from fstc.ir.types import DType
from fstc.runtime.artefact import Comparison, Tolerance

Array = Any  # numpy.ndarray; numpy is imported where it is used

# Distance from 1 to the next value.
EPS = {"f64": 2.0**-52, "f32": 2.0**-23, "f16": 2.0**-10, "bf16": 2.0**-7, "f8e4m3fn": 2.0**-3, "f8e5m2": 2.0**-2}
SMALLEST = {
    "f64": 5e-324, "f32": 2.0**-149, "f16": 2.0**-24, "bf16": 2.0**-133, "f8e4m3fn": 2.0**-9, "f8e5m2": 2.0**-16,
}  # fmt: skip
OFF = 1e30  # an error beyond any bound; artefacts hold finite numbers
ULP_WIDTH = {1: "int8", 2: "int16", 4: "int32", 8: "int64"}


def tolerance(
    dtype: DType, reduction: float = 1.0, depth: int = 1, coarsest: float = 0.0, narrow: float = 0.0
) -> Tolerance:
    """What rounding may explain for a result of ``dtype``.

    ``depth`` roundings on the longest way from an input, sums of ``reduction`` terms accumulated in f32 (f64 where
    nothing ``coarsest`` was rounded to; errors of a sum grow like its root for values that are not all of one sign),
    and ``narrow``, the EPS of the roundings below f32 on that way, added up: a value that falls on the other side of a
    tie moves by so much, and what follows with it. The result's own rounding moves the element alone.
    """
    if not dtype.is_float:
        return Tolerance()
    accumulator = EPS["f64"] if dtype.name == "f64" and coarsest <= EPS["f64"] else EPS["f32"]
    unit = EPS[dtype.name]
    own = unit if unit > EPS["f32"] else 0.0
    before = max(narrow - own, 0.0)
    fine = accumulator * (5 + 2 * depth + sqrt(reduction))
    return Tolerance(rtol=own + before + fine, scaled=before / 2 + fine, atol=SMALLEST[dtype.name] * 2)


def compare(name: str, got: Array, want: Array, allowed: Tolerance, dtype: DType) -> Comparison:
    """``got`` has the dtype's storage type; ``want`` may be wider (the oracle's float64)."""
    text = f"{dtype}[{','.join(map(str, want.shape))}]"
    if got.shape != want.shape:
        return Comparison(name=name, type=text, ok=False, wrong=got.size, got=str(got.shape), want=str(want.shape))
    if want.size == 0:
        return Comparison(name=name, type=text, ok=True, tolerance=allowed)
    return _floats(name, text, got, want, allowed) if dtype.is_float else _exact(name, text, got, want)


def _exact(name: str, text: str, got: Array, want: Array) -> Comparison:
    import numpy as np

    if got.dtype == np.bool_:  # poison left in a boolean is neither 0 nor 1
        got, want = got.view(np.uint8), want.astype(np.uint8)
    different = got != want
    wrong = int(np.count_nonzero(different))
    if not wrong:
        return Comparison(name=name, type=text, ok=True)
    gap = np.abs(got.astype(np.float64) - want.astype(np.float64))
    worst = _index(np.where(different, gap + 1, 0))
    return Comparison(
        name=name,
        type=text,
        ok=False,
        max_abs=float(gap.max()),
        max_rel=float((gap / np.maximum(np.abs(want.astype(np.float64)), 1)).max()),
        max_ulp=float(gap.max()),
        wrong=wrong,
        worst=worst,
        got=str(got[worst]),
        want=str(want[worst]),
        excess=1.0 + wrong,
    )


def _floats(name: str, text: str, got: Array, want: Array, allowed: Tolerance) -> Comparison:
    import numpy as np

    with np.errstate(all="ignore"):
        wide, exact = got.astype(np.float64), want.astype(np.float64)
        rounded = want.astype(got.dtype).astype(np.float64)  # overflow to infinity happens in the storage type
        finite = np.isfinite(wide) & np.isfinite(rounded)
        nonfinite = ~finite & ~np.where(np.isnan(rounded), np.isnan(wide), wide == rounded)
        error = np.where(finite, np.abs(wide - exact), 0.0)
        size = np.where(finite, np.abs(exact), 0.0)
        bound = allowed.rtol * size + allowed.scaled * float(size.max()) + allowed.atol
        excess = np.where(nonfinite, OFF, np.minimum(error / bound, OFF))
        relative = np.where(finite & (size > 0), error / size, 0.0)
    wrong = int(np.count_nonzero(excess > 1))
    worst = _index(excess)
    return Comparison(
        name=name,
        type=text,
        ok=wrong == 0,
        max_abs=float(error.max()),
        max_rel=float(np.nan_to_num(relative, posinf=OFF).max()),
        max_ulp=_ulps(got, want, finite),
        wrong=wrong,
        worst=worst,
        got=str(got[worst]),
        want=f"{float(exact[worst]):.9g}",
        nonfinite=int(np.count_nonzero(nonfinite)),
        excess=float(excess[worst]),
        tolerance=allowed,
    )


def _index(score: Array) -> tuple[int, ...]:
    """Where ``score`` is largest."""
    import numpy as np

    return tuple(int(i) for i in np.unravel_index(int(np.argmax(score)), score.shape))


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
