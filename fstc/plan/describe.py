"""From a placed pattern to the plan's records: groups, edges, words, kernels.

Example: the edge from a row maximum to its subtraction reads ``block: a1 at lane 32 and warp 8 is reduced``.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from fstc.device.device import Device
from fstc.device.occupancy import blocks_per_sm
from fstc.ir.traffic import places_of, uses, whole_bytes
from fstc.plan.artefact import Edge, Group, Kernel, Part
from fstc.plan.candidate import Placed
from fstc.plan.code import Codes
from fstc.plan.launch import side_by_side
from fstc.plan.pressure import accumulators, component_bytes
from fstc.plan.work import written

SCHEMES = ("thread", "warp", "block")


def scheme_of(placed: Placed, node_id: int) -> tuple[str, str]:
    """(scheme, disagreeing digits) of a reduction's result: the highest level among its reduced digits."""
    node = placed.pattern.graph.nodes[node_id]
    places = placed.schedule.places
    lanes = [f"{a} at lane {places[a].lanes}" for a in placed.pattern.reduced(node) if places[a].lanes > 1]
    warps = [f"{a} at warp {places[a].warps}" for a in placed.pattern.reduced(node) if places[a].warps > 1]
    why = " and ".join(lanes + warps)
    scheme = "block" if warps else "warp" if lanes else "thread"
    return scheme, f"{why} is reduced" if why else "every thread reduces its own elements"


def make_part(placed: Placed, origin: Sequence[int], nodes: Sequence[int]) -> Part:
    """A part in the region's own ids."""
    pattern, schedule = placed.pattern, placed.schedule
    rank = sorted(nodes)

    def value(v: int) -> int:
        return origin[v] if v >= 0 else -1

    groups, edges = [], []
    for root in pattern.roots:
        target = pattern.graph.nodes[root.node].outputs[0] if root.node >= 0 else root.value
        inside = dict.fromkeys(
            pattern.graph.values[k[0]].node for k in pattern.reach(root.keys) if pattern.instances[k].role == "op"
        )
        members = sorted({rank[n] for n in inside if n >= 0} | ({rank[root.node]} if root.node >= 0 else set()))
        groups.append(
            Group(
                root=value(target),
                ops=tuple(members),
                kind="reduction" if root.node >= 0 else "output",
                phase=root.phase,
            )
        )
    for node in pattern.reductions:
        scheme, why = scheme_of(placed, node.id)
        size = component_bytes(pattern, node) * accumulators(pattern, node, schedule.places)
        exchange = next((e for e in schedule.exchanges if e.node == node.id), None)
        carrier = "shared" if exchange else "shuffle" if scheme == "warp" else "register"
        users = [n.id for n in pattern.graph.nodes if set(node.outputs) & set(n.inputs)]
        for user in users or [-1]:
            edges.append(
                Edge(
                    value=value(node.outputs[0]),
                    user=rank[user] if user >= 0 else -1,
                    scheme=scheme,
                    carrier=carrier,
                    bytes=exchange.bytes if exchange else size * schedule.threads,
                    why=why,
                )
            )
    for hold in schedule.holds:
        size = pattern.graph.type(hold.value).dtype.size * hold.elements * schedule.threads
        edges.append(
            Edge(
                value=value(hold.value),
                user=-1,
                scheme="thread",
                carrier=hold.carrier,
                bytes=size,
                why="each thread keeps its own elements for a later phase",
            )
        )
    lost = [(v, "no room on chip: loaded and computed again by the later phase") for v in schedule.dropped]
    lost += [(v, "cheaper to compute again in the later phase than to keep") for v in schedule.again]
    for v, why in lost:
        edges.append(Edge(value=value(v), user=-1, scheme="thread", carrier="recompute", bytes=0, why=why))
    return Part(
        nodes=tuple(rank),
        inputs=tuple(value(v) for v in pattern.graph.inputs if any(k[0] == v for k in pattern.instances)),
        outputs=tuple(value(v) for v in pattern.graph.outputs),
        blocks=placed.blocks,
        placement=placed.placement,
        nests=tuple(
            msgspec.structs.replace(
                n, reduces=tuple(rank[r] for r in n.reduces), stores=tuple(value(s) for s in n.stores)
            )
            for n in schedule.nests
        ),
        holds=tuple(msgspec.structs.replace(h, value=value(h.value)) for h in schedule.holds),
        exchanges=tuple(msgspec.structs.replace(e, node=rank[e.node]) for e in schedule.exchanges),
        groups=tuple(groups),
        edges=tuple(edges),
        accesses=tuple(msgspec.structs.replace(a, value=value(a.value)) for a in placed.accesses),
        words=words(placed),
        again=tuple(value(v) for v in schedule.again),
    )


