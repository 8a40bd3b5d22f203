"""What every plan must keep, recomputed from the plan and the graph alone: ``broken(graph, plan, device)`` is empty.

Complete, in order, within the device's limits, every element at some thread, and no two buffers at the same bytes of
shared memory without a barrier between them.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from fstc.device.device import Device
from fstc.device.occupancy import blocks_per_sm
from fstc.ir.graph import Graph
from fstc.ir.ops.opdef import Form
from fstc.ir.pattern import Pattern, make_pattern
from fstc.ir.regions import find_regions
from fstc.ir.rewrite import apply_rewrites
from fstc.ir.subgraph import extract
from fstc.plan.artefact import Kernel, Part, Plan, RegionPlan
from fstc.plan.folding import folded_ops

REPEATED = "FSN005"  # the decision that says that an op is computed by each of its users
ONCE = (Form.REDUCE, Form.SCAN, Form.SCATTER, Form.REDUCE_WINDOW)
PARAMETERS = 4096 // 8  # pointers of one launch
MOST_BLOCKS = 2**31 - 1


def broken(graph: Graph, plan: Plan, device: Device) -> list[str]:
    first = {r.hash: r.graph for r in reversed(find_regions(graph))}
    found = list(_steps(graph, plan))
    for region in plan.regions:
        planned = apply_rewrites(first[region.hash], [(w.value, w.dim, w.parts) for w in region.rewrites])
        found += _complete(planned, region)
        for kernel in region.kernels:
            found += [f"{kernel.name}: {text}" for text in _kernel(planned, kernel, device)]
    return found


# -- the whole plan ---------------------------------------------------------------------------------------------------


def _steps(graph: Graph, plan: Plan) -> Iterator[str]:
    """Each step reads what exists, nothing is written twice, and in the end all outputs are there."""
    constants = {v for n in graph.nodes if n.op.form is Form.CONSTANT for v in n.outputs}
    known = {*graph.inputs, *constants}
    made: set[int] = set()
    for number, step in enumerate(plan.steps):
        for value in step.reads:
            if value not in known:
                yield f"step {number} reads value {value}, which no step before has written"
        for value in step.writes:
            if value in made:
                yield f"step {number} writes value {value} a second time"
            made.add(value)
            known.add(value)
        if step.kind == "kernel":
            kernel = plan.regions[step.region].kernels[step.kernel]
            if len(step.writes) != len(dict.fromkeys(v for p in kernel.parts for v in p.outputs)):
                yield f"step {number} does not write what {kernel.name} stores"
    for value in graph.outputs:
        if value not in known:
            yield f"output %{graph.values[value].name} is never written"
    for node in graph.nodes:
        calls = [s for s in plan.steps if s.kind == "library" and s.node == node.id]
        if len(calls) > 1:
            yield f"library call {node.id} runs {len(calls)} times"


def _complete(graph: Graph, region: RegionPlan) -> Iterator[str]:
    """Every op that reaches an output is in some kernel; one that is in several is repeated on purpose."""
    needed: set[int] = set()
    stack = list(graph.outputs)
    while stack:
        node = graph.values[stack.pop()].node
        if node >= 0 and node not in needed:
            needed.add(node)
            stack += graph.nodes[node].inputs
    homes: dict[int, int] = {}
    for kernel in region.kernels:
        for part in kernel.parts:
            for n in part.nodes:
                homes[n] = homes.get(n, 0) + 1
    repeated = _repeated(graph, region)
    for n in sorted(needed):
        name = graph.values[graph.nodes[n].outputs[0]].name
        if n not in homes:
            yield f"%{name} is in no kernel"
        elif homes[n] > 1 and n not in repeated:
            yield f"%{name} is in {homes[n]} kernels, and nothing says so"


def _repeated(graph: Graph, region: RegionPlan) -> set[int]:
    """Folded ops: by rule, by decision, and what only feeds those, down from them."""
    names = {d.left for d in region.decisions if d.code == REPEATED and d.accepted}
    found = set(folded_ops(graph))
    users = graph.users()
    for node in reversed(graph.nodes):
        if node.op.form in ONCE:
            continue
        named = any(f"%{graph.values[v].name}" in names for v in node.outputs)
        if named or any(u in found for v in node.outputs for u in users[v]):
            found.add(node.id)
    return found


# -- one launch -------------------------------------------------------------------------------------------------------


def _kernel(graph: Graph, kernel: Kernel, device: Device) -> Iterator[str]:
    if kernel.threads > device.max_threads_per_block or kernel.threads % 32 or not kernel.threads:
        yield f"{kernel.threads} threads"
    if kernel.shared > device.shared_per_block_max:
        yield f"{kernel.shared} bytes of shared memory, limit {device.shared_per_block_max}"
    if not 0 < kernel.registers <= device.registers_per_thread_max:
        yield f"{kernel.registers} registers"
    if blocks_per_sm(device, kernel.threads, kernel.registers, kernel.shared)[0] < 1:
        yield "no block fits an SM"
    if kernel.blocks > MOST_BLOCKS:
        yield f"{kernel.blocks} blocks"
    pointers = {v for p in kernel.parts for v in (*p.inputs, *p.outputs)}
    if len(pointers) > PARAMETERS:
        yield f"{len(pointers)} tensors"
    for number, part in enumerate(kernel.parts):
        yield from (f"part {number}: {text}" for text in _part(graph, kernel, part))


def _part(graph: Graph, kernel: Kernel, part: Part) -> Iterator[str]:
    cut, origin = extract(graph, part.nodes, keep=frozenset(part.outputs))
    pattern = make_pattern(cut)
    if pattern.refusal:
        yield pattern.refusal.reason
        return
    yield from _placement(pattern, kernel, part)
    yield from _nests(pattern, part, origin)
    yield from _carriers(pattern, part, origin)
    yield from _arena(pattern, kernel, part, origin)


def _placement(pattern: Pattern, kernel: Kernel, part: Part) -> Iterator[str]:
    places = {p.axis: p for p in part.placement}
    for axis in pattern.used:
        if axis not in places or places[axis].covered < pattern.extent(axis):
            yield f"axis {axis} is not covered"
    for axis in pattern.columns:
        if axis in places and places[axis].grid > 1:
            yield f"axis {axis} is reduced, and lies on the grid"
    levels = {
        "lanes": [(p.lane_stride, p.lanes) for p in part.placement if p.lanes > 1],
        "warps": [(p.warp_stride, p.warps) for p in part.placement if p.warps > 1],
        "blocks": [(p.grid_stride, p.grid) for p in part.placement if p.grid > 1],
    }
    for level, digits in levels.items():
        expected = 1
        for stride, radix in sorted(digits):
            if stride != expected:
                yield f"digits of {level} overlap or leave gaps"
            expected *= radix
    if prod(p.lanes for p in part.placement) > 32:
        yield "more than 32 lanes"
    if prod(p.warps for p in part.placement) * 32 > kernel.threads:
        yield "more warps than the launch has"
    if prod(p.grid for p in part.placement) != part.blocks:
        yield "the grid is not the product of its digits"


def _nests(pattern: Pattern, part: Part, origin: list[int]) -> Iterator[str]:
    """Every root is in exactly one nest, not before what it needs."""
    rank = sorted(part.nodes)
    for root in pattern.roots:
        if root.node >= 0:
            homes = [n for n in part.nests if rank[root.node] in n.reduces]
        else:
            homes = [n for n in part.nests if origin[root.value] in n.stores]
        if len(homes) != 1:
            yield f"a root is in {len(homes)} nests"
        elif homes[0].phase < root.phase:
            yield "a nest runs before a reduction that it needs is finished"


def _carriers(pattern: Pattern, part: Part, origin: list[int]) -> Iterator[str]:
    """The edges and the holds say the same, and what crosses warps has an exchange."""
    kept = {(e.value, e.carrier) for e in part.edges if e.user < 0 and e.carrier in ("register", "shared")}
    reduced = {origin[v] for n in pattern.reductions for v in n.outputs}
    kept = {(v, c) for v, c in kept if v not in reduced}
    held = {(h.value, h.carrier) for h in part.holds}
    for value, carrier in sorted(kept ^ held):
        yield f"value {value} is kept in {carrier} by its edge or by a hold, not by both"
    for edge in part.edges:
        if edge.carrier == "recompute" and any(edge.value == h.value for h in part.holds):
            yield f"value {edge.value} is computed again and held"
    places = {p.axis: p for p in part.placement}
    rank = sorted(part.nodes)
    for hold in part.holds:
        if hold.elements != prod(places[a].per_thread for a in hold.axes):
            yield f"value {hold.value} is held in {hold.elements} elements"
    for node in pattern.reductions:
        crosses = any(places[a].warps > 1 for a in pattern.reduced(node) if a in places)
        if crosses != any(e.node == rank[node.id] for e in part.exchanges):
            yield f"reduction {rank[node.id]} crosses warps without an exchange, or has one without need"


# -- shared memory ----------------------------------------------------------------------------------------------------


def _arena(pattern: Pattern, kernel: Kernel, part: Part, origin: list[int]) -> Iterator[str]:
    rank = sorted(part.nodes)
    places = {p.axis: p for p in part.placement}
    crossing = {e.node for e in part.exchanges}
    exchanging = {pattern.depth[n.id] - 1 for n in pattern.reductions if rank[n.id] in crossing}

    def epoch(phase: int) -> int:
        """Barriers before a phase."""
        return sum(p < phase for p in exchanging)

    buffers: list[tuple[str, int, int, int, int]] = []  # name, bytes from and to, epochs from and to
    for exchange in part.exchanges:
        node = pattern.graph.nodes[rank.index(exchange.node)]
        kept = [places[a] for a in pattern.kept(node)]
        dtypes = [pattern.graph.type(v).dtype for v in node.outputs]
        each = sum(max(4, t.size) if t.is_float else t.size for t in dtypes)
        needed = kernel.threads // 32 * prod(p.lanes * p.per_thread for p in kept) * each
        if exchange.bytes < needed:
            yield f"exchange of {exchange.node} has {exchange.bytes} bytes and needs {needed}"
        written = epoch(pattern.depth[node.id] - 1)
        end = exchange.offset + exchange.bytes
        buffers.append((f"exchange of {exchange.node}", exchange.offset, end, written, written + 1))
    lives = _lives(pattern, {h.value for h in part.holds}, origin)
    for hold in part.holds:
        if hold.carrier != "shared":
            continue
        if hold.value not in lives:
            yield f"value {hold.value} is held and never made"
            continue
        size = hold.elements * pattern.graph.type(origin.index(hold.value)).dtype.size * kernel.threads
        first, last = lives[hold.value]
        buffers.append((f"hold of {hold.value}", hold.offset, hold.offset + size, epoch(first), epoch(last)))
    for n, (name, low, high, first, last) in enumerate(buffers):
        if low < 0 or high > kernel.shared:
            yield f"{name} lies outside of the arena"
        for other, low2, high2, first2, last2 in buffers[:n]:
            if low < high2 and low2 < high and first <= last2 and first2 <= last:
                yield f"{name} and {other} share bytes with no barrier between"


def _lives(pattern: Pattern, held: set[int], origin: list[int]) -> dict[int, list[int]]:
    """First and last phase of each held value: where it is surely computed, and where it is read as held."""
    found: dict[int, list[int]] = {}
    for phase in range(pattern.phases()):
        known = set(found)
        stack = [(k, True) for r in pattern.roots if r.phase == phase for k in r.keys]
        seen: set[tuple[object, bool]] = set()
        while stack:
            key, sure = stack.pop()
            if (key, sure) in seen:
                continue
            seen.add((key, sure))
            value = origin[key[0]]
            if value in known:
                found[value][1] = phase
                continue
            instance = pattern.instances[key]
            if value in held and sure:
                found.setdefault(value, [phase, phase])
            if instance.role == "op":
                stack += [(c, sure and not instance.guarded) for c in instance.children]
    return found
