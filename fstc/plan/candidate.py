"""The best placement of one pattern on one device: every candidate is scheduled, priced, and the cheapest kept.

Example: ``best(make_pattern(graph), device)`` is a :class:`Placed` with its schedule, traffic and predicted time, or a
:class:`Refusal` that says which limit no candidate could keep.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from math import inf
from typing import NamedTuple

from fstc.device.device import Device
from fstc.ir.ops.opdef import Kind
from fstc.ir.pattern import Pattern, Refusal
from fstc.ir.traffic import Use, distinct_bytes, uses
from fstc.plan.artefact import Access, AxisPlace
from fstc.plan.code import Codes
from fstc.plan.holds import Held, choose_holds
from fstc.plan.latency import Estimate, estimate, least_time
from fstc.plan.measured import NOTHING, Measured
from fstc.plan.placement import candidates
from fstc.plan.schedule import Schedule, Wanted, make_schedule
from fstc.plan.traffic import accesses
from fstc.plan.work import executed, work_each

MAX_BLOCKS = 2**31 - 1
ENOUGH = 1.01  # of what no placement can beat: the search for a better one ends
EQUAL = 0.999  # a gain below a thousandth is none
SPARE = 8  # registers that an estimate may miss before a thread that is given all there are spills
REGROUPED = 3  # placements for which other groupings are tried


class Rejected(NamedTuple):
    """A grouping that was tried and is slower: ``value`` (of the pattern) ``kept`` between phases or computed again."""

    value: int
    kept: bool
    us: float  # more than the chosen one


@dataclass(frozen=True)
class Placed:
    pattern: Pattern
    placement: tuple[AxisPlace, ...]
    schedule: Schedule
    accesses: tuple[Access, ...]
    blocks: int
    estimate: Estimate
    work: float
    rejected: tuple[Rejected, ...] = ()

    @property
    def bytes(self) -> int:
        return sum(a.bytes for a in self.accesses)

    @property
    def l2_bytes(self) -> int:
        return sum(a.l2_bytes for a in self.accesses)


def register_limit(device: Device, threads: int) -> int:
    """Registers a thread may use so that one block fits, less what the compiler keeps for itself."""
    share = device.registers_per_sm // max(threads, 128)
    return min(device.registers_per_thread_max, share) - SPARE


@dataclass(frozen=True)
class Facts:
    """What all placements of a pattern have in common."""

    pattern: Pattern
    held: Wanted
    traffic: tuple[tuple[Use, int], ...]  # each tensor with its distinct bytes
    codes: Codes
    each: float  # thread-instructions for an element
    measured: Measured
    key: str  # of the pattern, among what was measured

    @property
    def bytes(self) -> int:
        return sum(first for _, first in self.traffic)


def facts_of(pattern: Pattern, device: Device, measured: Measured = NOTHING) -> Facts:
    @cache
    def wanted(excluded: frozenset[int]) -> tuple[Held, ...]:
        return choose_holds(pattern, excluded)

    traffic = tuple((use, distinct_bytes(pattern, use)) for use in uses(pattern))
    codes = Codes(pattern)
    return Facts(pattern, wanted, traffic, codes, work_each(codes, device), measured, measured.key(pattern.graph))


def best(
    pattern: Pattern,
    device: Device,
    threads: int | None = None,
    beat: float = inf,
    measured: Measured = NOTHING,
) -> Placed | Refusal:
    """The cheapest legal placement and grouping; ties go to the first candidate.

    ``beat``: microseconds that the pattern's parts take apart; when not even the bytes at the rate of the
    blocks that it can have are faster, no placement is tried. ``measured``: what the compiler made of some placements.
    """
    if pattern.refusal is not None:
        return pattern.refusal
    facts = facts_of(pattern, device, measured)
    least = _least(facts, device)
    if least >= beat:
        return Refusal("FSN021", -1, f"one kernel takes {least:.1f} us at least, apart they take {beat:.1f} us")
    found: list[Placed] = []
    chosen: Placed | None = None
    reason = "no placement"
    for placement in candidates(pattern, device, threads):
        placed = _judge(facts, placement, device, threads, beat=chosen.estimate.time if chosen else inf)
        if isinstance(placed, str):
            reason = placed
            continue
        found.append(placed)
        if chosen is None or placed.estimate.time < chosen.estimate.time * EQUAL:
            chosen = placed
        if chosen.estimate.time <= least * ENOUGH:
            break
    if chosen is None:
        return Refusal("FSN020", -1, reason)
    few = sorted((p for p in found if p is not chosen), key=lambda p: p.estimate.time)[: REGROUPED - 1]
    return _regrouped(facts, [chosen, *few], device, threads)


def _regrouped(facts: Facts, found: list[Placed], device: Device, threads: int | None) -> Placed:
    """Expensive values as sub-roots of groups of their own or not: kept between phases, or computed again.

    All of them kept is what the placements were judged with; none and each one alone are tried for the best few.
    """
    chosen = found[0]
    tried: dict[frozenset[int], float] = {frozenset(): chosen.estimate.time}
    for placed in found:
        kept = [h.value for h in placed.schedule.holds if _expensive(facts.pattern, h.value)]
        for again in dict.fromkeys((frozenset(kept), *(frozenset(kept) - {v} for v in kept))):
            other = _judge(facts, placed.placement, device, threads, again) if again else placed
            if isinstance(other, Placed):
                tried[again] = min(other.estimate.time, tried.get(again, inf))
                if other.estimate.time < chosen.estimate.time * EQUAL:
                    chosen = other
    mine = frozenset(chosen.schedule.again)
    rejected = tuple(
        Rejected(v, v not in again, time - chosen.estimate.time)
        for again, time in tried.items()
        for v in sorted(again ^ mine)
    )
    return replace(chosen, rejected=rejected) if rejected else chosen


def _expensive(pattern: Pattern, value: int) -> bool:
    node = pattern.graph.values[value].node
    return node >= 0 and pattern.graph.nodes[node].op.kind is Kind.EXPENSIVE


def _least(facts: Facts, device: Device) -> float:
    """A lower bound: each phase waits for memory once, and blocks are at most the elements along axes that stay."""
    blocks = 1
    for axis in facts.pattern.used:
        if axis not in facts.pattern.columns:
            blocks *= facts.pattern.extent(axis)
    busy = min(1.0, blocks / device.sms)
    memory = facts.bytes / (device.dram_gbps * 1e3 * busy)
    return device.launch_us + max(memory, facts.pattern.phases() * device.dram_latency_us) + 0.05 * memory


def place_as(
    pattern: Pattern,
    placement: tuple[AxisPlace, ...],
    device: Device,
    measured: Measured = NOTHING,
    again: frozenset[int] = frozenset(),
) -> Placed | str:
    """The pattern under a placement that was chosen elsewhere, or why that cannot be; ``again``: values that are not
    kept between phases.
    """
    return _judge(facts_of(pattern, device, measured), placement, device, None, again)


def _judge(
    facts: Facts,
    placement: tuple[AxisPlace, ...],
    device: Device,
    threads: int | None,
    again: frozenset[int] = frozenset(),
    beat: float = inf,
) -> Placed | str:
    """The pattern under one placement, or why not; one that takes ``beat`` microseconds at least is not priced."""
    pattern = facts.pattern
    blocks = 1
    for place in placement:
        blocks *= place.grid
    size = 32 * max((p.warp_stride * p.warps for p in placement), default=1)
    if size > device.max_threads_per_block:
        return f"blocks of {size} threads, limit {device.max_threads_per_block}"
    if blocks > MAX_BLOCKS or (threads and size > threads):
        return f"{blocks} blocks of {size} threads do not fit a launch"
    schedule = make_schedule(
        facts.codes,
        facts.held,
        placement,
        device,
        each=facts.each,
        registers=register_limit(device, size),
        shared=device.shared_per_block_max,
        again=again,
    )
    if isinstance(schedule, str):
        return schedule
    if threads and size < threads and schedule.shared:
        return "warps of the launch that this part does not use would share its memory"
    if beat < inf and not facts.measured.record and least_time(device, schedule, facts.bytes, blocks) >= beat:
        return "slower than another placement, whatever it reads"
    traffic = accesses(pattern, facts.traffic, schedule.places, blocks)
    reread = _reread(pattern, schedule, traffic, device, blocks)
    code = facts.codes.all(schedule.nests, schedule.held)
    issued = executed(code, schedule.places, traffic, blocks * schedule.threads, device)
    versions = _compiled(facts, placement, schedule, device)
    prices = [estimate(device, s, traffic, issued, blocks, reread + s.spilled * blocks * s.threads) for s in versions]
    price, schedule = min(zip(prices, versions, strict=True), key=lambda pair: pair[0].time)
    if not price.blocks_per_sm:
        return f"{size} threads with {schedule.registers} registers and {schedule.shared} bytes do not fit an SM"
    return Placed(pattern, placement, schedule, traffic, blocks, price, issued)


def _compiled(facts: Facts, placement: tuple[AxisPlace, ...], schedule: Schedule, device: Device) -> list[Schedule]:
    """The schedule with registers as the compiler used them, where that is known; else as estimated."""
    measured, key = facts.measured, facts.key
    reals = measured.reals(key, placement, schedule.threads, schedule.shared, device)
    if reals:
        return [replace(schedule, registers=r.registers, spilled=r.spilled, min_blocks=r.min_blocks) for r in reals]
    bias = measured.bias(key)
    return [replace(schedule, registers=schedule.registers + bias) if bias else schedule]


def _reread(pattern: Pattern, schedule: Schedule, accesses: tuple[Access, ...], device: Device, blocks: int) -> int:
    """Bytes that are loaded again because a wanted hold found no room, where the L2 will have forgotten them.

    They count when the rows that all resident blocks stream exceed half of the L2 (docs/architecture.md, "Bytes").
    """
    if not schedule.dropped:
        return 0
    phases = pattern.phases() - 1
    reads = sum(a.bytes for a in accesses if a.mode == "read")
    resident = min(blocks, device.sms)
    working = reads / max(blocks, 1) * resident
    again = reads * phases
    return again if working > device.l2_bytes / 2 else again // 4
