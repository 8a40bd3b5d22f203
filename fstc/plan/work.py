"""Thread-instructions of a pattern, by op class.

Example: a LayerNorm element costs about 25: two loads, ten light ops, two reductions, one store.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from fstc.ir.ops.opdef import Form, Kind
from fstc.ir.pattern import Instance, Pattern
from fstc.plan.artefact import AxisPlace

# Thread-instructions of one op on one element, issue slots of a 32-lane pipe.
LIGHT, EXPENSIVE, REDUCE, MOVE, ADDRESS = 1.5, 12.0, 1.5, 0.5, 1.0


def instructions(pattern: Pattern) -> float:
    """Thread-instructions of the pattern over all of its iteration spaces, without recomputation."""
    total = 0.0
    for instance in pattern.instances.values():
        count = 1
        for axis in instance.depends:
            count *= pattern.axes.extents.get(axis, 1)
        total += count * _cost(pattern, instance.value, instance.role)
    for node in pattern.reductions:
        total += pattern.graph.type(node.inputs[0]).elements * REDUCE
    return total


Costs = tuple[tuple[frozenset[str], float], ...]
"""Axes that values depend on, and the thread-instructions of all of them for one element."""


def costs(pattern: Pattern) -> Costs:
    """The pattern's work by iteration space; what one placement executes is :func:`executed`."""
    found: dict[frozenset[str], float] = {}
    for instance in pattern.instances.values():
        axes = frozenset(a for a in instance.depends if a in pattern.axes.extents)
        cost = _cost(pattern, instance.value, instance.role) * _taps(pattern, instance)
        found[axes] = found.get(axes, 0.0) + cost
    for node in pattern.reductions:
        axes = frozenset(pattern.axes.members[node.inputs[0]])
        found[axes] = found.get(axes, 0.0) + REDUCE
    return tuple(found.items())


def _taps(pattern: Pattern, instance: Instance) -> int:
    """How often one element is computed: once, but in a window once for each of its taps."""
    loops = {t.key: t.high + 1 for i in instance.at for t, _ in i.terms if t.key.startswith("w")}
    node = pattern.graph.values[instance.value].node
    if instance.role == "op" and pattern.graph.nodes[node].op.form is Form.REDUCE_WINDOW:
        return prod(pattern.graph.nodes[node].attr("window_dimensions")) * prod(loops.values())
    return prod(loops.values())


def executed(costs: Costs, places: Mapping[str, AxisPlace], threads: int) -> float:
    """Thread-instructions that ``threads`` threads issue: every thread computes a value at its own digits.

    So what lacks an axis of the grid is computed by every block along it, and padding costs what work costs.
    """
    total = 0.0
    for axes, cost in costs:
        count = 1
        for axis in axes:
            if axis in places:
                count *= places[axis].per_thread
        total += cost * count
    return total * threads


def _cost(pattern: Pattern, value: int, role: str) -> float:
    if role == "load":
        return ADDRESS
    if role != "op":
        return 0.0
    op = pattern.graph.nodes[pattern.graph.values[value].node].op
    if op.form is Form.RNG:
        return 4 * EXPENSIVE
    return {Kind.LIGHT: LIGHT, Kind.EXPENSIVE: EXPENSIVE, Kind.LAYOUT: MOVE}.get(op.kind, MOVE)


def work_each(pattern: Pattern) -> float:
    """Thread-instructions for one element of the largest iteration space."""
    largest = 1
    for root in pattern.roots:
        size = 1
        for axis in root.axes:
            size *= pattern.extent(axis)
        largest = max(largest, size)
    return instructions(pattern) / largest
