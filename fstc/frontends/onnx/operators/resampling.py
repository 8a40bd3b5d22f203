"""Resize and GridSample: weighted sums of elements that are picked along axes.

Example: ``Resize`` by 2 with ``mode = "nearest"`` and ``asymmetric`` coordinates is a broadcast and a reshape; linear
forms are two picks per axis and a weighted sum, with the weights known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from math import floor, isclose
from typing import Any

from fstc.frontends.artefact import Unsupported
from fstc.frontends.builder import Builder, Val
from fstc.frontends.composed.indexing import gather_elements, take
from fstc.frontends.composed.precision import wide
from fstc.frontends.onnx.node import Handler, Node
from fstc.frontends.onnx.operators.quantized import saturated
from fstc.frontends.onnx.problems import wrong
from fstc.ir.types import F32, I64

Array = Any
COORDINATES = (
    "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric", "tf_crop_and_resize"
)  # fmt: skip
NEAREST = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
POLICIES = ("stretch", "not_larger", "not_smaller")
MOST_TAPS = 256
MOST_EXTENT = 1 << 20


@dataclass(frozen=True)
class Along:
    """How one axis is resized."""

    axis: int
    scale: float
    extent: int
    roi: tuple[float, float]


def resize(n: Node) -> Val:
    b, x = n.b, n[0]
    mode = n.choice("mode", "nearest", ("nearest", "linear", "cubic"))
    plan = _plan(n)
    places = [_coordinates(n, p, x.shape[p.axis]) for p in plan]
    outside: Val | None = None
    if n.text("coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize":
        for p, at in zip(plan, places, strict=True):
            off = (at < 0) | (at > x.shape[p.axis] - 1)
            if off.any():
                here = b.reshape(b.constant(off), [p.extent if d == p.axis else 1 for d in range(x.rank)])
                outside = here if outside is None else b.ew("or", outside, here)
    if mode == "nearest":
        y = x
        for p, at in zip(plan, places, strict=True):
            y = picked(b, y, p.axis, _nearest(n, at, x.shape[p.axis]))
    else:
        y = b.convert(x, F32) if not x.dtype.is_float else wide(b, x)
        for p, at in zip(plan, places, strict=True):
            y = _weighted(n, y, p, at, mode)
        y = b.convert(y, x.dtype) if x.dtype.is_float else saturated(b, y, None, x.dtype)
    return y if outside is None else b.select(outside, n.number("extrapolation_value", 0.0), y)


def _plan(n: Node) -> list[Along]:
    """The axes that change, with their scales and extents."""
    x = n[0]
    given = n.integers("axes", None)
    axes = n.axes(given, x.rank) if given is not None else list(range(x.rank))
    sizes = n.known_ints(3, "sizes") if n.get(3) is not None and n[3].type.elements else None
    scales = (
        [float(s) for s in n.known(2, "scales").reshape(-1)] if n.get(2) is not None and n[2].type.elements else None
    )
    if (sizes is None) == (scales is None):
        raise wrong("one of `scales` and `sizes` is needed")
    if len(sizes or scales or []) != len(axes):
        raise wrong(f"{len(sizes or scales or [])} scales or sizes for {len(axes)} axes")
    extents = [x.shape[a] for a in axes]
    if sizes is not None:
        policy = n.choice("keep_aspect_ratio_policy", "stretch", POLICIES)
        if 0 in extents:
            raise wrong(f"{x.type} has nothing to resize")
        scales = [s / e for s, e in zip(sizes, extents, strict=True)]
        if policy != "stretch":
            one = min(scales) if policy == "not_larger" else max(scales)
            scales, sizes = [one] * len(axes), [int(one * e + 0.5) for e in extents]
    else:
        assert scales is not None
        sizes = [floor(s * e) for s, e in zip(scales, extents, strict=True)]
    if min(scales) <= 0 or min(sizes) < 0 or max(sizes) > MOST_EXTENT:
        raise wrong(f"scales {scales}, sizes {sizes}")
    bounds = [0.0] * len(axes) + [1.0] * len(axes)
    if n.get(1) is not None and n[1].type.elements:
        bounds = [float(v) for v in n.known(1, "roi").reshape(-1)]
    if len(bounds) != 2 * len(axes):
        raise wrong(f"`roi` has {len(bounds)} entries for {len(axes)} axes")
    found = [Along(a, s, e, (bounds[i], bounds[len(axes) + i]))
             for i, (a, s, e) in enumerate(zip(axes, scales, sizes, strict=True))]  # fmt: skip
    crops = n.text("coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize"
    return [
        p for p in found
        if not (isclose(p.scale, 1.0) and p.extent == x.shape[p.axis] and (not crops or p.roi == (0.0, 1.0)))
    ]  # fmt: skip


def _coordinates(n: Node, p: Along, extent: int) -> Array:
    """Where in the input each element of the result lies."""
    import numpy as np

    mode = n.choice("coordinate_transformation_mode", "half_pixel", COORDINATES)
    i, width = np.arange(p.extent, dtype=np.float64), p.scale * extent
    if mode == "asymmetric":
        return i / p.scale
    if mode == "align_corners":
        return i * 0 if width == 1 else i * (extent - 1) / (width - 1)
    if mode == "tf_crop_and_resize":
        start, end = p.roi
        if width == 1:
            return i * 0 + (start + (end - start) / 2) * (extent - 1)
        return start * (extent - 1) + i * (end - start) * (extent - 1) / (width - 1)
    if mode == "pytorch_half_pixel" and width == 1:
        return i * 0 - 0.5
    centre = (i + 0.5) / p.scale - 0.5
    return centre + extent / 2 * (1 - p.extent / width) if mode == "half_pixel_symmetric" else centre


def _nearest(n: Node, at: Array, extent: int) -> Array:
    import numpy as np

    how = n.choice("nearest_mode", "round_prefer_floor", NEAREST)
    found = {
        "round_prefer_floor": np.ceil(at - 0.5), "round_prefer_ceil": np.floor(at + 0.5),
        "floor": np.floor(at), "ceil": np.ceil(at),
    }[how]  # fmt: skip
    return np.clip(found, 0, extent - 1).astype(np.int64)


def _weighted(n: Node, x: Val, p: Along, at: Array, mode: str) -> Val:
    """A sum over taps, with one weight for each tap and place."""
    import numpy as np

    b, extent = n.b, x.shape[p.axis]
    base = np.floor(at).astype(np.int64)
    reach = 1 if mode == "linear" else 2
    stretch = min(p.scale, 1.0) if n.integer("antialias", 0) else 1.0
    first = floor(-reach / stretch) + 1
    taps = np.arange(first, 2 - first)
    if len(taps) > MOST_TAPS:
        raise Unsupported(f"a resize by {p.scale} with antialias: {len(taps)} elements for each")
    distance = np.abs((taps - (at - base)[:, None]) * stretch)
    weights = np.clip(1 - distance, 0, 1) if mode == "linear" else _cubic(distance, n.number("cubic_coeff_a", -0.75))
    places = base[:, None] + taps
    if n.integer("exclude_outside", 0):
        weights = np.where((places < 0) | (places >= extent), 0.0, weights)
    if n.integer("exclude_outside", 0) or stretch != 1.0:
        total = weights.sum(1, keepdims=True)
        weights = weights / np.where(total == 0, 1.0, total)
    places = np.clip(places, 0, extent - 1)
    shape = [p.extent if d == p.axis else 1 for d in range(x.rank)]
    found: Val | None = None
    for k in range(len(taps)):
        if not weights[:, k].any():
            continue
        weight = b.reshape(b.convert(b.constant(weights[:, k].copy()), x.dtype), shape)
        term = b.ew("mul", picked(b, x, p.axis, places[:, k]), weight)
        found = term if found is None else b.ew("add", found, term)
    return b.full(0.0, x.dtype, [p.extent if d == p.axis else e for d, e in enumerate(x.shape)]) if (
        found is None) else found  # fmt: skip


def _cubic(d: Array, a: float) -> Array:
    """Keys' kernel of a distance."""
    import numpy as np

    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return np.where(d <= 1, near, np.where(d < 2, far, 0.0))


