"""The element-wise family: arithmetic, transcendental functions, logic and bits, conversions, as one tuple.

Example: ``[op.name for op in ELEMENTWISE]`` begins with ``add, sub, mul, div``.
"""

from __future__ import annotations

from fstc.ir.ops.arithmetic import ARITHMETIC
from fstc.ir.ops.conversion import CONVERSION
from fstc.ir.ops.logic import LOGIC_OPS
from fstc.ir.ops.opdef import OpDef
from fstc.ir.ops.transcendental import TRANSCENDENTAL

ELEMENTWISE: tuple[OpDef, ...] = (*ARITHMETIC, *TRANSCENDENTAL, *LOGIC_OPS, *CONVERSION)
