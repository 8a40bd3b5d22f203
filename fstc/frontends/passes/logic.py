"""Rules of booleans, comparisons and selects.

Example: ``select(not %p, %a, %b)`` is ``select(%p, %b, %a)``; ``compare 0.0, %x {direction = GT}`` is
``compare %x, 0.0 {direction = LT}``. Where-masks as sums, ``(1 - mask) * -1e9``, stay: they round.
"""

from __future__ import annotations

from fstc.frontends.passes.rewriter import Rewriter, Rule
from fstc.ir.graph import Node

SWAPPED = {"EQ": "EQ", "NE": "NE", "LT": "GT", "LE": "GE", "GT": "LT", "GE": "LE"}
OPPOSITE = {"EQ": "NE", "NE": "EQ", "LT": "GE", "LE": "GT", "GT": "LE", "GE": "LT"}
OF_NAN = ("EQ", "NE")  # the directions whose opposite is right for NaN too
DEPTH = 8  # ops through which the range of an index is followed


def not_not(rw: Rewriter, node: Node) -> int | None:
    """not(not(x)) is x, bitwise too."""
    made = rw.maker(node.inputs[0], "not")
    return made.inputs[0] if made else None


def not_compare(rw: Rewriter, node: Node) -> int | None:
    """not(x < y) is x >= y where there is no NaN; not(x == y) is x != y always."""
    made = rw.maker(node.inputs[0], "compare")
    if not made or (rw.dtype(made.inputs[0]).is_float and made.attr("direction") not in OF_NAN):
        return None
    return rw.op("compare", made.inputs, direction=OPPOSITE[made.attr("direction")])


def dominated(rw: Rewriter, node: Node) -> int | None:
    """and(x, false) is false, or(x, true) is true; for integers 0 and all ones."""
    y = node.inputs[1]
    dtype = rw.dtype(y)
    ones = True if dtype.kind == "b" else -1 if dtype.kind == "i" else (1 << 8 * dtype.size) - 1
    zeros = False if dtype.kind == "b" else 0
    return y if rw.repeats(y, ones if rw.is_a(node, "or") else zeros) else None


def constant_right(rw: Rewriter, node: Node) -> int | None:
    """A comparison reads its constant last."""
    x, y = node.inputs
    if not rw.is_constant(x) or rw.is_constant(y):
        return None
    return rw.op("compare", [y, x], direction=SWAPPED[node.attr("direction")])


def compare_converted_bool(rw: Rewriter, node: Node) -> int | None:
    """A boolean that became 0 or 1 and is compared with 0 again is itself, or its negation."""
    x, y = node.inputs
    made = rw.maker(x, "convert")
    if not made or rw.dtype(made.inputs[0]).kind != "b" or rw.number(y) != 0 or rw.dtype(y).kind == "b":
        return None
    direction = node.attr("direction")
    if direction in ("NE", "GT"):
        return made.inputs[0]
    return rw.op("not", [made.inputs[0]]) if direction in ("EQ", "LE") else None


def compare_bool(rw: Rewriter, node: Node) -> int | None:
    """p == true and p != false are p, the others its negation."""
    x, y = node.inputs
    if rw.dtype(x).kind != "b" or rw.number(y) is None or node.attr("direction") not in OF_NAN:
        return None
    same = bool(rw.number(y)) == (node.attr("direction") == "EQ")
    return x if same else rw.op("not", [x])


def compare_itself(rw: Rewriter, node: Node) -> int | None:
    """x == x is true for what has no NaN."""
    x, y = node.inputs
    if x != y or rw.dtype(x).is_float:
        return None
    return rw.full(node.attr("direction") in ("EQ", "LE", "GE"), rw.type(node.outputs[0]))


def compare_index(rw: Rewriter, node: Node) -> int | None:
    """An index counted by iota against a number outside its range: how jax and torch ask for negative ones."""
    x, y = node.inputs
    number = rw.number(y)
    if number is None or not rw.dtype(x).is_integer:
        return None
    span = _span(rw, x, DEPTH)
    if span is None:
        return None
    low, high = span
    below, above = high < number, low > number
    if not below and not above:
        if low < number or node.attr("direction") not in ("LT", "GE"):
            return None
        return rw.full(node.attr("direction") == "GE", rw.type(node.outputs[0]))  # low == number: never below it
    true = {"LT": below, "LE": below, "GT": above, "GE": above, "EQ": False, "NE": True}[node.attr("direction")]
    return rw.full(true, rw.type(node.outputs[0]))


