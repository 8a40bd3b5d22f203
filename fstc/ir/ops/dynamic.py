"""Slices whose start is data: one scalar index a dimension, clamped so that the window fits.

Example: ``%row = dynamic_slice %table, %i, %zero {sizes = [1, 768]} : f32[1,768]``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fstc.ir.ops.opdef import AttrDef, Form, Infer, Kind, OpDef
from fstc.ir.ops.shapes import integer, ints, refuse, same_dtype, scalar
from fstc.ir.types import Shape, TensorType

Arrays = Sequence[Any]


def _starts_type(infer: Infer, first: int) -> None:
    operand = infer.operands[0]
    found = len(infer.operands) - first
    if found != operand.rank:
        refuse(f"{found} start indices, the operand {operand} has rank {operand.rank}")
    for i in range(first, len(infer.operands)):
        scalar(infer, i, None, f"start index {i - first}")
        integer(infer, i, f"start index {i - first}")


def _fits(infer: Infer, sizes: Shape, **blame: Any) -> None:
    operand = infer.operands[0]
    for d, (size, extent) in enumerate(zip(sizes, operand.shape, strict=True)):
        if not 0 <= size <= extent:
            refuse(f"the slice has extent {size} in dimension {d}, the operand {operand} has {extent}", **blame)


def _clamped(starts: Arrays, sizes: Shape, shape: Shape) -> tuple[slice, ...]:
    first = [min(max(int(s), 0), n - k) for s, k, n in zip(starts, sizes, shape, strict=True)]
    return tuple(slice(f, f + k) for f, k in zip(first, sizes, strict=True))


def _dynamic_slice_type(infer: Infer) -> tuple[TensorType, ...]:
    sizes = ints(infer, "sizes", infer.operands[0].rank, "dimension of the operand")
    _fits(infer, sizes, attr="sizes")
    _starts_type(infer, 1)
    return (TensorType(infer.operands[0].dtype, sizes),)


def _dynamic_slice(arrays: Arrays, infer: Infer) -> tuple[Any, ...]:
    return (arrays[0][_clamped(arrays[1:], infer.attrs["sizes"], arrays[0].shape)].copy(),)


def _dynamic_update_type(infer: Infer) -> tuple[TensorType, ...]:
    operand, update = infer.operands[:2]
    same_dtype(infer, 1)
    if update.rank != operand.rank:
        refuse(f"the update is {update}, the operand {operand}: the ranks must be equal", operand=1)
    _fits(infer, update.shape, operand=1)
    _starts_type(infer, 2)
    return (operand,)


def _dynamic_update(arrays: Arrays, infer: Infer) -> tuple[Any, ...]:
    out = arrays[0].copy()
    out[_clamped(arrays[2:], arrays[1].shape, out.shape)] = arrays[1]
    return (out,)


DYNAMIC: tuple[OpDef, ...] = (
    OpDef(
        "dynamic_slice",
        Kind.LAYOUT,
        Form.DYNAMIC_SLICE,
        "The window of x at scalar start indices, one a dimension, clamped so that it fits.",
        (1, None),
        _dynamic_slice_type,
        _dynamic_slice,
        (AttrDef("sizes", "ints", doc="extent of the window in each dimension"),),
        operands="x, starts...",
    ),
    OpDef(
        "dynamic_update_slice",
        Kind.LAYOUT,
        Form.DYNAMIC_UPDATE_SLICE,
        "x with the window at the start indices replaced by the update; starts are clamped so that it fits.",
        (2, None),
        _dynamic_update_type,
        _dynamic_update,
        operands="x, update, starts...",
    ),
)
