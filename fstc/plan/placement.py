"""Candidate placements of a pattern: digits of every axis over vector, lanes, warps, serial loops and the grid.

Example: rows ``(n)`` and columns ``(d)`` of a LayerNorm: ``d: vector 4, lane 32, warp 8; n: grid 4096``.
Axes that a reduction removes (columns) never get a grid digit; everything else may.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from fstc.device.device import Device
from fstc.ir.pattern import Pattern
from fstc.ir.traffic import Use, distinct_bytes, uses
from fstc.plan.artefact import REQUEST, AxisPlace

LANES = 32
ASIDE = 16  # extent


@dataclass
class _Draft:
    """Radices as they are handed out; positions follow from the order of handing out."""

    extents: dict[str, int]
    vector: dict[str, int]
    lanes: dict[str, tuple[int, int]]
    warps: dict[str, tuple[int, int]]
    serial: dict[str, int]
    used_lanes: int = 1
    used_warps: int = 1

    def left(self, axis: str) -> int:
        done = self.vector.get(axis, 1) * self.lanes.get(axis, (1, 1))[0] * self.warps.get(axis, (1, 1))[0]
        return -(-self.extents[axis] // (done * self.serial.get(axis, 1)))

    def give_lanes(self, axis: str, limit: int) -> None:
        """The largest power of two that the axis and the free lanes allow; digits of a shuffle must be such."""
        if axis in self.lanes:
            return
        radix = min(_power_above(self.left(axis)), limit, LANES // self.used_lanes)
        radix = 1 << (radix.bit_length() - 1)
        if radix > 1:
            self.lanes[axis] = (radix, self.used_lanes)
            self.used_lanes *= radix

    def give_warps(self, axis: str, limit: int) -> None:
        if axis in self.warps:
            return
        radix = min(self.left(axis), limit)
        if radix > 1:
            self.warps[axis] = (radix, self.used_warps)
            self.used_warps *= radix


def _power_above(n: int) -> int:
    return 1 << max(0, (n - 1).bit_length())


def _finish(draft: _Draft, serially: frozenset[str], order: list[str]) -> tuple[AxisPlace, ...]:
    """What is left of a column is a serial loop, what is left of the others is the grid."""
    places, stride = [], 1
    for axis in order:
        rest = draft.left(axis)
        serial, grid = draft.serial.get(axis, 1), 1
        if axis in serially:
            serial *= rest
        else:
            grid = rest
        lanes, warps = draft.lanes.get(axis, (1, 1)), draft.warps.get(axis, (1, 1))
        places.append(
            AxisPlace(
                axis=axis,
                extent=draft.extents[axis],
                vector=draft.vector.get(axis, 1),
                lanes=lanes[0],
                lane_stride=lanes[1],
                warps=warps[0],
                warp_stride=warps[1],
                serial=serial,
                grid=grid,
                grid_stride=stride,
            )
        )
        stride *= grid
    return tuple(places)


@dataclass(frozen=True)
class Shape:
    """What the candidates are made from: axes by role, in memory order of the largest tensor, innermost first."""

    order: tuple[str, ...]
    columns: frozenset[str]
    inner: tuple[str, ...]  # axes that some large tensor has innermost
    widths: tuple[int, ...]  # vector widths to try
    aside: frozenset[str]  # short axes that only small results have; a grid digit would multiply the blocks of all


def shape_of(pattern: Pattern) -> Shape:
    """Roles of the axes; the order follows strides, weighted by bytes."""
    weights: dict[str, float] = {}
    inner: dict[str, int] = {}
    sizes: set[int] = set()
    found = [(distinct_bytes(pattern, use), use) for use in uses(pattern)]
    total = sum(b for b, _ in found) or 1
    for weight, use in found:
        _weigh(pattern, use, weight / total, weights, inner)
        if weight * 10 >= total:
            sizes.add(pattern.graph.type(use.value).dtype.size)
    order = sorted(pattern.used, key=lambda a: (weights.get(a, float("inf")), a))
    columns = frozenset(a for a in pattern.columns if a in pattern.used) | (pattern.in_thread & set(pattern.used))
    chosen = sorted((a for a in inner if inner[a] * 10 >= total and a in pattern.used), key=lambda a: -inner[a])
    widths = sorted({max(1, REQUEST // s) for s in sizes or {4}}, reverse=True)
    largest = max(pattern.roots, key=lambda r: prod(pattern.extent(a) for a in r.axes), default=None)
    aside = frozenset(a for a in pattern.used if largest and a not in largest.axes and pattern.extent(a) <= ASIDE)
    return Shape(tuple(order), columns, tuple(chosen[:2]) or tuple(order[:1]), tuple(widths), aside)


def _weigh(pattern: Pattern, use: Use, share: float, weights: dict[str, float], inner: dict[str, int]) -> None:
    for offset in use.offsets:
        for term, c in offset.terms:
            if term.arg is None:
                weights[term.key] = weights.get(term.key, 0.0) + share * abs(c)
                if abs(c) == 1:
                    inner[term.key] = inner.get(term.key, 0) + distinct_bytes(pattern, use)


def candidates(pattern: Pattern, device: Device, threads: int | None = None) -> Iterator[tuple[AxisPlace, ...]]:
    """Placements worth judging, each once, of the device's launch candidates; ``threads`` asks for blocks of exactly
    that size where possible.
    """
    shape = shape_of(pattern)
    seen: set[tuple[AxisPlace, ...]] = set()
    extents = {a: pattern.extent(a) for a in pattern.used}
    for draft in _drafts(pattern, device, shape, extents, threads):
        placement = _finish(draft, shape.columns | shape.aside, list(pattern.used))
        if placement not in seen:
            seen.add(placement)
            yield placement


def _drafts(
    pattern: Pattern, device: Device, shape: Shape, extents: dict[str, int], threads: int | None
) -> Iterator[_Draft]:
    if not extents:
        yield _Draft(extents, {}, {}, {}, {})
        return
    for width in dict.fromkeys((*shape.widths, 1)):
        for inner in shape.inner:
            if inner in pattern.in_thread:
                yield from _rows(pattern, device, shape, extents, inner, 1, threads)
            elif not shape.columns:
                yield from _flat(device, shape, extents, inner, width, threads)
            elif inner in shape.columns:
                yield from _rows(pattern, device, shape, extents, inner, width, threads)
            else:
                yield from _columns(pattern, device, shape, extents, inner, width, threads)


def _start(extents: dict[str, int], inner: str, width: int) -> _Draft:
    draft = _Draft(extents, {}, {}, {}, {})
    while width > 1 and width > extents[inner]:
        width //= 2
    if width > 1:
        draft.vector[inner] = width
    return draft


def _fits(extents: dict[str, int], inner: str, width: int) -> int:
    """Halve a width until rows stay aligned; the outermost axis of a flat tensor may have a ragged end."""
    while width > 1 and extents[inner] % width and len(extents) > 1:
        width //= 2
    return width


def _rows(
    pattern: Pattern, device: Device, shape: Shape, extents: dict[str, int], inner: str, width: int, threads: int | None
) -> Iterator[_Draft]:
    """Reductions along the innermost axis: ``t`` threads a row, the rest of the block on other rows."""
    width = _fits(extents, inner, width)
    spread = [a for a in shape.order if a in shape.columns and a not in pattern.in_thread]
    spread.sort(key=lambda a: a != inner)
    kept = [a for a in shape.order if a not in shape.columns]
    size = 1
    for axis in spread:
        size *= extents[axis]
    for per_row in device.row_threads:
        if per_row > 32 and per_row * width > 2 * size:
            continue
        for warps in (threads // 32,) if threads else device.block_warps:
            if per_row > warps * 32 and (threads or warps != device.block_warps[0]):
                continue
            draft = _start(extents, inner, width)
            for axis in spread:
                draft.give_lanes(axis, max(1, min(per_row, LANES) // draft.used_lanes))
            for axis in spread:
                draft.give_warps(axis, max(1, per_row // LANES // draft.used_warps))
            for axis in kept:
                draft.give_lanes(axis, LANES)
            for axis in kept:
                draft.give_warps(axis, max(1, max(warps, per_row // 32) // draft.used_warps))
            yield draft


def _columns(
    pattern: Pattern, device: Device, shape: Shape, extents: dict[str, int], inner: str, width: int, threads: int | None
) -> Iterator[_Draft]:
    """Reductions across the innermost axis: lanes along it, warps down the reduced axes."""
    width = _fits(extents, inner, width)
    spread = [a for a in shape.order if a in shape.columns and a not in pattern.in_thread]
    kept = [a for a in shape.order if a not in shape.columns]
    for lanes in device.column_lanes:
        for warps in (threads // 32,) if threads else device.column_warps:
            draft = _start(extents, inner, width)
            draft.give_lanes(inner, lanes)
            for axis in spread:
                draft.give_lanes(axis, LANES)
            for axis in kept:
                draft.give_lanes(axis, LANES)
            for axis in spread:
                draft.give_warps(axis, max(1, warps // draft.used_warps))
            for axis in kept:
                draft.give_warps(axis, max(1, min(warps, 8) // draft.used_warps))
            yield draft


def _flat(
    device: Device, shape: Shape, extents: dict[str, int], inner: str, width: int, threads: int | None
) -> Iterator[_Draft]:
    """No reduction: consecutive threads on consecutive elements; a register tile where two orders meet."""
    other = [a for a in shape.inner if a != inner]
    order = [inner, *(a for a in shape.order if a != inner)]
    for serial in device.flat_serial:
        for warps in (threads // 32,) if threads else device.block_warps:
            draft = _start(extents, inner, width)
            for axis in order:
                draft.give_lanes(axis, LANES)
            for axis in order:
                draft.give_warps(axis, max(1, warps // draft.used_warps))
            if serial > 1:
                long = [a for a in order if draft.left(a) >= serial]
                if not long:
                    continue
                draft.serial[long[0]] = serial
            yield draft
    for axis in other:
        for lanes in (8, 4, 16):
            tile = min(width, 4)
            draft = _start(extents, inner, tile)
            if extents[axis] >= tile > 1:
                draft.vector[axis] = tile
            draft.give_lanes(inner, lanes)
            draft.give_lanes(axis, LANES)
            for a in order:
                draft.give_lanes(a, LANES)
            for a in (axis, *order):
                draft.give_warps(a, max(1, (threads or 256) // 32 // draft.used_warps))
            yield draft
