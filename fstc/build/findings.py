"""Compare what the compiler made of a kernel with what the plan counted on.

Example: ``check_kernel(device, code, resources)`` gives the manifest's entry figures and the findings: spills, a
stack frame, fewer blocks on an SM than planned.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from fstc.build.artefact import Estimate, Finding, Resources
from fstc.codegen.artefact import KernelCode
from fstc.device.device import Device
from fstc.device.occupancy import blocks_per_sm, registers_bound
from fstc.support.diagnostics import Diagnostic, FstcError

POINTER_BYTES = 8
MOST_OPS = 4  # named in a message; the kernel's map has all


@dataclass(frozen=True)
class Checked:
    """One kernel's figures beside the plan's."""

    planned: Estimate
    blocks_per_sm: int
    limiter: str
    findings: tuple[Finding, ...]


def check_kernel(device: Device, code: KernelCode, used: Resources, spilled: Sequence[int] = ()) -> Checked:
    """Findings are data; a kernel that does not fit its description at all is refused.

    ``spilled``: the source lines that spill, worst first.
    """
    _require_fit(code, used)
    planned = estimate(device, code)
    blocks, limiter = blocks_per_sm(device, code.block, used.registers, used.shared + code.shared)
    findings = []

    def found(number: str, message: str, lines: Sequence[int] = ()) -> None:
        op = ops_of(code, lines)
        findings.append(Finding(code=number, device=device.name, kernel=code.symbol, op=op, message=message))

    if used.spill_stores or used.spill_loads:
        bytes_text = f"{used.spill_stores} bytes out and {used.spill_loads} bytes in a thread"
        found("FST0510", f"{code.name} spills {bytes_text}, at {used.registers} registers", spilled)
    elif used.stack:
        found("FST0511", f"{code.name} has {used.stack} bytes of stack a thread")
    if blocks < planned.blocks_per_sm:
        found("FST0512", f"{code.name} fits {blocks} blocks on an SM ({limiter}), planned {planned.blocks_per_sm}")
    return Checked(planned, blocks, limiter, tuple(findings))


def estimate(device: Device, code: KernelCode) -> Estimate:
    """What the launch bounds of a kernel promise. Without a number of blocks they promise one."""
    registers = registers_bound(device, code.block, code.min_blocks)
    blocks, limiter = blocks_per_sm(device, code.block, registers, code.shared)
    promised = min(blocks, max(code.min_blocks, 1))
    return Estimate(registers=registers, shared=code.shared, blocks_per_sm=promised, limiter=limiter)


def ops_of(code: KernelCode, lines: Sequence[int] = ()) -> str:
    """The ops of these lines in their order, or all of the kernel's; shortened.

    A line without an origin (a loop's head, an index) counts for the op before it.
    """
    origins = sorted(code.origins, key=lambda origin: origin.line)
    starts = [origin.line for origin in origins]
    if lines:
        origins = [origins[at - 1] for line in lines if (at := bisect_right(starts, line))]
    ops = list(dict.fromkeys(origin.op for origin in origins))
    rest = f"; and {len(ops) - MOST_OPS} more" if len(ops) > MOST_OPS else ""
    return "; ".join(ops[:MOST_OPS]) + rest


def _require_fit(code: KernelCode, used: Resources) -> None:
    """The compiled kernel takes the launch that codegen described."""
    if used.max_threads and code.block > used.max_threads:
        why = f"is compiled for at most {used.max_threads} threads a block and launched with {code.block}"
    elif used.parameters != POINTER_BYTES * len(code.params):
        why = f"takes {used.parameters} bytes of parameters and is described with {len(code.params)} pointers"
    else:
        return
    diagnostic = Diagnostic("FST0505", f"{code.symbol} {why}", file=code.file, help="rerun `fstc codegen`")
    raise FstcError(diagnostic)
