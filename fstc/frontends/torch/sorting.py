"""Sorting and what follows from it.

Example: ``SORTING["aten.topk"](cx, x, 5, -1, True, True)``. NaN counts as the largest, as torch and the table have it.
"""

from __future__ import annotations

from fstc.frontends.artefact import Unsupported
from fstc.frontends.builder import Val
from fstc.frontends.composed.indexing import gather_elements
from fstc.frontends.torch.context import Context, Handler, aten
from fstc.ir.types import I64


def _sorted(cx: Context, x: Val, dim: int, descending: bool) -> tuple[Val, Val]:
    """Values and where they were; of equals the earlier comes first."""
    at = dim % x.rank
    value, index = cx.b.op(
        "sort", [x, cx.b.iota(I64, x.shape, at)], dimension=at, is_stable=True, descending=descending
    )
    return value, index


def sort(cx: Context, x: Val, dim: int = -1, descending: bool = False) -> tuple[Val, Val]:
    return _sorted(cx, x, dim, descending) if x.rank else (x, cx.b.full(0, I64, ()))


def sort_stable(cx: Context, x: Val, stable: bool | None, dim: int = -1, descending: bool = False) -> tuple[Val, Val]:
    return sort(cx, x, dim, descending)


def topk(cx: Context, x: Val, k: int, dim: int = -1, largest: bool = True, ordered: bool = True) -> tuple[Val, Val]:
    b = cx.b
    if not x.rank:
        return b.reshape(x, cx.shape), b.full(0, I64, cx.shape)
    at = dim % x.rank
    if not largest:
        return tuple(b.slice_axis(v, at, 0, k) for v in _sorted(cx, x, at, False))  # type: ignore[return-value]
    last = [d for d in range(x.rank) if d != at] + [at]
    value, index = b.op("top_k", [b.transpose(x, last)], k=k)
    back = [last.index(d) for d in range(x.rank)]
    return b.transpose(value, back), cx.i64(b.transpose(index, back))


def _kth(cx: Context, x: Val, k: Val | int, dim: int, keep: bool) -> tuple[Val, Val]:
    at = dim % x.rank
    pair = _sorted(cx, x, at, False)
    if isinstance(k, int):
        found = [cx.b.slice_axis(v, at, k, k + 1) for v in pair]
    else:
        found = [gather_elements(cx.b, v, k, at, wrap=False) for v in pair]
    value, index = found if keep else [cx.b.squeeze(v, [at]) for v in found]
    return value, index


def kthvalue(cx: Context, x: Val, k: int, dim: int = -1, keep: bool = False) -> tuple[Val, Val]:
    return _kth(cx, x, k - 1, dim, keep) if x.rank else (x, cx.b.full(0, I64, ()))


def _median(skip_nan: bool, whole: bool) -> Handler:
    """The lower of the two in the middle; NaN where there is one, unless they are skipped."""

    def along(cx: Context, x: Val, dim: int, keep: bool = False) -> tuple[Val, Val]:
        b = cx.b
        if not x.rank:
            return x, b.full(0, I64, ())
        at, extent = dim % x.rank, x.shape[dim]
        if not extent:
            raise Unsupported("the median of nothing")
        if not x.dtype.is_float:
            return _kth(cx, x, (extent - 1) // 2, at, keep)
        nan = b.convert(b.compare("NE", x, x), I64)
        count = b.reduce("sum", nan, [at], keep=True)
        if skip_nan:  # they are sorted last: the middle of the others
            valid = b.ew("sub", extent, count)
            k = b.ew("max", b.ew("div", b.ew("sub", valid, 1), 2), 0)
        else:  # the first NaN, where there is one
            first = b.ew("sub", extent, count)
            k = b.select(b.compare("GT", count, 0), first, (extent - 1) // 2)
        return _kth(cx, x, k, at, keep)

    def of_all(cx: Context, x: Val) -> Val:
        return along(cx, cx.b.reshape(x, (-1,)), 0)[0]

    return of_all if whole else along


def argsort(cx: Context, x: Val, dim: int = -1, descending: bool = False) -> Val:
    return sort(cx, x, dim, descending)[1]


SORTING: dict[str, Handler] = aten({
    "sort.default": sort, "sort.stable": sort_stable, "topk": topk, "kthvalue": kthvalue,
    "argsort.default": argsort, "argsort.stable": lambda cx, x, stable, dim=-1, descending=False:
    argsort(cx, x, dim, descending),
    "median.default": _median(False, True), "median.dim": _median(False, False),
    "nanmedian.default": _median(True, True), "nanmedian.dim": _median(True, False),
})  # fmt: skip
