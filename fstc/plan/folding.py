"""Ops that have no kernel of their own: every user repeats them.

Example: ``%f = convert %x : f32[8,64]`` of a bf16 input: each kernel that wants ``%f`` reads ``%x``, which is narrower.
"""

from __future__ import annotations

from fstc.ir.graph import Graph
from fstc.ir.ops.opdef import Form, Kind
from fstc.ir.regions import is_inline_constant

STAYS = (Form.REDUCE, Form.SCAN, Form.SCATTER, Form.REDUCE_WINDOW, Form.RNG)  # never computed by several kernels
LIGHT_CHAIN = 8  # light ops that a user may repeat for one value
WIDER = 1.1  # what a folded op may read, over what reading its stored result would move


FREE = (Form.BROADCAST, Form.RESHAPE, Form.SLICE)  # index maps that read no more than they make


def folded_ops(graph: Graph) -> set[int]:
    """Ops that every user repeats for itself: inline constants, iota, views, and light ops on outside values.

    A broadcast, reshape or slice is an index map: whoever reads it reads its operand. Other views, and light ops whose
    operands are no larger than their result, are repeated where all that they rest on comes from outside: the result
    is never written. A convert from bf16 to f32 is the common case.
    """
    results = set(graph.outputs)
    found: set[int] = set()
    leaves: dict[int, frozenset[int]] = {}  # value of a folded op -> the values behind it
    repeated: dict[int, int] = {}  # value -> light ops behind it
    in_place = {n.inputs[0] for n in graph.nodes if n.op.form is Form.SCATTER}
    for node in graph.nodes:
        if results & set(node.outputs) or (in_place & set(node.outputs) and not is_inline_constant(node)):
            continue
        if node.op.form is Form.SCATTER:
            continue
        below = frozenset().union(*(leaves.get(v, frozenset({v})) for v in node.inputs))
        outside = all(graph.values[v].node < 0 for v in below)
        if is_inline_constant(node) or node.op.form in (Form.IOTA, *FREE):
            repeat = True
        elif not outside or node.op.kind not in (Kind.LAYOUT, Kind.LIGHT) or len(below) > 8:
            repeat = False
        else:
            read = sum(min(graph.type(v).nbytes, graph.type(node.outputs[0]).nbytes) for v in below)
            light = node.op.kind is Kind.LIGHT
            work = sum(repeated.get(v, 0) for v in node.inputs) + light
            fits = read <= WIDER * graph.type(node.outputs[0]).nbytes and work <= LIGHT_CHAIN
            repeat = fits or (node.op.kind is Kind.LAYOUT and work == 0)
        if repeat:
            found.add(node.id)
            for v in node.outputs:
                leaves[v] = below
                repeated[v] = sum(repeated.get(u, 0) for u in node.inputs) + (node.op.kind is Kind.LIGHT)
    return found


def constants(graph: Graph) -> set[int]:
    """Of all ops only those that are no kernel anywhere: inline constants and iota."""
    results = set(graph.outputs)
    return {
        n.id for n in graph.nodes if (is_inline_constant(n) or n.op.form is Form.IOTA) and not results & set(n.outputs)
    }
