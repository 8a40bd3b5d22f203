"""Reductions, running sums and selections along axes.

Example: ``ReduceL2`` is a square, a sum and a root, in f32 for 16-bit floats.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fstc.frontends.builder import Builder, Val
from fstc.frontends.composed import normalize
from fstc.frontends.composed.precision import rounded_once
from fstc.frontends.onnx.node import Handler, Node
from fstc.frontends.onnx.problems import wrong
from fstc.ir.types import BOOL, F32, I64

Reduce = Callable[[Builder, Val, list[int], bool], Val]


def reduction(f: Reduce) -> Handler:
    """Over the axes of the node; without axes over all, or none at all when the node says so."""

    def handler(n: Node) -> Val:
        x = n[0]
        axes = n.integers("axes", None)
        if axes is None:
            axes = n.known_ints(1, "axes")
        if not axes:
            axes = [] if n.integer("noop_with_empty_axes", 0) else list(range(x.rank))
        return f(n.b, x, n.axes(axes, x.rank), bool(n.integer("keepdims", 1)))

    return handler


def _plain(how: str) -> Reduce:
    return lambda b, x, axes, keep: b.reduce(how, x, axes, keep)


def _of_floats(f: Reduce) -> Reduce:
    """Integers are computed in f32 and converted back, floats rounded once."""

    def reduce(b: Builder, x: Val, axes: list[int], keep: bool) -> Val:
        if x.dtype.is_float:
            return rounded_once(b, lambda x: f(b, x, axes, keep), x)
        return b.convert(f(b, b.convert(x, F32), axes, keep), x.dtype)

    return reduce


def _mean(b: Builder, x: Val, axes: list[int], keep: bool) -> Val:
    return b.mean(x, axes, keep)


def _l1(b: Builder, x: Val, axes: list[int], keep: bool) -> Val:
    return b.reduce("sum", x if x.dtype.kind == "u" else b.ew("abs", x), axes, keep)


def _sum_square(b: Builder, x: Val, axes: list[int], keep: bool) -> Val:
    return b.reduce("sum", b.ew("mul", x, x), axes, keep)


def _l2(b: Builder, x: Val, axes: list[int], keep: bool) -> Val:
    return b.ew("sqrt", _sum_square(b, x, axes, keep))


def _log_sum(b: Builder, x: Val, axes: list[int], keep: bool) -> Val:
    return b.ew("log", b.reduce("sum", x, axes, keep))


def _log_sum_exp(b: Builder, x: Val, axes: list[int], keep: bool) -> Val:
    return normalize.logsumexp(b, x, axes, keep)


def _extreme(how: str) -> Reduce:
    """Booleans: and, or."""
    logical = {"max": "or", "min": "and"}[how]
    return lambda b, x, axes, keep: b.reduce(logical if x.dtype == BOOL else how, x, axes, keep)


def arg(op: str) -> Handler:
    def handler(n: Node) -> Val:
        b, x = n.b, n[0]
        axis = n.axis(n.integer("axis", 0), x.rank)
        extent = x.shape[axis]
        if not extent:
            raise wrong(f"axis {axis} of {x.type} has no element")
        last = bool(n.integer("select_last_index", 0))
        _, where = b.op(op, [b.reverse(x, [axis]) if last else x], axis=axis)
        found = b.convert(where, I64)
        if last:
            found = b.ew("sub", extent - 1, found)
        return b.expand(found, [axis]) if n.integer("keepdims", 1) else found

    return handler


def cumulative_sum(n: Node) -> Val:
    b, x = n.b, n[0]
    axis = n.axis(int(n.scalar(1, "axis", 0)), x.rank)
    backwards, exclusive = bool(n.integer("reverse", 0)), bool(n.integer("exclusive", 0))
    found = b.op("cumsum", [x], axis=axis, reverse=backwards)[0]
    return _shifted(b, found, axis, backwards, 0) if exclusive else found


def cumulative_product(n: Node) -> Val:
    """In log2(extent) steps, each a product with the tensor moved by a power of two."""
    b, x = n.b, n[0]
    axis = n.axis(int(n.scalar(1, "axis", 0)), x.rank)
    backwards = bool(n.integer("reverse", 0))
    step = 1
    found = _shifted(b, x, axis, backwards, 1) if n.integer("exclusive", 0) else x
    while step < x.shape[axis]:
        found = b.ew("mul", found, _shifted(b, found, axis, backwards, 1, step))
        step *= 2
    return found


def _shifted(b: Builder, x: Val, axis: int, backwards: bool, fill: int, by: int = 1) -> Val:
    """Each element at the place of the next one."""
    low, high = [0] * x.rank, [0] * x.rank
    low[axis], high[axis] = (-by, by) if backwards else (by, -by)
    return b.pad(x, fill, low, high)


def top_k(n: Node) -> list[Val]:
    b, x = n.b, n[0]
    axis, k = n.axis(n.integer("axis", -1), x.rank), int(n.scalar(1, "K", 0))
    if not 0 <= k <= x.shape[axis]:
        raise wrong(f"K is {k}, axis {axis} of {x.type} has {x.shape[axis]}")
    order = [d for d in range(x.rank) if d != axis] + [axis]
    back = [order.index(d) for d in range(x.rank)]
    rows = b.transpose(x, order)
    if n.integer("largest", 1):
        values, places = b.op("top_k", [rows], k=k)
    else:
        iota = b.iota(I64, rows.shape, x.rank - 1)
        values, places = b.op("sort", [rows, iota], dimension=x.rank - 1)
        values, places = (b.slice_axis(v, -1, 0, k) for v in (values, places))
    return [b.transpose(values, back), b.transpose(b.convert(places, I64), back)]


REDUCTIONS: Mapping[str, Handler] = {
    "ReduceSum": reduction(_plain("sum")), "ReduceProd": reduction(_plain("prod")),
    "ReduceMax": reduction(_extreme("max")), "ReduceMin": reduction(_extreme("min")),
    "ReduceMean": reduction(_of_floats(_mean)), "ReduceL1": reduction(_l1), "ReduceL2": reduction(_of_floats(_l2)),
    "ReduceSumSquare": reduction(_sum_square), "ReduceLogSum": reduction(_of_floats(_log_sum)),
    "ReduceLogSumExp": reduction(_of_floats(_log_sum_exp)), "ArgMax": arg("argmax"), "ArgMin": arg("argmin"),
    "CumSum": cumulative_sum, "CumProd": cumulative_product, "TopK": top_k,
}  # fmt: skip
