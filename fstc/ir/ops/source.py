"""Ops without tensor operands: iota, constant and random bits."""

from __future__ import annotations

from fstc.ir.ops.opdef import OpDef

SOURCE: tuple[OpDef, ...] = ()
