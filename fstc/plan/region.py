"""The plan of one region: searched for several choices of split reductions, the fastest kept and described.

Example: ``plan_region(region, floor, Common(device, PlanOptions()), NOTHING).plan.kernels``. Choices whose plan is near
the fastest are polished before the last comparison; the others only say what they would cost (FSN032).
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256

import msgspec

from fstc.device.device import Device
from fstc.ir.graph import Graph
from fstc.ir.ops.opdef import Form
from fstc.ir.pattern import in_order
from fstc.ir.printer import print_graph
from fstc.ir.regions import Region
from fstc.ir.rewrite import rewrite
from fstc.ir.subgraph import extract, structural_hash
from fstc.ir.traffic import floor_bytes
from fstc.plan.above import above_floor
from fstc.plan.artefact import Decision, Kernel, RegionPlan, Rewrite
from fstc.plan.candidate import EQUAL, Placed
from fstc.plan.delta import Delta, Rules
from fstc.plan.describe import make_kernel, make_part
from fstc.plan.explore import Width
from fstc.plan.folding import constants, folded_ops
from fstc.plan.judge import Judge
from fstc.plan.launch import Item, launches_time
from fstc.plan.measured import NOTHING as UNMEASURED
from fstc.plan.measured import Measured
from fstc.plan.moves import Mover
from fstc.plan.options import CLASSIC, NONE, STITCH, PlanOptions
from fstc.plan.pack import Packer
from fstc.plan.polish import Polisher
from fstc.plan.pricer import Equal, Pricer
from fstc.plan.refine import Refiner
from fstc.plan.search import search, starting
from fstc.plan.split import Split, split_choices
from fstc.plan.steer import Steering, names_of, repeated, steered
from fstc.plan.wishes import NotSplit, Refused, Wishes
from fstc.support.diagnostics import FstcError
from fstc.support.profile import timed

SPREAD = 24  # ops of a region that is also searched with all repeated that can be
POLISHED = 64  # ops with a kernel of their own at most, for polishing
LARGE = 256  # ops: beyond it what loop fusion finds is a start beside others, and only the best is refined


@dataclass(frozen=True)
class PlannedRegion:
    """A region's plan, and the graph that its kernels speak of."""

    plan: RegionPlan
    back: tuple[int, ...]  # value of the rewritten region -> value of the region, or -1
    graph: Graph


@dataclass
class Draft:
    """One choice of split reductions, searched and packed."""

    splits: tuple[Split, ...]
    graph: Graph
    back: tuple[int, ...]
    found: Refiner
    delta: Delta | None
    packer: Packer
    launches: list[list[Item]]

    @property
    def time(self) -> float:
        return launches_time(self.launches, self.found.judge.pricer.device)

    def polish(self, fastest: float) -> None:
        if self.delta is None or len(self.delta.ops) > POLISHED:
            return
        refiner = self.found
        before = refiner.partition
        Polisher(refiner, Mover(refiner.judge, self.delta, refiner.partition), self.packer).run(fastest)
        if refiner.partition is not before:
            self.packer = replace(self.packer, decisions=[])
            self.launches = self.packer.run(refiner.partition)


@dataclass(frozen=True)
class Common:
    """What all regions of a plan share: patterns that they have in common are placed once (``equal``)."""

    device: Device
    options: PlanOptions
    measured: Measured = UNMEASURED
    equal: Equal = field(default_factory=dict)


def plan_region(region: Region, floor: int, common: Common, wishes: Wishes) -> PlannedRegion:
    """The fastest of the plans that differ in which reductions are split over the grid. ``floor``: bytes."""
    drafts: list[Draft] = []
    refused: FstcError | None = None
    ways = (wishes, wishes.by_packing()) if wishes.together else (wishes,)
    for splits in split_choices(region.graph, common.device):
        for way in ways:
            try:
                drafts.append(_draft(region, splits, common, way))
            except FstcError as error:  # a wish may be possible with another choice
                if refused is None or isinstance(refused, NotSplit):
                    refused = error
    if not drafts:
        assert refused is not None
        raise refused
    fastest = min(d.time for d in drafts)
    for draft in drafts:
        with timed("polish"):
            draft.polish(fastest)
    best = min(drafts, key=lambda d: d.time)
    fastest_of: dict[tuple[Split, ...], Draft] = {}
    for draft in drafts:
        known = fastest_of.setdefault(draft.splits, draft)
        if draft.time < known.time:
            fastest_of[draft.splits] = draft
    others = tuple(_other_choice(region.graph, d, best) for splits, d in fastest_of.items() if splits != best.splits)
    with timed("describe"):
        return _described(region, floor, best, common.device, others)


def _draft(region: Region, splits: tuple[Split, ...], common: Common, wishes: Wishes) -> Draft:
    options = common.options
    graph, back, pairs = rewrite(region.graph, [(s.value, s.dim, s.parts) for s in splits])
    wishes = wishes.moved({old: new for new, old in enumerate(back) if old >= 0}, graph)
    folding = constants if options.strategy == NONE else folded_ops
    several = repeated(graph, wishes)
    folded = frozenset(folding(graph) - wishes.ops(graph)) | several
    pricer = Pricer(graph, common.device, folded, common.equal, common.measured)
    with timed("search"):
        found, delta = _searched(pricer, options, frozenset(pairs), steered(pricer, wishes, pairs))
    pricer = found.judge.pricer
    packer = Packer(pricer, options.strategy == STITCH, found.judge.steering)
    with timed("pack"):
        launches = packer.run(found.partition)
    if (missing := packer.missing(launches)) is not None:
        why = "one waits for the other, or no block size fits both"
        raise Refused(f"{names_of(graph, missing)} cannot share a launch", why=why)
    found.decisions += [_repeated(graph, op) for op in sorted(several)]
    return Draft(splits, graph, back, found, delta, packer, launches)


