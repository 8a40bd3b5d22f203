"""Place the boxes of a directed acyclic graph in rows, and draw its edges so that none runs through a box.

Example: ``arrange(3, [(0, 1), (1, 2), (0, 2)])`` puts three boxes below each other; the edge (0, 2) goes round the
second one in a lane beside the rows. Boxes are in a topological order by number. Rows are depths; a depth with more
than ``Style.columns`` boxes takes several rows, so that the width is bounded. Deterministic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SWEEPS = 4  # up and down, ordering each row by its neighbours
MAX_LANES = 16  # beyond that, lanes are shared


@dataclass(frozen=True)
class Style:
    """Measures in pixels."""

    width: int = 228
    height: int = 64
    columns: int = 4
    between: int = 28  # boxes of a row
    gap: int = 52  # rows
    lane: int = 10
    margin: int = 20
    port: int = 14  # between two ends at the same side of a box


@dataclass(frozen=True)
class Box:
    x: int  # left
    y: int  # top
    row: int


@dataclass(frozen=True)
class Layout:
    """``paths`` are SVG path data, an edge each, in the order given."""

    width: int
    height: int
    boxes: tuple[Box, ...]
    paths: tuple[str, ...]
    rows: tuple[tuple[int, ...], ...]


def arrange(count: int, edges: Sequence[tuple[int, int]], style: Style | None = None) -> Layout:
    """Boxes and paths; every edge goes from a smaller number to a larger one."""
    style = style or Style()
    before: list[list[int]] = [[] for _ in range(count)]
    after: list[list[int]] = [[] for _ in range(count)]
    for a, b in edges:
        assert a < b, "edges follow the order of the boxes"
        after[a].append(b)
        before[b].append(a)
    rows = _ordered(_rows(_depths(before, after), style.columns), before, after)
    widest = max(map(len, rows), default=0)
    pitch = style.width + style.between
    inner = max(widest * pitch - style.between, 0)
    boxes = [Box(0, 0, 0)] * count
    for n, row in enumerate(rows):
        left = style.margin + (inner - (len(row) * pitch - style.between)) // 2
        for k, v in enumerate(row):
            boxes[v] = Box(left + k * pitch, style.margin + n * (style.height + style.gap), n)
    lanes = _lanes([(boxes[a].row, boxes[b].row) for a, b in edges])
    right = style.margin + inner + style.between // 2
    paths = _paths(edges, boxes, lanes, right, style)
    used = max(lanes, default=-1) + 1
    return Layout(
        width=2 * style.margin + inner + (style.between // 2 + used * style.lane if used else 0),
        height=2 * style.margin + max(len(rows) * (style.height + style.gap) - style.gap, 0),
        boxes=tuple(boxes),
        paths=paths,
        rows=tuple(tuple(row) for row in rows),
    )


def _depths(before: list[list[int]], after: list[list[int]]) -> list[int]:
    """The longest way from a box without predecessors; such a box itself moves down to its first user."""
    depth: list[int] = []
    for above in before:
        depth.append(max((depth[a] + 1 for a in above), default=0))
    for v, above in enumerate(before):
        if not above and after[v]:
            depth[v] = min(depth[b] for b in after[v]) - 1
    return depth


def _rows(depth: list[int], columns: int) -> list[list[int]]:
    """Boxes by depth, at most ``columns`` a row, in order of their numbers."""
    levels: list[list[int]] = [[] for _ in range(max(depth, default=-1) + 1)]
    for v, d in enumerate(depth):
        levels[d].append(v)
    rows = []
    for level in levels:
        count = -(-len(level) // columns)
        size = -(-len(level) // count)  # rows of a level are equally long
        rows += [level[i : i + size] for i in range(0, len(level), size)]
    return rows


def _ordered(rows: list[list[int]], before: list[list[int]], after: list[list[int]]) -> list[list[int]]:
    """Each row by the mean place of its neighbours above, then below, and again."""
    place: dict[int, float] = {}
    for row in rows:
        _number(row, place)
    for sweep in range(SWEEPS):
        near, walk = (before, rows) if sweep % 2 == 0 else (after, rows[::-1])
        for row in walk:
            mean = {v: sum(place[u] for u in near[v]) / len(near[v]) if near[v] else place[v] for v in row}
            row.sort(key=lambda v: (mean[v], v))
            _number(row, place)
    return rows


def _number(row: list[int], place: dict[int, float]) -> None:
    for k, v in enumerate(row):
        place[v] = k - (len(row) - 1) / 2


def _lanes(spans: Sequence[tuple[int, int]]) -> list[int]:
    """A lane for each edge that passes a row; -1 for those between neighbours. Shorter edges lie further in."""
    found = [-1] * len(spans)
    taken = [0] * MAX_LANES  # a bit for each gap between two rows
    for n in sorted(range(len(spans)), key=lambda n: (spans[n][1] - spans[n][0], spans[n], n)):
        top, bottom = spans[n]
        if bottom - top > 1:
            gaps = (1 << bottom) - (1 << top)
            found[n] = next((lane for lane in range(MAX_LANES) if not taken[lane] & gaps), n % MAX_LANES)
            taken[found[n]] |= gaps
    return found


def _paths(
    edges: Sequence[tuple[int, int]], boxes: Sequence[Box], lanes: Sequence[int], right: int, style: Style
) -> tuple[str, ...]:
    leave = _ports([a for a, _ in edges], [boxes[b].x if lane < 0 else right for (_, b), lane in _both(edges, lanes)])
    enter = _ports([b for _, b in edges], [boxes[a].x if lane < 0 else right for (a, _), lane in _both(edges, lanes)])
    paths = []
    for n, (a, b) in enumerate(edges):
        x0 = boxes[a].x + style.width // 2 + _shift(leave[n], style)
        x1 = boxes[b].x + style.width // 2 + _shift(enter[n], style)
        y0, y1 = boxes[a].y + style.height, boxes[b].y
        if lanes[n] < 0:
            bend = (y1 - y0) // 2
            paths.append(f"M{x0} {y0}C{x0} {y0 + bend} {x1} {y1 - bend} {x1} {y1}")
        else:
            x = right + lanes[n] * style.lane
            inset = 8 + lanes[n] % 4 * 5
            out, back = y0 + inset, y1 - inset
            paths.append(_round([(x0, y0), (x0, out), (x, out), (x, back), (x1, back), (x1, y1)]))
    return tuple(paths)


def _both(edges: Sequence[tuple[int, int]], lanes: Sequence[int]) -> zip[tuple[tuple[int, int], int]]:
    return zip(edges, lanes, strict=True)


def _ports(ends: Sequence[int], towards: Sequence[int]) -> list[tuple[int, int]]:
    """For each edge its place among those at the same box, from left to right, and how many there are."""
    at: dict[int, list[int]] = {}
    for n, v in enumerate(ends):
        at.setdefault(v, []).append(n)
    found = [(0, 1)] * len(ends)
    for edges in at.values():
        for k, n in enumerate(sorted(edges, key=lambda n: (towards[n], n))):
            found[n] = (k, len(edges))
    return found


def _shift(port: tuple[int, int], style: Style) -> int:
    """Pixels from the middle of a side; many ends move closer together, none leaves the box."""
    place, count = port
    room = min(style.port, (style.width - 24) / max(count - 1, 1))
    return round((place - (count - 1) / 2) * room)


def _round(points: list[tuple[int, int]]) -> str:
    """Straight pieces with rounded corners."""
    text = f"M{points[0][0]} {points[0][1]}"
    for (ax, ay), (bx, by), (cx, cy) in zip(points, points[1:], points[2:], strict=False):
        r = min(6, (abs(ax - bx) + abs(ay - by)) // 2, (abs(bx - cx) + abs(by - cy)) // 2)
        before = (bx - r * _sign(bx - ax), by - r * _sign(by - ay))
        behind = (bx + r * _sign(cx - bx), by + r * _sign(cy - by))
        text += f"L{before[0]} {before[1]}Q{bx} {by} {behind[0]} {behind[1]}"
    return f"{text}L{points[-1][0]} {points[-1][1]}"


def _sign(n: int) -> int:
    return (n > 0) - (n < 0)
