"""Bytes that a placed pattern moves, counted as the checker counts them: distinct 32-byte sectors.

Example: gamma, ``f32[1024]`` read by 4,096 one-row blocks, is 4,096 ``bytes`` and 4,095 times as many ``l2_bytes``.
Sectors that two visits of one block share count once (a perfect L1 for a block).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from math import prod

from fstc.ir.pattern import Pattern
from fstc.ir.traffic import SECTOR, Box, Use, apart, looked_up, sectors
from fstc.plan.artefact import Access, AxisPlace, vector_width
from fstc.support.affine import Index, Term

Directions = tuple[tuple[int, int], ...]


def accesses(
    pattern: Pattern, traffic: Iterable[tuple[Use, int]], places: dict[str, AxisPlace], blocks: int
) -> tuple[Access, ...]:
    """Per tensor, given the bytes of its first visit: bytes beyond it, vector width and contiguous run."""
    seen: dict[tuple[object, ...], tuple[float, int, int]] = {}  # of many tensors that are read alike
    found = []
    for use, first in traffic:
        size = pattern.graph.type(use.value).dtype.size
        key = (size, use.alike)
        if key not in seen:
            visited = 0.0
            for offset, more in use.grouped:
                visited += _visits(pattern, offset, more, size, places, use) * SECTOR
            seen[key] = (visited, *width(pattern, use, places))
        visited, vector, run = seen[key]
        beyond = max(0, round(max(min(visited, float(first * blocks)), float(first))) - first)
        found.append(Access(value=use.value, mode=use.mode, vector=vector, run=run, bytes=first, l2_bytes=beyond))
    return tuple(found)


def width(pattern: Pattern, use: Use, places: Mapping[str, AxisPlace]) -> tuple[int, int]:
    """(elements of one request of a thread, contiguous bytes of one request of a warp) where most is read."""
    size = pattern.graph.type(use.value).dtype.size
    best: tuple[int, int, int] = (0, 1, size)
    for offset in use.offsets:
        count = 1
        for term, _ in offset.terms:
            count *= 1 if term.key in pattern.dynamic else term.high - term.low + 1
        vector = vector_width(offset, size, places)[1]
        run = vector
        directions = [(abs(c) * places[t.key].vector, places[t.key].lanes) for t, c in offset.terms if t.key in places]
        for stride, lanes in sorted(directions):
            if lanes > 1 and stride <= run:
                run = stride * (lanes - 1) + run
        best = max(best, (count, vector, run * size))
    return best[1], best[2]


def _visits(
    pattern: Pattern,
    offset: Index,
    more: Directions,
    size: int,
    places: Mapping[str, AxisPlace],
    use: Use,
) -> float:
    """Sectors of one access, distinct within a block, summed over all blocks.

    A block sees a box: the in-block digits of every axis. Axes of the offset tile the tensor, the last tile may be
    smaller; along the other axes every block reads the same box again (only the first one writes it).
    """
    involved, limit = use.moves(pattern, offset)
    share = use.share(offset)
    if not pattern.dynamic and share == 1 and offset.variables <= places.keys():
        return _plain(offset, more, size, tuple(places.values()), use.mode, tuple(limit.items()))
    tiles, starts = _tiles(offset, involved, limit, places.values(), use.mode)
    total = 0.0
    for count, sizes in tiles:
        counts = [
            (min(_in_block(pattern.dynamic, t, sizes), limit.get(t.key, t.high + 1)), apart(pattern, t, c, size))
            for t, c in offset.terms
        ]
        box = Box(tuple(sorted([*counts, *more], key=lambda d: d[1])))
        found = looked_up(pattern, offset, sizes, prod(n for n, _ in counts)) * share
        total += count * found * sectors(box, offset.const, size, starts)
    return total


@lru_cache(maxsize=1 << 16)
def _plain(
    offset: Index,
    more: Directions,
    size: int,
    places: tuple[AxisPlace, ...],
    mode: str,
    limited: tuple[tuple[str, int], ...],
) -> float:
    """:func:`_visits` where nothing is looked up: the same for all tensors that are read alike, in any pattern."""
    limit = dict(limited)
    tiles, starts = _tiles(offset, offset.variables, limit, places, mode)
    total = 0.0
    for count, sizes in tiles:
        counts = [(min(_in_block({}, t, sizes), limit.get(t.key, t.high + 1)), abs(c)) for t, c in offset.terms]
        box = Box(tuple(sorted([*counts, *more], key=lambda d: d[1])))
        total += count * sectors(box, offset.const, size, starts)
    return total


def _tiles(
    offset: Index, involved: frozenset[str], limit: Mapping[str, int], places: Iterable[AxisPlace], mode: str
) -> tuple[list[tuple[float, dict[str, int]]], Directions]:
    """(how many, share of each axis) of the kinds of blocks, and the directions along which boxes start."""
    tiles: list[tuple[float, dict[str, int]]] = [(1.0, {})]
    starts: list[tuple[int, int]] = []
    for place in places:
        axis = place.axis
        inside = min(place.per_block, place.extent)
        if axis not in involved:
            again = place.grid * limit.get(axis, place.extent) / place.extent if mode == "read" else 1
            tiles = [(n * again, {**sizes, axis: inside}) for n, sizes in tiles]
            continue
        whole, rest = divmod(min(place.extent, limit.get(axis, place.extent)), inside)
        kinds = [(whole, inside), *([(1, rest)] if rest else [])]
        tiles = [(n * count, {**sizes, axis: length}) for n, sizes in tiles for count, length in kinds if count]
        coefficient = abs(offset.coefficient(axis))
        if place.grid > 1:
            starts.append((place.grid, coefficient * place.per_block) if coefficient else (2, 1))
    return tiles, tuple(starts)


def _in_block(dynamic: Mapping[str, frozenset[str]], term: Term, sizes: Mapping[str, int]) -> int:
    """Values that a term takes within one block, whose share of each axis is ``sizes``."""
    count = term.high - term.low + 1
    if term.key in dynamic:
        looked = 1
        for axis in dynamic[term.key]:
            looked *= sizes.get(axis, 1)
        return min(count, looked)
    if term.key in sizes:
        return sizes[term.key]
    if term.arg is None:
        return count
    span = sum(abs(c) * (_in_block(dynamic, t, sizes) - 1) for t, c in term.arg.terms)
    return min(count, span // term.by + 1 if term.kind == "div" else span + 1)
