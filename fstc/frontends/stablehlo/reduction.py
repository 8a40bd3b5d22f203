"""reduce and its windowed relatives.

Example: a ``reduce`` whose body is one ``add`` from 0 is ``reduce_sum``; another initial value is added afterwards.
JAX's argmax is a reduction of values and indices, recognised by its body; its cumsum is a window as long as the axis.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from math import prod
from typing import NamedTuple

from fstc.frontends.artefact import Unsupported
from fstc.frontends.builder import Builder, Val
from fstc.frontends.stablehlo.bodies import apply, is_arg
from fstc.frontends.stablehlo.walk import Entry, Site
from fstc.ir.graph import Region
from fstc.ir.ops.monoid import body_monoid, identity
from fstc.ir.ops.numerics import cast
from fstc.ir.types import BOOL, I32

NAMED = {"add": "sum", "mul": "prod", "max": "max", "min": "min", "and": "and", "or": "or"}
COMBINE = {"sum": "add", "prod": "mul", "max": "max", "min": "min", "and": "and", "or": "or"}
WINDOWS = {"add": "window_sum", "max": "window_max", "min": "window_min"}
MOST_POSITIONS = 128  # of a window that is expanded position by position
LOGICAL = {"add": "or", "max": "or", "mul": "and", "min": "and"}  # of booleans


def is_identity(monoid: str, init: Val) -> bool:
    """Is the initial value known to change nothing?"""
    import numpy as np

    if init.known is None:
        return False
    neutral = np.asarray(identity(monoid, init.dtype))
    return bool(np.asarray(cast(neutral, init.dtype)) == init.known.reshape(()))


def reduce(s: Site, *operands: Val) -> list[Val]:
    count = len(operands) // 2
    xs, inits = operands[:count], operands[count:]
    axes, region = tuple(sorted(s.ints("dimensions"))), s.region()
    if count == 1:
        monoid = body_monoid(region)
        dtype = xs[0].dtype
        if monoid and not (dtype.is_float and monoid in ("and", "or")):
            monoid = LOGICAL.get(monoid, monoid) if dtype.kind == "b" else monoid
            return [_folded_in(s.b, NAMED[monoid], xs[0], axes, inits[0])]
    if count == 2 and len(axes) == 1:
        found = _arg(s, xs, inits, axes[0])
        if found:
            return found
    return list(s.b.op("reduce", operands, regions=(region,), axes=axes))


def _folded_in(b: Builder, how: str, x: Val, axes: Sequence[int], init: Val) -> Val:
    found = b.reduce(how, x, axes) if axes else x
    return found if is_identity(COMBINE[how], init) else b.ew(COMBINE[how], init, found)


def _arg(s: Site, xs: Sequence[Val], inits: Sequence[Val], axis: int) -> list[Val] | None:
    """argmax or argmin of (values, iota) from (identity, 0)."""
    values, indices = xs
    if s.walk.facts.get(indices) != ("iota", axis) or not values.shape[axis] or inits[1].known is None:
        return None
    if int(inits[1].known.reshape(())) != 0:
        return None
    region = s.region()
    for direction, monoid, name in (("GT", "max", "argmax"), ("LT", "min", "argmin")):
        if is_identity(monoid, inits[0]) and is_arg(s.b, region, values.dtype, indices.dtype, direction):
            found, where = s.b.op(name, [values], axis=axis)
            return [found, s.b.convert(where, indices.dtype)]
    return None


def reduce_window(s: Site, *operands: Val) -> list[Val]:
    count = len(operands) // 2
    region = s.region()
    window = window_of(s, operands[0].rank)
    if count > 1:
        return _expanded(s, operands[:count], operands[count:], window)
    x, init = operands
    monoid = body_monoid(region)
    axis = _running(x, window)
    if monoid in NAMED and x.dtype.kind != "b" and is_identity(str(monoid), init):
        if monoid == "add" and axis is not None:
            return list(s.b.op("cumsum", [x], axis=axis[0], reverse=axis[1]))
        if monoid in WINDOWS:
            return list(s.b.op(WINDOWS[str(monoid)], [x], **window._asdict()))
    return list(s.b.op("reduce_window", operands, regions=(region,), **window._asdict()))


class Window(NamedTuple):
    """One entry a dimension; the fields are attributes of the table's window ops."""

    window_dimensions: tuple[int, ...]
    window_strides: tuple[int, ...]
    base_dilations: tuple[int, ...]
    window_dilations: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]


def window_of(s: Site, rank: int) -> Window:
    ones = (1,) * rank
    names = ("window_dimensions", "window_strides", "base_dilations", "window_dilations")
    sizes, strides, base, dilations = (s.ints(name, ones) for name in names)
    flat = s.ints("padding", (0,) * (2 * rank))
    return Window(sizes, strides, base, dilations, tuple(zip(flat[::2], flat[1::2], strict=True)))


