"""Special functions that NumPy lacks, in float64: erf, erfc, logistic.

Example: ``erf(np.array([0.5]))`` is ``[0.5204998778130465]``. The error functions follow fdlibm's s_erf.c (Sun
Microsystems, 1993): a rational approximation in each of five intervals, within one unit in the last place.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Array = Any

_ERX = 8.45062911510467529297e-01  # erf(1) in single precision

# |x| < 0.84375: erf(x) = x + x P(x^2) / Q(x^2)
_PP = (
    1.28379167095512558561e-01, -3.25042107247001499370e-01, -2.84817495755985104766e-02,
    -5.77027029648944159157e-03, -2.37630166566501626084e-05,
)  # fmt: skip
_QQ = (
    1.0, 3.97917223959155352819e-01, 6.50222499887672944485e-02, 5.08130628187576562776e-03,
    1.32494738004321644526e-04, -3.96022827877536812320e-06,
)  # fmt: skip
# 0.84375 <= |x| < 1.25: erf(|x|) = erx + P(s) / Q(s), s = |x| - 1
_PA = (
    -2.36211856075265944077e-03, 4.14856118683748331666e-01, -3.72207876035701323847e-01, 3.18346619901161753674e-01,
    -1.10894694282396677476e-01, 3.54783043256182359371e-02, -2.16637559486879084300e-03,
)  # fmt: skip
_QA = (
    1.0, 1.06420880400844228286e-01, 5.40397917702171048937e-01, 7.18286544141962662868e-02,
    1.26171219808761642112e-01, 1.36370839120290507362e-02, 1.19844998467991074170e-02,
)  # fmt: skip
# 1.25 <= |x| < 1/0.35: erfc(|x|) = exp(-x^2 - 0.5625 + R(s) / S(s)) / |x|, s = 1 / x^2
_RA = (
    -9.86494403484714822705e-03, -6.93858572707181764372e-01, -1.05586262253232909814e01, -6.23753324503260060396e01,
    -1.62396669462573470355e02, -1.84605092906711035994e02, -8.12874355063065934246e01, -9.81432934416914548592e00,
)  # fmt: skip
_SA = (
    1.0, 1.96512716674392571292e01, 1.37657754143519042600e02, 4.34565877475229228821e02, 6.45387271733267880336e02,
    4.29008140027567833386e02, 1.08635005541779435134e02, 6.57024977031928170135e00, -6.04244152148580987438e-02,
)  # fmt: skip
# 1/0.35 <= |x| < 28: the same with
_RB = (
    -9.86494292470009928597e-03, -7.99283237680523006574e-01, -1.77579549177547519889e01, -1.60636384855821916062e02,
    -6.37566443368389627722e02, -1.02509513161107724954e03, -4.83519191608651397019e02,
)  # fmt: skip
_SB = (
    1.0, 3.03380607434824582924e01, 3.25792512996573918826e02, 1.53672958608443695994e03, 3.19985821950859553908e03,
    2.55305040643316442583e03, 4.74528541206955367215e02, -2.24409524465858183362e01,
)  # fmt: skip


def _poly(x: Array, coefficients: Sequence[float]) -> Array:
    total = coefficients[-1]
    for c in reversed(coefficients[:-1]):
        total = total * x + c
    return total


def _near(x: Array) -> Array:
    """erf(x) / x - 1 for |x| < 0.84375."""
    return _poly(x * x, _PP) / _poly(x * x, _QQ)


def _middle(a: Array) -> Array:
    """erf(a) - erx for 0.84375 <= a < 1.25."""
    return _poly(a - 1.0, _PA) / _poly(a - 1.0, _QA)


def _tail(a: Array) -> Array:
    """erfc(a) for a >= 1.25; exp(-a^2) is split at the upper half of a, so that the square is exact."""
    import numpy as np

    s = 1.0 / (a * a)
    ratio = np.where(a < 1 / 0.35, _poly(s, _RA) / _poly(s, _SA), _poly(s, _RB) / _poly(s, _SB))
    z = (a.view(np.uint64) & np.uint64(0xFFFFFFFF00000000)).view(np.float64)
    return np.exp(-z * z - 0.5625) * np.exp((z - a) * (z + a) + ratio) / a


def _pieces(x: Array) -> tuple[Array, Array, Array, Array]:
    """Magnitudes and the masks of the first two intervals and of the tail; NaN is in none."""
    import numpy as np

    a = np.abs(x)
    return a, a < 0.84375, (a >= 0.84375) & (a < 1.25), a >= 1.25


def erf(x: Array) -> Array:
    import numpy as np

    x = np.array(x, dtype=np.float64, ndmin=1)
    a, near, middle, tail = _pieces(x)
    out = x.copy()  # NaN
    out[near] += x[near] * _near(x[near])
    out[middle] = np.copysign(_ERX + _middle(a[middle]), x[middle])
    out[tail] = np.copysign(1.0 - _tail(np.minimum(a[tail], 28.0)), x[tail])
    return out


def erfc(x: Array) -> Array:
    import numpy as np

    x = np.array(x, dtype=np.float64, ndmin=1)
    a, near, middle, tail = _pieces(x)
    out = x.copy()
    low = near & (x < 0.25)
    high = near & ~low
    out[low] = 1.0 - (x[low] + x[low] * _near(x[low]))
    out[high] = 0.5 - (x[high] - 0.5 + x[high] * _near(x[high]))
    p = _middle(a[middle])
    out[middle] = np.where(x[middle] > 0, 1.0 - _ERX - p, 1.0 + (_ERX + p))
    t = np.where(a[tail] < 28.0, _tail(np.minimum(a[tail], 28.0)), 0.0)
    out[tail] = np.where(x[tail] > 0, t, 2.0 - t)
    return out


def logistic(x: Array) -> Array:
    """1 / (1 + exp(-x)) through exp of a negative number only."""
    import numpy as np

    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1.0) / (1.0 + e)
