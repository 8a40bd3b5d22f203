"""plan: disjoint kernels with placements, schemes and carriers, and a decision for all that stays apart.

Example: ``make_plan(graph, analysis, load_device("h200")).summary.kernels``. Equal regions are planned once; a region
is planned for several choices of reductions that are split over the grid, and the fastest plan stays.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

import msgspec

from fstc.analysis.artefact import Analysis
from fstc.device.device import Device, figures
from fstc.ir.graph import Graph
from fstc.ir.ops.opdef import Form
from fstc.ir.pattern import in_order
from fstc.ir.printer import print_graph
from fstc.ir.regions import Region, depths, find_regions, is_library
from fstc.ir.rewrite import rewrite
from fstc.ir.subgraph import extract, structural_hash
from fstc.ir.traffic import floor_bytes
from fstc.plan.artefact import Decision, Kernel, Measurement, Plan, RegionPlan, Rewrite, Scratch, Step, Summary
from fstc.plan.candidate import Placed
from fstc.plan.delta import Delta, Rules
from fstc.plan.describe import make_kernel, make_part
from fstc.plan.explore import Width
from fstc.plan.folding import constants as constants_of
from fstc.plan.folding import folded_ops
from fstc.plan.judge import EQUAL, Judge
from fstc.plan.measured import Measured
from fstc.plan.moves import Mover
from fstc.plan.options import CLASSIC, NONE, STITCH, PlanOptions
from fstc.plan.pack import Item, Packer
from fstc.plan.polish import Polisher
from fstc.plan.pricer import Equal, Pricer
from fstc.plan.refine import Refiner
from fstc.plan.search import search
from fstc.plan.split import Split, split_choices
from fstc.plan.steer import NOTHING, Steering, Wishes, budgeted, steered, wishes_of
from fstc.support.diagnostics import FstcError

INDEX_LIMIT = 2**30  # padding may lift an index above its extent


@dataclass(frozen=True)
class PlannedRegion:
    """A region's plan, and the graph that its kernels speak of."""

    plan: RegionPlan
    back: tuple[int, ...]  # value of the rewritten region -> value of the region, or -1
    graph: Graph


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
    known = Measured.of(measured)
    planned: dict[str, PlannedRegion] = {}
    for region in regions:
        if region.hash not in planned:
            planned[region.hash] = _plan_region(region, device, options, wishes.get(region.hash, NOTHING), known)
    return msgspec.structs.replace(assemble(graph, analysis, device, regions, planned, options), measured=known.record)


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


def _plan_region(
    region: Region, device: Device, options: PlanOptions, wishes: Wishes, measured: Measured
) -> PlannedRegion:
    """The fastest of the plans that differ in which reductions are split over the grid."""
    equal: Equal = {}  # patterns that several choices have in common are placed once
    made: list[PlannedRegion] = []
    refused: FstcError | None = None
    for splits in split_choices(region.graph, device):
        try:
            made.append(_plan_split(region, splits, device, options, wishes, equal, measured))
        except FstcError as error:  # a wish may be possible with another choice
            refused = refused or error
    if not made:
        assert refused is not None
        raise refused
    best = min(made, key=lambda p: sum(k.predicted_us for k in p.plan.kernels))
    decisions = list(best.plan.decisions)
    for other in made:
        if other is not best:
            gain = sum(k.predicted_us for k in best.plan.kernels) - sum(k.predicted_us for k in other.plan.kernels)
            parts = ", ".join(f"%{region.graph.values[w.value].name} in {w.parts}" for w in other.plan.rewrites)
            decisions.append(
                Decision(
                    code="FSN032",
                    accepted=False,
                    left=parts or "no reduction split",
                    right="",
                    gain_us=gain,
                    reason=f"{len(other.plan.kernels)} launches instead of {len(best.plan.kernels)}",
                )
            )
    return PlannedRegion(msgspec.structs.replace(best.plan, decisions=tuple(decisions)), best.back, best.graph)


def _plan_split(
    region: Region,
    splits: tuple[Split, ...],
    device: Device,
    options: PlanOptions,
    wishes: Wishes,
    equal: Equal,
    measured: Measured,
) -> PlannedRegion:
    decisions = [
        Decision(
            code="FSN030",
            accepted=True,
            left=f"%{region.graph.values[s.value].name}",
            right="",
            gain_us=0.0,
            reason=s.reason,
        )
        for s in splits
    ]
    graph, back, pairs = rewrite(region.graph, [(s.value, s.dim, s.parts) for s in splits])
    wishes = wishes.moved({old: new for new, old in enumerate(back) if old >= 0})
    folding = constants_of if options.strategy == NONE else folded_ops
    named = {graph.values[v].node for v in wishes.named}
    pricer = Pricer(graph, device, frozenset(folding(graph) - named), equal, measured)
    found, delta = _searched(pricer, options, frozenset(pairs), steered(pricer, wishes))
    pricer = found.judge.pricer  # it knows what the search repeats
    packer = Packer(pricer, options.strategy == STITCH, found.judge.steering.pinned)
    if delta is not None:
        Polisher(found, Mover(found.judge, delta, found.partition), packer).run()
    launches = packer.run(found.partition)
    kernels = tuple(
        describe_launch(
            graph,
            number,
            [(sorted(pricer.nodes_of(c)), pricer.outputs_of(c), placed) for c, placed in launch],
            device,
        )
        for number, launch in enumerate(launches)
    )
    plan = RegionPlan(
        hash=region.hash,
        text=tuple(line.strip() for line in print_graph(graph).splitlines() if line.strip()),
        rewrites=tuple(Rewrite(value=s.value, dim=s.dim, parts=s.parts) for s in splits),
        kernels=kernels,
        decisions=tuple(decisions + found.decisions + packer.decisions + _slow(pricer, launches)),
    )
    return PlannedRegion(plan, back, graph)


