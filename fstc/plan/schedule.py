"""A pattern under a placement: loop nests, carriers of what is held, exchanges between warps, the arena.

Example: a LayerNorm row over 8 warps has three nests (mean, variance, output), one register hold (the summed input)
and two exchanges of 32 bytes that must not share memory with their neighbour in time.
"""

from __future__ import annotations

from dataclasses import dataclass

from fstc.ir.graph import Node
from fstc.ir.pattern import Pattern, Root, in_order
from fstc.plan.arena import Life, place
from fstc.plan.artefact import AxisPlace, Exchange, Hold, Nest
from fstc.plan.holds import Held
from fstc.plan.work import instructions

BODY = 640  # thread-instructions of an unrolled loop body: more steps at once cost registers, fewer cost latency
LARGEST_BODY = 1200  # thread-instructions of what must be unrolled because it indexes register arrays
REGISTER_ARRAY = 96  # elements of one register array at most
BASE_REGISTERS = 18  # addresses, indices, temporaries


@dataclass(frozen=True)
class Schedule:
    places: dict[str, AxisPlace]
    nests: tuple[Nest, ...]
    holds: tuple[Hold, ...]
    dropped: tuple[Held, ...]  # wanted, but there is no room: loaded or computed again
    exchanges: tuple[Exchange, ...]
    shared: int
    registers: int
    threads: int
    barriers: int


def accumulators(pattern: Pattern, node: Node, places: dict[str, AxisPlace]) -> int:
    """Partial results of a reduction that one thread carries: its kept vector and serial digits."""
    count = 1
    for axis in pattern.kept(node):
        count *= places[axis].per_thread
    return count


def component_bytes(pattern: Pattern, node: Node) -> int:
    """Bytes of one partial result, all components: f32 accumulators for narrow floats, value and index for argmax."""
    total = 0
    for value in node.outputs:
        dtype = pattern.graph.type(value).dtype
        total += max(4, dtype.size) if dtype.is_float else dtype.size
    return total if node.op.monoid is not None else total + 1


def make_schedule(
    pattern: Pattern, held: tuple[Held, ...], placement: tuple[AxisPlace, ...], *, registers: int, shared: int
) -> Schedule | str:
    """The schedule, or why there is none. ``registers`` a thread and ``shared`` bytes a block are the limits."""
    places = {p.axis: p for p in placement}
    warps = max((p.warp_stride * p.warps for p in placement), default=1)
    nests = _nests(pattern, places)
    accumulated = {n.id: accumulators(pattern, n, places) for n in pattern.reductions}
    if max(accumulated.values(), default=0) > REGISTER_ARRAY:
        return "too many partial results in one thread"
    epoch, epochs = 0, []
    crossing = {n.id: _crosses_warps(pattern, n, places) for n in pattern.reductions}
    for phase in range(pattern.phases()):
        epochs.append(epoch)
        if any(crossing[n.id] for n in pattern.reductions if pattern.depth[n.id] - 1 == phase):
            epoch += 1
    lives: list[Life] = []
    owners: list[tuple[str, int]] = []
    for node in pattern.reductions:
        if crossing[node.id]:
            lanes = 1
            for axis in pattern.kept(node):
                lanes *= places[axis].lanes
            size = warps * lanes * accumulated[node.id] * component_bytes(pattern, node)
            phase = pattern.depth[node.id] - 1
            lives.append(Life(size, epochs[phase], epochs[phase] + 1))
            owners.append(("exchange", node.id))
    carriers = _carriers(pattern, held, places, nests, accumulated, registers, shared, warps, lives, epochs)
    if isinstance(carriers, str):
        return carriers
    chosen, dropped, used = carriers
    body = _unrolled(pattern, nests, places, chosen)
    if body > LARGEST_BODY:
        return f"{body:.0f} instructions a thread would be unrolled, limit {LARGEST_BODY}"
    for hold in chosen:
        if hold.carrier == "shared":
            source = next(h for h in held if h.value == hold.value)
            lives.append(Life(_shared_size(hold, source, warps), epochs[source.first], epochs[source.last]))
            owners.append(("hold", hold.value))
    offsets, total = place(tuple(lives))
    at = dict(zip(owners, offsets, strict=True))
    exchanges = tuple(
        Exchange(node=n.id, offset=at["exchange", n.id], bytes=life.size, phase=pattern.depth[n.id] - 1)
        for (kind, owner), life in zip(owners, lives, strict=True)
        if kind == "exchange"
        for n in (pattern.graph.nodes[owner],)
    )
    holds = tuple(
        Hold(value=h.value, axes=h.axes, carrier=h.carrier, elements=h.elements, offset=at.get(("hold", h.value), 0))
        for h in chosen
    )
    if total > shared:
        return f"shared memory: needs {total} bytes, limit {shared}"
    return Schedule(places, nests, holds, dropped, exchanges, total, used, warps * 32, epoch)


