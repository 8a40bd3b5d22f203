"""Rules of arithmetic that hold bit for bit, for every NaN, infinity and signed zero.

Example: ``mul %x, 1.0`` is ``%x``; ``add %x, 0.0`` is not, since -0.0 + 0.0 is +0.0, but ``add %x, -0.0`` is.

Not among them, because bits would change: ``pow(x, 0.5)`` as a square root (-0.0, -inf), ``x * 0`` for floats,
``x / c`` as a product unless c is a power of two, a constant moved through a rounding (``(x * c) * d``).
"""

from __future__ import annotations

from math import frexp
from typing import Any

from fstc.frontends.passes.rewriter import Rewriter, Rule
from fstc.ir.graph import Node
from fstc.ir.ops.monoid import identity
from fstc.ir.ops.numerics import cast
from fstc.ir.types import DType


def constant_right(rw: Rewriter, node: Node) -> int | None:
    """A commutative op reads its constant last. IEEE sums, products, maxima commute, signed zeros too."""
    x, y = node.inputs
    return rw.again(node, [y, x]) if rw.is_constant(x) and not rw.is_constant(y) else None


def _neutral(monoid: str) -> Rule:
    def rule(rw: Rewriter, node: Node) -> int | None:
        x, y = node.inputs
        number = identity(monoid, rw.dtype(x))
        return x if rw.repeats(y, -number if monoid == "add" and isinstance(number, float) else number) else None

    rule.__doc__ = f"``{monoid}`` with its neutral element. Of a float sum that is -0.0: x + -0.0 is x for both zeros."
    return rule


def add_zero(rw: Rewriter, node: Node) -> int | None:
    """x + 0.0 is x where x is never -0.0: a sum, a magnitude, an exponential, a number that was an integer."""
    x, y = node.inputs
    if not rw.dtype(x).is_float or not rw.repeats(y, 0.0):
        return None
    if rw.maker(x, "reduce_sum", "abs", "exp"):
        return x
    made = rw.maker(x, "convert")
    return x if made and not rw.dtype(made.inputs[0]).is_float else None


def times_zero(rw: Rewriter, node: Node) -> int | None:
    """x * 0 is 0 for integers and booleans."""
    x, y = node.inputs
    return y if not rw.dtype(x).is_float and rw.repeats(y, _zero(rw.dtype(x))) else None


def times_minus_one(rw: Rewriter, node: Node) -> int | None:
    """x * -1 and x / -1 flip the sign, and integers wrap alike; lowest / -1 is lowest."""
    x, y = node.inputs
    return rw.op("neg", [x]) if rw.dtype(x).kind in "fi" and rw.repeats(y, _one(rw.dtype(x), -1)) else None


def subtract_zero(rw: Rewriter, node: Node) -> int | None:
    """x - 0.0 is x for both zeros: -0.0 - 0.0 is -0.0."""
    x, y = node.inputs
    return x if rw.repeats(y, _zero(rw.dtype(x))) else None


def subtract_itself(rw: Rewriter, node: Node) -> int | None:
    """x - x is 0 for integers; a float may be infinite."""
    x, y = node.inputs
    return rw.full(0, rw.type(x)) if x == y and rw.dtype(x).is_integer else None


def add_negated(rw: Rewriter, node: Node) -> int | None:
    """x + -y is x - y, by IEEE's definition of the difference."""
    x, y = node.inputs
    if made := rw.maker(y, "neg"):
        return rw.op("sub", [x, made.inputs[0]])
    made = rw.maker(x, "neg")
    return rw.op("sub", [y, made.inputs[0]]) if made else None


def subtract_negated(rw: Rewriter, node: Node) -> int | None:
    """x - -y is x + y."""
    made = rw.maker(node.inputs[1], "neg")
    return rw.op("add", [node.inputs[0], made.inputs[0]]) if made else None


def divide_by_one(rw: Rewriter, node: Node) -> int | None:
    x, y = node.inputs
    return x if rw.repeats(y, _one(rw.dtype(x))) else None


