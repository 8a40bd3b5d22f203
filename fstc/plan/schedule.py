"""A pattern under a placement: loop nests, carriers of what is held, exchanges between warps, the arena.

Example: a LayerNorm row over 8 warps has three nests (mean, variance, output), one register hold (the summed input)
and two exchanges of 32 bytes that must not share memory with their neighbour in time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from fstc.device.device import Device
from fstc.ir.graph import Node
from fstc.ir.pattern import Pattern, Root, in_order
from fstc.plan.arena import Life, place
from fstc.plan.artefact import AxisPlace, Exchange, Hold, Nest
from fstc.plan.code import Codes
from fstc.plan.holds import Held
from fstc.plan.pressure import accumulators, between, component_bytes, working

BODY = 640  # thread-instructions of an unrolled loop body: more steps at once cost registers, fewer cost latency
LARGEST_BODY = 1200  # thread-instructions of what must be unrolled because it indexes register arrays
REGISTER_ARRAY = 96  # elements of one register array at most


@dataclass(frozen=True)
class Schedule:
    places: dict[str, AxisPlace]
    nests: tuple[Nest, ...]
    holds: tuple[Hold, ...]
    dropped: tuple[int, ...]  # values that were wanted, but there is no room: loaded or computed again
    exchanges: tuple[Exchange, ...]
    shared: int
    registers: int
    threads: int
    barriers: int
    again: tuple[int, ...] = ()  # values that could be kept, and are cheaper to compute again
    spilled: int = 0  # bytes of local memory that a thread moves, where it is known
    min_blocks: int = 0  # that the compiler is told, where it is known what that does
    held: tuple[Held, ...] = ()  # the holds with the phases that they live in


Wanted = Callable[[frozenset[int]], tuple[Held, ...]]
"""What to keep on chip when some values cannot be kept."""


def make_schedule(
    codes: Codes,
    wanted: Wanted,
    placement: tuple[AxisPlace, ...],
    device: Device,
    *,
    each: float,
    registers: int,
    shared: int,
    again: frozenset[int] = frozenset(),
) -> Schedule | str:
    """The schedule, or why there is none. ``registers`` a thread and ``shared`` bytes a block are the limits,
    ``each`` the thread-instructions for an element, ``again`` values that shall not be kept.

    A value that finds no room is left out and what to keep is asked for anew: others then live longer.
    """
    pattern = codes.pattern
    places = {p.axis: p for p in placement}
    warps = max((p.warp_stride * p.warps for p in placement), default=1)
    nests = _nests(pattern, places, each)
    accumulated = {n.id: accumulators(pattern, n, places) for n in pattern.reductions}
    if max(accumulated.values(), default=0) > REGISTER_ARRAY:
        return "too many partial results in one thread"
    epochs = _epochs(pattern, places)
    exchanges = _exchanges(pattern, places, accumulated, warps, epochs)
    held = wanted(again)
    base = working(device, codes, nests, held, places)
    if max(base) > registers:
        return f"registers: about {max(base):.0f} needed, limit {registers}"
    budget = _Budget(registers, shared - sum(life.size for life in exchanges.values()), warps * 32, base)
    excluded = again
    while True:
        chosen, dropped, crossing = _carriers(held, places, budget)
        if not dropped:
            break
        excluded |= dropped
        held = wanted(excluded)
    if excluded != again:
        base = working(device, codes, nests, held, places)
    body = _unrolled(pattern, nests, places, chosen, each)
    if body > LARGEST_BODY:
        return f"{body:.0f} instructions a thread would be unrolled, limit {LARGEST_BODY}"
    spans = {h.value: (epochs[h.first], epochs[h.last], h.size) for h in held}
    on_chip = {
        h.value: Life(h.elements * spans[h.value][2] * budget.threads, *spans[h.value][:2])
        for h in chosen
        if h.carrier == "shared"
    }
    offsets, total = place((*exchanges.values(), *on_chip.values()))
    if total > shared:
        return f"shared memory: needs {total} bytes, limit {shared}"
    at = dict(zip((*exchanges, *(-1 - v for v in on_chip)), offsets, strict=True))
    return Schedule(
        places=places,
        nests=nests,
        holds=tuple(msgspec.structs.replace(h, offset=at.get(-1 - h.value, 0)) for h in chosen),
        dropped=tuple(sorted(excluded - again)),
        again=tuple(sorted(again)),
        exchanges=tuple(
            Exchange(node=n, offset=at[n], bytes=life.size, phase=pattern.depth[n] - 1) for n, life in exchanges.items()
        ),
        shared=total,
        registers=round(between(base, crossing)),
        threads=budget.threads,
        barriers=epochs[-1],
        held=held,
    )


def _epochs(pattern: Pattern, places: dict[str, AxisPlace]) -> list[int]:
    """Barriers before each phase, and last those of the whole kernel."""
    found = [0]
    for phase in range(pattern.phases()):
        nodes = [n for n in pattern.reductions if pattern.depth[n.id] - 1 == phase]
        found.append(found[-1] + any(_crosses_warps(pattern, n, places) for n in nodes))
    return found


def _exchanges(
    pattern: Pattern, places: dict[str, AxisPlace], accumulated: dict[int, int], warps: int, epochs: list[int]
) -> dict[int, Life]:
    """Per reduction that crosses warps: its buffer, written before the phase's barrier and read after it."""
    found: dict[int, Life] = {}
    for node in pattern.reductions:
        if _crosses_warps(pattern, node, places):
            lanes = 1
            for axis in pattern.kept(node):
                lanes *= places[axis].lanes
            size = warps * lanes * accumulated[node.id] * component_bytes(pattern, node)
            epoch = epochs[pattern.depth[node.id] - 1]
            found[node.id] = Life(size, epoch, epoch + 1)
    return found


