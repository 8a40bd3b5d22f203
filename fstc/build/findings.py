"""Compare what the compiler made of a kernel with what the plan counted on.

Example: ``check_kernel(device, code, planned, resources).findings`` names spills, a stack frame, fewer blocks on an
SM than planned.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from fstc.build.artefact import Estimate, Finding, Resources
from fstc.codegen.artefact import Codegen, KernelCode
from fstc.device.device import Device
from fstc.device.occupancy import blocks_per_sm
from fstc.plan.artefact import Plan
from fstc.support.artefact import rerun_help
from fstc.support.diagnostics import Diagnostic, FstcError

POINTER_BYTES = 8
MOST_OPS = 4  # named in a message; the kernel's map has all


@dataclass(frozen=True)
class Checked:
    """What fits on an SM with the resources that the compiler used, and what there is to say about it."""

    blocks_per_sm: int
    limiter: str
    findings: tuple[Finding, ...]


def check_kernel(
    device: Device, code: KernelCode, planned: Estimate, used: Resources, spilled: Sequence[int] = ()
) -> Checked:
    """Findings are data; a kernel that does not fit its description at all is refused.

    ``spilled``: the source lines that spill, worst first.
    """
    _require_fit(code, used)
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
    return Checked(blocks, limiter, tuple(findings))


def estimates(device: Device, plan: Plan, codegen: Codegen) -> dict[int, Estimate]:
    """What the plan counted on, by index of the codegen's kernels. The two have the same steps."""
    used = {step.kernel for step in codegen.steps if step.kernel >= 0}
    if [s.kind for s in plan.steps] != [s.kind for s in codegen.steps] or used != set(range(len(codegen.kernels))):
        raise FstcError(Diagnostic("FST0007", "the codegen file is not of this plan", help=rerun_help("codegen")))
    found: dict[int, Estimate] = {}
    for planned, step in zip(plan.steps, codegen.steps, strict=True):
        if step.kernel < 0 or step.kernel in found:
            continue
        kernel = plan.regions[planned.region].kernels[planned.kernel]
        _, limiter = blocks_per_sm(device, kernel.threads, kernel.registers, kernel.shared)
        found[step.kernel] = Estimate(
            registers=kernel.registers,
            shared=kernel.shared,
            blocks_per_sm=kernel.blocks_per_sm,
            limiter=limiter,
            instructions=kernel.instructions,
        )
    return found


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
