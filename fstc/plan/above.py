"""What a plan moves above the floor: between which kernels, which scheme would keep it on chip, what staying costs.

Example: ``%dgamma.partial`` is written by all blocks and added by a second launch; a grid composition would add it in
the first. The schemes named are those that this version does not plan: cluster (blocks that share their memory), grid
(all blocks), and a loop over rows around all phases, which makes row and column reductions of one space in one pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from fstc.ir.axes import find_axes
from fstc.plan.artefact import Decision, Kernel
from fstc.plan.judge import Judge
from fstc.plan.launch import Item
from fstc.plan.partition import Partition
from fstc.plan.pricer import Members

ABOVE = 1.02  # of the floor: a plan that moves no more needs no excuse
SMALL = 0.005  # of the floor: what is not worth a line
MOST = 8


def above_floor(
    judge: Judge, partition: Partition, launches: Sequence[Sequence[Item]], kernels: Sequence[Kernel], floor: int
) -> list[Decision]:
    """One decision (FSN050) for each tensor that several launches move, the largest first. ``floor``: bytes."""
    pricer = judge.pricer
    graph = pricer.graph
    if sum(k.bytes for k in kernels) <= ABOVE * floor:
        return []
    writers: dict[int, int] = {}
    readers: dict[int, list[int]] = {}
    for n, launch in enumerate(launches):
        for members, _ in launch:
            writers |= dict.fromkeys(pricer.outputs_of(members), n)
            for v in pricer.reads_of(members):
                readers.setdefault(v, []).append(n)
    found = []
    for value, launched in readers.items():
        places = sorted({*launched, *([writers[value]] if value in writers else [])})
        moved = graph.type(value).nbytes * (len(places) - (value not in writers or value in pricer.results))
        if len(places) > 1 and moved > SMALL * floor:
            found.append((-moved, value, places))
    out = []
    for negative, value, places in sorted(found)[:MOST]:
        first, last = (_holding(judge, launches[p], value) for p in (places[0], places[-1]))
        cost = -negative / (pricer.device.dram_gbps * 1e3) + pricer.device.launch_us
        reason = f"{-negative / 1e6:.4g} MB above the floor; {_because(judge, partition, first, last)}"
        name = f"%{graph.values[value].name}"
        out.append(
            Decision(code="FSN050", accepted=False, left=name, right=pricer.name(last), gain_us=-cost, reason=reason)
        )
    return out


def _holding(judge: Judge, launch: Sequence[Item], value: int) -> Members:
    """The part of a launch that reads or makes a value."""
    pricer = judge.pricer
    return next(m for m, _ in launch if value in pricer.outputs_of(m) or value in pricer.reads_of(m))


SCHEMES = ("FSN010", "FSN020", "FSN021", "FSN031")  # refusals that another scheme of composition would lift


def _because(judge: Judge, partition: Partition, first: Members, last: Members) -> str:
    """The scheme that would keep a value on chip; or what keeps the kernels apart, where no scheme would help."""
    verdict = judge.join([first, last]) if first != last else None
    if verdict is None or verdict.accepted or verdict.code in SCHEMES or verdict.code == "FSN014":
        return f"{_scheme(judge, partition, first, last)} would keep it on chip"
    return f"apart by {verdict.code}: {verdict.reason}"


def _scheme(judge: Judge, partition: Partition, first: Members, last: Members) -> str:
    """What could hold both kernels and those between: by the rows that are left when what they reduce is one group."""
    path = partition.between(*(partition.home[min(m)] for m in (first, last))) or ()
    both = (first | last).union(*(partition.members[k] for k in path))
    verdict = judge.forbidden([first, last], both)
    rows, crossing = _rows(judge, both)
    if verdict is not None and verdict.code == "FSN031":
        return "a loop over rows (mixed row and column) or grid composition" if crossing else "grid composition"
    if rows >= judge.pricer.device.sms:
        return "staging through shared memory or cluster composition"
    if rows * judge.pricer.device.max_cluster_blocks >= judge.pricer.device.sms:
        return "cluster composition"
    return "grid composition"


def _rows(judge: Judge, members: Members) -> tuple[int, bool]:
    """(elements of the largest space along axes that nothing reduces, whether rows and columns are reduced)."""
    part = judge.pricer.part(members)
    axes = find_axes(part)
    reduced = [frozenset(names) for names in axes.reduced if names]
    gone = frozenset().union(*reduced)
    rows = max((prod(axes.extents[a] for a in names if a not in gone) for names in axes.members), default=1)
    return rows, any(a.isdisjoint(b) for a in reduced for b in reduced)
