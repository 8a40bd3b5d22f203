"""Reductions over axes and running sums; windows are in :mod:`fstc.ir.ops.window` and joined here.

Example: ``%s = reduce_sum %x {axes = [1]} : f32[32]``. A float sum is accumulated in float64 here
(f32 in a kernel) and rounded once; a body that is one ``add`` is that sum, any other body folds from
the left in index order and rounds at every step.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from fstc.ir.ops.bodies import body
from fstc.ir.ops.evaluate import run_region
from fstc.ir.ops.monoid import body_monoid, combine, exact, fold, identity
from fstc.ir.ops.numerics import cast, quiet
from fstc.ir.ops.opdef import AttrDef, Form, Infer, Kind, OpDef
from fstc.ir.ops.shapes import axes, axis, drop, refuse, scalar
from fstc.ir.ops.window import WINDOW
from fstc.ir.types import I32, DType, TensorType

Arrays = Sequence[Any]
NUMERIC, LOGICAL, ANY = "numeric", "bool or integer", "any"


def accepts(dtype: DType, wanted: str) -> bool:
    return wanted == ANY or (dtype.kind != "b" if wanted == NUMERIC else not dtype.is_float)


def check_dtype(infer: Infer, wanted: str) -> None:
    found = infer.operands[0]
    if not accepts(found.dtype, wanted):
        refuse(f"the operand is {found}, expected a {wanted} type", help="convert it first", operand=0)


def _reduce_type(infer: Infer, wanted: str) -> tuple[TensorType, ...]:
    check_dtype(infer, wanted)
    operand = infer.operands[0]
    return (TensorType(operand.dtype, drop(operand.shape, axes(infer, "axes", operand.rank))),)


def _reduced(monoid: str, arrays: Arrays, infer: Infer) -> tuple[Any, ...]:
    dtype = infer.operands[0].dtype
    return (cast(fold(monoid, arrays[0], infer.attrs["axes"], dtype), dtype),)


def _arg_type(infer: Infer) -> tuple[TensorType, ...]:
    operand = infer.operands[0]
    along = axis(infer, "axis", operand.rank)
    if operand.shape[along] > 2**31 - 1:
        refuse(f"indices of extent {operand.shape[along]} do not fit i32", attr="axis")
    shape = drop(operand.shape, (along,))
    return TensorType(operand.dtype, shape), TensorType(I32, shape)


def _arg(monoid: str, arrays: Arrays, infer: Infer) -> tuple[Any, ...]:
    """NaN wins and the first NaN is taken; of equal values, -0 and +0 included, the lowest index."""
    import numpy as np

    x, along, dtype = arrays[0], infer.attrs["axis"], infer.operands[0].dtype
    shape = drop(x.shape, (along,))
    if x.shape[along] == 0:
        return np.full(shape, identity(monoid, dtype), dtype=x.dtype), np.zeros(shape, np.int32)
    keys = exact(x) if dtype.is_float else x
    where = np.asarray((np.argmax if monoid == "argmax" else np.argmin)(keys, axis=along))
    values = np.take_along_axis(x, np.expand_dims(where, along), axis=along).squeeze(along)
    return np.asarray(values), where.astype(np.int32)


def _general_type(infer: Infer) -> tuple[TensorType, ...]:
    count, odd = divmod(len(infer.operands), 2)
    if odd:
        refuse(f"{len(infer.operands)} operands: as many initial values as tensors are needed")
    tensors = infer.operands[:count]
    for i, tensor in enumerate(tensors):
        if tensor.shape != tensors[0].shape:
            refuse(f"operand {i} is {tensor}, operand 0 is {tensors[0]}: the shapes must be equal", operand=i)
        scalar(infer, count + i, tensor.dtype, f"initial value {i}")
    gone = axes(infer, "axes", tensors[0].rank)
    dtypes = tuple(t.dtype for t in tensors)
    body(infer, dtypes + dtypes, dtypes)
    return tuple(TensorType(t.dtype, drop(t.shape, gone)) for t in tensors)


def _general(arrays: Arrays, infer: Infer) -> tuple[Any, ...]:
    import numpy as np

    count, region, gone = len(arrays) // 2, infer.regions[0], infer.attrs["axes"]
    kept = [d for d in range(infer.operands[0].rank) if d not in gone]
    shape = drop(infer.operands[0].shape, gone)
    monoid, dtype = body_monoid(region), infer.operands[0].dtype
    if monoid and not (dtype.is_float and monoid in ("and", "or")):
        total = np.asarray(fold(monoid, arrays[0], gone, dtype))
        return (cast(combine(monoid, total, np.broadcast_to(arrays[1], shape).astype(total.dtype)), dtype),)
    steps = prod(infer.operands[0].shape[d] for d in gone)
    order = (*sorted(gone), *kept)
    columns = [x.transpose(order).reshape(steps, *shape) for x in arrays[:count]]
    state = tuple(np.broadcast_to(x, shape) for x in arrays[count:])
    for step in range(steps):
        state = run_region(region, (*state, *(x[step] for x in columns)), infer.wide)
    return tuple(np.broadcast_to(x, shape).copy() for x in state)


def _cumsum_type(infer: Infer) -> tuple[TensorType, ...]:
    check_dtype(infer, NUMERIC)
    axis(infer, "axis", infer.operands[0].rank)
    return (infer.operands[0],)


def _cumsum(arrays: Arrays, infer: Infer) -> tuple[Any, ...]:
    import numpy as np

    x, along, dtype = arrays[0], infer.attrs["axis"], infer.operands[0].dtype
    x = np.flip(x, along) if infer.attrs.get("reverse") else x
    with quiet():
        if dtype.is_float:
            out = np.cumsum(exact(x), axis=along, dtype=np.float64) + 0.0  # as sums: no -0
        else:
            out = x.cumsum(along, dtype=x.dtype)
    return (cast(np.flip(out, along).copy() if infer.attrs.get("reverse") else out, dtype),)


def _reduce(name: str, monoid: str, wanted: str, doc: str) -> OpDef:
    return OpDef(
        name,
        Kind.REDUCTION,
        Form.REDUCE,
        doc,
        (1, 1),
        lambda infer: _reduce_type(infer, wanted),
        lambda arrays, infer: _reduced(monoid, arrays, infer),
        (AttrDef("axes", "ints", doc="distinct dimensions, removed from the shape; none is allowed"),),
        monoid=monoid,
        dtypes=wanted,
    )


def _arg_entry(monoid: str, doc: str) -> OpDef:
    return OpDef(
        monoid,
        Kind.REDUCTION,
        Form.REDUCE,
        doc,
        (1, 1),
        _arg_type,
        lambda arrays, infer: _arg(monoid, arrays, infer),
        (AttrDef("axis", "int", doc="the dimension that is removed; at most 2^31-1 long"),),
        results=2,
        monoid=monoid,
    )


REDUCTION: tuple[OpDef, ...] = (
    _reduce("reduce_sum", "add", NUMERIC, "Sum over axes; integers wrap; over nothing 0."),
    _reduce("reduce_prod", "mul", NUMERIC, "Product over axes, accumulated as sums are; over nothing 1."),
    _reduce("reduce_max", "max", ANY, "Largest over axes: NaN wins, -0 < +0; over nothing -inf or the least value."),
    _reduce("reduce_min", "min", ANY, "Smallest over axes: NaN wins, -0 < +0; over nothing inf or the largest value."),
    _reduce("reduce_and", "and", LOGICAL, "Logical and over axes, bitwise on integers; over nothing all ones."),
    _reduce("reduce_or", "or", LOGICAL, "Logical or over axes, bitwise on integers; over nothing 0."),
    _arg_entry(
        "argmax",
        "Largest along an axis and its i32 index, the lowest of equals; the first NaN wins.",
    ),
    _arg_entry(
        "argmin",
        "Smallest along an axis and its i32 index, the lowest of equals; the first NaN wins.",
    ),
    OpDef(
        "reduce",
        Kind.REDUCTION,
        Form.REDUCE,
        "Fold N tensors over axes with a body of 2N scalars (state, elements), from N initial values, in index order.",
        (2, None),
        _general_type,
        _general,
        (AttrDef("axes", "ints", doc="distinct dimensions, removed from the shapes"),),
        operands="xs..., inits...",
        regions=1,
        results=-1,
    ),
    OpDef(
        "cumsum",
        Kind.REDUCTION,
        Form.SCAN,
        "Running sum along an axis, each element included; accumulates as sums do, in index order.",
        (1, 1),
        _cumsum_type,
        _cumsum,
        (
            AttrDef("axis", "int", doc="the dimension to run along"),
            AttrDef("reverse", "bool", required=False, default=False, doc="from the end"),
        ),
        monoid="add",
        dtypes=NUMERIC,
    ),
    *WINDOW,
)
