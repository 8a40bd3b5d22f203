"""Views and moves: shapes, slices, joins, padding, and the functional forms of writes through a view.

Example: ``VIEWS["aten.slice"](cx, x, 1, 0, 4, 1)``. A view is a value here: writes through one were made into values
by torch's functionalisation.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from fstc.frontends.artefact import Unsupported
from fstc.frontends.builder import Val
from fstc.frontends.torch.context import Context, Handler, aten, each
from fstc.ir.types import BOOL, I32, DType

MOST_STRIDED = 1 << 24  # elements of a view of arbitrary strides, whose indices are constants


def _as_is(cx: Context, x: Val, *rest: Any) -> Val:
    return x


def view(cx: Context, x: Val, shape: Sequence[int], *rest: Any) -> Val:
    return cx.b.reshape(x, cx.shape)


def view_dtype(cx: Context, x: Val, dtype: DType) -> Val:
    if dtype.size != x.dtype.size or BOOL in (dtype, x.dtype):
        raise Unsupported(f"the bits of {x.dtype} as {dtype}, which has another width")
    return x if dtype == x.dtype else cx.b.op("bitcast_convert", [x], cx.type())[0]


def permute(cx: Context, x: Val, dims: Sequence[int]) -> Val:
    return cx.transposed(x, [d % x.rank for d in dims])


def transpose(cx: Context, x: Val, first: int, second: int) -> Val:
    order = list(range(x.rank))
    if order:
        i, j = first % x.rank, second % x.rank
        order[i], order[j] = order[j], order[i]
    return cx.transposed(x, order)


def matrix_transpose(cx: Context, x: Val) -> Val:
    return cx.transposed(x, range(x.rank)[::-1])


def expand(cx: Context, x: Val, shape: Sequence[int], *rest: Any) -> Val:
    return cx.b.broadcast(x, cx.shape)


def slice_(cx: Context, x: Val, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Val:
    at, (first, last, _) = dim % x.rank, slice(start, end).indices(x.shape[dim])
    return cx.b.slice_axis(x, at, first, max(first, last), step)


def select(cx: Context, x: Val, dim: int, index: int) -> Val:
    at, i = dim % x.rank, index % x.shape[dim]
    return cx.b.squeeze(cx.b.slice_axis(x, at, i, i + 1), [at])


def split(cx: Context, x: Val, sizes: int | Sequence[int], dim: int = 0) -> list[Val]:
    extent, at = x.shape[dim], dim % x.rank
    if isinstance(sizes, int):
        sizes = [min(sizes, extent - i) for i in range(0, extent, sizes)] if extent and sizes else [extent]
    found, start = [], 0
    for size in sizes:
        found.append(cx.b.slice_axis(x, at, start, start + size))
        start += size
    return found


def chunk(cx: Context, x: Val, chunks: int, dim: int = 0) -> list[Val]:
    return split(cx, x, max(-(-x.shape[dim] // chunks), 1), dim)


def unbind(cx: Context, x: Val, dim: int = 0) -> list[Val]:
    return [select(cx, x, dim, i) for i in range(x.shape[dim])]


def cat(cx: Context, parts: Sequence[Val], dim: int = 0) -> Val:
    """Old code joins with an empty vector, whatever the rank."""
    if not parts:
        raise Unsupported("a concatenation of nothing")
    rank = len(cx.shape)
    kept = [cx.result(p) for p in parts if p.rank == rank and (p.shape != (0,) or rank == 1)]
    return cx.b.concat(kept, dim % rank) if kept else cx.result(parts[0])


def stack(cx: Context, parts: Sequence[Val], dim: int = 0) -> Val:
    at = dim % len(cx.shape)
    return cx.b.concat([cx.b.expand(cx.result(p), [at]) for p in parts], at)


def flip(cx: Context, x: Val, dims: Sequence[int]) -> Val:
    return cx.b.reverse(x, dims) if x.rank else x


def roll(cx: Context, x: Val, shifts: int | Sequence[int], dims: int | Sequence[int] = ()) -> Val:
    shifts = [shifts] if isinstance(shifts, int) else list(shifts)
    dims = [dims] if isinstance(dims, int) else list(dims)
    if not x.type.elements:
        return x
    if not dims:
        return cx.b.reshape(roll(cx, cx.b.reshape(x, (-1,)), shifts, (0,)), x.shape)
    for shift, dim in zip(shifts, dims, strict=True):
        extent, at = x.shape[dim], dim % x.rank
        cut = (-shift) % extent
        if cut:
            x = cx.b.concat([cx.b.slice_axis(x, at, cut, extent), cx.b.slice_axis(x, at, 0, cut)], at)
    return x


def repeat(cx: Context, x: Val, repeats: Sequence[int]) -> Val:
    """Each dimension between one of its repeats and itself, and both together."""
    shape = (1,) * (len(repeats) - x.rank) + x.shape
    wide = [n for pair in zip(repeats, shape, strict=True) for n in pair]
    kept = [2 * i + 1 for i in range(len(shape))]
    return cx.b.reshape(cx.b.broadcast_in_dim(cx.b.reshape(x, shape), wide, kept), cx.shape)


def diagonal(cx: Context, x: Val, offset: int = 0, first: int = 0, second: int = 1) -> Val:
    """The two dimensions as one of every (columns + 1)-th element: moves without arithmetic."""
    b, i, j = cx.b, first % x.rank, second % x.rank
    rest = [d for d in range(x.rank) if d not in (i, j)]
    x = b.transpose(x, [*rest, i, j])
    rows, columns = x.shape[-2:]
    row, column = max(-offset, 0), max(offset, 0)
    length = max(min(rows - row, columns - column), 0)
    if not length:
        return b.full(0, x.dtype, cx.shape)
    flat = b.reshape(x, (*x.shape[:-2], rows * columns))
    start = row * columns + column
    last = start + (length - 1) * (columns + 1) + 1
    return b.slice_axis(flat, flat.rank - 1, start, last, columns + 1)


def unfold(cx: Context, x: Val, dim: int, size: int, step: int) -> Val:
    b = cx.b
    if not x.rank:
        return b.reshape(b.reshape(x, (1,)) if size else b.full(0, x.dtype, (0,)), cx.shape)
    at = dim % x.rank
    count = (x.shape[at] - size) // step + 1
    parts = [b.slice_axis(x, at, k, k + (count - 1) * step + 1, step) for k in range(size)]
    if not parts:
        return b.full(0, x.dtype, cx.shape)
    return b.concat([b.expand(p, [x.rank]) for p in parts], x.rank)


def slice_scatter(
    cx: Context, x: Val, part: Val, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Val:
    """Whole pieces are joined; a strided slice is spread and chosen by a mask."""
    b, at, extent = cx.b, dim % x.rank, x.shape[dim]
    part = b.convert(part, x.dtype)
    first, last, _ = slice(start, end).indices(extent)
    chosen = range(first, max(last, first), step)
    if not len(chosen):
        return x
    part = b.broadcast(part, [len(chosen) if d == at else n for d, n in enumerate(x.shape)])
    if step == 1:
        pieces = [b.slice_axis(x, at, 0, first), part, b.slice_axis(x, at, first + len(chosen), extent)]
        return b.concat([p for p in pieces if p.shape[at]], at)
    import numpy as np

    low, high, interior = ([0] * x.rank for _ in range(3))
    low[at], high[at], interior[at] = first, extent - chosen[-1] - 1, step - 1
    mask = np.zeros(extent, bool)
    mask[list(chosen)] = True
    shaped = b.constant(mask.reshape([extent if d == at else 1 for d in range(x.rank)]))
    return b.select(b.broadcast(shaped, x.shape), b.pad(part, 0, low, high, interior), x)


def select_scatter(cx: Context, x: Val, part: Val, dim: int, index: int) -> Val:
    at, i = dim % x.rank, index % x.shape[dim]
    return slice_scatter(cx, x, cx.b.expand(part, [at]), at, i, i + 1)


def diagonal_scatter(cx: Context, x: Val, part: Val, offset: int = 0, first: int = 0, second: int = 1) -> Val:
    b, i, j = cx.b, first % x.rank, second % x.rank
    rest = [d for d in range(x.rank) if d not in (i, j)]
    rows, columns = x.shape[i], x.shape[j]
    row, column = max(-offset, 0), max(offset, 0)
    length = part.shape[-1]
    if not length:
        return x
    # one element behind another in the flat matrix is columns + 1 apart: pad puts them there
    start, span = row * columns + column, (length - 1) * (columns + 1) + 1
    edges = [(0, 0)] * (part.rank - 1) + [(start, rows * columns - start - span)]
    step = [0] * (part.rank - 1) + [columns]

    def spread(v: Val) -> Val:
        flat = b.pad(v, 0, [low for low, _ in edges], [high for _, high in edges], step)
        square = b.reshape(flat, (*v.shape[:-1], rows, columns))
        return b.transpose(square, [[*rest, i, j].index(d) for d in range(x.rank)])

    part = b.convert(part, x.dtype)
    return b.select(spread(b.full(True, BOOL, part.shape)), spread(part), x)


def as_strided(cx: Context, x: Val, size: Sequence[int], stride: Sequence[int], offset: int | None = None) -> Val:
    """Of memory that ``x`` fills: the same elements where it is plain, else a gather by constant positions."""
    import numpy as np

    from fstc.frontends.torch.indexing import take_flat

    b = cx.b
    flat = _memory(cx, x)
    if offset:
        flat = b.slice_axis(flat, 0, offset, flat.shape[0])
    shape = tuple(size)
    if prod(shape) > MOST_STRIDED:
        raise Unsupported(f"as_strided of {prod(shape):,} elements")
    expected = [prod(shape[i + 1 :]) for i in range(len(shape))]
    if all(n == 1 or s == e for n, s, e in zip(shape, stride, expected, strict=True)):
        return b.reshape(b.slice_axis(flat, 0, 0, prod(shape)), shape)
    positions = np.zeros(shape, np.int64)
    for d, (n, s) in enumerate(zip(shape, stride, strict=True)):
        positions += (np.arange(n) * s).reshape([n if i == d else 1 for i in range(len(shape))])
    return take_flat(cx, flat, b.constant(positions))


def _memory(cx: Context, x: Val) -> Val:
    """The elements in the order of memory."""
    strides = cx.strides or tuple(prod(x.shape[d + 1 :]) for d in range(x.rank))
    order = sorted(range(x.rank), key=lambda d: (-strides[d], d))
    x = cx.b.transpose(x, order)
    for d, from_ in enumerate(order):
        if x.shape[d] > 1 and strides[from_] != prod(x.shape[d + 1 :]):
            raise Unsupported("as_strided of a tensor with gaps or repeats in its memory")
    return cx.b.reshape(x, (x.type.elements,))


def constant_pad(cx: Context, x: Val, amounts: Sequence[int], value: float = 0) -> Val:
    low, high = edges(amounts, x.rank)
    return cx.b.pad(x, cx.val(value, x.dtype), low, high)


def edges(amounts: Sequence[int], rank: int) -> tuple[list[int], list[int]]:
    """Torch lists (before, after) of the last dimension first."""
    low, high = [0] * rank, [0] * rank
    for i in range(len(amounts) // 2):
        low[rank - 1 - i], high[rank - 1 - i] = amounts[2 * i], amounts[2 * i + 1]
    return low, high


def reflection_pad(cx: Context, x: Val, amounts: Sequence[int]) -> Val:
    b = cx.b
    for d, (low, high) in enumerate(zip(*edges(amounts, x.rank), strict=True)):
        n = x.shape[d]
        parts = [b.reverse(b.slice_axis(x, d, 1, low + 1), [d])] if low > 0 else []
        parts.append(b.slice_axis(x, d, max(-low, 0), n - max(-high, 0)))
        parts += [b.reverse(b.slice_axis(x, d, n - 1 - high, n - 1), [d])] if high > 0 else []
        x = b.concat(parts, d)
    return x


def replication_pad(cx: Context, x: Val, amounts: Sequence[int]) -> Val:
    b = cx.b
    for d, (low, high) in enumerate(zip(*edges(amounts, x.rank), strict=True)):
        n = x.shape[d]

        def edge(at: int, count: int, x: Val = x, d: int = d) -> Val:
            one = b.slice_axis(x, d, at, at + 1)
            return b.broadcast(one, [count if i == d else m for i, m in enumerate(one.shape)])

        parts = [edge(0, low)] if low > 0 else []
        parts.append(b.slice_axis(x, d, max(-low, 0), n - max(-high, 0)))
        parts += [edge(n - 1, high)] if high > 0 else []
        x = b.concat(parts, d)
    return x


def triangle(keep: str) -> Handler:
    """``keep``: GE for the lower one, LE for the upper one."""

    def handler(cx: Context, x: Val, diagonal: int = 0) -> Val:
        b, shape = cx.b, x.shape[-2:]
        rows, columns = b.iota(I32, shape, 0), b.iota(I32, shape, 1)
        mask = b.compare(keep, rows, b.ew("sub", columns, diagonal) if diagonal else columns)
        return b.select(b.broadcast(mask, x.shape), x, b.full(0, x.dtype, x.shape))

    return handler


def squeeze(cx: Context, x: Val, *rest: Any) -> Val:
    return cx.b.reshape(x, cx.shape)


def copy(cx: Context, x: Val, source: Val, *rest: Any) -> Val:
    return cx.b.broadcast(cx.b.convert(source, x.dtype), x.shape)


VIEWS: dict[str, Handler] = aten({
    **each("alias clone detach contiguous lift lift_fresh lift_fresh_copy detach_copy alias_copy "
                     "view_of real resolve_conj resolve_neg _conj conj positive", _as_is),
    **each("view reshape _unsafe_view _reshape_copy view_copy _reshape_alias unflatten flatten", view),
    **each("unsqueeze squeeze unsqueeze_copy squeeze_copy", squeeze),
    **each("expand expand_copy", expand),
    **each("slice slice_copy", slice_),
    **each("split split_with_sizes split_with_sizes_copy split_copy unsafe_split", split),
    "view.dtype": view_dtype, "permute": permute, "permute_copy": permute, "transpose": transpose,
    "transpose_copy": transpose, "swapaxes": transpose, "t": matrix_transpose, "numpy_T": matrix_transpose,
    "select": select, "select_copy": select, "chunk": chunk, "unbind": unbind, "cat": cat, "stack": stack,
    "flip": flip, "roll": roll, "repeat": repeat, "diagonal": diagonal, "diagonal_copy": diagonal,
    "unfold": unfold, "unfold_copy": unfold, "slice_scatter": slice_scatter, "select_scatter": select_scatter,
    "diagonal_scatter": diagonal_scatter, "as_strided": as_strided, "as_strided_copy": as_strided,
    "constant_pad_nd": constant_pad, "tril": triangle("GE"), "triu": triangle("LE"), "copy": copy,
    **{f"reflection_pad{d}d": reflection_pad for d in (1, 2, 3)},
    **{f"replication_pad{d}d": replication_pad for d in (1, 2, 3)},
})  # fmt: skip
