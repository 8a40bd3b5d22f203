"""Rules of reductions over nothing much.

Example: ``reduce_max`` over axes of extent 1 is a reshape. A float ``reduce_sum`` over them is ``x + 0.0`` reshaped: a
sum is never -0.0. A maximum of a broadcast along the dimensions that it repeats is what was repeated.
"""

from __future__ import annotations

from math import prod

from fstc.frontends.passes.rewriter import Rewriter, Rule
from fstc.ir.graph import Node


def reduce_one(rw: Rewriter, node: Node) -> int | None:
    """Over axes of one element each (or no axes) there is nothing to combine."""
    (x,), result = node.inputs, rw.type(node.outputs[0])
    if any(rw.shape(x)[a] != 1 for a in node.attr("axes")):
        return None
    flat = rw.reshape(x, result.shape)
    if node.op.monoid == "add" and result.dtype.is_float:
        return rw.op("add", [flat, rw.full(0.0, result)])
    return flat


def reduce_repeated(rw: Rewriter, node: Node) -> int | None:
    """The largest (least, conjunction, disjunction) of equal elements; of an integer sum n times the element."""
    (x,), axes, result = node.inputs, node.attr("axes"), rw.type(node.outputs[0])
    made = rw.maker(x, "broadcast_in_dim")
    if not made or any(a in made.attr("dims") for a in axes) or not axes:
        return None
    count = prod(rw.shape(x)[a] for a in axes)
    if not count or (node.op.monoid in ("add", "mul") and (node.op.monoid == "mul" or not result.dtype.is_integer)):
        return None
    dims = [d - sum(a < d for a in axes) for d in made.attr("dims")]
    repeated = rw.broadcast(made.inputs[0], result.shape, dims)
    if node.op.monoid != "add":
        return repeated
    bits = 8 * result.dtype.size
    wrapped = count % (1 << bits)
    number = wrapped - (1 << bits) if result.dtype.kind == "i" and wrapped >> bits - 1 else wrapped
    return rw.op("mul", [repeated, rw.full(number, result)])


NAMES = ("reduce_sum", "reduce_prod", "reduce_max", "reduce_min", "reduce_and", "reduce_or")
REDUCTIONS: dict[str, tuple[Rule, ...]] = dict.fromkeys(NAMES, (reduce_one, reduce_repeated))
