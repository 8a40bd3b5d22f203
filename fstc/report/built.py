"""What the compiler made of a plan, beside what the plan counted on.

Example: a row ``k0_y  37/48  100%/83%`` is a kernel planned with 37 registers and full occupancy that has 48 and 83 %.
"""

from __future__ import annotations

from fstc.build.artefact import DeviceEntry, KernelEntry
from fstc.plan.artefact import Kernel
from fstc.report.build import wide_share
from fstc.report.table import Cell, Table

COLUMNS = (
    "kernel", "registers", "real", "occ", "real", "shared", "real", "spill", "stack", "instructions", "real", "16-byte",
    "limited by",
)  # fmt: skip


def built_table(
    kernels: tuple[tuple[Kernel, KernelEntry], ...], device: DeviceEntry, threads_per_sm: int, compiler: str
) -> Table:
    """One row a launch; ``threads_per_sm`` is what an SM can hold."""
    rows: list[tuple[Cell, ...]] = []
    for planned, entry in kernels:
        used = entry.compiled
        rows.append(
            (
                planned.name,
                planned.registers,
                used.registers,
                f"{planned.occupancy:.0%}",
                f"{entry.blocks_per_sm * planned.threads / threads_per_sm:.0%}",
                planned.shared,
                planned.shared + used.shared,
                used.spill_stores + used.spill_loads,
                used.stack,
                planned.instructions,
                used.instructions.total or None,
                wide_share(used.instructions),
                entry.limiter,
            )
        )
    return Table(COLUMNS, tuple(rows), title=f"as compiled by {compiler} for {device.arch}")
