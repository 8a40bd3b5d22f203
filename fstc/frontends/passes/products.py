"""Rules of dot_general: transposes around it become its dimension numbers.

Example::

    before  %t = transpose %w {permutation = [1, 0]} : f32[768,3072]
            %y = dot_general %x, %t {lhs_contract = [1], rhs_contract = [0]} : f32[8,3072]
    after   %y = dot_general %x, %w {lhs_contract = [1], rhs_contract = [1]} : f32[8,3072]

The products are the same and are listed in the same order, so the sums are what they were.
"""

from __future__ import annotations

from fstc.frontends.passes.rewriter import Rewriter, Rule
from fstc.ir.graph import Node
from fstc.ir.types import Shape

SIDES = ("lhs", "rhs")


def transposed_operand(rw: Rewriter, node: Node) -> int | None:
    """A transpose that keeps the order of an operand's rows (or columns) among themselves."""
    for side, name in enumerate(SIDES):
        made = rw.maker(node.inputs[side], "transpose")
        if not made:
            continue
        order = made.attr("permutation")
        batch, contract = node.attr(f"{name}_batch"), node.attr(f"{name}_contract")
        free = [order[d] for d in range(len(order)) if d not in batch and d not in contract]
        if free != sorted(free):
            continue
        attrs = dict(node.attrs)
        attrs[f"{name}_batch"] = tuple(order[d] for d in batch)
        attrs[f"{name}_contract"] = tuple(order[d] for d in contract)
        inputs = [made.inputs[0] if i == side else v for i, v in enumerate(node.inputs)]
        return rw.op("dot_general", inputs, rw.type(node.outputs[0]), **attrs)
    return None


def transposed_product(rw: Rewriter, node: Node) -> int | None:
    """A transpose of a product that only it reads: batch dimensions in another order, or the operands swapped."""
    made, order = rw.maker(node.inputs[0], "dot_general"), node.attr("permutation")
    if not made or rw.reads[node.inputs[0]] > 1:
        return None
    attrs = dict(made.attrs)
    batch = len(attrs["lhs_batch"])
    rows, columns = (_free(rw, made, side) for side in range(2))
    if sorted(order[:batch]) != list(range(batch)):
        return None
    plain = tuple(range(batch, batch + rows + columns))
    swapped = (*plain[rows:], *plain[:rows])
    if order[batch:] not in (plain, swapped):
        return None
    for name in SIDES:
        attrs[f"{name}_batch"] = tuple(attrs[f"{name}_batch"][d] for d in order[:batch])
    inputs = list(made.inputs)
    if order[batch:] != plain:
        inputs.reverse()
        attrs = {_other(key): value for key, value in attrs.items()}
    return rw.op("dot_general", inputs, rw.type(node.outputs[0]), **attrs)


def _free(rw: Rewriter, node: Node, side: int) -> int:
    """How many dimensions of an operand are rows (of the left) or columns (of the right)."""
    name = SIDES[side]
    taken: Shape = (*node.attr(f"{name}_batch"), *node.attr(f"{name}_contract"))
    return len(rw.shape(node.inputs[side])) - len(taken)


def _other(key: str) -> str:
    here, there = SIDES if key.startswith(SIDES[0]) else SIDES[::-1]
    return key.replace(here, there)


PRODUCTS: dict[str, tuple[Rule, ...]] = {"dot_general": (transposed_operand,), "transpose": (transposed_product,)}
