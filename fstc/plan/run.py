"""plan: disjoint kernels with placements, schemes and carriers, and a decision for all that stays apart.

Example: ``make_plan(graph, analysis, load_device("h200")).summary.kernels``. Equal regions are planned once; a region
is planned for several choices of reductions that are split over the grid, and the fastest plan stays.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from fstc.analysis.artefact import Analysis
from fstc.device.device import Device, figures
from fstc.ir.graph import Graph
from fstc.ir.ops.opdef import Form
from fstc.ir.regions import Region, depths, find_regions, is_library
from fstc.plan.artefact import Kernel, Measurement, Plan, Scratch, Step, Summary
from fstc.plan.measured import Measured
from fstc.plan.options import PlanOptions
from fstc.plan.region import Common, PlannedRegion, plan_region
from fstc.plan.steer import budgeted
from fstc.plan.wishes import NOTHING, wishes_of

INDEX_LIMIT = 2**30  # padding may lift an index above its extent


def make_plan(
    graph: Graph,
    analysis: Analysis,
    device: Device,
    options: PlanOptions | None = None,
    measured: Iterable[Measurement] = (),
) -> Plan:
    """A plan for one device. Pure and deterministic. ``measured``: what the compiler made of earlier plans' kernels."""
    options = options or PlanOptions()
    regions = find_regions(graph)
    device = budgeted(device, options.budget)
    wishes = wishes_of(graph, regions, options)
    common = Common(device, options, Measured.of(measured))
    planned: dict[str, PlannedRegion] = {}
    for region, fact in zip(regions, analysis.regions, strict=True):
        if region.hash not in planned:
            planned[region.hash] = plan_region(region, fact.floor, common, wishes.get(region.hash, NOTHING))
    plan = assemble(graph, analysis, device, regions, planned, options)
    return msgspec.structs.replace(plan, measured=common.measured.record)


def assemble(
    graph: Graph,
    analysis: Analysis,
    device: Device,
    regions: tuple[Region, ...],
    planned: dict[str, PlannedRegion],
    options: PlanOptions,
) -> Plan:
    """The plan of a graph whose distinct regions are planned: steps, scratch values and sums."""
    order = {key: n for n, key in enumerate(planned)}
    steps, scratch = _steps(graph, regions, planned, order)
    plans = [p.plan for p in planned.values()]
    kernels = [plans[s.region].kernels[s.kernel] for s in steps if s.kind == "kernel"]
    wide = options.index_bits == 64 or any(v.type.elements > INDEX_LIMIT for v in graph.values)
    return Plan(
        device=device.name,
        strategy=options.strategy,
        policy="strict",
        index_bits=64 if wide else 32,
        summary=Summary(
            ops=sum(1 for n in graph.nodes if n.op.form is not Form.CONSTANT),
            kernels=len(kernels),
            library_calls=sum(1 for s in steps if s.kind == "library"),
            bytes=sum(k.bytes for k in kernels),
            bytes_min=sum(r.floor for r in analysis.regions),
            bytes_unfused=sum(r.unfused for r in analysis.regions),
            l2_bytes=sum(k.l2_bytes for k in kernels),
            predicted_us=sum(k.predicted_us for k in kernels),
        ),
        regions=tuple(plans),
        steps=steps,
        scratch=scratch,
        constants=constants(device),
    )


def constants(device: Device) -> dict[str, float]:
    """Every figure of the device: limits, rates, overheads and the model's, by its name in the description."""
    return figures(device)


def replaced(graph: Graph, kernel: Kernel) -> tuple[int, ...]:
    """Values that a kernel updates in place: the operands of its scatters, in the order of what it writes."""
    producers = [graph.values[v].node for p in kernel.parts for v in p.outputs]
    nodes = dict.fromkeys(n for n in producers if n >= 0 and graph.nodes[n].op.form is Form.SCATTER)
    return tuple(graph.nodes[n].inputs[0] for n in nodes)


def _steps(
    graph: Graph, regions: tuple[Region, ...], planned: dict[str, PlannedRegion], order: dict[str, int]
) -> tuple[tuple[Step, ...], tuple[Scratch, ...]]:
    """Library calls and launches by library depth; values that only a rewrite knows become scratch."""
    depth = depths(graph)
    calls: dict[int, list[int]] = {}
    for node in graph.nodes:
        if is_library(node):
            calls.setdefault(depth[node.id], []).append(node.id)
    by_depth = {r.depth: r for r in regions}
    steps: list[Step] = []
    scratch: list[Scratch] = []
    for level in sorted({*calls, *by_depth}):
        for n in calls.get(level, ()):
            node = graph.nodes[n]
            steps.append(Step(kind="library", node=n, reads=node.inputs, writes=node.outputs))
        region = by_depth.get(level)
        if region is None:
            continue
        found = planned[region.hash]
        names: dict[int, int] = {}

        def outer(v: int, found: PlannedRegion = found, region: Region = region, names: dict[int, int] = names) -> int:
            if found.back[v] >= 0:
                return region.origin[found.back[v]]
            if v not in names:
                ttype = found.graph.type(v)
                names[v] = len(graph.values) + len(scratch)
                scratch.append(
                    Scratch(id=names[v], name=found.graph.values[v].name, dtype=ttype.dtype.name, shape=ttype.shape)
                )
            return names[v]

        for k, kernel in enumerate(found.plan.kernels):
            reads = tuple(dict.fromkeys(v for p in kernel.parts for v in p.inputs)) + replaced(found.graph, kernel)
            writes = tuple(dict.fromkeys(v for p in kernel.parts for v in p.outputs))
            steps.append(
                Step(
                    kind="kernel",
                    region=order[region.hash],
                    kernel=k,
                    reads=tuple(outer(v) for v in reads),
                    writes=tuple(outer(v) for v in writes),
                )
            )
    return tuple(steps), tuple(scratch)
