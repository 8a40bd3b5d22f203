"""Reductions: over axes, over windows, running sums."""

from __future__ import annotations

from fstc.ir.ops.opdef import OpDef

REDUCTION: tuple[OpDef, ...] = ()
