"""Invariants of a plan that was read from a file, one function each: what code generation and a run rely on.

Example: ``check_plan(graph, plan, "model.plan.json")`` returns quietly, or raises what is wrong as FST0004. Plans that
were just made are not checked here; whether a plan is *good* is nobody's business here either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import NamedTuple

from fstc.ir.axes import reduced_dims
from fstc.ir.graph import Graph
from fstc.ir.ops.opdef import Form
from fstc.ir.pattern import Pattern, Root, in_order, make_pattern
from fstc.ir.regions import find_regions, is_library
from fstc.ir.rewrite import apply_rewrites
from fstc.ir.subgraph import extract
from fstc.ir.types import DTYPES, TensorType
from fstc.plan.artefact import AxisPlace, Kernel, Nest, Part, Plan, RegionPlan
from fstc.plan.run import replaced
from fstc.support.diagnostics import Diagnostic, FstcError

Problems = Iterator[str]

LANES, MOST_THREADS, MOST_BLOCKS = 32, 1024, 2**31 - 1
MOST_SHARED = 1 << 20  # bytes; far above any device, so that the sum of offsets stays a small number
MOST_SHOWN = 5
CARRIERS = ("register", "shared")


@dataclass
class Read:
    """A plan beside its graph; ``planned`` fills up while regions are checked: the graph of each as planned."""

    graph: Graph
    plan: Plan
    planned: dict[int, Graph] = field(default_factory=dict)


class Cut(NamedTuple):
    """One part of a launch, cut out of its region: ``local`` is from the region's values to the pattern's."""

    kernel: Kernel
    part: Part
    pattern: Pattern
    local: dict[int, int]
    rank: dict[int, int]  # from the region's nodes to the pattern's
    places: dict[str, AxisPlace]


def check_plan(graph: Graph, plan: Plan, file: str) -> None:
    """Raise the problems of the first level that has any; a level relies on those before it."""
    read = Read(graph, plan)
    for level in LEVELS:
        problems = list(level(read))
        if problems:
            more = f", and {len(problems) - MOST_SHOWN} more" if len(problems) > MOST_SHOWN else ""
            message = f"{file} is not a plan of its graph: {'; '.join(problems[:MOST_SHOWN])}{more}"
            raise FstcError(Diagnostic("FST0004", message, file=file, help="rerun `fstc plan`"))


# -- the whole plan ----------------------------------------------------------------------------------------------------


def regions(read: Read) -> Problems:
    """Each planned region is one of the graph, once, and its rewrites split reductions that it has."""
    found = {r.hash: r.graph for r in reversed(find_regions(read.graph))}
    seen: set[str] = set()
    if read.plan.index_bits not in (32, 64):
        yield f"indices have {read.plan.index_bits} bits"
    for number, region in enumerate(read.plan.regions):
        graph = found.get(region.hash)
        if graph is None or region.hash in seen:
            yield f"region {number} is not in the graph" if graph is None else f"region {number} is there twice"
            continue
        seen.add(region.hash)
        problems = list(_rewrites(graph, region))
        if problems:
            yield from (f"region {number}: {p}" for p in problems)
        else:
            read.planned[number] = apply_rewrites(graph, [(w.value, w.dim, w.parts) for w in region.rewrites])


def _rewrites(graph: Graph, region: RegionPlan) -> Problems:
    values = [w.value for w in region.rewrites]
    if len(set(values)) < len(values):
        yield "a reduction is split twice"
    for rewrite in region.rewrites:
        inside = 0 <= rewrite.value < len(graph.values)
        node = (
            graph.nodes[graph.values[rewrite.value].node] if inside and graph.values[rewrite.value].node >= 0 else None
        )
        if node is None or node.op.form is not Form.REDUCE or node.op.monoid is None or len(node.outputs) != 1:
            yield f"value {rewrite.value} is no reduction that can be split"
        elif rewrite.dim not in reduced_dims(node):
            yield f"value {rewrite.value} does not reduce dimension {rewrite.dim}"
        elif not 1 <= rewrite.parts <= max(1, graph.type(node.inputs[0]).shape[rewrite.dim]):
            yield f"value {rewrite.value} is split in {rewrite.parts} parts"


def scratch(read: Read) -> Problems:
    """Scratch tensors have ids behind the graph's values, types that exist and sizes that do."""
    ids = [s.id for s in read.plan.scratch]
    if len(set(ids)) < len(ids) or any(i < len(read.graph.values) for i in ids):
        yield "scratch tensors have ids of others"
    for tensor in read.plan.scratch:
        if tensor.dtype not in DTYPES or any(n < 0 for n in tensor.shape) or prod(tensor.shape) >= 2**62:
            yield f"scratch tensor {tensor.name} has no type"


