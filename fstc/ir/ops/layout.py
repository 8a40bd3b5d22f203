"""Layout ops: broadcast, reshape, transpose, slices, concatenate, pad, gather, scatter."""

from __future__ import annotations

from fstc.ir.ops.opdef import OpDef

LAYOUT: tuple[OpDef, ...] = ()
