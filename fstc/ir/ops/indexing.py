"""gather and scatter, with StableHLO's dimension numbers.

Example: ``%rows = gather %table, %ids {offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0],
index_vector_dim = 1, slice_sizes = [1, 768]} : f32[128,768]``. Starts of gather are clamped so that the
window fits; elements that scatter would put outside are dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fstc.ir.ops.addressing import check_addressing, gather_addressing, linear, scatter_addressing
from fstc.ir.ops.bodies import body
from fstc.ir.ops.evaluate import run_region
from fstc.ir.ops.monoid import body_monoid
from fstc.ir.ops.numerics import cast, quiet, wide
from fstc.ir.ops.opdef import AttrDef, Form, Infer, Kind, OpDef
from fstc.ir.ops.shapes import (
    at_least,
    axes,
    drop,
    integer,
    ranked,
    refuse,
    same_dtype,
)
from fstc.ir.types import TensorType

Arrays = Sequence[Any]


def _gather_type(infer: Infer) -> tuple[TensorType, ...]:
    operand = infer.operands[0]
    integer(infer, 1, "the index tensor")
    a = gather_addressing(infer)
    if not 0 <= a.vector_dim <= len(a.indices):
        refuse(f"`index_vector_dim` is {a.vector_dim}, allowed are 0 to {len(a.indices)}", attr="index_vector_dim")
    rank = len(a.batch) + len(a.window)
    axes(infer, "offset_dims", rank, ascending=True)
    check_addressing(infer, ("offset_dims", "collapsed_slice_dims", "operand_batching_dims"), rank, a)
    at_least(a.sizes, 0, "slice_sizes")
    for d, size in enumerate(a.sizes):
        if size > operand.shape[d]:
            refuse(f"`slice_sizes` is {size} in dimension {d}, the operand has {operand.shape[d]}", attr="slice_sizes")
        if d in a.collapsed + a.batching and size > 1:
            refuse(f"`slice_sizes` is {size} in dimension {d}, which is not kept: at most 1", attr="slice_sizes")
    ranked([0] * rank)
    extents = (*a.batch, *(a.sizes[d] for d in a.kept))
    return (TensorType(operand.dtype, tuple(extents[d] for d in a.order())),)


def _gather(arrays: Arrays, infer: Infer) -> tuple[Any, ...]:
    import numpy as np

    x, a = arrays[0], gather_addressing(infer)
    shape = (*a.batch, *(a.sizes[d] for d in a.kept))
    if 0 in shape or 0 in a.sizes:
        return (np.zeros([shape[d] for d in a.order()], x.dtype),)
    limit = np.subtract(a.operand, a.sizes).reshape(-1, *[1] * len(a.batch))
    starts = np.clip(a.starts(arrays[1]), 0, limit)
    # trailing dimensions taken whole are one block, so that a row is copied and not looked up
    whole = len(a.operand)
    while whole and a.sizes[whole - 1] == a.operand[whole - 1] and whole - 1 in a.kept:
        whole -= 1
    flat = x.reshape(-1, *a.operand[whole:])
    return (np.asarray(flat[linear(a, starts, whole)].transpose(a.order()), order="C"),)


def _scatter_type(infer: Infer) -> tuple[TensorType, ...]:
    operand, _, updates = infer.operands
    integer(infer, 1, "the index tensor")
    same_dtype(infer, 2)
    axes(infer, "update_window_dims", updates.rank, ascending=True)
    a = scatter_addressing(infer)
    check_addressing(infer, ("update_window_dims", "inserted_window_dims", "input_batching_dims"), updates.rank, a)
    if drop(updates.shape, a.window) != a.batch:
        refuse(
            f"the updates {updates} have the batch {drop(updates.shape, a.window)}, the indices ask for {a.batch}",
            operand=2,
        )
    for d, size in enumerate(a.sizes):
        if d in a.kept and size > operand.shape[d]:
            refuse(f"the window is {size} wide in dimension {d}, the operand has {operand.shape[d]}", operand=2)
    body(infer, (operand.dtype, operand.dtype), (operand.dtype,))
    return (operand,)


def _scatter(arrays: Arrays, infer: Infer) -> tuple[Any, ...]:
    """Updates take effect in row-major order of the update tensor."""
    import numpy as np

    x, a = arrays[0], scatter_addressing(infer)
    shape = (*a.batch, *(a.sizes[d] for d in a.kept))
    starts = a.starts(arrays[1])
    inside = np.ones(shape, np.bool_)
    for d in range(len(a.operand)):
        first = starts[d].reshape([*a.batch, *[1] * len(a.kept)])
        steps = np.arange(a.sizes[d]).reshape([-1 if d == other else 1 for other in a.kept]) if d in a.kept else 0
        inside &= (first >= -steps) & (first < a.operand[d] - steps)
    places = linear(a, starts, len(a.operand)).transpose(a.order()).reshape(-1)
    inside = inside.transpose(a.order()).reshape(-1)
    at, updates = places[inside], arrays[2].reshape(-1)[inside]
    out = x.reshape(-1).copy()
    dtype = infer.operands[0].dtype
    if body_monoid(infer.regions[0]) == "add" and dtype.is_float:
        total = wide(out)  # sums round once
        with quiet():
            np.add.at(total, at, wide(updates))
        touched = np.unique(at)
        out[touched] = cast(total[touched], dtype)
        return (out.reshape(x.shape),)
    for turn in _turns(at):
        (found,) = run_region(infer.regions[0], (out[at[turn]], updates[turn]), infer.wide)
        out[at[turn]] = found
    return (out.reshape(x.shape),)


def _turns(at: Any) -> list[Any]:
    """Positions of ``at`` in rounds: the first occurrence of every index, then the second ones, ..."""
    import numpy as np

    order = np.argsort(at, kind="stable")
    ordered = at[order]
    opens = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(at) else np.zeros(0, np.int64)
    lengths = np.diff(np.r_[opens, len(at)])
    turn = np.arange(len(at)) - np.repeat(opens, lengths)
    return [order[turn == t] for t in range(int(lengths.max(initial=0)))]


def _dims(name: str, doc: str, required: bool = False) -> AttrDef:
    return AttrDef(name, "ints", required=required, default=None if required else (), doc=doc)


INDEXING: tuple[OpDef, ...] = (
    OpDef(
        "gather",
        Kind.LAYOUT,
        Form.GATHER,
        "Windows of the operand at the positions an index tensor gives, clamped so that they fit.",
        (2, 2),
        _gather_type,
        _gather,
        operands="x, indices",
        attrs=(
            _dims("offset_dims", "result dimensions that walk inside a window, ascending"),
            _dims("collapsed_slice_dims", "operand dimensions of slice size 1 that are dropped"),
            _dims("operand_batching_dims", "operand dimensions paired with dimensions of the indices"),
            _dims("start_indices_batching_dims", "their partners in the index tensor"),
            _dims("start_index_map", "operand dimension of each entry of an index vector"),
            AttrDef("index_vector_dim", "int", doc="dimension of the index tensor that holds the vectors, or its rank"),
            _dims("slice_sizes", "extent of a window in each operand dimension", required=True),
        ),
    ),
    OpDef(
        "scatter",
        Kind.LAYOUT,
        Form.SCATTER,
        "Combine updates into the operand at the positions an index tensor gives, with a body of two scalars (current, "
        "update). Elements outside are dropped; repeated indices take effect in order.",
        (3, 3),
        _scatter_type,
        _scatter,
        operands="x, indices, updates",
        attrs=(
            _dims("update_window_dims", "update dimensions that walk inside a window, ascending"),
            _dims("inserted_window_dims", "operand dimensions of extent 1 in a window that updates lack"),
            _dims("input_batching_dims", "operand dimensions paired with dimensions of the indices"),
            _dims("scatter_indices_batching_dims", "their partners in the index tensor"),
            _dims("scatter_dims_to_operand_dims", "operand dimension of each entry of an index vector"),
            AttrDef("index_vector_dim", "int", doc="dimension of the index tensor that holds the vectors, or its rank"),
            AttrDef("unique_indices", "bool", required=False, default=False, doc="no element is updated twice"),
        ),
        regions=1,
    ),
)
