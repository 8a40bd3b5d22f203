"""Library calls: dot_general, convolution, sort, top_k, custom_call."""

from __future__ import annotations

from fstc.ir.ops.opdef import OpDef

CONTRACTION: tuple[OpDef, ...] = ()