def kernels(read: Read) -> Problems:
    """Every launch within the limits, every part complete and in its own terms."""
    for number, region in enumerate(read.plan.regions):
        graph = read.planned[number]
        for kernel in region.kernels:
            problems = list(_launch(kernel))
            for at, part in enumerate(kernel.parts):
                problems += [f"part {at}: {p}" for p in problems_of_part(graph, kernel, part)]
            yield from (f"kernel {kernel.name}: {p}" for p in problems)


def _launch(kernel: Kernel) -> Problems:
    if kernel.threads % LANES or not LANES <= kernel.threads <= MOST_THREADS:
        yield f"{kernel.threads} threads"
    if not 0 <= kernel.shared <= MOST_SHARED or kernel.min_blocks < 0:
        yield f"{kernel.shared} bytes of shared memory, {kernel.min_blocks} blocks an SM"
    if not kernel.parts or any(p.blocks < 1 for p in kernel.parts) or kernel.blocks > MOST_BLOCKS:
        yield "no blocks, or too many"


def steps(read: Read) -> Problems:
    """A step is a launch or a library call that exists, with as many tensors as that takes, of its types."""
    for number, step in enumerate(read.plan.steps):
        if step.kind == "kernel":
            yield from (
                f"step {number}: {p}" for p in _launched(read, step.region, step.kernel, step.reads, step.writes)
            )
        elif step.kind == "library":
            known = 0 <= step.node < len(read.graph.nodes) and is_library(read.graph.nodes[step.node])
            node = read.graph.nodes[step.node] if known else None
            if node is None:
                yield f"step {number} calls no library"
            elif set(step.reads) != set(node.inputs) or step.writes != node.outputs:
                yield f"step {number} does not read and write what its call does"
        else:
            yield f"step {number} is of no kind"


def _launched(read: Read, region: int, number: int, reads: Sequence[int], writes: Sequence[int]) -> Problems:
    if not 0 <= region < len(read.plan.regions) or not 0 <= number < len(read.plan.regions[region].kernels):
        yield f"there is no kernel {number} in region {region}"
        return
    graph, kernel = read.planned[region], read.plan.regions[region].kernels[number]
    for what, given, taken in (
        ("reads", reads, [*_once(p.inputs for p in kernel.parts), *replaced(graph, kernel)]),
        ("writes", writes, _once(p.outputs for p in kernel.parts)),
    ):
        wanted = [_size(graph.type(v)) for v in taken]
        found = [_size(t) for v in given if (t := _type(read, v)) is not None]
        if found != wanted or len(found) != len(given):
            yield f"it {what} other tensors than {kernel.name} does"


def _once(values: Iterable[Sequence[int]]) -> list[int]:
    return list(dict.fromkeys(v for some in values for v in some))


def _size(type: TensorType) -> tuple[str, int]:
    """What a kernel sees of a tensor's type."""
    return type.dtype.name, type.elements


def _type(read: Read, value: int) -> TensorType | None:
    if 0 <= value < len(read.graph.values):
        return read.graph.type(value)
    tensor = next((s for s in read.plan.scratch if s.id == value), None)
    return TensorType(DTYPES[tensor.dtype], tensor.shape) if tensor else None


def order(read: Read) -> Problems:
    """Nothing is read before it is written, nothing is written twice, and all outputs are there in the end."""
    constants = {v for n in read.graph.nodes if n.op.form is Form.CONSTANT for v in n.outputs}
    known = {*read.graph.inputs, *constants}
    for number, step in enumerate(read.plan.steps):
        missing = [v for v in step.reads if v not in known]
        if missing:
            yield f"step {number} reads value {missing[0]} before it is written"
        twice = [v for v in step.writes if v in known and v not in constants]
        if twice:
            yield f"step {number} writes value {twice[0]} again"
        known.update(step.writes)
    for value in read.graph.outputs:
        if value not in known:
            yield f"nothing writes the output %{read.graph.values[value].name}"


# -- one part of a launch ----------------------------------------------------------------------------------------------


