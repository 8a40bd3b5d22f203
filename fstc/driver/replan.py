"""Plan, compile, and plan again with what the compiler needed, until nothing that matters is news.

Example: ``replan(work, "h200", compiler).rounds`` has one entry where every kernel came out as planned. A spill, a
stack frame or fewer blocks on an SM than planned is measured; the next plan is priced with it. Measurements are
only added, so it ends; after three more plans it ends in any case, and the plan that is fastest as compiled is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from msgspec import structs

from fstc.build.artefact import Resources, Round
from fstc.build.compile import Compiler, cores
from fstc.codegen.artefact import Codegen, KernelCode
from fstc.device.device import Device, load_device
from fstc.driver.work import Work
from fstc.plan.artefact import Kernel, Measurement, Plan
from fstc.plan.measured import fits, placement_digest
from fstc.plan.reprice import repriced
from fstc.stages import STAGES
from fstc.support.diagnostics import Diagnostic, FstcError

MOST_ROUNDS = 3  # plans after the first
SPILLS_COST = 1.05  # times the predicted time that a plan with fewer spilling kernels may take


class Replanned(NamedTuple):
    """``work`` has the plan that was kept."""

    work: Work
    rounds: tuple[Round, ...]


def replan(work: Work, device: str, compiler: Compiler, jobs: int = 0, frozen: bool = False) -> Replanned:
    """The work on this device with the best plan of all rounds."""
    start = work.on(device)
    if "plan" in start.loaded or "codegen" in start.loaded:
        message = "--replan makes a new plan, and this file is one"
        raise FstcError(Diagnostic("FST0014", message, help="give the .fir or its graph or analysis file"))
    target = load_device(device)
    record: tuple[Measurement, ...] = ()
    found: list[tuple[Work, Round]] = []
    while True:
        there = with_measured(start, record)
        graph, plan, code = there.value("graph"), there.value("plan"), there.value("codegen")
        compiled = _compiled(target, code, there.texts("codegen"), compiler, jobs, frozen)
        news: list[Measurement] = []
        spilling: list[str] = []
        lower: list[str] = []
        for kernel, item in _pairs(plan, code):
            used = compiled[item.symbol]
            if used.spill_stores or used.spill_loads or used.stack:
                spilling.append(item.name)
            elif fits(target, item.block, used.registers, used.shared + item.shared) < kernel.blocks_per_sm:
                lower.append(item.name)
            else:
                continue
            news += measurement(kernel, item, used)
        known = tuple(dict.fromkeys((*record, *news)))
        real = repriced(graph, plan, target, news)
        found.append(
            (
                there,
                Round(
                    number=len(found),
                    kernels=plan.summary.kernels,
                    spilling=tuple(dict.fromkeys(spilling)),
                    lower=tuple(dict.fromkeys(lower)),
                    predicted_us=plan.summary.predicted_us,
                    compiled_us=real,
                ),
            )
        )
        if set(known) == set(record) or len(found) > MOST_ROUNDS:
            break
        record = known
    best = _best([item for _, item in found])
    rounds = tuple(structs.replace(item, kept=n == best) for n, (_, item) in enumerate(found))
    return Replanned(found[best][0], rounds)


def _best(rounds: Sequence[Round]) -> int:
    """The fastest as compiled; a plan that spills less may cost a little: what a spill costs is the least certain."""
    least = min(r.compiled_us for r in rounds)
    near = [r for r in rounds if r.compiled_us <= least * SPILLS_COST]
    return min(near, key=lambda r: (len(r.spilling), r.compiled_us, r.number)).number


def with_measured(work: Work, record: Iterable[Measurement]) -> Work:
    """The same work, its plan still to be made with this record."""
    roles = {s.role for s in STAGES if s.for_device}
    for made in STAGES:
        if not made.for_device:
            work.value(made.role)
    return replace(
        work,
        settings=replace(work.settings, measured=tuple(record)),
        values={role: value for role, value in work.values.items() if role not in roles},
        artefacts={role: artefact for role, artefact in work.artefacts.items() if role not in roles},
        files={},
    )


def measurement(kernel: Kernel, code: KernelCode, used: Resources) -> list[Measurement]:
    """What a kernel of one part teaches; in a packed launch it is not known whose registers they are."""
    if len(kernel.parts) != 1:
        return []
    return [
        Measurement(
            pattern=kernel.hash,
            placement=placement_digest(kernel.parts[0].placement),
            planned=kernel.registers,
            min_blocks=max(1, code.min_blocks),
            registers=used.registers,
            stack=used.stack,
            spill_stores=used.spill_stores,
            spill_loads=used.spill_loads,
            instructions=used.instructions.total,
        )
    ]


def _pairs(plan: Plan, code: Codegen) -> Iterator[tuple[Kernel, KernelCode]]:
    for planned, step in zip(plan.steps, code.steps, strict=True):
        if step.kernel >= 0:
            yield plan.regions[planned.region].kernels[planned.kernel], code.kernels[step.kernel]


def _compiled(
    device: Device, code: Codegen, sources: Mapping[str, str], compiler: Compiler, jobs: int, frozen: bool
) -> dict[str, Resources]:
    names = {(device.arch, sources[k.file]): k for k in code.kernels}
    results = compiler.all(names, jobs or cores(), frozen)
    return {kernel.symbol: results[task].kernels[kernel.symbol] for task, kernel in names.items()}
