"""The stages in order, as one table: what each reads, what it writes, and the pure function between.

Example: ``stage("plan").reads == ("graph", "analysis")``. A stage's ``run`` takes the values it reads, by role, and
the settings; the driver does all reading and writing. Building a package is not in the table: it joins several
devices and writes no artefact of its own (:mod:`fstc.driver.package`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from fstc.analysis.artefact import Analysis
from fstc.analysis.run import analyze
from fstc.codegen.artefact import Codegen
from fstc.device.device import load_device
from fstc.ir.artefact import GraphFile, to_file_form, to_graph
from fstc.ir.parser import parse_bytes
from fstc.plan.artefact import Measurement, Plan
from fstc.plan.options import PlanOptions
from fstc.plan.run import make_plan
from fstc.plan.steer import budgeted
from fstc.support.artefact import Artefact
from fstc.support.diagnostics import Diagnostic, FstcError

DEFAULT_DEVICE = "h200"
Values = Mapping[str, Any]  # by role: graph, analysis, plan, codegen


class SourceText(NamedTuple):
    """A .fir as read: its bytes, the name that messages call it, and where its constants lie."""

    data: bytes
    name: str
    folder: Path


@dataclass(frozen=True)
class Settings:
    """What a run is asked for, apart from its files. ``device`` is a name, a path, or "" where none was asked for."""

    device: str = ""
    binds: Mapping[str, int] = field(default_factory=dict)
    as_real: bool = False  # plan at the extents of the file, and carry that plan over to the bound ones
    plan: PlanOptions = field(default_factory=PlanOptions)
    measured: tuple[Measurement, ...] = ()  # what the compiler made of the kernels of earlier plans


class Output(NamedTuple):
    """What a stage made; ``files`` are texts that lie beside its artefact (kernels and their maps)."""

    value: Any
    files: Mapping[str, str] = {}


@dataclass(frozen=True)
class Stage:
    """``pack`` and ``unpack`` turn the value in memory into its artefact and back; most are their own artefact.

    The path given to ``unpack`` is where the artefact lies or would lie; the graph finds its .fir beside it.
    """

    name: str
    role: str  # of what it writes
    reads: tuple[str, ...]
    writes: type[Artefact]
    run: Callable[[Values, Settings], Output]
    pack: Callable[[Any], Artefact] = lambda value: value
    unpack: Callable[[Any, Path], Any] = lambda artefact, path: artefact
    for_device: bool = False

    @property
    def suffix(self) -> str:
        return f".{self.role}.json"


def _parse(values: Values, settings: Settings) -> Output:
    source: SourceText = values["source"]
    return Output(parse_bytes(source.data, source.name, settings.binds, folder=source.folder))


def _analyze(values: Values, settings: Settings) -> Output:
    return Output(analyze(values["graph"]))


def _plan(values: Values, settings: Settings) -> Output:
    options = settings.plan
    device = budgeted(load_device(settings.device), options.budget)
    if settings.as_real and settings.binds and values["source"]:
        from fstc.plan.transfer import transfer_plan

        source: SourceText = values["source"]
        real_graph = parse_bytes(source.data, source.name, {}, folder=source.folder)
        real = make_plan(real_graph, analyze(real_graph), device, options)
        return Output(transfer_plan(values["graph"], values["analysis"], device, real_graph, real))
    plan = make_plan(values["graph"], values["analysis"], device, options, settings.measured)
    if options.index_bits and plan.index_bits > options.index_bits:
        message = f"offsets of this model need {plan.index_bits} bits, not {options.index_bits}"
        raise FstcError(Diagnostic("FST0014", message, help="leave --index-bits away"))
    return Output(plan)


def _codegen(values: Values, settings: Settings) -> Output:
    from fstc.codegen.maps import kernel_maps  # a fifth of what `plan` imports, and not needed there
    from fstc.codegen.run import generate

    code, sources = generate(values["graph"], values["plan"], load_device(settings.device))
    return Output(code, {**sources, **kernel_maps(values["graph"], code, sources)})


STAGES = (
    Stage("parse", "graph", (), GraphFile, _parse, pack=to_file_form, unpack=to_graph),
    Stage("analyze", "analysis", ("graph",), Analysis, _analyze),
    Stage("plan", "plan", ("graph", "analysis"), Plan, _plan, for_device=True),
    Stage("codegen", "codegen", ("graph", "plan"), Codegen, _codegen, for_device=True),
)
BY_ROLE = {stage.role: stage for stage in STAGES}


def stage(role: str) -> Stage:
    """The stage that writes a role."""
    return BY_ROLE[role]