def _repeated(graph: Graph, op: int) -> Decision:
    name = f"%{graph.values[graph.nodes[op].outputs[0]].name}"
    return Decision(code="FSN005", accepted=True, left=name, right="", gain_us=0.0, reason="several pins compute it")


def _other_choice(graph: Graph, other: Draft, best: Draft) -> Decision:
    parts = ", ".join(f"%{graph.values[s.value].name} in {s.parts}" for s in other.splits)
    return Decision(
        code="FSN032",
        accepted=False,
        left=parts or "no reduction split",
        right="",
        gain_us=best.time - other.time,
        reason=f"{len(other.launches)} launches instead of {len(best.launches)}",
    )


def _described(region: Region, floor: int, draft: Draft, device: Device, others: tuple[Decision, ...]) -> PlannedRegion:
    graph, pricer = draft.graph, draft.found.judge.pricer
    kernels = tuple(
        describe_launch(
            graph,
            number,
            [(sorted(pricer.nodes_of(c)), pricer.outputs_of(c), placed) for c, placed in launch],
            device,
        )
        for number, launch in enumerate(draft.launches)
    )
    split = tuple(
        Decision(
            code="FSN030",
            accepted=True,
            left=f"%{region.graph.values[s.value].name}",
            right="",
            gain_us=0.0,
            reason=s.reason,
        )
        for s in draft.splits
    )
    slow = (
        *above_floor(draft.found.judge, draft.found.partition, draft.launches, kernels, floor),
        *_slow(pricer, draft.launches),
    )
    plan = RegionPlan(
        hash=region.hash,
        text=tuple(line.strip() for line in print_graph(graph).splitlines() if line.strip()),
        rewrites=tuple(Rewrite(value=s.value, dim=s.dim, parts=s.parts) for s in draft.splits),
        kernels=kernels,
        decisions=(*split, *draft.found.decisions, *draft.packer.decisions, *slow, *others),
    )
    return PlannedRegion(plan, draft.back, graph)


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
    if options.strategy != STITCH or delta is None:
        return search(judge, delta, width), delta
    narrow, also = by(CLASSIC)
    if len(delta.ops) > LARGE:
        return search(judge, delta, width, also), delta
    found = search(judge, delta, width)
    if len(found.partition.members) < 2:
        return found, delta
    loops = search(narrow, also, width)
    decisions = [d for d in loops.decisions if d.code != "FSN023"]
    onward = Refiner(replace(judge, pricer=loops.judge.pricer), loops.partition, decisions)
    onward.run(delta)
    starts = [onward]
    if len(delta.ops) <= SPREAD and (spread := _spread(judge, delta)) is not None:
        starts.append(spread)
    for other in starts:
        if other.time() < found.time() * EQUAL:
            found = other
    return found, delta


def _spread(judge: Judge, delta: Delta) -> Refiner | None:
    """What comes of every op that can be repeated by its users being so: kernels then share what gains by it."""
    judge = judge.fork()
    pricer = judge.pricer
    mover = Mover(judge, delta, starting(judge))
    repeated = frozenset().union(*mover.repeatable(len(delta.ops)))
    if not repeated:
        return None
    pricer.fold(repeated)
    reason = "computed by each of its users from the start"
    told = [
        Decision(code="FSN005", accepted=True, left=pricer.name(frozenset({n})), right="", gain_us=0.0, reason=reason)
        for n in sorted(repeated)
    ]
    refiner = Refiner(judge, starting(judge), told)
    refiner.legalize()
    refiner.run(delta)
    return refiner


def apart_of(pairs: Iterable[tuple[int, int]], wished: Mapping[int, frozenset[int]]) -> dict[int, frozenset[int]]:
    """For each op those that it must not share a kernel with: the other half of a split reduction, and wishes."""
    found = {a: set(others) for a, others in wished.items()}
    for a, b in pairs:
        found.setdefault(a, set()).add(b)
        found.setdefault(b, set()).add(a)
    return {n: frozenset(others) for n, others in found.items()}


def _slow(pricer: Pricer, launches: list[list[Item]]) -> list[Decision]:
    """What is in a kernel and slower than one would hope: ordered folds, values without room; other groupings."""
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
        for other in placed.rejected:
            chosen = "computed again" if other.kept else "kept between phases"
            reason = f"{chosen}; {'kept' if other.kept else 'computed again'} it would take {other.us:.2f} us more"
            found.append(_note("FSN042", graph, origin[other.value], reason, -other.us))
    return found


def _note(code: str, graph: Graph, value: int, reason: str, gain: float = 0.0) -> Decision:
    name = f"%{graph.values[value].name}"
    return Decision(code=code, accepted=False, left=name, right="", gain_us=gain, reason=reason)


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


def _readable(graph: Graph, outputs: tuple[int, ...]) -> str:
    text = graph.values[outputs[-1]].name if outputs else "nothing"
    return "".join(c if c.isalnum() else "_" for c in text)[:32]
