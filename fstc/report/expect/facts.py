"""What a plan says that expectations ask about: its kernels, what each computes, and what the compiler made of it.

Example: ``facts = plan_facts(graph, plan)``; ``facts.launches[0].computes`` are the values that the first launch
computes, by the names of the model. Equal regions share one plan; a launch has the names of its own place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from fstc.build.artefact import DeviceEntry, KernelEntry
from fstc.codegen.artefact import Codegen
from fstc.ir.graph import Graph
from fstc.ir.ops.opdef import Form
from fstc.plan.artefact import Decision, Kernel, Plan
from fstc.report.launches import launches_of
from fstc.support.artefact import rerun_help
from fstc.support.diagnostics import Diagnostic, FstcError

Key = tuple[int, int]  # region of the plan, kernel of the region


@dataclass(frozen=True)
class KernelFacts:
    """A kernel as planned, and as compiled where it was."""

    kernel: Kernel
    compiled: KernelEntry | None

    @property
    def registers(self) -> int:
        return self.compiled.compiled.registers if self.compiled else self.kernel.registers

    @property
    def occupancy(self) -> float:
        if self.compiled is None or not self.kernel.blocks_per_sm:
            return self.kernel.occupancy
        return self.kernel.occupancy * self.compiled.blocks_per_sm / self.kernel.blocks_per_sm

    @property
    def spilled(self) -> int | None:
        """Bytes a thread, out and in; None before the kernel is compiled."""
        if self.compiled is None:
            return None
        return self.compiled.compiled.spill_stores + self.compiled.compiled.spill_loads


@dataclass(frozen=True)
class Launch:
    """One launch of a kernel: for each part the names of the values that it computes, without constants.

    ``own``: those of them that the model itself has, not only the rewritten region (partial results).
    """

    number: int
    name: str  # of the kernel at its own place
    kernel: KernelFacts
    parts: tuple[tuple[str, ...], ...]
    own: tuple[tuple[str, ...], ...]

    @cached_property
    def computes(self) -> frozenset[str]:
        return frozenset(name for part in self.parts for name in part)


@dataclass(frozen=True)
class PlanFacts:
    plan: Plan
    graph: Graph
    kernels: tuple[KernelFacts, ...]  # distinct
    launches: tuple[Launch, ...]  # in order

    @cached_property
    def places(self) -> Mapping[str, Sequence[Launch]]:
        """The launches that compute a value, for every value that some kernel computes; both in order."""
        found: dict[str, list[Launch]] = {}
        for launch in self.launches:
            for name in dict.fromkeys(name for part in launch.parts for name in part):
                found.setdefault(name, []).append(launch)
        return found

    @property
    def decisions(self) -> Iterator[Decision]:
        return (d for region in self.plan.regions for d in region.decisions)


def plan_facts(graph: Graph, plan: Plan, built: tuple[Codegen, DeviceEntry] | None = None) -> PlanFacts:
    """``built``: the generated code of this plan, and what a package says of the plan's device."""
    compiled = _compiled(plan, *built) if built else {}
    kernels = {
        (r, k): KernelFacts(kernel, compiled.get((r, k)))
        for r, region in enumerate(plan.regions)
        for k, kernel in enumerate(region.kernels)
    }
    return PlanFacts(plan, graph, tuple(kernels.values()), tuple(_launches(graph, plan, kernels)))


def _launches(graph: Graph, plan: Plan, kernels: Mapping[Key, KernelFacts]) -> Iterator[Launch]:
    model = {value.name for value in graph.values}
    made = launches_of(graph, plan)
    for number, step in enumerate(s for s in made.steps if s.kernel):
        assert step.kernel is not None
        place = made.places[step.place]
        parts = tuple(_computed(place.graph, part.nodes) for part in step.kernel.parts)
        own = tuple(tuple(name for name in part if name in model) for part in parts)
        yield Launch(number, step.name, kernels[place.region, step.number], parts, own)


def _computed(graph: Graph, nodes: tuple[int, ...]) -> tuple[str, ...]:
    made = (graph.nodes[n] for n in nodes)
    return tuple(graph.values[v].name for n in made if n.op.form is not Form.CONSTANT for v in n.outputs)


def _compiled(plan: Plan, codegen: Codegen, entry: DeviceEntry) -> dict[Key, KernelEntry]:
    """Equal kernels were compiled once; the steps say which is which."""
    by_symbol = {kernel.symbol: kernel for kernel in entry.kernels}
    compiled = [by_symbol.get(kernel.symbol) for kernel in codegen.kernels]
    found = {}
    fits = [step.kind for step in plan.steps] == [step.kind for step in codegen.steps]
    for planned, step in zip(plan.steps, codegen.steps, strict=False):
        kernel = compiled[step.kernel] if 0 <= step.kernel < len(compiled) else None
        if kernel:
            found[planned.region, planned.kernel] = kernel
        fits &= (kernel is not None) == (step.kind == "kernel")
    if not fits:
        message = f"the kernels for {entry.name} are not those of the plan beside them"
        raise FstcError(Diagnostic("FST0007", message, help=rerun_help("package")))
    return found
