"""The combiners that reductions know by name: identity, combination, and bodies that are one of them.

Example: ``identity("max", F32) == float("-inf")``; a body ``{ %c = add %a, %b return %c }`` is ``"add"``.
max and min propagate NaN and order -0 below +0; sums of integers wrap.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fstc.ir.types import DType

if TYPE_CHECKING:
    from fstc.ir.graph import Region

BODIES = {"add": "add", "mul": "mul", "max": "max", "min": "min", "and": "and", "or": "or"}
"""Element-wise op to the combiner that it is."""


def body_monoid(region: Region) -> str | None:
    """The combiner that a two-parameter body computes, or None."""
    graph = region.graph
    if len(graph.inputs) != 2 or len(graph.nodes) != 1 or len(graph.outputs) != 1:
        return None
    node = graph.nodes[0]
    if sorted(node.inputs) != sorted(graph.inputs) or node.outputs != graph.outputs:
        return None
    return BODIES.get(node.op.name)


def identity(monoid: str, dtype: DType) -> float | int | bool:
    """The neutral element: the value of a reduction over nothing. For argmax and argmin, that of max and min."""
    monoid = monoid.removeprefix("arg")
    if monoid in ("add", "or"):
        return False if dtype.kind == "b" else 0.0 if dtype.is_float else 0
    if monoid == "mul":
        return 1.0 if dtype.is_float else 1
    if dtype.kind == "b":
        return monoid in ("and", "min")
    if dtype.is_integer:
        bits = 8 * dtype.size
        low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if dtype.kind == "i" else (0, (1 << bits) - 1)
        if monoid == "and":
            return -1 if dtype.kind == "i" else high
        return low if monoid == "max" else high
    largest = 448.0 if dtype.name == "f8e4m3fn" else float("inf")  # e4m3fn has no infinity
    return -largest if monoid == "max" else largest


def fold(monoid: str, x: Any, axes: Sequence[int], dtype: DType) -> Any:
    """Reduce ``axes`` of ``x``. A float sum or product comes back in float64, to be rounded once by the caller."""
    import numpy as np

    from fstc.ir.ops.numerics import quiet

    along = tuple(axes)
    with quiet():
        if monoid in ("add", "mul"):
            reduce = np.add if monoid == "add" else np.multiply
            if dtype.is_float:
                out = reduce.reduce(exact(x), axis=along, dtype=np.float64)
                return np.asarray(out + 0.0 if monoid == "add" else out)  # a sum starts at +0: no -0 comes out
            return np.asarray(reduce.reduce(x, axis=along, dtype=x.dtype))
        if monoid in ("and", "or"):
            return _logic(monoid, x, along)
        if not dtype.is_float:
            function = np.maximum if monoid == "max" else np.minimum
            return np.asarray(function.reduce(x, axis=along, initial=x.dtype.type(identity(monoid, dtype))))
        return _extreme(monoid, exact(x), along, dtype)


def combine(monoid: str, a: Any, b: Any) -> Any:
    """``a`` and ``b`` joined, element by element, in the dtype that NumPy carries them in."""
    import numpy as np

    from fstc.ir.ops.numerics import quiet

    with quiet():
        if monoid in ("max", "min") and a.dtype.kind == "f":
            first = (a > b) if monoid == "max" else (a < b)
            tie = np.signbit(b) if monoid == "max" else np.signbit(a)  # of equal ones, +0 is larger
            picked = np.where(first | ((a == b) & tie), a, b)
            return np.where(np.isnan(a), a, picked)
        functions = {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum,
                     "and": np.bitwise_and, "or": np.bitwise_or}  # fmt: skip
        return functions[monoid](a, b)


def exact(x: Any) -> Any:
    """A float array in a dtype that NumPy computes with natively, without rounding."""
    import numpy as np

    return x if x.dtype in (np.float32, np.float64) else x.astype(np.float32)


def _logic(monoid: str, x: Any, axes: tuple[int, ...]) -> Any:
    import numpy as np

    if x.dtype == np.bool_:
        return np.asarray((np.all if monoid == "and" else np.any)(x, axis=axes))
    function = np.bitwise_and if monoid == "and" else np.bitwise_or
    return np.asarray(function.reduce(x, axis=axes))


def _extreme(monoid: str, x: Any, axes: tuple[int, ...], dtype: DType) -> Any:
    """Float max or min: NumPy propagates NaN, the sign of a zero result is settled here."""
    import numpy as np

    function = np.maximum if monoid == "max" else np.minimum
    out = np.asarray(function.reduce(x, axis=axes, initial=x.dtype.type(identity(monoid, dtype))))
    zero = out == 0
    if not zero.any():
        return out
    if monoid == "max":
        positive = np.any((x == 0) & ~np.signbit(x), axis=axes)
    else:
        positive = ~np.any((x == 0) & np.signbit(x), axis=axes)
    return np.where(zero, np.where(positive, x.dtype.type(0.0), x.dtype.type(-0.0)), out)
