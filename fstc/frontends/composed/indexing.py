"""Elements picked and put by index tensors: take, gather and scatter as NumPy, ONNX and torch have them.

Example: ``rows = take(b, table, ids, axis=0)`` is ``table[ids]``. Negative indices count from the end; other indices
out of range are the model's mistake: reads are clamped, writes dropped. ``wrap=False``: none is negative.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fstc.frontends.builder import Builder, Val
from fstc.ir.graph import Region
from fstc.ir.types import I64, DType

Array = Any  # numpy.ndarray
COMBINE = {"add": "add", "mul": "mul", "min": "min", "max": "max"}


def condensed(array: Array) -> Array:
    """The elements without the repetitions of a broadcast: a tensor of 10^12 equal ones is one element."""
    return array[tuple(slice(0, 1) if stride == 0 else slice(None) for stride in array.strides)]


def wrapped(b: Builder, indices: Val, extent: int) -> Val:
    """Indices with those below 0 counted from the end; nothing is left to do for unsigned or known ones."""
    if indices.dtype.kind != "i" or (indices.known is not None and (condensed(indices.known) >= 0).all()):
        return indices
    if extent > 2 ** (8 * indices.dtype.size - 1) - 1:
        indices = b.convert(indices, I64)
    return b.select(b.compare("LT", indices, 0), b.ew("add", indices, extent), indices)


def take(b: Builder, x: Val, indices: Val, axis: int, wrap: bool = True) -> Val:
    """``numpy.take``: the dimensions of ``indices`` stand where ``axis`` was."""
    axis %= x.rank
    extent = x.shape[axis]
    if indices.known is not None and not indices.rank and -extent <= int(indices.known) < extent:
        at = int(indices.known) % extent
        return b.squeeze(b.slice_axis(x, axis, at, at + 1), [axis])
    sizes = [1 if d == axis else n for d, n in enumerate(x.shape)]
    offset = [d for d in range(x.rank + indices.rank - 1) if not axis <= d < axis + indices.rank]
    if not extent:
        sizes[axis] = 0
    return b.op(
        "gather", [x, wrapped(b, indices, extent) if wrap else indices],
        offset_dims=offset, collapsed_slice_dims=[axis], start_index_map=[axis], index_vector_dim=indices.rank,
        slice_sizes=sizes,
    )[0]  # fmt: skip


def gather_elements(b: Builder, x: Val, indices: Val, axis: int, wrap: bool = True) -> Val:
    """One element per index: along ``axis`` at the index, elsewhere at the index's own place."""
    axis %= x.rank
    rest = [d for d in range(x.rank) if d != axis]
    limits = [n if d == axis else indices.shape[d] for d, n in enumerate(x.shape)]
    x = b.slice(x, [0] * x.rank, limits)
    return b.op(
        "gather", [x, wrapped(b, indices, x.shape[axis]) if wrap else indices],
        collapsed_slice_dims=[axis], operand_batching_dims=rest, start_indices_batching_dims=rest,
        start_index_map=[axis], index_vector_dim=x.rank, slice_sizes=[1 if n else 0 for n in x.shape],
    )[0]  # fmt: skip


def gather_nd(b: Builder, x: Val, indices: Val, batch: int = 0, wrap: bool = True) -> Val:
    """Slices of ``x`` at index vectors, which lie along the last dimension of ``indices``, batch by batch."""
    width = indices.shape[-1]
    batching, picked = list(range(batch)), list(range(batch, batch + width))
    kept = x.rank - batch - width
    first = indices.rank - 1
    return b.op(
        "gather", [x, _wrapped_vectors(b, indices, x.shape[batch : batch + width]) if wrap else indices],
        offset_dims=list(range(first, first + kept)), collapsed_slice_dims=picked, operand_batching_dims=batching,
        start_indices_batching_dims=batching, start_index_map=picked, index_vector_dim=first,
        slice_sizes=[min(n, 1) if d < batch + width else n for d, n in enumerate(x.shape)],
    )[0]  # fmt: skip


def scatter_elements(
    b: Builder, x: Val, indices: Val, updates: Val, axis: int, how: str = "set", wrap: bool = True
) -> Val:
    """``x`` with each update at the place that its index names along ``axis``; ``how``: set, add, mul, min, max."""
    axis %= x.rank
    rest = [d for d in range(x.rank) if d != axis]
    index = wrapped(b, indices, x.shape[axis]) if wrap else indices
    if all(indices.shape[d] == x.shape[d] for d in rest):
        return b.op(
            "scatter", [x, index, updates], regions=[_body(b, x.dtype, how)],
            inserted_window_dims=[axis], input_batching_dims=rest, scatter_indices_batching_dims=rest,
            scatter_dims_to_operand_dims=[axis], index_vector_dim=x.rank,
        )[0]  # fmt: skip
    places = [b.expand(index if d == axis else b.iota(index.dtype, index.shape, d), [-1]) for d in range(x.rank)]
    return scatter_nd(b, x, b.concat(places, -1), updates, how, wrap=False)


def scatter_nd(b: Builder, x: Val, indices: Val, updates: Val, how: str = "set", wrap: bool = True) -> Val:
    """``x`` with slices combined in at index vectors, which lie along the last dimension of ``indices``."""
    width = indices.shape[-1]
    picked, first = list(range(width)), indices.rank - 1
    index = _wrapped_vectors(b, indices, x.shape[:width]) if wrap else indices
    return b.op(
        "scatter", [x, index, updates], regions=[_body(b, x.dtype, how)],
        update_window_dims=list(range(first, updates.rank)), inserted_window_dims=picked,
        scatter_dims_to_operand_dims=picked, index_vector_dim=first,
    )[0]  # fmt: skip


def one_hot(b: Builder, indices: Val, depth: int, axis: int = -1) -> Val:
    """bool: true where a place along the new ``axis`` equals the index; none where the index is out of range."""
    at = axis % (indices.rank + 1)
    shape = [*indices.shape[:at], depth, *indices.shape[at:]]
    return b.compare("EQ", b.expand(indices, [at]), b.iota(indices.dtype, shape, at))


def _wrapped_vectors(b: Builder, indices: Val, extents: Sequence[int]) -> Val:
    """Index vectors with negative entries counted from the end of their own dimension."""
    if indices.dtype.kind != "i" or (indices.known is not None and (condensed(indices.known) >= 0).all()):
        return indices
    wide = b.convert(indices, I64)
    return b.select(b.compare("LT", wide, 0), b.ew("add", wide, b.ints(extents, I64)), wide)


def _body(b: Builder, dtype: DType, how: str) -> Region:
    if how == "set":
        return b.region((dtype, dtype), lambda b, old, new: new)
    return b.region((dtype, dtype), lambda b, old, new: b.op(COMBINE[how], [old, new])[0])
