"""Reductions over windows: pooling and the general reduce_window.

Example: ``%p = window_max %x {window_dimensions = [1, 1, 3, 3], window_strides = [1, 1, 2, 2],
padding = [[0, 0], [0, 0], [1, 1], [1, 1]]} : f32[8,64,28,28]``. Padding holds the neutral element
(the initial value of reduce_window) and takes part in NaN-free arithmetic only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from fstc.ir.ops.bodies import body
from fstc.ir.ops.evaluate import run_region
from fstc.ir.ops.monoid import body_monoid, combine, exact, identity
from fstc.ir.ops.numerics import cast, quiet, wide
from fstc.ir.ops.opdef import AttrDef, Form, Infer, Kind, OpDef
from fstc.ir.ops.shapes import at_least, ints, refuse, scalar, window_extent
from fstc.ir.types import DType, Shape, TensorType

Arrays = Sequence[Any]

ATTRS = (
    AttrDef("window_dimensions", "ints", doc="extent of the window in each dimension"),
    AttrDef("window_strides", "ints", required=False, default=(), doc="step between windows; empty: 1"),
    AttrDef("base_dilations", "ints", required=False, default=(), doc="spacing of operand elements; empty: 1"),
    AttrDef("window_dilations", "ints", required=False, default=(), doc="spacing within a window; empty: 1"),
    AttrDef("padding", "pairs", required=False, default=(), doc="(low, high) of each dimension; empty: 0"),
)


@dataclass(frozen=True)
class Window:
    """The attributes of a window op, filled in; one entry a dimension."""

    sizes: Shape
    strides: Shape
    base: Shape
    dilations: Shape
    padding: tuple[tuple[int, int], ...]

    def result(self, shape: Shape) -> Shape:
        columns = zip(shape, self.sizes, self.strides, self.dilations, self.base, self.padding, strict=True)
        return tuple(window_extent(*c) for c in columns)


def window_of(infer: Infer) -> Window:
    """The window that the attributes describe, checked against the first operand."""
    rank = infer.operands[0].rank
    each = "dimension of the operand"
    sizes = ints(infer, "window_dimensions", rank, each)
    strides, base, dilations = (
        ints(infer, name, rank, each, default=1) for name in ("window_strides", "base_dilations", "window_dilations")
    )
    for name, values in (
        ("window_dimensions", sizes),
        ("window_strides", strides),
        ("base_dilations", base),
        ("window_dilations", dilations),
    ):
        at_least(values, 1, name)
    return Window(sizes, strides, base, dilations, pairs(infer, "padding", rank, each))


def pairs(infer: Infer, name: str, count: int, what: str) -> tuple[tuple[int, int], ...]:
    """A padding attribute as ``count`` (low, high); empty: zeros."""
    given = tuple(infer.attrs.get(name) or ())
    if not given:
        return ((0, 0),) * count
    if len(given) != count:
        refuse(f"`{name}` has {len(given)} pairs, expected {count}, one per {what}", attr=name)
    return tuple((int(low), int(high)) for low, high in given)


def _window_type(infer: Infer) -> tuple[TensorType, ...]:
    operand = infer.operands[0]
    return (TensorType(operand.dtype, window_of(infer).result(operand.shape)),)


def _sum_type(infer: Infer) -> tuple[TensorType, ...]:
    if infer.operands[0].dtype.kind == "b":
        refuse(f"the operand is {infer.operands[0]}, expected a numeric type", help="convert it first", operand=0)
    return _window_type(infer)


def _general_type(infer: Infer) -> tuple[TensorType, ...]:
    dtype = infer.operands[0].dtype
    scalar(infer, 1, dtype, "the initial value")
    body(infer, (dtype, dtype), (dtype,))
    return _window_type(infer)


def views(x: Any, window: Window, fill: Any) -> Iterator[Any]:
    """For each position inside the window, in row-major order: what all windows see there."""
    from fstc.ir.ops.layout import pad

    low, high = zip(*window.padding, strict=True) if window.padding else ((), ())
    x = pad(x, fill, low, high, [b - 1 for b in window.base])
    shape = tuple(
        window_extent(n, w, s, d, 1, (0, 0))
        for n, w, s, d in zip(x.shape, window.sizes, window.strides, window.dilations, strict=True)
    )
    for position in product(*map(range, window.sizes)):
        firsts = [p * d for p, d in zip(position, window.dilations, strict=True)]
        yield x[
            tuple(
                slice(f, f + (n - 1) * s + 1 if n else f, s)
                for f, n, s in zip(firsts, shape, window.strides, strict=True)
            )
        ]


def _fold(monoid: str, x: Any, window: Window, start: Any, dtype: DType) -> Any:
    """All windows reduced with ``monoid``, padded with and begun from ``start``; not yet rounded."""
    import numpy as np

    if dtype.is_float:
        x = wide(x) if monoid in ("add", "mul") else exact(x)
    state = np.full(window.result(x.shape), start, dtype=x.dtype)
    with quiet():
        for view in views(x, window, start):
            state = combine(monoid, state, view)
    return state


def _window(monoid: str, arrays: Arrays, infer: Infer) -> tuple[Any, ...]:
    dtype = infer.operands[0].dtype
    return (cast(_fold(monoid, arrays[0], window_of(infer), identity(monoid, dtype), dtype), dtype),)


def _general(arrays: Arrays, infer: Infer) -> tuple[Any, ...]:
    import numpy as np

    (x, init), region, window = arrays, infer.regions[0], window_of(infer)
    dtype, monoid = infer.operands[0].dtype, body_monoid(infer.regions[0])
    if monoid:
        return (cast(_fold(monoid, x, window, init[()], dtype), dtype),)
    shape = window.result(x.shape)
    state = np.broadcast_to(init, shape)
    for view in views(x, window, init[()]):
        (state,) = run_region(region, (state, view), infer.wide)
    return (np.broadcast_to(state, shape).copy(),)


def _entry(name: str, monoid: str, doc: str) -> OpDef:
    return OpDef(
        name,
        Kind.REDUCTION,
        Form.REDUCE_WINDOW,
        doc,
        (1, 1),
        _sum_type if monoid == "add" else _window_type,
        lambda arrays, infer: _window(monoid, arrays, infer),
        ATTRS,
        monoid=monoid,
        dtypes="numeric" if monoid == "add" else "any",
    )


WINDOW: tuple[OpDef, ...] = (
    _entry("window_sum", "add", "Sum over each window; accumulates as sums do."),
    _entry("window_max", "max", "Largest in each window: NaN wins, -0 < +0; padding is neutral."),
    _entry("window_min", "min", "Smallest in each window: NaN wins, -0 < +0; padding is neutral."),
    OpDef(
        "reduce_window",
        Kind.REDUCTION,
        Form.REDUCE_WINDOW,
        "Fold each window with a body of two scalars (state, element), from an initial value that also is the padding.",
        (2, 2),
        _general_type,
        _general,
        ATTRS,
        operands="x, init",
        regions=1,
    ),
)