def _span(rw: Rewriter, value: int, depth: int) -> tuple[int, int] | None:
    """The least and the largest element of an index that is counted, moved about, or had a constant added."""
    dtype = rw.dtype(value)
    limit = (1 << 8 * dtype.size - (dtype.kind == "i")) - 1
    node = rw.producer(value)
    if node is None or not depth or not rw.type(value).elements:
        return None
    if rw.maker(value, "iota"):
        last = rw.shape(value)[node.attr("dimension")] - 1
        return (0, last) if last <= limit else None
    if rw.maker(value, "reshape", "transpose", "broadcast_in_dim", "slice", "reverse"):
        return _span(rw, node.inputs[0], depth - 1)
    if rw.maker(value, "convert") and rw.dtype(node.inputs[0]).is_integer:
        span = _span(rw, node.inputs[0], depth - 1)
        return span if span and span[1] <= limit and span[0] >= 0 else None
    if rw.maker(value, "add") and isinstance(number := rw.number(node.inputs[1]), int):
        span = _span(rw, node.inputs[0], depth - 1)
        least = -limit - 1 if dtype.kind == "i" else 0
        if span and least <= span[0] + number and span[1] + number <= limit:
            return span[0] + number, span[1] + number
    return None


def select_known(rw: Rewriter, node: Node) -> int | None:
    """A predicate that is true everywhere, or false, or whose choice makes no difference."""
    p, a, b = node.inputs
    if a == b:
        return a
    number = rw.number(p)
    return None if number is None else a if number else b


def select_not(rw: Rewriter, node: Node) -> int | None:
    """select(not p, a, b) is select(p, b, a)."""
    made = rw.maker(node.inputs[0], "not")
    return rw.again(node, [made.inputs[0], node.inputs[2], node.inputs[1]]) if made else None


def select_truth(rw: Rewriter, node: Node) -> int | None:
    """select(p, true, false) is p, select(p, false, true) is not p."""
    p, a, b = node.inputs
    if rw.dtype(a).kind != "b" or rw.type(p) != rw.type(a) or None in (rw.number(a), rw.number(b)):
        return None
    return p if rw.number(a) else rw.op("not", [p])  # both the same is select_known's


def select_again(rw: Rewriter, node: Node) -> int | None:
    """select(p, select(p, a, b), c) is select(p, a, c), select(p, a, select(p, b, c)) too."""
    p, a, b = node.inputs
    one, other = rw.maker(a, "select"), rw.maker(b, "select")
    if one and one.inputs[0] == p:
        return rw.again(node, [p, one.inputs[1], b])
    return rw.again(node, [p, a, other.inputs[2]]) if other and other.inputs[0] == p else None


def select_masked(rw: Rewriter, node: Node) -> int | None:
    """select(p, x, select(q, x, y)) is select(or(p, q), x, y); with x last, and: one mask instead of a chain."""
    p, a, b = node.inputs
    outer, inner = rw.maker(b, "select"), rw.maker(a, "select")
    if outer and outer.inputs[1] == a and rw.type(outer.inputs[0]) == rw.type(p) and rw.reads[b] == 1:
        return rw.again(node, [rw.op("or", [p, outer.inputs[0]]), a, outer.inputs[2]])
    if inner and inner.inputs[2] == b and rw.type(inner.inputs[0]) == rw.type(p) and rw.reads[a] == 1:
        return rw.again(node, [rw.op("and", [p, inner.inputs[0]]), inner.inputs[1], b])
    return None


LOGIC: dict[str, tuple[Rule, ...]] = {
    "not": (not_not, not_compare),
    "and": (dominated,),
    "or": (dominated,),
    "compare": (constant_right, compare_converted_bool, compare_bool, compare_itself, compare_index),
    "select": (select_known, select_not, select_truth, select_again, select_masked),
}
