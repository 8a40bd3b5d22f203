"""Thread-instructions of a pattern, by the cost classes of the op table.

Example: a LayerNorm element costs about 25: two loads, ten light ops, two reductions, one store. What a nest finds at
hand it does not compute; what several nests compute is counted in each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from fstc.device.device import Device
from fstc.ir.ops.opdef import OpDef
from fstc.plan.artefact import AxisPlace
from fstc.plan.code import ADDRESS, EXPENSIVE, LIGHT, MOVE, REDUCE, Code, Codes, cost_of


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


def executed(code: Sequence[Code], places: Mapping[str, AxisPlace], threads: int, device: Device) -> float:
    """Thread-instructions that ``threads`` threads issue: every thread computes a value at its own digits.

    So what lacks an axis of the grid is computed by every block along it, and padding costs what work costs.
    """
    price = slots(device)
    total = 0.0
    for nest in code:
        for axes, cost, count in nest.costs:
            each = count * price[cost]
            for axis in axes:
                if axis in places:
                    each *= places[axis].per_thread
            total += each
    return total * threads


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
