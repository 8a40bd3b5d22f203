"""Bytes that a placed pattern moves, counted as the checker counts them: distinct 32-byte sectors.

Example: gamma, ``f32[1024]`` read by 4,096 one-row blocks, is 4,096 ``bytes`` and 4,095 times as many ``l2_bytes``.
Sectors that two visits of one block share count once (a perfect L1 for a block).
"""

from __future__ import annotations

from fstc.ir.pattern import Pattern
from fstc.ir.traffic import SECTOR, Box, Use, distinct_bytes, sectors
from fstc.plan.artefact import Access, AxisPlace, vector_width
from fstc.support.affine import Index


def access(pattern: Pattern, use: Use, places: dict[str, AxisPlace], blocks: int) -> Access:
    """Bytes, bytes beyond the first visit, vector width and contiguous run of one tensor under a placement."""
    ttype = pattern.graph.type(use.value)
    size = ttype.dtype.size
    first = distinct_bytes(pattern, use)
    visited = 0.0
    for offset in use.offsets:
        visited += _visits(pattern, offset, size, places, blocks, use.mode) * SECTOR
    visited = max(min(visited, float(first * blocks)), float(first))
    vector, run = width(pattern, use, places)
    return Access(
        value=use.value, mode=use.mode, vector=vector, run=run, bytes=first, l2_bytes=max(0, round(visited) - first)
    )


def width(pattern: Pattern, use: Use, places: dict[str, AxisPlace]) -> tuple[int, int]:
    """(elements of one request of a thread, contiguous bytes of one request of a warp), the worst place counts."""
    size = pattern.graph.type(use.value).dtype.size
    best: tuple[int, int] | None = None
    for offset in use.offsets:
        vector = vector_width(offset, size, places)
        run = vector[1]
        directions = []
        for term, c in offset.terms:
            place = places.get(term.key)
            if place and term.arg is None:
                directions.append((c * place.vector, place.lanes, term.key == vector[0]))
        for stride, lanes, _ in sorted(directions):
            if stride > run:
                break
            run = max(run, stride * (lanes - 1) + run)
        found = (vector[1], run * size)
        best = found if best is None or found < best else best
    return best or (1, size)


def _visits(
    pattern: Pattern, offset: Index, size: int, places: dict[str, AxisPlace], blocks: int, mode: str
) -> float:
    """Sectors of one access, distinct within a block, summed over all blocks."""
    directions: list[tuple[int, int]] = []
    starts: list[tuple[int, int]] = []
    repeats = 1.0
    for term, c in offset.terms:
        place = places.get(term.key) if term.arg is None else None
        if place is None or place.grid == 1:
            directions.append((term.high - term.low + 1, abs(c)))
            continue
        directions.append((min(place.per_block, place.extent), abs(c)))
        starts.append((-(-place.extent // place.per_block), abs(c) * place.per_block))
        repeats *= place.extent / min(place.per_block, place.extent)
    along = 1
    for _, place in places.items():
        if place.grid > 1 and offset.coefficient(place.axis) and place.grid_stride:
            along *= place.grid
    box = Box(tuple(sorted(directions, key=lambda d: d[1])))
    others = blocks / along if mode == "read" else 1
    return sectors(box, offset.const, size, tuple(starts)) * repeats * max(others, 1)


