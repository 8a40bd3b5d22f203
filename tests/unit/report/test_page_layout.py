from __future__ import annotations

import re
import time
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from fstc.report.layout import MAX_LANES, Layout, Style, arrange

STYLE = Style()
Edges = list[tuple[int, int]]


@st.composite
def dags(draw: st.DrawFn) -> tuple[int, Edges]:
    count = draw(st.integers(1, 24))
    pairs = [(a, b) for b in range(count) for a in range(b)]
    edges = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=40)) if pairs else []
    return count, edges


def points(path: str) -> list[tuple[int, int]]:
    numbers = [int(n) for n in re.findall(r"-?\d+", path)]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def crossed(layout: Layout, path: str) -> list[int]:
    """Boxes that the hull of some piece of the path touches inside; a piece is a line or a curve."""
    found = []
    pieces = re.findall(r"[MLCQ][^MLCQ]+", path)
    at = points(pieces[0])[-1]
    for piece in pieces[1:]:
        ends = [at, *points(piece)]
        at = ends[-1]
        left, right = min(x for x, _ in ends), max(x for x, _ in ends)
        top, bottom = min(y for _, y in ends), max(y for _, y in ends)
        for n, box in enumerate(layout.boxes):
            beside = right <= box.x or left >= box.x + STYLE.width
            apart = bottom <= box.y or top >= box.y + STYLE.height
            if not beside and not apart:
                found.append(n)
    return found


@given(dags())
def test_boxes_lie_apart_and_inside(dag: tuple[int, Edges]) -> None:
    layout = arrange(*dag)
    spots = {(box.x, box.y) for box in layout.boxes}
    assert len(spots) == dag[0]
    for row in layout.rows:
        assert len(row) <= STYLE.columns
        xs = [layout.boxes[v].x for v in row]
        assert all(b - a >= STYLE.width + STYLE.between for a, b in pairwise(xs))
    for box in layout.boxes:
        assert 0 <= box.x <= layout.width - STYLE.width
        assert 0 <= box.y <= layout.height - STYLE.height
    assert sorted(v for row in layout.rows for v in row) == list(range(dag[0]))


@given(dags())
def test_edges_go_down_and_through_no_box(dag: tuple[int, Edges]) -> None:
    count, edges = dag
    layout = arrange(count, edges)
    for (a, b), path in zip(edges, layout.paths, strict=True):
        assert layout.boxes[a].row < layout.boxes[b].row
        start, end = points(path)[0], points(path)[-1]
        assert start[1] == layout.boxes[a].y + STYLE.height
        assert end[1] == layout.boxes[b].y
        assert layout.boxes[a].x < start[0] < layout.boxes[a].x + STYLE.width
        assert layout.boxes[b].x < end[0] < layout.boxes[b].x + STYLE.width
        assert not crossed(layout, path)
        assert all(0 <= x <= layout.width and 0 <= y <= layout.height for x, y in points(path))


def test_lanes_are_shared_by_edges_apart_and_only_by_them() -> None:
    chain = [(n, n + 1) for n in range(11)]
    layout = arrange(12, [*chain, (0, 3), (3, 6), (1, 8)])
    lanes = [max(x for x, _ in points(path)) for path in layout.paths[-3:]]
    assert lanes[0] == lanes[1] < lanes[2]


def test_many_edges_share_lanes_at_last() -> None:
    count = 3 * MAX_LANES
    chain = [(n, n + 1) for n in range(count - 1)]
    layout = arrange(count, chain + [(n, count - 1) for n in range(count - 2)])
    assert layout.width < STYLE.width + 2 * STYLE.margin + STYLE.between + (MAX_LANES + 1) * STYLE.lane


def test_a_source_stands_above_its_user() -> None:
    layout = arrange(5, [(0, 1), (1, 2), (2, 4), (3, 4)])
    assert layout.boxes[3].row == layout.boxes[2].row


def test_nothing() -> None:
    layout = arrange(0, [])
    assert (layout.boxes, layout.paths) == ((), ())


def test_thousands_of_boxes_take_no_time() -> None:
    chain = [(n, n + 1) for n in range(4999)] + [(n, n + 5) for n in range(0, 4990, 3)]
    wide = [(0, n) for n in range(1, 5000)]
    for edges in (chain, wide):
        start = time.process_time()
        arrange(5000, edges)
        assert time.process_time() - start < 5
