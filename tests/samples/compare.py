"""How near a result must be to a float64 oracle.

The allowance is in units of the result's own precision: relative to each element, and relative to the tensor's
largest magnitude, because sums that cancel keep the error of their terms. Example: ``assert_close("y", got, want)``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

# dtype: relative to the element, relative to the tensor's largest magnitude. float64 is an f32 value that kept its
# digits, computed with constants that are f32. f32 results go through tens of roundings; a 16-bit or 8-bit result
# is rounded once or twice, so that it may sit on the neighbouring number; f8e4m3fn's subnormals have a fixed step,
# 2^-9, and a quantised row reaches 448.
ALLOWANCE = {
    "float64": (1e-7, 5e-8),
    "float32": (1e-6, 5e-7),
    "bfloat16": (2.0**-7, 2.0**-14),
    "float16": (2.0**-10, 2.0**-17),
    "float8_e4m3fn": (2.0**-3, 2.0**-9 / 448),
    "float8_e5m2": (2.0**-2, 2.0**-16 / 57344),
}


def worst_error(got: Any, want: Any) -> float:
    """The largest error of ``got`` as a share of what is allowed; above one is a mismatch."""
    assert got.shape == want.shape, f"shape {got.shape}, expected {want.shape}"
    if got.dtype.name not in ALLOWANCE:
        return 0.0 if np.array_equal(got, want) else float("inf")
    relative, of_largest = ALLOWANCE[got.dtype.name]
    want = np.asarray(want, np.float64)
    largest = float(np.max(np.abs(want), initial=0.0))
    allowed = relative * np.abs(want) + of_largest * largest
    error = np.abs(got.astype(np.float64) - want)
    share = np.where(error == 0, 0.0, error / np.where(allowed == 0, np.finfo(np.float64).tiny, allowed))
    return float(np.max(np.where(np.isnan(share), np.inf, share), initial=0.0))


def assert_close(name: str, got: Any, want: Any) -> None:
    share = worst_error(got, want)
    assert share <= 1, f"{name}: error is {share:.2f} times what {got.dtype} allows"


__all__ = ["ALLOWANCE", "assert_close", "worst_error"]
