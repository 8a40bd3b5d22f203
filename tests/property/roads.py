"""From graphs to checked results: plan, generate, compile many graphs' kernels together, run, judge.

Example: ``failures([Case("seed 1", graph)], folder)`` is empty when every kernel of the graph computes what it should.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fstc.analysis.run import analyze
from fstc.build.host import compile_host
from fstc.build.host_fault import HostFault
from fstc.build.host_library import ORDERS, HostLibrary
from fstc.build.host_unit import HostKernel
from fstc.codegen.artefact import Codegen, Step
from fstc.codegen.run import generate
from fstc.device.device import Device, load_device
from fstc.ir.graph import Graph
from fstc.ir.subgraph import extract
from fstc.plan.artefact import Plan
from fstc.plan.options import PlanOptions
from fstc.plan.run import make_plan
from fstc.runtime.inputs import make_inputs
from fstc.runtime.run import execute
from fstc.support.diagnostics import FstcError
from tests.property.oracle import judge

DEVICE = "h200"
Planner = Callable[[Graph], Plan]


def plan(graph: Graph, device: Device | None = None, index_bits: int = 0) -> Plan:
    return make_plan(graph, analyze(graph), device or load_device(DEVICE), PlanOptions(index_bits=index_bits))


@dataclass
class Case:
    """One graph on its way; ``planner`` may choose other placements than the planner's own."""

    name: str
    graph: Graph
    planner: Planner = plan
    seed: int = 0
    codegen: Codegen | None = None
    kernels: list[HostKernel] = field(default_factory=list)


def prepare(case: Case, number: int) -> None:
    device = load_device(DEVICE)
    case.codegen, sources = generate(case.graph, case.planner(case.graph), device)
    case.kernels = [
        HostKernel(k.symbol, sources[k.file], k.grid, k.block, k.shared, len(k.params), name=f"g{number}_{n}")
        for n, k in enumerate(case.codegen.kernels)
    ]


def failures(cases: Sequence[Case], folder: Path, *, checked: bool = False, jobs: int = 1) -> list[str]:
    """One line for everything wrong, cases in order; the library is compiled once for all of them."""
    found = []
    for number, case in enumerate(cases):
        try:
            prepare(case, number)
        except Exception as error:  # a crash of the compiler is a finding like any other
            found.append(f"{case.name}: {type(error).__name__}: {error}")
    library = _library(cases, folder, checked, jobs, found)
    if library is None:
        return found
    for number, case in enumerate(cases):
        if case.codegen is not None:
            found += [f"{case.name}: {text}" for text in _run(case, library, ORDERS[number % len(ORDERS)])]
    return found


def _library(cases: Sequence[Case], folder: Path, checked: bool, jobs: int, found: list[str]) -> HostLibrary | None:
    """The library of all kernels; a case whose kernels the compiler refuses is noted and left out."""
    while kernels := [k for case in cases for k in case.kernels]:
        try:
            return compile_host(kernels, folder, checked=checked, jobs=jobs)
        except FstcError as error:
            text = "\n".join(n.text for d in error.diagnostics for n in d.notes)
            blamed = {int(n) for n in re.findall(r"\bg(\d+)_\d+\.cu", text)}
            if not blamed:
                raise
            for number in sorted(blamed):
                found.append(f"{cases[number].name}: {text}")
                cases[number].codegen, cases[number].kernels = None, []
    return None


def _run(case: Case, library: HostLibrary, order: str) -> Iterator[str]:
    """Every kernel is judged on the values that it read, so that nothing accumulates."""
    graph, codegen = case.graph, case.codegen
    assert codegen is not None
    feeds = make_inputs(graph, case.seed, specials=True)
    known = set(feeds)
    texts: list[str] = []

    def after(number: int, step: Step, values: Mapping[int, Any]) -> None:
        if step.kernel >= 0:
            texts.extend(_judged(case, step, values, known))
        known.update(step.writes)

    try:
        values = execute(graph, codegen, _Launcher(case, library, order), feeds, observer=after)
        written = {v for s in codegen.steps for v in s.writes}
        rest = [v for v in graph.outputs if v not in written]
        texts += judge(graph, feeds, {v: values[v] for v in rest})
    except (HostFault, _CheckerFault) as fault:
        texts.append(f"{order}: {fault}")
    yield from texts


class _CheckerFault(Exception):
    pass


class _Launcher:
    def __init__(self, case: Case, library: HostLibrary, order: str) -> None:
        self.case, self.library, self.order = case, library, order

    def launch(self, kernel: int, buffers: Sequence[Any]) -> None:
        assert self.case.codegen is not None
        name = self.case.kernels[kernel].name
        if not self.library.checked:
            self.library.launch(name, buffers, order=self.order)
            return
        params = self.case.codegen.kernels[kernel].params
        names = [f"{'q' if p.mode == 'write' else 'p'}{n} ({p.dtype})" for n, p in enumerate(params)]
        report = self.library.check(name, buffers, names, [p.mode != "write" for p in params])
        if report.fault:
            raise _CheckerFault(f"{report.fault}")


def _judged(case: Case, step: Step, values: Mapping[int, Any], known: set[int]) -> list[str]:
    """The reference computes what this kernel computes, from what it read; scratch is computed again."""
    graph = case.graph
    written = [v for v in step.writes if v < len(graph.values)]
    nodes: set[int] = set()
    todo = list(written)
    while todo:
        producer = graph.values[todo.pop()].node
        if producer >= 0 and producer not in nodes:
            nodes.add(producer)
            todo += [i for i in graph.nodes[producer].inputs if i not in known]
    if not nodes:
        return []
    part, origin = extract(graph, nodes)
    place = {v: i for i, v in enumerate(origin)}
    feeds = {i: values[origin[i]] for i in part.inputs}
    got = {place[v]: values[v] for v in written}
    name = case.codegen.kernels[step.kernel].name if case.codegen else ""
    return [f"{name}: {text}" for text in judge(part, feeds, got, case.seed)]


@contextmanager
def replaced(module: Any, name: str, value: Any) -> Iterator[None]:
    """A module's name stands for something else, as long as the context lasts."""
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)
