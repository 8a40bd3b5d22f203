"""Layout ops whose addresses are data: gather, scatter and the dynamic slices.

Example: ``%row = dynamic_slice %table, %i, %zero {sizes = [1, 768]} : f32[1,768]``.
"""

from __future__ import annotations

from fstc.ir.ops.opdef import OpDef

INDEXING: tuple[OpDef, ...] = ()
