"""A framework's result beside ours and beside float64: whose error is larger, and whether that means anything.

Example: ``judge("%y", got, peer, want, allowed, F32).verdict`` is ``closer``, ``alike``, ``rounding``, ``further`` or
``disagrees``; the last two are findings. docs/targets.md has the reasons for the bounds.

An error is the distance to the float64 reference where all three are finite, over the reference's own size: of its root
mean square, and of its largest element.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from fstc.ir.types import DType
from fstc.runtime.artefact import PeerCheck, Tolerance
from fstc.runtime.compare import EPS

Array = Any  # numpy.ndarray; numpy is imported where it is used

BAND_RMS, BAND_MAX = 2.0, 4.0  # times the framework's error; a maximum varies more than a mean
ALLOWED_RMS, ALLOWED_MAX = 1.0, 4.0  # units in the last place: a few roundings that the framework happens to save
DISAGREES = 8.0  # times what rounding may explain, as a root mean square: then the framework computes something else
STEPS = 1e-3  # of integers behind a discontinuous op, the share that may fall on the other side of a step
CLOSER, ALIKE, ROUNDING, FURTHER, OTHER = "closer", "alike", "rounding", "further", "disagrees"
FINDINGS = (FURTHER, OTHER)


class Spread(NamedTuple):
    """How far a result moves when all values on the way are rounded otherwise: at most, and as a root mean square."""

    largest: float = 0.0
    rms: float = 0.0


STILL = Spread()


def judge(
    name: str,
    got: Array,
    peer: Array,
    want: Array,
    allowed: Tolerance,
    dtype: DType,
    *,
    seed: int = 0,
    jump: str = "",
    spread: Spread = STILL,
) -> PeerCheck:
    """``want`` is the oracle's; ``allowed`` what rounding may explain of a distance to it.

    ``spread``: of the result under noise (:mod:`fstc.runtime.noise`), where that was measured.
    """
    text = f"{dtype}[{','.join(map(str, want.shape))}]"
    if not want.size:
        return PeerCheck(name=name, type=text, seed=seed, verdict=ALIKE)
    measured = _floats(got, peer, want) if dtype.is_float else _exact(got, peer, want)
    if dtype.is_float:
        moved = Spread(_scaled(spread.largest, measured.pop("largest")), _scaled(spread.rms, measured.pop("size")))
        verdict = _of_floats(measured, allowed.rtol + allowed.scaled, EPS[dtype.name], moved)
    else:
        verdict = _of_integers(measured, want.size, jump)
    return PeerCheck(name=name, type=text, seed=seed, verdict=verdict, jump=jump, **measured)


def _floats(got: Array, peer: Array, want: Array) -> dict[str, Any]:
    import numpy as np

    with np.errstate(all="ignore"):
        ours, theirs, exact = (np.asarray(a).astype(np.float64) for a in (got, peer, want))
        right = exact.astype(got.dtype).astype(np.float64)  # overflow to infinity happens in the storage type
        finite = np.isfinite(ours) & np.isfinite(theirs) & np.isfinite(right)
        size = np.where(finite, np.abs(exact), 0.0)
        found: dict[str, Any] = {"size": rms(size), "largest": float(size.max())}
        for side, values in (("ours", ours), ("theirs", theirs)):
            error = np.where(finite, np.abs(values - exact), 0.0)
            found[f"{side}_max"] = float(error.max())
            found[f"{side}_rms"] = _scaled(rms(error), rms(size))
            found[f"{side}_peak"] = _scaled(float(error.max()), float(size.max()))
            same = np.where(np.isnan(right), np.isnan(values), values == right)
            odd = ~(np.isfinite(values) & np.isfinite(right)) & ~same
            found[f"{side}_wrong"] = int(np.count_nonzero(odd))
    return found


def _exact(got: Array, peer: Array, want: Array) -> dict[str, Any]:
    import numpy as np

    found: dict[str, Any] = {}
    for side, values in (("ours", got), ("theirs", peer)):
        gap = np.abs(np.asarray(values).astype(np.float64) - want.astype(np.float64))
        found[f"{side}_max"] = float(gap.max())
        found[f"{side}_wrong"] = int(np.count_nonzero(np.asarray(values) != want))
    return found


def rms(values: Array) -> float:
    """Root mean square of magnitudes; 0 of none."""
    import numpy as np

    largest = float(values.max(initial=0.0))  # scaled, so that no square overflows
    return largest * float(np.sqrt(np.mean(np.square(values / largest)))) if largest else 0.0


def _scaled(error: float, size: float) -> float:
    """Artefacts hold finite numbers; an error where all should be zero is as large as can be."""
    return min(error / size, 1e30) if size else 1e30 if error else 0.0


def _of_floats(m: dict[str, Any], bound: float, unit: float, moved: Spread) -> str:
    """``bound``: what rounding may explain of an error; ``moved``: what noise did; over the size of the result."""
    if m["theirs_rms"] > DISAGREES * max(bound, moved.rms) or m["theirs_wrong"] > m["ours_wrong"]:
        return OTHER
    if m["ours_wrong"] > m["theirs_wrong"]:
        return FURTHER
    if m["ours_rms"] <= m["theirs_rms"] and m["ours_peak"] <= m["theirs_peak"]:
        return CLOSER if m["ours_rms"] < m["theirs_rms"] else ALIKE
    rms = _beyond(m["ours_rms"], BAND_RMS * m["theirs_rms"], max(ALLOWED_RMS * unit, moved.rms))
    peak = _beyond(m["ours_peak"], BAND_MAX * m["theirs_peak"], max(ALLOWED_MAX * unit, moved.largest))
    return FURTHER if 2 in (rms, peak) else ROUNDING if 1 in (rms, peak) else ALIKE


def _beyond(ours: float, band: float, allowance: float) -> int:
    """0 within the framework's band, 1 beyond it by what a few roundings explain, 2 beyond both."""
    return 0 if ours <= band else 1 if ours <= allowance else 2


def _of_integers(m: dict[str, Any], size: int, jump: str) -> str:
    """Equal, or, where a float was rounded to a step on the way, few on the other side of it."""
    few = max(1.0, STEPS * size) if jump else 0.0
    if m["theirs_wrong"] > few:
        return OTHER
    if m["ours_wrong"] > max(few, BAND_RMS * m["theirs_wrong"]):
        return FURTHER
    return (
        ALIKE if m["ours_wrong"] == m["theirs_wrong"] else CLOSER if m["ours_wrong"] < m["theirs_wrong"] else ROUNDING
    )
