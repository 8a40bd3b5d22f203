"""NumPy arithmetic that the references share: exact widening, rounding once, the error function.

Example: ``cast(wide(x) + wide(y), BF16)`` adds two bf16 arrays and rounds once. NumPy is imported
inside the functions, because the op table is loaded by ``plan``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fstc.ir.types import DType

Array = Any


@contextmanager
def quiet() -> Iterator[None]:
    """No NumPy warnings: overflow, 0/0 and the like are results here, not accidents."""
    import numpy as np

    with np.errstate(all="ignore"):
        yield


def wide(x: Array) -> Array:
    """A float array of any dtype as float64, exactly; a float64 array is returned itself."""
    import numpy as np

    with quiet():  # a signalling NaN would warn
        return np.asarray(x).astype(np.float64, copy=False)


def cast(x: Array, dtype: DType) -> Array:
    """``x`` (any dtype) in ``dtype``: rounded to nearest even once, saturated, or wrapped.

    float -> int truncates and saturates, NaN gives 0; float -> bool is ``!= 0``; int -> int wraps.
    """
    import numpy as np

    x = np.asarray(x)
    target = dtype.numpy()
    if x.dtype == target:
        return x
    with quiet():
        if dtype.kind == "b":
            return np.asarray(x != np.zeros((), x.dtype))
        source_float = x.dtype.kind not in "iub"
        if dtype.kind in "iu":
            return _float_to_int(wide(x), target) if source_float else np.asarray(x.astype(target))
        if not source_float and dtype.size < 4:
            return _narrow(_int_to_odd(x), target)
        if dtype.size < 4:
            return _narrow(wide(x), target)
        return np.asarray(x.astype(target))


def _float_to_int(x: Array, target: Any) -> Array:
    import numpy as np

    info = np.iinfo(target)
    low, high = float(info.min), float(info.max)  # float(2**63 - 1) is 2**63, so compare with >= below
    inside = (x > low) & (x < high)
    out = np.where(inside, x, 0.0).astype(target)
    out = np.where(x >= high, target.type(info.max), out)
    return np.asarray(np.where(x <= low, target.type(info.min), out), dtype=target)


def _int_to_odd(x: Array) -> Array:
    """Integers as float64; bits below the 53rd are gathered in the last one (round to odd)."""
    import numpy as np

    x = x.astype(np.int64) if x.dtype.kind == "b" else x
    near = x.astype(np.float64)
    if x.dtype.itemsize < 8:
        return near
    low = x & x.dtype.type(0xFFF)
    folded = (x - low).astype(np.float64) + (low != 0) * 2048.0  # x - low has at most 52 bits
    return np.where((near < 2.0**52) & (near > -(2.0**52)), near, folded)


def _narrow(x: Array, target: Any) -> Array:
    """float64 to a 16- or 8-bit float, rounded once.

    ml_dtypes goes from float64 through float32, so the float32 is rounded to odd: an odd last bit
    marks what was cut off, and the second rounding then sees on which side of a tie it is.
    """
    import numpy as np

    if target == np.float16:
        return np.asarray(x.astype(target))
    near = np.asarray(x.astype(np.float32))
    error = near.astype(np.float64) - x
    bits = near.view(np.uint32)
    inexact = np.isfinite(x) & (error != 0) & (bits & 1 == 0)
    grew = np.abs(near.astype(np.float64)) > np.abs(x)
    odd = np.where(inexact, np.where(grew, bits - np.uint32(1), bits + np.uint32(1)), bits)
    return np.asarray(np.asarray(odd, dtype=np.uint32).view(np.float32).astype(target))
