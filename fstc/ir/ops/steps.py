"""Ops whose result jumps: the least difference of an operand may change it by a whole step.

Example: ``jumps(OPS["floor"], (F32,), (F32,))``. 3.9999999 and 4.0 are equal within a tolerance, their floors are not.
"""

from __future__ import annotations

from collections.abc import Sequence

from fstc.ir.ops.opdef import OpDef
from fstc.ir.types import DType

_STEPS = frozenset({"floor", "ceil", "round_nearest_even", "round_nearest_afz", "sign", "rem", "reduce_precision"})


def jumps(op: OpDef, operands: Sequence[DType], results: Sequence[DType]) -> bool:
    """Floats go in, and steps come out: rounded floats, or integers and bools (compare, argmax, a conversion)."""
    if not any(d.is_float for d in operands):
        return False
    return op.name in _STEPS or any(not d.is_float for d in results)