def words(placed: Placed) -> str:
    columns = [a for a in placed.pattern.used if a in placed.pattern.columns]
    rows = [a for a in placed.pattern.used if a not in columns]

    def spell(axes: list[str]) -> str:
        return "(" + ", ".join(f"{a}={placed.pattern.extent(a)}" for a in axes) + ")"

    if not columns:
        return f"elements {spell(rows)}"
    return f"rows {spell(rows)} columns {spell(columns)}"


def make_kernel(name: str, parts: list[tuple[Placed, Part]], device: Device, minimum: int) -> Kernel:
    """One launch; a packed one takes the largest of its parts' resources and the sum of their work."""
    placed = [p for p, _ in parts]
    threads = max(p.schedule.threads for p in placed)
    shared = max(p.schedule.shared for p in placed)
    terms: dict[str, float] = {}
    for p in placed:
        for key, amount in p.estimate.terms.items():
            terms[key] = (
                max(terms.get(key, 0.0), amount) if key in ("launch", "latency") else terms.get(key, 0.0) + amount
            )
    time = side_by_side(placed, device)
    schemes = {e.scheme for _, part in parts for e in part.edges if e.user >= 0 or e.carrier in ("shared", "shuffle")}
    highest = max(schemes, key=SCHEMES.index, default="thread")
    shared_reads = _read_again(parts)
    lead = max(placed, key=lambda p: p.estimate.time)
    registers = max(p.schedule.registers for p in placed)
    alone = len(placed) == 1  # of several parts it is not known which one the compiler would squeeze
    room = (lead.schedule.min_blocks or _room(threads, shared, registers, device)) if alone else 1
    return Kernel(
        name=name,
        parts=tuple(part for _, part in parts),
        threads=threads,
        shared=shared,
        registers=registers,
        min_blocks=room,
        instructions=sum(written(Codes(p.pattern), p.schedule) for p in placed),
        blocks_per_sm=min(p.estimate.blocks_per_sm for p in placed),
        occupancy=min(p.estimate.occupancy for p in placed),
        scheme="packing" if len(parts) > 1 else highest,
        bytes=sum(p.bytes for p in placed) - shared_reads,
        bytes_min=minimum - shared_reads,
        l2_bytes=sum(p.l2_bytes for p in placed) + shared_reads,
        predicted_us=time,
        bound=lead.estimate.bound,
        terms=terms,
    )


RELAXED, SLACK = 1.1, 8  # registers over the estimate with which the planned blocks must still fit


def _room(threads: int, shared: int, registers: int, device: Device) -> int:
    """The planned blocks an SM where the estimate has room to be wrong; else 1, and the compiler is free.

    A bound below the plan would not be harmless: the compiler fills the registers that it leaves. And a bound without
    room makes it spill where the estimate was low. AStitch's assume, relax, apply (ASPLOS '22, section 4.3) with
    the estimate in the place of the assumption.
    """
    planned = blocks_per_sm(device, threads, registers, shared)[0]
    allowed = min(int(registers * RELAXED) + SLACK, device.registers_per_thread_max)
    return planned if planned and planned == blocks_per_sm(device, threads, allowed, shared)[0] else 1


def _read_again(parts: Sequence[tuple[Placed, Part]]) -> int:
    """Bytes of tensors that several parts read: the first visit is memory's, the others are the L2's.

    Of two that read a tensor in part, such as rows that each looks up, only what must be the same is read again.
    """
    read: dict[int, list[tuple[Placed, int, int]]] = {}  # by value: who reads it, under which id, how many bytes
    for placed, part in parts:
        for own, access in zip(placed.accesses, part.accesses, strict=True):
            if access.mode == "read":
                read.setdefault(access.value, []).append((placed, own.value, access.bytes))
    total = 0
    for readers in read.values():
        if len(readers) > 1:
            total += sum(size for _, _, size in readers) - _distinct(readers)
    return total


def _distinct(readers: Sequence[tuple[Placed, int, int]]) -> int:
    """Bytes of one tensor that are touched at all."""
    first, value, _ = readers[0]
    whole = whole_bytes(first.pattern.graph.type(value))
    largest = max(size for _, _, size in readers)
    if largest >= whole:
        return whole
    alike: dict[object, int] = {}
    for n, (placed, own, size) in enumerate(readers):
        (use,) = (u for u in uses(placed.pattern) if u.mode == "read" and u.value == own)
        places = places_of(placed.pattern, use)
        key = n if places is None else places
        alike[key] = max(size, alike.get(key, 0))
    return min(whole, sum(alike.values()))
