"""Type rules of regions: what a body's parameters and results must be.

Example: ``body(infer, (F32, F32), (F32,))`` accepts ``(%a: f32[], %b: f32[]) { %c = add %a, %b : f32[] return %c }``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fstc.ir.ops.opdef import Form, Infer
from fstc.ir.ops.shapes import refuse
from fstc.ir.types import DType, TensorType

if TYPE_CHECKING:
    from fstc.ir.graph import Region


def body(infer: Infer, parameters: Sequence[DType], results: Sequence[DType]) -> Region:
    """The op's region, when it takes and returns scalars of these dtypes."""
    if len(infer.regions) != 1:
        refuse(f"the op takes one region, {len(infer.regions)} are given")
    region = infer.regions[0]
    graph = region.graph
    _agree([graph.type(i) for i in graph.inputs], parameters, "parameter")
    _agree([graph.type(i) for i in graph.outputs], results, "result")
    for node in graph.nodes:
        if node.op.form not in (Form.ELEMENTWISE, Form.CONSTANT):
            refuse(f"`{node.op.name}` may not stand in a region", help="a region holds element-wise ops and constants")
        for value in node.outputs:
            if graph.type(value).shape:
                refuse(f"%{graph.values[value].name} in the region is {graph.type(value)}, regions hold scalars")
    return region


def _agree(found: Sequence[TensorType], wanted: Sequence[DType], what: str) -> None:
    if len(found) != len(wanted):
        refuse(f"the region has {len(found)} {what}s, expected {len(wanted)}: ({', '.join(f'{d}[]' for d in wanted)})")
    for i, (have, want) in enumerate(zip(found, wanted, strict=True)):
        if have != TensorType(want, ()):
            refuse(f"{what} {i} of the region is {have}, expected {want}[]")
