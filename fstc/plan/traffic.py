"""Bytes that a placed pattern moves, counted as the checker counts them: distinct 32-byte sectors.

Example: gamma, ``f32[1024]`` read by 4,096 one-row blocks, is 4,096 ``bytes`` and 4,095 times as many ``l2_bytes``.
Sectors that two visits of one block share count once (a perfect L1 for a block).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

from fstc.plan.artefact import REQUEST, Access, AxisPlace, vector_width
from fstc.ir.pattern import Pattern
from fstc.support.affine import Index, linearize

SECTOR = 32  # bytes


@dataclass(frozen=True)
class Use:
    """All places of one tensor that a pattern reads, or the one where it is written."""

    value: int
    mode: str
    offsets: tuple[Index, ...]  # in elements


@dataclass(frozen=True)
class _Box:
    """A run-structured set of elements: (count, stride in elements) of every direction, innermost first."""

    directions: tuple[tuple[int, int], ...]

    @property
    def run(self) -> int:
        return self._walk()[0]

    @property
    def runs(self) -> int:
        return self._walk()[1]

    def _walk(self) -> tuple[int, int]:
        run, runs = 1, 1
        for count, stride in self.directions:
            if count == 1:
                continue
            if stride <= run and runs == 1:
                run = (count - 1) * stride + run
            else:
                runs *= count
        return run, runs


def uses(pattern: Pattern) -> tuple[Use, ...]:
    """Inputs that are read and outputs that are written, each once, in order of value id."""
    graph = pattern.graph
    loads: dict[int, list[Index]] = {}
    for instance in pattern.instances.values():
        if instance.role == "load":
            offset = linearize(instance.at, graph.type(instance.value).shape)
            loads.setdefault(instance.value, []).append(offset)
    found = [Use(v, "read", tuple(dict.fromkeys(o))) for v, o in loads.items()]
    for value in dict.fromkeys(graph.outputs):
        if graph.type(value).elements and graph.values[value].node >= 0:
            found.append(Use(value, "write", (linearize(pattern.native(value), graph.type(value).shape),)))
    return tuple(sorted(found, key=lambda u: (u.mode, u.value)))


def distinct_bytes(pattern: Pattern, use: Use) -> int:
    """Distinct sectors of a tensor that the pattern touches at all, in bytes."""
    ttype = pattern.graph.type(use.value)
    whole = -(-ttype.nbytes // SECTOR) * SECTOR
    total = 0
    for offset in use.offsets:
        box = _Box(tuple(sorted(((t.high - t.low + 1, abs(c)) for t, c in offset.terms), key=lambda d: d[1])))
        total += round(_sectors(box, offset.const, ttype.dtype.size, ()) * SECTOR)
        if total >= whole:
            return whole
    return min(total, whole)


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
    box = _Box(tuple(sorted(directions, key=lambda d: d[1])))
    others = blocks / along if mode == "read" else 1
    return _sectors(box, offset.const, size, tuple(starts)) * repeats * max(others, 1)


def _sectors(box: _Box, const: int, size: int, starts: tuple[tuple[int, int], ...]) -> float:
    """Sectors of a box: its runs, each with the average number of boundaries that it straddles."""
    run, runs = box._walk()
    length = run * size
    step = SECTOR
    for count, stride in (*box.directions, *starts):
        if count > 1 and stride >= run:
            step = gcd(step, stride * size)
    step = gcd(step, const * size)
    if step == SECTOR:
        return runs * -(-length // SECTOR)
    # Starts fall on all multiples of ``step`` alike: the mean over them.
    places = SECTOR // step
    mean = sum((k * step + length - 1) // SECTOR + 1 for k in range(places)) / places
    return runs * mean