def _unrolled(
    pattern: Pattern, nests: tuple[Nest, ...], places: dict[str, AxisPlace], holds: list[Hold], each: float
) -> float:
    """Thread-instructions of the largest nest when the loops that index register arrays are unrolled whole."""
    indexed = {a for h in holds if h.carrier == "register" for a in h.axes}
    for node in pattern.reductions:
        indexed |= set(pattern.kept(node))
    each /= max(pattern.phases(), 1)
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


def _nests(pattern: Pattern, places: dict[str, AxisPlace], each: float) -> tuple[Nest, ...]:
    """Roots of one phase whose loops are a prefix of another's share its nest."""
    out: list[Nest] = []
    order = {axis: n for n, axis in enumerate(pattern.used)}
    for phase in range(pattern.phases()):
        made: list[tuple[tuple[str, ...], list[int], list[int]]] = []
        keyed: list[tuple[tuple[str, ...], Root]] = []
        loops_of: dict[tuple[tuple[str, ...], bool], tuple[str, ...]] = {}  # of many roots over the same axes
        for root in (r for r in pattern.roots if r.phase == phase):
            free = root.node < 0 or not in_order(pattern.graph.nodes[root.node])
            if (root.axes, free) not in loops_of:
                looped = [a for a in root.axes if places[a].per_thread > 1]
                loops_of[root.axes, free] = tuple(sorted(looped, key=lambda a: order[a]) if free else looped)
            keyed.append((loops_of[root.axes, free], root))
        homes: dict[tuple[str, ...], int] = {}
        for wanted, root in sorted(keyed, key=lambda item: -len(item[0])):
            if wanted not in homes:
                homes[wanted] = next((n for n, m in enumerate(made) if _shares(m[0], wanted, places)), len(made))
            home = homes[wanted]
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


def _shares(nest: tuple[str, ...], loops: tuple[str, ...], places: dict[str, AxisPlace]) -> bool:
    """A root with fewer loops sits at an outer level; its vector loops would be inside, so it must have none."""
    return nest == loops or (nest[: len(loops)] == loops and all(places[a].vector == 1 for a in loops))


@dataclass(frozen=True)
class _Budget:
    registers: int  # a thread
    shared: int  # bytes a block, what exchanges leave
    threads: int
    base: list[float]  # registers of each phase that are needed whatever is kept


def _carriers(
    held: tuple[Held, ...], places: dict[str, AxisPlace], budget: _Budget
) -> tuple[list[Hold], frozenset[int], list[int]]:
    """Registers for what fits, then shared memory, the smallest first: (holds, what fits nowhere, registers held
    after each phase); what ends and begins in one phase shares.
    """
    spent = [0] * (len(budget.base) - 1)
    free = budget.shared
    chosen: list[Hold] = []
    dropped: set[int] = set()
    for item in sorted(held, key=lambda h: (_elements(h, places) * max(h.size, 4), h.value)):
        count = _elements(item, places)
        cost = count * max(item.size, 4) // 4
        more = [words + cost * (item.first <= p < item.last) for p, words in enumerate(spent)]
        if count <= REGISTER_ARRAY and between(budget.base, more) <= budget.registers:
            spent = more
            carrier = "register"
        elif count * item.size * budget.threads <= free:
            free -= count * item.size * budget.threads
            carrier = "shared"
        else:
            dropped.add(item.value)
            continue
        chosen.append(Hold(value=item.value, axes=item.axes, carrier=carrier, elements=count))
    return sorted(chosen, key=lambda h: h.value), frozenset(dropped), spent


def _elements(item: Held, places: dict[str, AxisPlace]) -> int:
    count = 1
    for axis in item.axes:
        count *= places[axis].per_thread
    return count


__all__ = ["Schedule", "make_schedule"]
