"""What a build made: kernels a device, what the compiler used for each, findings.

Example: ``as_text(build_report("m.fpk", manifest, compiled=2, cached=5, full=True))``.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from fstc.build.artefact import DeviceEntry, Instructions, Manifest
from fstc.report.table import Report, Table

COLUMNS = (
    "kernel", "registers", "planned", "spill", "stack", "shared", "blocks/SM", "planned", "limited by", "instructions",
    "planned", "16-byte",
)  # fmt: skip
ROUNDS = ("device", "plan", "kernels", "spilling", "fewer blocks", "predicted us", "as compiled us", "")


def build_report(
    target: str,
    manifest: Manifest,
    compiled: int,
    cached: int,
    full: bool,
) -> Report:
    """One line a device, with ``full`` a table of its kernels, every finding, and how a device was planned again."""
    counts = f"{target}: {compiled} kernels compiled, {cached} from the cache ({manifest.compiler})"
    blocks: list[str | Table] = [counts]
    for device in manifest.devices:
        if full:
            blocks.append(kernel_table(device))
        else:
            blocks.append(f"{device.name} ({device.arch}): {len(device.kernels)} kernels")
    if any(device.rounds for device in manifest.devices):
        blocks.append(_rounds_table(manifest.devices))
    if manifest.findings:
        names = {k.symbol: k.name for device in manifest.devices for k in device.kernels}
        rows = tuple((f.code, f.device, names.get(f.kernel, f.kernel), f.op, f.message) for f in manifest.findings)
        blocks.append(Table(("code", "device", "kernel", "op", "finding"), rows))
    data = {"package": target, "compiled": compiled, "cached": cached, "manifest": msgspec.to_builtins(manifest)}
    return Report(data, tuple(blocks))


def wide_share(used: Instructions) -> str:
    """Accesses of global memory that move 16 bytes, of all that are in the code."""
    return f"{used.wide_loads + used.wide_stores}/{used.loads + used.stores}"


def _rounds_table(devices: Sequence[DeviceEntry]) -> Table:
    rows = tuple(
        (
            device.name,
            r.number,
            r.kernels,
            ", ".join(r.spilling) or "-",
            ", ".join(r.lower) or "-",
            r.predicted_us,
            r.compiled_us,
            "kept" if r.kept else "",
        )
        for device in devices
        for r in device.rounds
    )
    return Table(ROUNDS, rows, title="planned again with what the compiler used")


def kernel_table(device: DeviceEntry) -> Table:
    """What the compiler used, beside what the plan counted on."""
    rows = tuple(
        (
            k.name,
            k.compiled.registers,
            k.planned.registers,
            k.compiled.spill_stores + k.compiled.spill_loads,
            k.compiled.stack,
            max(k.compiled.shared, k.planned.shared),
            k.blocks_per_sm,
            k.planned.blocks_per_sm,
            k.limiter,
            k.compiled.instructions.total,
            k.planned.instructions or None,
            wide_share(k.compiled.instructions),
        )
        for k in device.kernels
    )
    return Table(COLUMNS, rows, title=f"{device.name} ({device.arch})")
