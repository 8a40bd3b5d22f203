"""What an expectation can be about: each quantity of a plan or of a kernel once, with how it is read off.

Example: ``PLAN_METRICS["bytes_over_floor"].of(facts)``. What only a compiler can tell is None where the plan was not
built: then the expectation cannot be checked, and fails.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fstc.report.expect.facts import KernelFacts, PlanFacts
from fstc.report.expect.quantity import Dimension, Number


@dataclass(frozen=True)
class PlanMetric:
    dimension: Dimension
    doc: str
    of: Callable[[PlanFacts], Number | None]


@dataclass(frozen=True)
class KernelMetric:
    dimension: Dimension
    doc: str
    of: Callable[[KernelFacts], Number | None]


@dataclass(frozen=True)
class KernelWord:
    """A property with a name for a value; an expectation lists those that are right."""

    words: tuple[str, ...]
    doc: str
    of: Callable[[KernelFacts], str]


def _ratio(bytes: int, floor: int) -> float:
    return bytes / floor if floor else 1.0


def _spills(facts: PlanFacts) -> int | None:
    spilled = [kernel.spilled for kernel in facts.kernels]
    return None if None in spilled else sum(s for s in spilled if s is not None)


PLAN_METRICS: Mapping[str, PlanMetric] = {
    "kernels": PlanMetric(Dimension.COUNT, "launches of kernels", lambda f: f.plan.summary.kernels),
    "library_calls": PlanMetric(Dimension.COUNT, "calls of a library", lambda f: f.plan.summary.library_calls),
    "bytes": PlanMetric(Dimension.BYTES, "read and written by the kernels", lambda f: f.plan.summary.bytes),
    "bytes_over_floor": PlanMetric(
        Dimension.RATIO, "the same, over the floor", lambda f: _ratio(f.plan.summary.bytes, f.plan.summary.bytes_min)
    ),
    "l2_bytes": PlanMetric(Dimension.BYTES, "asked of the L2 beyond that", lambda f: f.plan.summary.l2_bytes),
    "predicted_us": PlanMetric(Dimension.TIME, "of all kernels", lambda f: f.plan.summary.predicted_us),
    "spills": PlanMetric(Dimension.BYTES, "spilled by a thread, over all kernels; needs a package", _spills),
}
KERNEL_METRICS: Mapping[str, KernelMetric] = {
    "ops": KernelMetric(Dimension.COUNT, "operators in it", lambda k: sum(len(p.nodes) for p in k.kernel.parts)),
    "threads": KernelMetric(Dimension.COUNT, "of a block", lambda k: k.kernel.threads),
    "blocks": KernelMetric(Dimension.COUNT, "of the launch", lambda k: k.kernel.blocks),
    "shared": KernelMetric(Dimension.BYTES, "shared memory of a block", lambda k: k.kernel.shared),
    "registers": KernelMetric(
        Dimension.COUNT,
        "of a thread: the estimate, or with a package the compiler's",
        lambda k: k.registers,
    ),
    "occupancy": KernelMetric(Dimension.SHARE, "of an SM's threads, likewise", lambda k: k.occupancy),
    "bytes": KernelMetric(Dimension.BYTES, "read and written", lambda k: k.kernel.bytes),
    "bytes_over_floor": KernelMetric(
        Dimension.RATIO, "the same, over its floor", lambda k: _ratio(k.kernel.bytes, k.kernel.bytes_min)
    ),
    "l2_bytes": KernelMetric(Dimension.BYTES, "asked of the L2 beyond that", lambda k: k.kernel.l2_bytes),
    "predicted_us": KernelMetric(Dimension.TIME, "of one launch", lambda k: k.kernel.predicted_us),
    "spills": KernelMetric(Dimension.BYTES, "spilled by a thread; needs a package", lambda k: k.spilled),
}
KERNEL_WORDS: Mapping[str, KernelWord] = {
    "scheme": KernelWord(
        ("thread", "warp", "block", "cluster", "grid", "packing"),
        "the highest level at which threads exchange values",
        lambda k: k.kernel.scheme,
    ),
    "bound": KernelWord(
        ("memory", "l2", "issue", "latency", "launch"), "what its time is bound by", lambda k: k.kernel.bound
    ),
}
