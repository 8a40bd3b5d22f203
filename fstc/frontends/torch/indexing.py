"""Indexing by tensors: index, index_put, gather, scatter, embedding and their relatives.

Example: ``x[ids, :, mask]`` arrives as ``aten.index.Tensor(x, [ids, None, mask])``. A mask counts as the positions
where it holds, which must be known; indices are broadcast together, and stand first when a slice parts them.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from fstc.frontends.artefact import Unsupported
from fstc.frontends.builder import Builder, Val, common_shape
from fstc.frontends.composed.indexing import gather_elements, scatter_elements, take
from fstc.frontends.torch.context import Argument, Context, Handler, aten
from fstc.ir.types import BOOL, I64

HOW = {"sum": "add", "prod": "mul", "amax": "max", "amin": "min", "mean": "mean", "add": "add", "multiply": "mul"}


def take_flat(cx: Context, flat: Val, positions: Val) -> Val:
    return take(cx.b, flat, positions, 0, wrap=False)


def _expanded(cx: Context, x: Val, indices: Sequence[Val | None]) -> list[Val | None]:
    """Masks as the positions where they hold, one index a dimension of the mask."""
    import numpy as np

    found: list[Val | None] = []
    for index in indices:
        if index is None or (index.dtype != BOOL and index.dtype.name != "u8"):
            found.append(index)
            continue
        if index.known is None:
            raise Unsupported("a mask that selects elements, known at run time only: the shape depends on data")
        found += [cx.b.constant(i.astype(np.int64)) for i in np.nonzero(index.known)]
    return found + [None] * (x.rank - len(found))


class _Advanced:
    """x[indices] as positions along the indexed dimensions."""

    def __init__(self, cx: Context, x: Val, indices: Sequence[Val | None]) -> None:
        b, full = cx.b, _expanded(cx, x, indices)
        self.indexed = [d for d, i in enumerate(full) if i is not None]
        found = [cx.index(i, x.shape[d]) for d, i in enumerate(full) if i is not None]
        self.shape = common_shape([i.shape for i in found])
        if len({i.dtype for i in found}) > 1:
            found = [b.convert(i, I64) for i in found]
        # One index reads its own dimension; several become vectors along a last dimension.
        if len(found) == 1:
            self.index = found[0]
        else:
            self.index = b.concat([b.expand(b.broadcast(i, self.shape), [-1]) for i in found], -1)
        rest = [d for d in range(x.rank) if d not in self.indexed]
        adjacent = self.indexed == list(range(self.indexed[0], self.indexed[-1] + 1))
        place = self.indexed[0] if adjacent else 0  # where the dimensions of the indices stand in the result
        wide = range(place, place + len(self.shape))
        self.windows = [d for d in range(len(rest) + len(self.shape)) if d not in wide]  # the rest, in the result
        sizes = [x.shape[d] for d in rest]
        self.result = [*sizes[:place], *self.shape, *sizes[place:]]

    @property
    def is_distinct(self) -> bool:
        """Is it known that no element is named twice?"""
        if prod(self.shape) <= 1:
            return True
        if self.index.known is None:
            return False
        vectors = self.index.known.reshape(prod(self.shape), -1)
        return len({tuple(v) for v in vectors.tolist()}) == len(vectors)


def index(cx: Context, x: Val, indices: Sequence[Val | None]) -> Val:
    if all(i is None for i in indices):
        return x
    a = _Advanced(cx, x, indices)
    if len(a.indexed) == 1:
        return take(cx.b, x, a.index, a.indexed[0], wrap=False)
    return cx.b.op(
        "gather", [x, a.index],
        offset_dims=a.windows, collapsed_slice_dims=a.indexed, start_index_map=a.indexed,
        index_vector_dim=len(a.shape),
        slice_sizes=[min(n, 1) if d in a.indexed else n for d, n in enumerate(x.shape)],
    )[0]  # fmt: skip


def index_put(cx: Context, x: Val, indices: Sequence[Val | None], values: Val, accumulate: bool = False) -> Val:
    b = cx.b
    mask = next((i for i in indices if i is not None), None)
    if mask is not None and mask.dtype == BOOL and mask.known is None:
        return _masked_put(cx, x, indices, values, accumulate)
    if mask is None:
        new = b.broadcast(b.convert(values, x.dtype), x.shape)
        return b.ew("add", x, new) if accumulate else new
    a = _Advanced(cx, x, indices)
    updates = b.broadcast(b.convert(values, x.dtype), a.result)

    def combined(b: Builder, old: Val, new: Val) -> Val:
        return b.ew("add", old, new) if accumulate else new

    return b.op(
        "scatter", [x, a.index, updates], regions=[b.region((x.dtype, x.dtype), combined)],
        update_window_dims=a.windows, inserted_window_dims=a.indexed, scatter_dims_to_operand_dims=a.indexed,
        index_vector_dim=len(a.shape), unique_indices=a.is_distinct,
    )[0]  # fmt: skip


def _masked_put(cx: Context, x: Val, indices: Sequence[Val | None], values: Val, accumulate: bool) -> Val:
    """x[mask] = values, whatever the mask will be: the i-th place where it holds takes the i-th of the values."""
    b, mask = cx.b, indices[0]
    if mask is None or any(i is not None for i in indices[1:]):
        raise Unsupported("a mask among other indices, known at run time only")
    values = b.convert(values, x.dtype)
    wide = b.broadcast(b.reshape(mask, (*mask.shape, *(1,) * (x.rank - mask.rank))), x.shape)
    rest = x.shape[mask.rank :]
    if values.rank <= len(rest) or values.shape[0] == 1:
        new = b.broadcast(b.reshape(values, values.shape[-len(rest) :] if rest and values.rank else ()), x.shape)
    else:
        held = b.convert(b.reshape(mask, (-1,)), I64)
        place = b.ew("max", b.ew("sub", b.op("cumsum", [held], axis=0)[0], 1), 0)
        rows = b.broadcast(values, (values.shape[0], *rest))
        new = b.reshape(take(b, rows, place, 0, wrap=False), x.shape)
    return b.select(wide, b.ew("add", x, new) if accumulate else new, x)


def gather(cx: Context, x: Val, dim: int, indices: Val, sparse: bool = False) -> Val:
    if not x.rank:
        return cx.b.reshape(cx.b.broadcast(x, indices.shape), cx.shape)
    if not indices.rank:
        return cx.b.reshape(gather(cx, x, dim, cx.b.reshape(indices, (1,))), ())
    return gather_elements(cx.b, x, cx.index(indices, x.shape[dim], negative=False), dim, wrap=False)


def _scattered(cx: Context, x: Val, dim: int, indices: Val, values: Argument, how: str) -> Val:
    """Updates beyond the index's shape are not used."""
    b = cx.b
    if not indices.type.elements:
        return x
    scalar = not x.rank
    if scalar:
        x, indices = b.reshape(x, (1,)), b.reshape(indices, (1,))
    elif not indices.rank:
        indices = b.reshape(indices, (1,))
    updates = cx.val(values, x.dtype)
    if isinstance(values, Val):
        updates = b.reshape(updates, (1,)) if not updates.rank else updates
        updates = b.slice(updates, [0] * updates.rank, indices.shape)
    else:
        updates = b.broadcast(updates, indices.shape)
    found = cx.index(indices, x.shape[dim], negative=False)
    put = scatter_elements(b, x, found, updates, dim % x.rank, how, wrap=False)
    return b.reshape(put, ()) if scalar else put


