"""What a plan is asked for: strategy, width of the search, wishes, and limits below the device's own.

Example: ``PlanOptions(strategy="classic", forbid=("%max,%exp",))``. Flags, variables and help come from the fields; a
plan file records those that differ from their default.
"""

from __future__ import annotations

from dataclasses import dataclass

from fstc.support.options import option

STITCH, CLASSIC, NONE = "stitch", "classic", "none"
STRATEGIES = (STITCH, CLASSIC, NONE)
"""stitch: all schemes; classic: what loop fusion does, values pass within a thread only; none: a kernel for each op."""


@dataclass(frozen=True)
class PlanOptions:
    """Options of the planner; equal options, graph and device give equal plans."""

    index_bits: int = option(
        0, "Width of offsets in kernels: 32, 64, or 0 for 64 where 32 are too few.", choices=(0, 32, 64)
    )
    strategy: str = option(
        STITCH,
        "stitch: all schemes; classic: values pass within a thread, as in loop fusion; none: a kernel for each op.",
        choices=STRATEGIES,
    )
    top_k: int = option(3, "Candidate patterns kept for each op; more search longer.", minimum=1)
    beam_width: int = option(3, "Partial plans kept by the beam search; more search longer.", minimum=1)
    group_size: int = option(2, "Consumers whose candidates are combined at once; more search longer.", minimum=1)
    max_ops: int = option(
        128, "Ops that the search joins into one kernel at most; ops that are repeated come on top.", minimum=1
    )
    force: tuple[str, ...] = option((), "Put these values into one kernel; repeat for more.", metavar="%A,%B")
    forbid: tuple[str, ...] = option((), "Keep these values in different kernels; repeat for more.", metavar="%A,%B")
    pins: tuple[str, ...] = option(
        (), "Kernels as they shall be: values that are computed in one kernel, and no other op with them."
    )
    budget: str = option(
        "", "Limits of a block below the device's own; for example smem=48K,regs=128,threads=512.", metavar="LIMITS"
    )
