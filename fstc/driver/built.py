"""What a package says of the kernels of a plan: the compiler's figures, launch by launch.

Example: ``built(work, Path("model.fpk")).launches`` pairs every kernel of the plan with its entry. A package of another
plan is refused: its figures would stand beside kernels that they do not belong to.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from fstc.build.artefact import DeviceEntry, KernelEntry
from fstc.build.package import Package
from fstc.device.device import load_device
from fstc.driver.work import Work
from fstc.plan.artefact import Kernel, Plan
from fstc.support.artefact import decode
from fstc.support.diagnostics import Diagnostic, FstcError

Launches = tuple[tuple[Kernel, KernelEntry], ...]


class Built(NamedTuple):
    launches: Launches  # distinct kernels in the order of the run
    device: DeviceEntry
    threads: int  # that an SM can hold
    compiler: str


def built(work: Work, path: Path) -> Built:
    """Plans the work, with what the package's plan was made with where the work has no plan yet."""
    with Package.open(path) as package:
        entry = package.device(load_device(work.settings.device).name)
        theirs = decode(package.plan(entry), Plan, f"{path}: plan.json")
        code = package.codegen(entry)
        compiler = package.manifest.compiler
    if "plan" not in work.values:
        work.settings = replace(work.settings, measured=theirs.measured)
    ours: Plan = work.value("plan")
    if ours != theirs:
        message = f"{path} was built from another plan than this: {_difference(ours, theirs)}"
        help = f"rerun `fstc build` with the file and the options of this command, or give {path} itself to `fstc plan`"
        raise FstcError(Diagnostic("FST0524", message, file=str(path), help=help))
    entries = {k.symbol: k for k in entry.kernels}
    found: dict[str, tuple[Kernel, KernelEntry]] = {}
    for planned, step in zip(ours.steps, code.steps, strict=True):
        if step.kernel >= 0:
            symbol = code.kernels[step.kernel].symbol
            found.setdefault(symbol, (ours.regions[planned.region].kernels[planned.kernel], entries[symbol]))
    return Built(tuple(found.values()), entry, load_device(work.settings.device).max_threads_per_sm, compiler)


def _difference(ours: Plan, theirs: Plan) -> str:
    """The first thing that tells them apart, in words."""
    if ours.strategy != theirs.strategy:
        return f"strategy {theirs.strategy}, here {ours.strategy}"
    if [r.hash for r in ours.regions] != [r.hash for r in theirs.regions]:
        return "its model is another, or has other extents"
    changed = [name for name, value in ours.constants.items() if theirs.constants.get(name) != value]
    if changed:
        return f"{', '.join(changed[:4])} of the device differ"
    return f"{theirs.summary.kernels} kernels there, {ours.summary.kernels} here"