def _running(x: Val, window: Window) -> tuple[int, bool] | None:
    """(axis, from the end) of a window that sees all elements up to its place along one axis."""
    if any(n != 1 for n in (*window.window_strides, *window.base_dilations, *window.window_dilations)):
        return None
    sizes = window.window_dimensions
    wide = [d for d in range(x.rank) if (sizes[d], window.padding[d]) != (1, (0, 0))]
    if len(wide) != 1 or sizes[wide[0]] != x.shape[wide[0]]:
        return None
    n = x.shape[wide[0]]
    backwards = {(n - 1, 0): False, (0, n - 1): True}.get(window.padding[wide[0]])
    return None if backwards is None else (wide[0], backwards)


def _expanded(s: Site, xs: Sequence[Val], inits: Sequence[Val], window: Window) -> list[Val]:
    """Windows of several tensors: the body on strided slices, a position of the window at a time."""
    region, b = s.region(), s.b
    columns = [views(b, x, window, init) for x, init in zip(xs, inits, strict=True)]
    state = [b.broadcast(init, columns[0][0].shape) for init in inits]
    for position in zip(*columns, strict=True):
        state = apply(b, region, [*state, *position])
    return state


def views(b: Builder, x: Val, window: Window, fill: Val | bool) -> list[Val]:
    """For each position inside the window, in row-major order: what all windows see there."""
    sizes, strides, dilations = window.window_dimensions, window.window_strides, window.window_dilations
    if prod(sizes) > MOST_POSITIONS:
        raise Unsupported(f"a window of {prod(sizes)} elements; up to {MOST_POSITIONS} are expanded")
    low, high = [p[0] for p in window.padding], [p[1] for p in window.padding]
    padded = b.pad(x, fill, low, high, [n - 1 for n in window.base_dilations])
    counts = [
        max(0, (n - (w - 1) * d - 1) // t + 1)
        for n, w, d, t in zip(padded.shape, sizes, dilations, strides, strict=True)
    ]
    found = []
    for position in product(*map(range, sizes)):
        first = [p * d for p, d in zip(position, dilations, strict=True)]
        limit = [f + (c - 1) * t + 1 if c else f for f, c, t in zip(first, counts, strides, strict=True)]
        found.append(b.slice(padded, first, limit, strides))
    return found


def select_and_scatter(s: Site, x: Val, source: Val, init: Val) -> Val:
    """The gradient of max pooling: each window chooses an element, which gets the window's share of the source.

    Position by position: which one wins is an integer a window; its share goes back by an interior pad.
    """
    b = s.b
    select, scatter = s.walk.region(s.op.regions[0], s.env), s.walk.region(s.op.regions[1], s.env)
    if body_monoid(scatter) != "add" or x.dtype.kind == "b":
        raise Unsupported("shares are combined by something else than a sum")
    window = window_of(s, x.rank)
    seen = views(b, x, window, b.scalar(0, x.dtype))
    real = views(b, b.full(True, BOOL, x.shape), window, False)
    winner = _winners(b, select, seen, real)
    shares = b.full(0, source.dtype, x.shape)
    for place, position in enumerate(product(*map(range, window.window_dimensions))):
        share = b.select(b.compare("EQ", winner, place), source, 0)
        shares = b.ew("add", shares, _put_back(b, share, x.shape, position, window))
    return shares if is_identity("add", init) else b.ew("add", shares, init)


def _winners(b: Builder, select: Region, seen: Sequence[Val], real: Sequence[Val]) -> Val:
    """The number of the position that each window chooses; padding is never chosen."""
    best, winner, any_real = seen[0], b.full(0, I32, seen[0].shape), real[0]
    for place in range(1, len(seen)):
        (keeps,) = apply(b, select, [best, seen[place]])
        keeps = b.ew("or", b.ew("and", keeps, any_real), b.ew("not", real[place]))
        best, winner = b.select(keeps, best, seen[place]), b.select(keeps, winner, place)
        any_real = b.ew("or", any_real, real[place])
    return winner


def _put_back(b: Builder, share: Val, shape: Sequence[int], position: Sequence[int], window: Window) -> Val:
    """Values of windows at the elements of the operand that they see at a position."""
    low, high = [], []
    for d, extent in enumerate(shape):
        first = position[d] - window.padding[d][0]
        last = first + (share.shape[d] - 1) * window.window_strides[d]
        low.append(first)
        high.append(extent - 1 - last)
    return b.pad(share, 0, low, high, [t - 1 for t in window.window_strides])


REDUCTION: Mapping[str, Entry] = {
    "stablehlo.reduce": Entry(
        reduce, "`reduce_sum`, `reduce_prod`, `reduce_max`, `reduce_min`, `reduce_and`, `reduce_or`, `argmax` or "
        "`argmin` by its body, else `reduce`"
    ),
    "stablehlo.reduce_window": Entry(
        reduce_window, "`cumsum`, `window_sum`, `window_max` or `window_min` by its body, else `reduce_window`; of "
        "several tensors, slice by slice"
    ),
    "stablehlo.select_and_scatter": Entry(
        select_and_scatter, "an expansion, position by position of the window, where shares are added"
    ),
}  # fmt: skip
