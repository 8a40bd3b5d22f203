"""Layout ops: they move elements and compute nothing. The dynamic slices, gather and scatter
have modules of their own and are joined here.

Example: ``%t = transpose %x {permutation = [1, 0]} : f32[4,8]``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fstc.ir.ops.dynamic import DYNAMIC
from fstc.ir.ops.indexing import INDEXING
from fstc.ir.ops.opdef import AttrDef, Form, Infer, Kind, OpDef
from fstc.ir.ops.shapes import at_least, axes, axis, declared, ints, refuse, reshaped, same_dtype, scalar
from fstc.ir.types import Shape, TensorType

Arrays = Sequence[Any]


def _broadcast_type(infer: Infer) -> tuple[TensorType, ...]:
    operand, result = infer.operands[0], declared(infer)
    dims = axes(infer, "dims", result.rank)
    if len(dims) != operand.rank:
        refuse(f"`dims` has {len(dims)} entries, the operand {operand} has rank {operand.rank}", attr="dims")
    for d, target in enumerate(dims):
        if operand.shape[d] not in (1, result.shape[target]):
            refuse(
                f"dimension {d} of {operand} has extent {operand.shape[d]}, but dimension {target} of the result "
                f"has {result.shape[target]}",
                help="an extent is kept, or 1 and repeated",
                operand=0,
            )
    return (TensorType(operand.dtype, result.shape),)


def _broadcast(arrays: Arrays, infer: Infer) -> tuple[Any, ...]:
    import numpy as np

    dims, shape = infer.attrs["dims"], infer.declared[0].shape
    x = arrays[0].transpose(sorted(range(len(dims)), key=lambda d: dims[d]))
    extents = dict(zip(sorted(dims), x.shape, strict=True))
    x = x.reshape([extents.get(d, 1) for d in range(len(shape))])
    return (np.ascontiguousarray(np.broadcast_to(x, shape)).reshape(shape),)


def _reshape_type(infer: Infer) -> tuple[TensorType, ...]:
    result = declared(infer)
    reshaped(infer.operands[0], result)
    return (TensorType(infer.operands[0].dtype, result.shape),)


def _transpose_type(infer: Infer) -> tuple[TensorType, ...]:
    operand = infer.operands[0]
    order = axes(infer, "permutation", operand.rank)
    if len(order) != operand.rank:
        refuse(
            f"`permutation` has {len(order)} entries, the operand {operand} has rank {operand.rank}",
            attr="permutation",
        )
    return (TensorType(operand.dtype, tuple(operand.shape[d] for d in order)),)


def _reverse_type(infer: Infer) -> tuple[TensorType, ...]:
    axes(infer, "dimensions", infer.operands[0].rank)
    return (infer.operands[0],)


def _slice_bounds(infer: Infer) -> tuple[Shape, Shape, Shape]:
    rank = infer.operands[0].rank
    start, limit = (ints(infer, name, rank, "dimension of the operand") for name in ("start", "limit"))
    return start, limit, ints(infer, "strides", rank, "dimension of the operand", default=1)


def _slice_type(infer: Infer) -> tuple[TensorType, ...]:
    operand = infer.operands[0]
    start, limit, strides = _slice_bounds(infer)
    at_least(start, 0, "start")
    at_least(strides, 1, "strides")
    for d, (first, end, extent) in enumerate(zip(start, limit, operand.shape, strict=True)):
        if end > extent:
            refuse(f"`limit` is {end} in dimension {d}, past the extent {extent} of {operand}", attr="limit")
        if first > end:
            refuse(f"`start` is {first} in dimension {d}, after the limit {end}", attr="start")
    shape = tuple(-(-(end - first) // step) for first, end, step in zip(start, limit, strides, strict=True))
    return (TensorType(operand.dtype, shape),)


def _slice(arrays: Arrays, infer: Infer) -> tuple[Any, ...]:
    return (arrays[0][tuple(map(slice, *_slice_bounds(infer)))].copy(),)


def _concatenate_type(infer: Infer) -> tuple[TensorType, ...]:
    first = infer.operands[0]
    along = axis(infer, "dimension", first.rank)
    for i, other in enumerate(infer.operands[1:], 1):
        same_dtype(infer, i)
        rest = tuple(n for d, n in enumerate(other.shape) if d != along)
        if other.rank != first.rank or rest != first.shape[:along] + first.shape[along + 1 :]:
            refuse(
                f"operand {i} is {other}, operand 0 is {first}: only dimension {along} may differ",
                operand=i,
            )
    total = sum(t.shape[along] for t in infer.operands)
    return (TensorType(first.dtype, (*first.shape[:along], total, *first.shape[along + 1 :])),)


def _concatenate(arrays: Arrays, infer: Infer) -> tuple[Any, ...]:
    import numpy as np

    return (np.concatenate(arrays, axis=infer.attrs["dimension"]),)


def _pad_widths(infer: Infer) -> tuple[Shape, Shape, Shape]:
    rank = infer.operands[0].rank
    low, high = (ints(infer, name, rank, "dimension of the operand") for name in ("low", "high"))
    return low, high, ints(infer, "interior", rank, "dimension of the operand", default=0)


def _pad_type(infer: Infer) -> tuple[TensorType, ...]:
    operand = infer.operands[0]
    scalar(infer, 1, operand.dtype, "the padding value")
    low, high, interior = _pad_widths(infer)
    at_least(interior, 0, "interior")
    shape = []
    for d, extent in enumerate(operand.shape):
        size = low[d] + extent + max(extent - 1, 0) * interior[d] + high[d]
        if size < 0:
            refuse(f"the padding leaves dimension {d} of {operand} with extent {size}", attr="low")
        shape.append(size)
    return (TensorType(operand.dtype, tuple(shape)),)


def pad(x: Any, value: Any, low: Sequence[int], high: Sequence[int], interior: Sequence[int]) -> Any:
    """``x`` with ``value`` around and between its elements; negative widths cut, down to nothing at most."""
    import numpy as np

    spread = [(n - 1) * (gap + 1) + 1 if n else 0 for n, gap in zip(x.shape, interior, strict=True)]
    shape = [max(a + n + b, 0) for a, n, b in zip(low, spread, high, strict=True)]
    out = np.full(shape, value, dtype=x.dtype)
    to, source = [], []
    for n, gap, before, size in zip(x.shape, interior, low, out.shape, strict=True):
        step = gap + 1
        first = max(0, -(before // step))  # the first element that is not cut
        end = max(first, min(n, -((before - size) // step)))
        source.append(slice(first, end))
        to.append(slice(before + first * step, before + first * step + (end - first - 1) * step + 1, step))
        if first == end:
            return out
    out[tuple(to)] = x[tuple(source)]
    return out


def _pad(arrays: Arrays, infer: Infer) -> tuple[Any, ...]:
    return (pad(arrays[0], arrays[1][()], *_pad_widths(infer)),)


def _reverse(arrays: Arrays, infer: Infer) -> tuple[Any, ...]:
    import numpy as np

    return (np.flip(arrays[0], infer.attrs["dimensions"]).copy(),)


def _entry(name: str, form: Form, doc: str, infer: Any, reference: Any, *attrs: AttrDef, **more: Any) -> OpDef:
    arity = more.pop("arity", (1, 1))
    return OpDef(name, Kind.LAYOUT, form, doc, arity, infer, reference, attrs, **more)


LAYOUT: tuple[OpDef, ...] = (
    _entry(
        "broadcast_in_dim",
        Form.BROADCAST,
        "Repeat the operand along new dimensions and along those of extent 1; operand dimension i becomes dims[i].",
        _broadcast_type,
        _broadcast,
        AttrDef("dims", "ints", doc="result dimension of each operand dimension, distinct"),
    ),
    _entry(
        "reshape",
        Form.RESHAPE,
        "The same elements in row-major order under another shape, the declared one.",
        _reshape_type,
        lambda arrays, infer: (arrays[0].reshape(infer.declared[0].shape),),
    ),
    _entry(
        "transpose",
        Form.TRANSPOSE,
        "Permute dimensions: result dimension i is operand dimension permutation[i].",
        _transpose_type,
        lambda arrays, infer: (arrays[0].transpose(infer.attrs["permutation"]).copy(),),
        AttrDef("permutation", "ints", doc="every dimension once"),
    ),
    _entry(
        "reverse",
        Form.REVERSE,
        "Reverse the order of elements along the given dimensions.",
        _reverse_type,
        _reverse,
        AttrDef("dimensions", "ints", doc="distinct dimensions"),
    ),
    _entry(
        "slice",
        Form.SLICE,
        "The elements from start up to, not including, limit, in steps of strides.",
        _slice_type,
        _slice,
        AttrDef("start", "ints", doc="first index in each dimension"),
        AttrDef("limit", "ints", doc="first index not taken, in each dimension"),
        AttrDef("strides", "ints", required=False, default=(), doc="empty: 1 everywhere"),
    ),
    _entry(
        "concatenate",
        Form.CONCATENATE,
        "The operands one after another along a dimension.",
        _concatenate_type,
        _concatenate,
        AttrDef("dimension", "int", doc="the dimension that grows"),
        arity=(1, None),
        operands="xs...",
    ),
    _entry(
        "pad",
        Form.PAD,
        "Surround the operand with a scalar; negative low and high cut, interior puts elements between.",
        _pad_type,
        _pad,
        AttrDef("low", "ints", doc="elements before, in each dimension; negative: cut"),
        AttrDef("high", "ints", doc="elements behind, in each dimension; negative: cut"),
        AttrDef("interior", "ints", required=False, default=(), doc="elements between neighbours; empty: 0"),
        arity=(2, 2),
        operands="x, value",
    ),
    *DYNAMIC,
    *INDEXING,
)