def _searched(
    pricer: Pricer, options: PlanOptions, pairs: frozenset[tuple[int, int]], steering: Steering
) -> tuple[Refiner, Delta | None]:
    """The best partition under a strategy; what loop fusion finds is one of the places that stitching starts from."""
    width = Width(options.top_k, options.beam_width, options.group_size)

    def by(strategy: str) -> tuple[Judge, Delta | None]:
        rules = Rules(options.max_ops, strategy == CLASSIC, apart_of(pairs, steering.apart))
        judge = Judge(pricer, rules, pairs, steering)
        return judge, None if strategy == NONE else Delta(pricer.graph, pricer.device, pricer.folded, rules)

    judge, delta = by(options.strategy)
    found = search(judge, delta, width)
    if options.strategy != STITCH or delta is None or len(found.partition.members) < 2:
        return found, delta
    loops = search(*by(CLASSIC), width)
    onward = Refiner(
        replace(judge, pricer=loops.judge.pricer),
        loops.partition,
        [d for d in loops.decisions if d.code != "FSN023"],
    )
    onward.run(delta)
    return (onward if onward.time() < found.time() * EQUAL else found), delta


def apart_of(pairs: Iterable[tuple[int, int]], wished: Mapping[int, frozenset[int]]) -> dict[int, frozenset[int]]:
    """For each op those that it must not share a kernel with: the other half of a split reduction, and wishes."""
    found = {a: set(others) for a, others in wished.items()}
    for a, b in pairs:
        found.setdefault(a, set()).add(b)
        found.setdefault(b, set()).add(a)
    return {n: frozenset(others) for n, others in found.items()}


def _slow(pricer: Pricer, launches: list[list[Item]]) -> list[Decision]:
    """What is in a kernel and slower than one would hope: ordered folds, and values for which there was no room."""
    found = []
    graph = pricer.graph
    for node in graph.nodes:
        if node.op.form in (Form.REDUCE, Form.SCAN) and in_order(node):
            steps = graph.type(node.inputs[0]).elements // max(1, graph.type(node.outputs[0]).elements)
            if node.op.form is Form.SCAN:
                steps = graph.type(node.inputs[0]).shape[node.attr("axis")]
            found.append(_note("FSN040", graph, node.outputs[0], f"{steps} steps in order, each row in one thread"))
    for members, placed in (item for launch in launches for item in launch):
        _, origin = pricer.extracted(members)
        for value in (origin[v] for v in placed.schedule.dropped):
            found.append(_note("FSN041", graph, value, "no room on chip between phases: loaded and computed again"))
    return found


def _note(code: str, graph: Graph, value: int, reason: str) -> Decision:
    return Decision(
        code=code, accepted=False, left=f"%{graph.values[value].name}", right="", gain_us=0.0, reason=reason
    )


def describe_launch(
    graph: Graph, number: int, members: Sequence[tuple[Sequence[int], Container[int], Placed]], device: Device
) -> Kernel:
    """The record of one launch; ``members`` are (nodes, outputs, placement) of its parts."""
    parts = []
    hashes = []
    minimum = 0
    for nodes, outputs, placed in members:
        cut, origin = extract(graph, nodes, keep=outputs)
        parts.append((placed, make_part(placed, origin, nodes)))
        hashes.append(structural_hash(cut))
        minimum += floor_bytes(placed.pattern)
    made = make_kernel(f"k{number}_{_readable(graph, parts[-1][1].outputs)}", parts, device, minimum)
    identity = hashes[0] if len(hashes) == 1 else sha256(" ".join(sorted(hashes)).encode()).hexdigest()
    return msgspec.structs.replace(made, hash=identity)


def constants(device: Device) -> dict[str, float]:
    """Every figure of the device: limits, rates, overheads and the model's, by its name in the description."""
    return figures(device)


def replaced(graph: Graph, kernel: Kernel) -> tuple[int, ...]:
    """Values that a kernel updates in place: the operands of its scatters, in the order of what it writes."""
    nodes = {n for p in kernel.parts for n in p.nodes if graph.nodes[n].op.form is Form.SCATTER}
    return tuple(graph.nodes[n].inputs[0] for n in sorted(nodes))


def _readable(graph: Graph, outputs: tuple[int, ...]) -> str:
    text = graph.values[outputs[-1]].name if outputs else "nothing"
    return "".join(c if c.isalnum() else "_" for c in text)[:32]


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
