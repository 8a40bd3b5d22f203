"""Thread-instructions of a pattern, by the cost classes of the op table.

Example: a LayerNorm element costs about 25: two loads, ten light ops, two reductions, one store. What a nest finds at
hand it does not compute; what several nests compute is counted in each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from math import log2, prod

from fstc.device.device import Device
from fstc.ir.ops.opdef import OpDef
from fstc.plan.artefact import Access, AxisPlace
from fstc.plan.code import ADDRESS, EXPENSIVE, LIGHT, MOVE, REDUCE, Code, Codes, cost_of
from fstc.plan.pressure import accumulators
from fstc.plan.schedule import Schedule


@cache
def slots(device: Device) -> dict[str, float]:
    """Issue slots of one op on one element, by cost class."""
    return {
        ADDRESS: device.issue_address,
        LIGHT: device.issue_light,
        EXPENSIVE: device.issue_expensive,
        REDUCE: device.issue_reduce,
        MOVE: device.issue_move,
    }


def slots_of(op: OpDef, device: Device) -> float:
    """Issue slots of one op on one element, without its loads."""
    cost, times = cost_of(op)
    return times * slots(device)[cost]


def executed(
    code: Sequence[Code], places: Mapping[str, AxisPlace], accesses: Iterable[Access], threads: int, device: Device
) -> float:
    """Thread-instructions that ``threads`` threads issue: every thread computes a value at its own digits.

    So what lacks an axis of the grid is computed by every block along it, and padding costs what work costs. A load or
    store of a vector is one instruction.
    """
    price = slots(device)
    vectors = {a.value: a.vector for a in accesses}
    total = 0.0
    for nest in code:
        for axes, cost, count, value in nest.costs:
            each = count * price[cost] / vectors.get(value, 1)
            for axis in axes:
                if axis in places:
                    each *= places[axis].per_thread
            total += each
    return total * threads


# Instructions of a kernel's text, each written once however often it runs; fitted to NVRTC 13.0 on sm_90
# (python bench/accuracy.py). An expensive op brings its slow path, a load or store its address and guard.
WRITTEN = {ADDRESS: 1.0, LIGHT: 1.0, EXPENSIVE: 18.0, REDUCE: 1.5, MOVE: 2.5}
AN_ACCESS, A_SHUFFLE, AN_EXCHANGE = 5.0, 2.6, 2.1


def written(codes: Codes, schedule: Schedule) -> int:
    """Instructions in the code of a pattern, as the unrolled loops and the exchanges between threads make it."""
    pattern, places = codes.pattern, schedule.places
    indexed = {a for h in schedule.holds if h.carrier == "register" for a in h.axes}
    indexed |= {a for node in pattern.reductions for a in pattern.kept(node)}
    total = 0.0
    for nest, code in zip(schedule.nests, codes.all(schedule.nests, schedule.held), strict=True):
        copies = {
            a: places[a].vector * (places[a].serial if a in indexed else min(places[a].serial, nest.unroll))
            for a in nest.loops
        }
        total += AN_ACCESS * len(code.stored)
        for step in (s for s in code.steps if s.cost):
            each = step.times * WRITTEN[step.cost]
            for axis in step.axes:
                each *= copies.get(axis, 1)
            total += each + AN_ACCESS * (step.loaded > 0)
    for node in pattern.reductions:
        partial = accumulators(pattern, node, places) * len(node.outputs)
        lanes = prod(places[a].lanes for a in pattern.reduced(node))
        warps = prod(places[a].warps for a in pattern.reduced(node))
        total += A_SHUFFLE * partial * log2(lanes) + (AN_EXCHANGE * partial * (warps + 2) if warps > 1 else 0)
    return round(total)


def work_each(codes: Codes, device: Device) -> float:
    """Thread-instructions for one element of the largest iteration space, when nothing is computed twice."""
    pattern, price = codes.pattern, slots(device)
    largest = 1
    for root in pattern.roots:
        size = 1
        for axis in root.axes:
            size *= pattern.extent(axis)
        largest = max(largest, size)
    total = 0.0
    for step in codes.whole.steps:
        each = step.times * price[step.cost] if step.cost else 0.0
        for axis in step.axes:
            each *= pattern.extent(axis)
        total += each
    return total / largest