def problems_of_part(graph: Graph, kernel: Kernel, part: Part) -> Problems:
    """The first level of problems: its ops and tensors, its placement, then what rests on both."""
    problems = list(_members(graph, part))
    if problems:
        yield from problems
        return
    cut, origin = extract(graph, part.nodes, keep=frozenset(part.outputs))
    pattern = make_pattern(cut)
    if pattern.refusal:
        yield pattern.refusal.reason
        return
    touched = {value for value, _ in pattern.instances}  # an op may read nothing of an operand
    tensors = [origin[v] for v in cut.inputs if v in touched], [origin[v] for v in cut.outputs]
    if tensors != (list(part.inputs), list(part.outputs)):
        yield "its inputs and outputs are not those of its ops"
        return
    local = {g: i for i, g in enumerate(origin)}
    rank = {n: i for i, n in enumerate(sorted(part.nodes))}
    whole = Cut(kernel, part, pattern, local, rank, {p.axis: p for p in part.placement})
    for level in ((placement, digits), (nests, holds, exchanges, notes)):
        problems = [p for check in level for p in check(whole)]
        if problems:
            yield from problems
            return


def _members(graph: Graph, part: Part) -> Problems:
    if not part.nodes or len(set(part.nodes)) < len(part.nodes):
        yield "it has no ops, or one of them twice"
    if any(not 0 <= n < len(graph.nodes) for n in part.nodes):
        yield "it has an op that its region does not have"
    elif any(is_library(graph.nodes[n]) for n in part.nodes):
        yield "it has a library call"
    if any(not 0 <= v < len(graph.values) for v in (*part.inputs, *part.outputs)):
        yield "it reads or writes a value that its region does not have"


def placement(cut: Cut) -> Problems:
    """Every axis that is walked is placed once, at its extent, and covered."""
    if len(cut.places) < len(cut.part.placement):
        yield "an axis is placed twice"
    for axis in cut.pattern.used:
        if axis not in cut.places:
            yield f"axis {axis} is not placed"
    for axis, place in cut.places.items():
        if axis not in cut.pattern.axes.extents:
            yield f"there is no axis {axis}"
        elif place.extent != cut.pattern.extent(axis) or place.covered < place.extent:
            yield f"axis {axis} is not covered"
    for axis in cut.pattern.columns:
        if axis in cut.places and cut.places[axis].grid > 1:
            yield f"axis {axis} is reduced, and lies on the grid"
    for axis in sorted(cut.pattern.in_thread):
        if axis in cut.places and prod((cut.places[axis].lanes, cut.places[axis].warps, cut.places[axis].grid)) > 1:
            yield f"axis {axis} must stay in one thread"


def digits(cut: Cut) -> Problems:
    """Lanes, warps and blocks are mixed radices without gaps, within the launch."""
    places = cut.part.placement
    numbers = [
        (p.vector, p.lanes, p.lane_stride, p.warps, p.warp_stride, p.serial, p.grid, p.grid_stride) for p in places
    ]
    if any(n < 1 for row in numbers for n in row):
        yield "a digit is less than 1"
        return
    if any(p.vector & (p.vector - 1) for p in places):
        yield "a vector is no power of two"
    for level, pairs in (
        ("lanes", [(p.lane_stride, p.lanes) for p in places if p.lanes > 1]),
        ("warps", [(p.warp_stride, p.warps) for p in places if p.warps > 1]),
        ("blocks", [(p.grid_stride, p.grid) for p in places if p.grid > 1]),
    ):
        expected = 1
        for stride, radix in sorted(pairs):
            if stride != expected or (level == "lanes" and radix & (radix - 1)):
                yield f"digits of {level} overlap, leave gaps, or are no powers of two"
                break
            expected *= radix
    if prod(p.lanes for p in places) > LANES or prod(p.warps for p in places) * LANES > cut.kernel.threads:
        yield "it has more lanes or warps than the launch"
    if prod(p.grid for p in places) != cut.part.blocks:
        yield "its blocks are not the product of its digits"


