"""The figures of a plan or package that can be compared and that ``--fail-if`` names.

Example: ``FIGURES["bytes"].unit == "bytes"``; ``totals(old, new)["bytes"].change``. Those of a package are there only
where both sides are packages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from fstc.report.diff.built import entries
from fstc.report.diff.model import Delta
from fstc.report.diff.side import Side

TIME, BYTES, COUNT = "time", "bytes", "count"


@dataclass(frozen=True)
class Figure:
    """``of`` gives the value for a plan; ``packaged``: it needs what was compiled."""

    unit: str
    of: Callable[[Side], float]
    doc: str
    packaged: bool = False


def _most(values: Iterable[float]) -> float:
    return max(values, default=0)


FIGURES: dict[str, Figure] = {
    "predicted_us": Figure(TIME, lambda s: s.plan.summary.predicted_us, "predicted time of all kernels"),
    "bytes": Figure(BYTES, lambda s: s.plan.summary.bytes, "bytes that kernels move to and from device memory"),
    "bytes_min": Figure(BYTES, lambda s: s.plan.summary.bytes_min, "the floor of those bytes"),
    "l2_bytes": Figure(BYTES, lambda s: s.plan.summary.l2_bytes, "bytes that blocks ask the L2 for beyond them"),
    "kernels": Figure(COUNT, lambda s: s.plan.summary.kernels, "launches of kernels"),
    "library_calls": Figure(COUNT, lambda s: s.plan.summary.library_calls, "library calls"),
    "ops": Figure(COUNT, lambda s: s.plan.summary.ops, "operators of the model"),
    "registers": Figure(COUNT, lambda s: _most(a.kernel.registers for a in s.launches), "most registers a thread"),
    "shared": Figure(BYTES, lambda s: _most(a.kernel.shared for a in s.launches), "most shared memory a block"),
    "compiled_registers": Figure(
        COUNT, lambda s: _most(k.compiled.registers for k in entries(s)), "most registers, as compiled", True
    ),
    "spills": Figure(
        COUNT,
        lambda s: sum(k.compiled.spill_stores + k.compiled.spill_loads for k in entries(s)),
        "spill loads and stores of all kernels",
        True,
    ),
    "stack": Figure(BYTES, lambda s: _most(k.compiled.stack for k in entries(s)), "most local memory a thread", True),
    "code": Figure(BYTES, lambda s: sum(k.compiled.code for k in entries(s)), "size of all kernels' code", True),
}
CHANGES = "changes"
NAMES = (*FIGURES, CHANGES)
UNITS = {name: figure.unit for name, figure in FIGURES.items()} | {CHANGES: COUNT}


def totals(old: Side, new: Side) -> dict[str, Delta]:
    """Every figure that both sides have."""
    built = old.built is not None and new.built is not None
    known = {name: f for name, f in FIGURES.items() if built or not f.packaged}
    return {name: Delta(f.of(old), f.of(new)) for name, f in known.items()}
