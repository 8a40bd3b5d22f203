"""Strategies side by side: what each would launch, move and take.

Example: ``compare_report("softmax_mask", {"none": plan_a, "classic": plan_b, "stitch": plan_c})``. The first one is
what the others are measured against.
"""

from __future__ import annotations

from collections.abc import Mapping

from fstc.plan.artefact import Plan
from fstc.report.table import Cell, Report, Table

COLUMNS = ("strategy", "kernels", "library calls", "launches", "MB", "over floor", "L2 MB", "us", "speed-up")
MEGA = 1e6


def compare_report(name: str, plans: Mapping[str, Plan]) -> Report:
    """One row a strategy. Library calls are counted and not predicted: times and ratios are those of the kernels."""
    base = next(iter(plans))
    data = {strategy: _figures(plan, plans[base]) for strategy, plan in plans.items()}
    rows = tuple(_row(strategy, figures) for strategy, figures in data.items())
    first = plans[base].summary
    headline = f"{name}: {first.ops} ops on {plans[base].device}; speed-up over {base}, without library calls"
    document = {"model": name, "device": plans[base].device, "ops": first.ops, "over": base, "strategies": data}
    return Report(document, (headline, Table(COLUMNS, rows)))


def _figures(plan: Plan, base: Plan) -> dict[str, int | float | None]:
    s, slow = plan.summary, base.summary.predicted_us
    return {
        "kernels": s.kernels,
        "library_calls": s.library_calls,
        "launches": s.kernels + s.library_calls,
        "bytes": s.bytes,
        "bytes_over_floor": s.bytes / s.bytes_min if s.bytes_min else None,
        "l2_bytes": s.l2_bytes,
        "predicted_us": s.predicted_us,
        "speedup": slow / s.predicted_us if s.predicted_us else None,
    }


def _row(strategy: str, figures: Mapping[str, int | float | None]) -> tuple[Cell, ...]:
    def mega(key: str) -> Cell:
        size = figures[key]
        return None if size is None else size / MEGA

    counts = (figures["kernels"], figures["library_calls"], figures["launches"])
    moved = (mega("bytes"), figures["bytes_over_floor"], mega("l2_bytes"))
    return (strategy, *counts, *moved, figures["predicted_us"], figures["speedup"])