def _unrolled(pattern: Pattern, nests: tuple[Nest, ...], places: dict[str, AxisPlace], holds: list[Hold]) -> float:
    """Thread-instructions of the largest nest when the loops that index register arrays are unrolled whole."""
    indexed = {a for h in holds if h.carrier == "register" for a in h.axes}
    for node in pattern.reductions:
        indexed |= set(pattern.kept(node))
    each = work_each(pattern) / max(pattern.phases(), 1)
    largest = 0.0
    for nest in nests:
        size = 1
        for axis in nest.loops:
            size *= places[axis].per_thread if axis in indexed else places[axis].vector
        if size > 1:  # one element at a time is always possible
            largest = max(largest, size * each)
    return largest


def _crosses_warps(pattern: Pattern, node: Node, places: dict[str, AxisPlace]) -> bool:
    return any(places[a].warps > 1 for a in pattern.reduced(node))


def _nests(pattern: Pattern, places: dict[str, AxisPlace]) -> tuple[Nest, ...]:
    """Roots of one phase whose loops are a prefix of another's share its nest."""
    out: list[Nest] = []
    order = {axis: n for n, axis in enumerate(pattern.used)}
    each = work_each(pattern)
    for phase in range(pattern.phases()):
        made: list[tuple[tuple[str, ...], list[int], list[int]]] = []
        keyed: list[tuple[tuple[str, ...], Root]] = []
        for root in (r for r in pattern.roots if r.phase == phase):
            looped = [a for a in root.axes if places[a].per_thread > 1]
            if root.node < 0 or not in_order(pattern.graph.nodes[root.node]):
                looped.sort(key=lambda a: order[a])
            keyed.append((tuple(looped), root))
        for wanted, root in sorted(keyed, key=lambda item: -len(item[0])):
            home = next((n for n, m in enumerate(made) if _shares(m[0], wanted, places)), len(made))
            if home == len(made):
                made.append((wanted, [], []))
            if root.node >= 0:
                made[home][1].append(root.node)
            else:
                made[home][2].append(root.value)
        for loops, reduces, stores in made:
            vector = 1
            for axis in loops:
                vector *= places[axis].vector
            out.append(
                Nest(
                    phase=phase,
                    loops=loops,
                    reduces=tuple(sorted(reduces)),
                    stores=tuple(sorted(stores)),
                    unroll=max(1, min(8, int(BODY // (vector * max(each, 1.0))))),
                )
            )
    return tuple(out)


def work_each(pattern: Pattern) -> float:
    """Thread-instructions for one element of the largest iteration space."""
    largest = 1
    for root in pattern.roots:
        size = 1
        for axis in root.axes:
            size *= pattern.extent(axis)
        largest = max(largest, size)
    return instructions(pattern) / largest


def _shares(nest: tuple[str, ...], loops: tuple[str, ...], places: dict[str, AxisPlace]) -> bool:
    """A root with fewer loops sits at an outer level; its vector loops would be inside, so it must have none."""
    return nest == loops or (nest[: len(loops)] == loops and all(places[a].vector == 1 for a in loops))


def _shared_size(hold: Hold, held: Held, warps: int) -> int:
    return hold.elements * held.size * warps * 32


def _carriers(
    pattern: Pattern,
    held: tuple[Held, ...],
    places: dict[str, AxisPlace],
    nests: tuple[Nest, ...],
    accumulated: dict[int, int],
    registers: int,
    shared: int,
    warps: int,
    exchanges: list[Life],
    epochs: list[int],
) -> tuple[list[Hold], tuple[Held, ...], int] | str:
    """Registers for what fits, then shared memory, the smallest first; what fits nowhere is dropped."""
    working = max((_working(pattern, nest, places) for nest in nests), default=1)
    partial = sum(accumulated.values())
    base = BASE_REGISTERS + min(working, 32) + partial
    if base > registers + 24:
        return f"registers: about {base} needed, limit {registers}"
    spent = [base] * pattern.phases()  # between a phase and the next; what ends and begins in one phase shares
    taken = sum(life.size for life in exchanges)
    chosen: list[Hold] = []
    dropped: list[Held] = []
    for item in sorted(held, key=lambda h: (_elements(h, places) * max(h.size, 4), h.value)):
        count = _elements(item, places)
        cost = count * max(item.size, 4) // 4
        crossed = range(item.first, item.last)
        if count <= REGISTER_ARRAY and all(spent[p] + cost <= registers for p in crossed):
            for p in crossed:
                spent[p] += cost
            chosen.append(Hold(value=item.value, axes=item.axes, carrier="register", elements=count))
        elif taken + count * item.size * warps * 32 <= shared:
            taken += count * item.size * warps * 32
            chosen.append(Hold(value=item.value, axes=item.axes, carrier="shared", elements=count))
        else:
            dropped.append(item)
    return sorted(chosen, key=lambda h: h.value), tuple(dropped), max(spent)


def _elements(item: Held, places: dict[str, AxisPlace]) -> int:
    count = 1
    for axis in item.axes:
        count *= places[axis].per_thread
    return count


def _working(pattern: Pattern, nest: Nest, places: dict[str, AxisPlace]) -> int:
    """Registers that one pass of a nest's vector loop keeps: loaded and stored tiles."""
    vector = 1
    for axis in nest.loops:
        vector *= places[axis].vector
    tensors = len(pattern.graph.inputs) + len(nest.stores)
    return vector * min(tensors, 6) * 3 // 4


__all__ = ["Schedule", "accumulators", "make_schedule"]