def scatter(cx: Context, x: Val, dim: int, indices: Val, values: Argument, reduce: str | None = None) -> Val:
    return _scattered(cx, x, dim, indices, values, "set" if reduce is None else HOW[reduce])


def scatter_add(cx: Context, x: Val, dim: int, indices: Val, values: Val) -> Val:
    return _scattered(cx, x, dim, indices, values, "add")


def scatter_reduce(
    cx: Context, x: Val, dim: int, indices: Val, values: Val, reduce: str, include_self: bool = True
) -> Val:
    """Without ``include_self`` an element that is written starts from the neutral one."""
    if reduce == "mean":
        return _scattered_mean(cx, x, dim, indices, values, include_self)
    if not include_self:
        x = _scattered(cx, x, dim, indices, _neutral(x, reduce), "set")
    return _scattered(cx, x, dim, indices, values, HOW[reduce])


def _neutral(x: Val, reduce: str) -> float | int | bool:
    import numpy as np

    if reduce in ("sum", "prod"):
        return int(reduce == "prod")
    low = reduce == "amax"
    if x.dtype.is_float:
        return -float("inf") if low else float("inf")
    if x.dtype == BOOL:
        return not low
    info = np.iinfo(x.dtype.numpy())
    return int(info.min if low else info.max)


def _scattered_mean(cx: Context, x: Val, dim: int, indices: Val, values: Val, include_self: bool) -> Val:
    from fstc.frontends.composed.elementary import floor_divide
    from fstc.frontends.composed.precision import wide

    b = cx.b
    count = _scattered(cx, b.full(int(include_self), I64, x.shape), dim, indices, 1, "add")
    count = b.ew("max", count, 1)
    start = x if include_self else _scattered(cx, x, dim, indices, 0, "set")
    total = _scattered(cx, wide(b, start), dim, indices, wide(b, values), "add")
    if not x.dtype.is_float:
        return floor_divide(b, total, b.convert(count, x.dtype))
    return b.convert(b.ew("div", total, b.convert(count, total.dtype)), x.dtype)


def index_reduce(
    cx: Context, x: Val, dim: int, indices: Val, source: Val, reduce: str, include_self: bool = True
) -> Val:
    """The same index for whole slices of the source."""
    at = dim % max(source.rank, 1)
    shaped = cx.b.reshape(indices, [indices.type.elements if d == at else 1 for d in range(source.rank)])
    return scatter_reduce(cx, x, dim, cx.b.broadcast(shaped, source.shape), source, reduce, include_self)


def index_select(cx: Context, x: Val, dim: int, indices: Val) -> Val:
    if not x.rank:
        return x
    flat = cx.b.reshape(indices, (-1,)) if not indices.rank else indices
    return take(cx.b, x, cx.index(flat, x.shape[dim], negative=False), dim, wrap=False)