def nests(cut: Cut) -> Problems:
    """Loops run over axes of the placement; every root is in one nest, not before what it needs."""
    phases = cut.pattern.phases()
    for nest in cut.part.nests:
        if not 0 <= nest.phase < phases or nest.unroll < 1:
            yield f"a nest is of phase {nest.phase}, or unrolls {nest.unroll}"
        if len(set(nest.loops)) < len(nest.loops) or any(a not in cut.places for a in nest.loops):
            yield "a nest loops over an axis twice, or over one that is not there"
        elif any(cut.places[a].per_thread == 1 for a in nest.loops):
            yield "a nest loops over an axis of which a thread has one element"
        if any(n not in cut.rank for n in nest.reduces) or any(v not in cut.part.outputs for v in nest.stores):
            yield "a nest reduces or stores what the part does not"
    for root in cut.pattern.roots:
        if root.node >= 0:
            homes = [n for n in cut.part.nests if root.node in {cut.rank.get(r) for r in n.reduces}]
        else:
            homes = [n for n in cut.part.nests if root.value in {cut.local.get(v) for v in n.stores}]
        if len(homes) != 1 or homes[0].phase < root.phase or not _loops_over(cut, root, homes[0]):
            yield f"%{cut.pattern.graph.values[root.value].name} is not in one nest over its axes, after what it needs"
    reduced = {n for nest in cut.part.nests for n in nest.reduces}
    if reduced - {n for n, i in cut.rank.items() if i in cut.pattern.depth}:
        yield "a nest reduces what is no reduction"


def _loops_over(cut: Cut, root: Root, nest: Nest) -> bool:
    """The nest's outer loops are those of the root; inner ones that it lacks leave it no vectors of its own."""
    wanted = [a for a in root.axes if a in cut.places and cut.places[a].per_thread > 1]
    outer = list(nest.loops[: len(wanted)])
    ordered = root.node >= 0 and in_order(cut.pattern.graph.nodes[root.node])
    alike = outer == wanted if ordered else sorted(outer) == sorted(wanted)
    return alike and (len(nest.loops) == len(wanted) or all(cut.places[a].vector == 1 for a in wanted))


def holds(cut: Cut) -> Problems:
    """What is kept on chip is a value of the part, over its axes, inside the arena."""
    for hold in cut.part.holds:
        value = cut.local.get(hold.value)
        if value is None or hold.carrier not in CARRIERS or any(a not in cut.places for a in hold.axes):
            yield f"value {hold.value} cannot be held"
        elif hold.elements != prod(cut.places[a].per_thread for a in hold.axes):
            yield f"value {hold.value} is held in {hold.elements} elements"
        elif hold.carrier == "shared":
            size = hold.elements * cut.pattern.graph.type(value).dtype.size * cut.kernel.threads
            if hold.offset < 0 or hold.offset + size > cut.kernel.shared:
                yield f"value {hold.value} is held outside of the shared memory"
    if len({h.value for h in cut.part.holds}) < len(cut.part.holds):
        yield "a value is held twice"


def exchanges(cut: Cut) -> Problems:
    """A reduction that crosses warps has an exchange inside the arena, and no other has."""
    given = [e.node for e in cut.part.exchanges]
    nodes = {n: cut.pattern.graph.nodes[i] for n, i in cut.rank.items() if i in cut.pattern.depth}
    if len(set(given)) < len(given) or any(n not in nodes for n in given):
        yield "an exchange is of no reduction, or there twice"
    for name, node in nodes.items():
        crosses = any(cut.places[a].warps > 1 for a in cut.pattern.reduced(node) if a in cut.places)
        if crosses != (name in given):
            yield f"reduction {name} crosses warps without an exchange, or has one without need"
    for exchange in cut.part.exchanges:
        if exchange.offset < 0 or exchange.bytes < 0 or exchange.offset + exchange.bytes > cut.kernel.shared:
            yield f"the exchange of {exchange.node} lies outside of the shared memory"


def notes(cut: Cut) -> Problems:
    """Groups, edges and accesses speak of the part's ops and values."""
    part = cut.part
    values = [g.root for g in part.groups] + [e.value for e in part.edges] + [*part.again]
    ops = [n for g in part.groups for n in g.ops] + [e.user for e in part.edges if e.user >= 0]
    if any(v not in cut.local for v in values) or any(n not in cut.rank for n in ops):
        yield "a group or an edge is of an op or a value that the part does not have"
    if any(a.value not in (*part.inputs, *part.outputs) or a.mode not in ("read", "write") for a in part.accesses):
        yield "an access is to a tensor that the part does not have"


LEVELS: tuple[Callable[[Read], Problems], ...] = (regions, scratch, kernels, steps, order)
