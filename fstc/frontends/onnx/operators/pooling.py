"""Pooling.

Example: ``MaxPool`` with ``ceil_mode`` is a window op whose high padding makes room for the last window.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fstc.frontends.builder import Val
from fstc.frontends.composed import pooling
from fstc.frontends.onnx.node import Handler, Node
from fstc.frontends.onnx.operators.contractions import fitting, padding, spatial
from fstc.frontends.onnx.problems import wrong
from fstc.ir.types import I64


@dataclass(frozen=True)
class Pool:
    """``given`` is the padding that the node states; ``pads`` has what ceil_mode adds."""

    window: Sequence[int]
    strides: Sequence[int]
    dilations: Sequence[int]
    given: Sequence[tuple[int, int]]
    pads: Sequence[tuple[int, int]]


def _pool(n: Node) -> Pool:
    x, window = n[0], n.integers("kernel_shape")
    if x.rank < 3 or len(window) != x.rank - 2:
        raise wrong(f"a window of {window} on {x.type}")
    extents = x.shape[2:]
    strides, dilations = spatial(n, window, extents)
    given = padding(n, window, extents, strides, dilations)
    fitting(window, extents, dilations, given)
    pads = given
    if n.integer("ceil_mode", 0) and n.text("auto_pad", "NOTSET") == "NOTSET":
        pads = pooling.ceil_padding(extents, window, strides, given, dilations)
    return Pool(window, strides, dilations, given, pads)


def max_pool(n: Node) -> list[Val]:
    b, x, p = n.b, n[0], _pool(n)
    if not n.wants(1):
        return [pooling.max_pool(b, x, p.window, p.strides, p.pads, p.dilations)]
    values, places = pooling.max_pool_indices(b, x, p.window, p.strides, p.pads, p.dilations)
    if n.integer("storage_order", 0):
        places = _column_major(n, places, x.shape[2:])
    plane = 1
    for e in x.shape[2:]:
        plane *= e
    number = b.reshape(b.iota(I64, (x.shape[0] * x.shape[1],), 0), (*x.shape[:2], *[1] * (x.rank - 2)))
    return [values, b.ew("add", places, b.ew("mul", number, plane))]


def _column_major(n: Node, places: Val, extents: Sequence[int]) -> Val:
    """The place counted with the first pooled dimension fastest."""
    b, rest, found = n.b, places, None
    strides = [1]
    for e in extents[:-1]:
        strides.append(strides[-1] * e)
    for e, stride in zip(extents[::-1], strides[::-1], strict=True):
        term = b.ew("mul", b.ew("rem", rest, e), stride)
        found = term if found is None else b.ew("add", found, term)
        rest = b.ew("div", rest, e)
    assert found is not None
    return found


def average_pool(n: Node) -> Val:
    p = _pool(n)
    counted = p.given if n.integer("count_include_pad", 0) else None
    return pooling.avg_pool(n.b, n[0], p.window, p.strides, p.pads, p.dilations, counted=counted)


def lp_pool(n: Node) -> Val:
    p, norm = _pool(n), n.integer("p", 2)
    if norm < 1:
        raise wrong(f"`p` is {norm}")
    return pooling.lp_pool(n.b, n[0], norm, p.window, p.strides, p.pads, p.dilations)


def global_pool(how: str) -> Handler:
    def handler(n: Node) -> Val:
        b, x = n.b, n[0]
        if x.rank < 2:
            raise wrong(f"a pool over {x.type}")
        axes = list(range(2, x.rank))
        return b.reduce("max", x, axes, keep=True) if how == "max" else b.mean(x, axes, keep=True)

    return handler


def global_lp_pool(n: Node) -> Val:
    b, x, p = n.b, n[0], n.integer("p", 2)
    power = b.ew("pow", b.ew("abs", x), float(p)) if p != 2 else b.ew("mul", x, x)
    total = b.reduce("sum", power, list(range(2, x.rank)), keep=True)
    return b.ew("sqrt", total) if p == 2 else b.ew("pow", total, 1.0 / p)


POOLING: Mapping[str, Handler] = {
    "MaxPool": max_pool, "AveragePool": average_pool, "LpPool": lp_pool, "GlobalMaxPool": global_pool("max"),
    "GlobalAveragePool": global_pool("mean"), "GlobalLpPool": global_lp_pool,
}  # fmt: skip