def _along(cx: Context, x: Val, dim: int, indices: Val) -> list[Val | None]:
    """The indices of a single dimension, for index_put."""
    flat = cx.b.reshape(indices, (1,)) if not indices.rank else indices
    return [flat if d == dim % x.rank else None for d in range(x.rank)]


def index_add(cx: Context, x: Val, dim: int, indices: Val, source: Val, alpha: float = 1) -> Val:
    b = cx.b
    scaled = source if alpha == 1 else b.ew("mul", source, cx.val(alpha, source.dtype))
    if not x.rank:
        return b.ew("add", x, b.reshape(scaled, ()))
    scaled = b.reshape(scaled, (1,)) if not scaled.rank else scaled
    return index_put(cx, x, _along(cx, x, dim, indices), scaled, accumulate=True)


def index_copy(cx: Context, x: Val, dim: int, indices: Val, source: Val) -> Val:
    if not x.rank:
        return cx.b.reshape(source, ())
    source = cx.b.reshape(source, (1,)) if not source.rank else source
    return index_put(cx, x, _along(cx, x, dim, indices), source)


def index_fill(cx: Context, x: Val, dim: int, indices: Val, value: Argument) -> Val:
    if not x.rank:
        return cx.b.broadcast(cx.val(value, x.dtype), ())
    return index_put(cx, x, _along(cx, x, dim, indices), cx.val(value, x.dtype))


def embedding(cx: Context, weight: Val, indices: Val, *rest: Any) -> Val:
    return take(cx.b, weight, cx.index(indices, weight.shape[0], negative=False), 0, wrap=False)


def take_(cx: Context, x: Val, indices: Val) -> Val:
    flat = cx.b.reshape(x, (-1,))
    return take(cx.b, flat, cx.index(indices, flat.shape[0]), 0, wrap=False)


def masked_fill(cx: Context, x: Val, mask: Val, value: Argument) -> Val:
    return cx.b.select(cx.b.broadcast(mask, cx.shape), cx.val(value, cx.dtype), cx.b.broadcast(x, cx.shape))


def masked_scatter(cx: Context, x: Val, mask: Val, source: Val) -> Val:
    """The i-th place where the mask holds takes the i-th element of the source."""
    b = cx.b
    wide, x = b.broadcast(mask, cx.shape), b.broadcast(x, cx.shape)
    if not x.type.elements:
        return x
    flat = b.convert(b.reshape(wide, (-1,)), I64)
    rank = b.ew("sub", b.op("cumsum", [flat], axis=0)[0], 1)
    rank = b.ew("max", rank, 0)
    picked = take_flat(cx, b.reshape(b.convert(source, x.dtype), (-1,)), rank)
    return b.select(wide, b.reshape(picked, x.shape), x)


def one_hot(cx: Context, indices: Val, classes: int = -1) -> Val:
    from fstc.frontends.composed.indexing import one_hot as expanded

    return cx.i64(expanded(cx.b, indices, cx.shape[-1]))


def searchsorted(
    cx: Context, edges: Val, values: Argument, out_int32: bool = False, right: bool = False,
    side: str | None = None, sorter: Val | None = None,
) -> Val:  # fmt: skip
    """How many edges are below (``right``: not above) each value: they are sorted, so that is the place."""
    b = cx.b
    right = right or side == "right"
    if sorter is not None:
        edges = gather(cx, edges, -1, sorter)
    dtype = cx.promote(edges, values)
    edges, wanted = cx.val(edges, dtype), cx.val(values, dtype)
    lone = not wanted.rank
    wanted = b.reshape(wanted, (1,)) if lone else wanted
    edges = b.expand(edges, [-2]) if edges.rank > 1 else edges
    below = b.compare("LE" if right else "LT", edges, b.expand(wanted, [-1]))
    if dtype.is_float:  # NaN is sorted last
        nan = b.compare("NE", wanted, wanted)
        below = b.ew("or", below, b.ew("and", b.expand(nan, [-1]), b.compare("LE" if right else "LT", edges, edges)))
    return b.reshape(b.reduce("sum", b.convert(below, cx.dtype), [-1]), cx.shape)


def bucketize(cx: Context, values: Argument, edges: Val, out_int32: bool = False, right: bool = False) -> Val:
    return searchsorted(cx, edges, values, out_int32, right)


INDEXING: dict[str, Handler] = aten({
    "index.Tensor": index, "_unsafe_index.Tensor": index, "index_put": index_put,
    "_unsafe_index_put": index_put, "_index_put_impl": index_put, "gather": gather, "scatter": scatter,
    "scatter_add": scatter_add, "scatter_reduce": scatter_reduce, "index_select": index_select,
    "index_add": index_add, "index_copy": index_copy, "index_reduce": index_reduce,
    "index_fill": index_fill, "embedding": embedding,
    "take": take_, "masked_fill": masked_fill, "masked_scatter": masked_scatter, "one_hot": one_hot,
    "searchsorted": searchsorted, "bucketize": bucketize,
})  # fmt: skip