def divide_by_power_of_two(rw: Rewriter, node: Node) -> int | None:
    """x / c is x * (1 / c) where 1 / c is exact: both round the same number once."""
    x, y = node.inputs
    number, dtype = rw.number(y), rw.dtype(x)
    if not isinstance(number, float) or abs(frexp(number)[0]) != 0.5:
        return None
    try:
        inverse = 1.0 / number
    except OverflowError:
        return None
    return rw.op("mul", [x, rw.full(inverse, rw.type(y))]) if _held(inverse, dtype) else None


def whole_power(rw: Rewriter, node: Node) -> int | None:
    """pow(x, 0) is 1, pow(x, 1) is x, pow(x, 2) is x * x.

    The square of a number of up to 24 bits is exact in float64, so that both round it once; the device's powf is a few
    units off, the product is not. An f64 square keeps its pow, whose last bit may differ.
    """
    x, y = node.inputs
    dtype, number = rw.dtype(x), rw.number(y)
    if number == 0:
        return rw.full(_one(dtype), rw.type(x))
    if number == 1:
        return x
    return rw.op("mul", [x, x]) if number == 2 and dtype.name != "f64" else None


def twice(rw: Rewriter, node: Node) -> int | None:
    """neg(neg(x)) is x."""
    made = rw.producer(node.inputs[0])
    return made.inputs[0] if made and made.op is node.op else None


def again(rw: Rewriter, node: Node) -> int | None:
    """abs(abs(x)), floor(floor(x)), sign(sign(x)): the second does nothing."""
    made = rw.producer(node.inputs[0])
    return node.inputs[0] if made and made.op is node.op else None


def magnitude_of_negated(rw: Rewriter, node: Node) -> int | None:
    """abs(-x) is abs(x); the lowest integer stays as it is either way."""
    made = rw.maker(node.inputs[0], "neg")
    return rw.op("abs", [made.inputs[0]]) if made else None


def both_the_same(rw: Rewriter, node: Node) -> int | None:
    """max(x, x), min(x, x), and(x, x), or(x, x) are x."""
    return node.inputs[0] if node.inputs[0] == node.inputs[1] else None


def absorbed(rw: Rewriter, node: Node) -> int | None:
    """max(max(x, y), y) is max(x, y), and so for min, and, or."""
    for one, other in (node.inputs, node.inputs[::-1]):
        made = rw.producer(one)
        if made and made.op is node.op and other in made.inputs:
            return one
    return None


def open_clamp(rw: Rewriter, node: Node) -> int | None:
    """clamp(low, x, high) is min(max(x, low), high); a bound that bounds nothing is left out."""
    low, x, high = node.inputs
    dtype, result = rw.dtype(x), rw.type(x)
    if rw.repeats(low, identity("max", dtype)):
        number = rw.number(high)
        return None if number is None else rw.op("min", [x, rw.full(number, result)])
    if rw.repeats(high, identity("min", dtype)):
        number = rw.number(low)
        return None if number is None else rw.op("max", [x, rw.full(number, result)])
    return None


def _zero(dtype: DType) -> Any:
    return identity("add", dtype)


def _one(dtype: DType, number: int = 1) -> Any:
    return bool(number) if dtype.kind == "b" else float(number) if dtype.is_float else number


def _held(number: float, dtype: DType) -> bool:
    """Does the type hold the number exactly?"""
    import numpy as np

    return float(cast(np.float64(number), dtype)) == number


IDEMPOTENT: tuple[Rule, ...] = (constant_right, both_the_same, absorbed)

ARITHMETIC: dict[str, tuple[Rule, ...]] = {
    "add": (constant_right, _neutral("add"), add_zero, add_negated),
    "sub": (subtract_zero, subtract_itself, subtract_negated),
    "mul": (constant_right, _neutral("mul"), times_zero, times_minus_one),
    "div": (divide_by_one, times_minus_one, divide_by_power_of_two),
    "pow": (whole_power,),
    "neg": (twice,),
    "abs": (again, magnitude_of_negated),
    "max": (*IDEMPOTENT, _neutral("max")),
    "min": (*IDEMPOTENT, _neutral("min")),
    "and": (*IDEMPOTENT, _neutral("and")),
    "or": (*IDEMPOTENT, _neutral("or")),
    "xor": (constant_right,),
    "clamp": (open_clamp,),
    **dict.fromkeys(("sign", "floor", "ceil", "round_nearest_even", "round_nearest_afz"), (again,)),
}