def picked(b: Builder, x: Val, axis: int, places: Array) -> Val:
    """Elements along an axis at known places: a slice or a repetition where they are one, else a gather."""
    import numpy as np

    extent, count = x.shape[axis], len(places)
    if count > 1 and places[1] > places[0]:
        step = int(places[1] - places[0])
        if (places == places[0] + step * np.arange(count)).all():
            return b.slice_axis(x, axis, int(places[0]), int(places[-1]) + 1, step)
    if extent and count % extent == 0 and (places == np.arange(count) // (count // extent)).all():
        lead, rest = x.shape[: axis + 1], x.shape[axis + 1 :]
        dims = [*range(axis + 1), *range(axis + 2, x.rank + 1)]
        repeated = b.broadcast_in_dim(x, (*lead, count // extent, *rest), dims)
        return b.reshape(repeated, (*lead[:-1], count, *rest))
    return take(b, x, b.constant(np.ascontiguousarray(places)), axis)


# -- GridSample --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Border:
    """What lies outside of an axis."""

    extent: int
    padding: str
    low: float
    high: float


def grid_sample(n: Node) -> Val:
    """Elements between the places that a grid of coordinates from -1 to 1 names, last axis first."""
    b, x, grid = n.b, n[0], n[1]
    rank = x.rank - 2
    if rank < 1 or grid.rank != x.rank or grid.shape[0] != x.shape[0] or grid.shape[-1] != rank:
        raise wrong(f"a grid {grid.type} for {x.type}")
    mode = {"bilinear": "linear", "bicubic": "cubic"}.get(m := n.text("mode", "linear"), m)
    padding = n.choice("padding_mode", "zeros", ("zeros", "border", "reflection"))
    if mode not in ("linear", "nearest", "cubic"):
        raise wrong(f"`mode` is {mode!r}")
    corners, out = bool(n.integer("align_corners", 0)), grid.shape[1:-1]
    batch, channels, *extents = x.shape
    flat = b.reshape(x, (batch, channels, -1))
    axes: list[list[tuple[Val, Val, Val | None]]] = []  # per axis: (index, weight, inside)
    for d, extent in enumerate(extents):
        low, high = (0.0, extent - 1.0) if corners else (-0.5, extent - 0.5)
        border = Border(extent, padding, low, high)
        unit = wide(b, b.squeeze(b.slice_axis(grid, -1, rank - 1 - d, rank - d), [-1]))
        half = b.ew("mul", b.ew("add", unit, 1.0), (extent - 1) / 2 if corners else extent / 2)
        axes.append(_taps(b, half if corners else b.ew("sub", half, 0.5), border, mode))
    found: Val | None = None
    for combination in product(*axes):
        place: Val | None = None
        weight: Val | None = None
        inside: Val | None = None
        for (index, w, ok), extent in zip(combination, extents, strict=True):
            place = index if place is None else b.ew("add", b.ew("mul", place, extent), index)
            weight = w if weight is None else b.ew("mul", weight, w)
            inside = ok if inside is None else inside if ok is None else b.ew("and", inside, ok)
        assert place is not None and weight is not None
        at = b.broadcast(b.reshape(place, (batch, 1, -1)), (batch, channels, place.type.elements // max(batch, 1)))
        seen = b.reshape(wide(b, gather_elements(b, flat, at, 2)), (batch, channels, *out))
        if inside is not None:
            seen = b.select(b.broadcast(b.expand(inside, [1]), seen.shape), seen, 0.0)
        if mode != "nearest":
            seen = b.ew("mul", seen, b.convert(b.expand(weight, [1]), seen.dtype))
        found = seen if found is None else b.ew("add", found, seen)
    assert found is not None
    return b.convert(found, x.dtype)


def _taps(b: Builder, at: Val, border: Border, mode: str) -> list[tuple[Val, Val, Val | None]]:
    """The elements along one axis that a coordinate mixes."""
    if mode == "nearest":
        at = b.ew("round_nearest_even", at)
    if border.padding == "border":
        outside = b.ew("or", b.compare("LT", at, border.low), b.compare("GT", at, border.high))
        at = b.select(outside, b.ew("max", b.ew("min", at, border.extent - 1.0), 0.0), at)
    elif border.padding == "reflection":
        at = _reflected(b, at, border)
    if mode == "nearest":
        return [(*_index(b, at, border)[:1], b.full(1.0, at.dtype, ()), _index(b, at, border)[1])]
    base = b.ew("floor", at)
    ratio = b.ew("sub", at, base)
    found = []
    for tap in (0, 1) if mode == "linear" else (-1, 0, 1, 2):
        distance = b.ew("abs", b.ew("sub", ratio, float(tap)))
        weight = b.ew("sub", 1.0, distance) if mode == "linear" else _keys(b, distance, near=tap in (0, 1))
        index, inside = _index(b, b.ew("add", base, float(tap)), border)
        found.append((index, weight, inside))
    return found


def _keys(b: Builder, d: Val, near: bool) -> Val:
    """Keys' kernel with a = -0.75, whose piece is known of each tap."""
    a = -0.75
    if near:
        inner = b.ew("sub", b.ew("mul", d, a + 2), a + 3)
        return b.ew("add", b.ew("mul", b.ew("mul", inner, d), d), 1.0)
    inner = b.ew("mul", b.ew("sub", b.ew("mul", d, a), 5 * a), d)
    return b.ew("sub", b.ew("mul", b.ew("add", inner, 8 * a), d), 4 * a)


def _index(b: Builder, at: Val, border: Border) -> tuple[Val, Val | None]:
    """A whole coordinate as an index in range, and whether it was for ``zeros``."""
    inside: Val | None = None
    if border.padding == "zeros":
        inside = b.ew("and", b.compare("GE", at, 0.0), b.compare("LT", at, float(border.extent)))
    elif border.padding == "reflection":
        at = _reflected(b, at, border)
    clamped = b.ew("max", b.ew("min", at, border.extent - 1.0), 0.0)
    return b.convert(clamped, I64), inside


def _reflected(b: Builder, at: Val, border: Border) -> Val:
    """Back and forth between the borders."""
    length = border.high - border.low
    if length <= 0:
        return b.full(border.low, at.dtype, at.shape)
    beyond = b.ew("abs", b.ew("sub", at, border.low))
    turns = b.ew("floor", b.ew("div", beyond, length))
    rest = b.ew("sub", beyond, b.ew("mul", turns, length))
    odd = b.compare("EQ", b.ew("rem", turns, 2.0), 1.0)
    return b.ew("add", b.select(odd, b.ew("sub", length, rest), rest), border.low)


RESAMPLING: Mapping[str, Handler] = {"Resize": resize, "GridSample": grid_sample}
