"""The element-wise family: arithmetic, transcendental, logic and conversion entries in one tuple."""

from __future__ import annotations

from fstc.ir.ops.opdef import OpDef

ELEMENTWISE: tuple[OpDef, ...] = ()
