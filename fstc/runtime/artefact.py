"""What verify writes: every tensor against the oracle, the checker's faults, counted traffic beside the plan's.

Example: ``verification.ok`` is the verdict; ``verification.tensors[0]`` the worst tensor.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from fstc.support.artefact import Artefact


class Tolerance(msgspec.Struct, frozen=True, kw_only=True):
    """An element passes when its error is at most ``rtol * |want| + scaled * max |want| + atol``."""

    rtol: float = 0.0
    scaled: float = 0.0  # of the tensor's largest magnitude: what cancellation may leave
    atol: float = 0.0


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """One tensor against the oracle. ``worst`` is the element that is furthest over its bound."""

    name: str
    type: str
    ok: bool
    max_abs: float = 0.0
    max_rel: float = 0.0
    max_ulp: float = 0.0
    wrong: int = 0  # elements outside the tolerance
    worst: tuple[int, ...] = ()
    got: str = ""
    want: str = ""
    nonfinite: int = 0  # elements where NaN or Inf disagree
    excess: float = 0.0  # largest error over its bound; above 1 fails
    unstable: float = 0.0  # of a float beyond its bound: its error over what rounding alone does; up to 1 it is ok
    tolerance: Tolerance = Tolerance()


class TensorCheck(msgspec.Struct, frozen=True, kw_only=True):
    """``local``: the oracle started from the values that the kernel itself read, so errors do not accumulate."""

    comparison: Comparison
    seed: int
    local: bool
    kernel: str  # that wrote it; "" for a library call or an input
    jump: str = ""  # of a tensor that differs: the last discontinuous op that it depends on, "%v7 convert"


class OrderCheck(msgspec.Struct, frozen=True, kw_only=True):
    """A kernel whose result depends on the order in which threads ran."""

    kernel: str
    order: str
    value: str
    seed: int
    differing: int  # elements whose bits differ from the first order's


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """What the checker saw: a race, an access out of bounds, an uninitialised read, a misalignment."""

    kernel: str
    kind: str
    message: str


class Traffic(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes of one launch as the checker counted and as the plan predicted them; ``ok``: they differ by 1 % at most."""

    kernel: str
    bytes: int
    predicted_bytes: int
    l2_bytes: int
    predicted_l2_bytes: int
    bytes_min: int
    ok: bool


class PeerCheck(msgspec.Struct, frozen=True, kw_only=True):
    """An output beside the framework's, both against float64. Errors over the size of what they are errors of."""

    name: str
    type: str
    seed: int
    verdict: str  # closer, alike, rounding; further, disagrees: findings
    ours_max: float = 0.0  # largest absolute error
    theirs_max: float = 0.0
    ours_rms: float = 0.0  # root mean square of the error, over that of the reference
    theirs_rms: float = 0.0
    ours_peak: float = 0.0  # largest error, over the reference's largest magnitude
    theirs_peak: float = 0.0
    ours_wrong: int = 0  # elements where NaN or Inf disagree; of integers, elements that differ
    theirs_wrong: int = 0
    jump: str = ""  # the last discontinuous op on the way, "%v7 convert"

    @property
    def ok(self) -> bool:
        return self.verdict not in ("further", "disagrees")


class Verification(Artefact, frozen=True, kw_only=True):
    KIND: ClassVar[str] = "verification"
    VERSION: ClassVar[str] = "1.1"

    target: str
    runs: tuple[str, ...]  # thread orders, "checker", or "cuda"
    seeds: tuple[int, ...]
    tensors: tuple[TensorCheck, ...]  # failing ones first, then by how close they came
    orders: tuple[OrderCheck, ...]
    faults: tuple[Fault, ...]
    traffic: tuple[Traffic, ...]
    strict_traffic: bool = False  # the verdict counts a wrong prediction of traffic, too
    peer: str = ""  # the framework whose results are beside ours
    peers: tuple[PeerCheck, ...] = ()  # findings first
    inputs: str = ""  # the file that the inputs came from; "": drawn

    @property
    def ok(self) -> bool:
        results = all(t.comparison.ok for t in self.tensors) and all(p.ok for p in self.peers)
        return results and not self.orders and not self.faults and not (self.strict_traffic and self.mispredicted)

    @property
    def mispredicted(self) -> tuple[str, ...]:
        """The kernels that moved other bytes than the plan says: an error of its prices, of no result."""
        return tuple(t.kernel for t in self.traffic if not t.ok)
