"""Thread-instructions that every plan spends on an op at least: a bound for the exact solver.

Example: ``least_work(graph, device)[3]`` for an ``exp`` of ``f32[64,64]`` is 4,096 times its slots; for one of a
broadcast row it is 64 times, since a kernel may compute it before it repeats it. Ops of which only a part may be wanted
count nothing.
"""

from __future__ import annotations

from math import prod

from fstc.device.device import Device
from fstc.ir.graph import Graph, Node
from fstc.ir.ops.opdef import Form
from fstc.plan.code import REDUCE
from fstc.plan.work import slots, slots_of

WHOLE = frozenset(
    (
        Form.ELEMENTWISE,
        Form.CONSTANT,
        Form.IOTA,
        Form.BROADCAST,
        Form.RESHAPE,
        Form.TRANSPOSE,
        Form.REVERSE,
        Form.CONCATENATE,
        Form.REDUCE,
    )
)
"""Forms that read every element of their operands when all of their result is wanted."""


def least_work(graph: Graph, device: Device) -> dict[int, float]:
    """Per node: its slots times the elements that differ and are wanted by every plan; of a reduction, all it reads."""
    varies = _varying(graph)
    wanted = _wanted(graph)
    found: dict[int, float] = {}
    for node in graph.nodes:
        if not wanted[node.outputs[0]]:
            continue
        if node.op.form is Form.ELEMENTWISE:
            shape = graph.type(node.outputs[0]).shape
            found[node.id] = prod(shape[d] for d in varies[node.outputs[0]]) * slots_of(node.op, device)
        elif node.op.form is Form.REDUCE:
            found[node.id] = graph.type(node.inputs[0]).elements * slots(device)[REDUCE]
    return found


def _varying(graph: Graph) -> list[frozenset[int]]:
    """Per value: dimensions along which its elements differ for sure, as far as a kernel can tell."""
    found = [frozenset(range(v.type.rank)) for v in graph.values]
    for node in graph.nodes:
        for value in node.outputs:
            found[value] = _of_result(graph, node, value, found)
    return found


def _of_result(graph: Graph, node: Node, value: int, known: list[frozenset[int]]) -> frozenset[int]:
    operands = [known[v] for v in node.inputs]
    form = node.op.form
    if form is Form.ELEMENTWISE:
        return frozenset().union(*operands)
    if form is Form.CONSTANT:
        return frozenset()
    if form is Form.IOTA:
        return frozenset({node.attr("dimension")})
    if form is Form.BROADCAST:
        shape = graph.type(node.inputs[0]).shape
        return frozenset(r for d, r in enumerate(node.attr("dims")) if d in operands[0] and shape[d] != 1)
    if form is Form.TRANSPOSE:
        return frozenset(r for r, d in enumerate(node.attr("permutation")) if d in operands[0])
    everywhere = all(len(o) == graph.type(v).rank for o, v in zip(operands, node.inputs, strict=True))
    return frozenset(range(graph.type(value).rank)) if everywhere else frozenset()


def _wanted(graph: Graph) -> list[bool]:
    """Per value: is all of it needed, whatever the plan?"""
    found = [v.id in graph.outputs for v in graph.values]
    for node in reversed(graph.nodes):
        if node.op.form in WHOLE and any(found[v] for v in node.outputs):
            for value in node.inputs:
                found[value] = True
    return found
