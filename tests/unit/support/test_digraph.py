"""Order, reachability and components against plain definitions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fstc.support.digraph import CycleError, bits, bitset, components, reachable, successors, topological_order

N = 8
EDGES = st.lists(st.tuples(st.integers(0, N - 1), st.integers(0, N - 1)), max_size=20)
ACYCLIC = EDGES.map(lambda edges: [(min(e), max(e)) for e in edges if e[0] != e[1]])


def test_order_prefers_small_ids() -> None:
    assert topological_order(3, [(2, 0), (2, 1)]) == [2, 0, 1]
    assert topological_order(4, []) == [0, 1, 2, 3]


@given(EDGES)
def test_order_or_a_true_cycle(edges: list[tuple[int, int]]) -> None:
    try:
        order = topological_order(N, edges)
    except CycleError as error:
        cycle = error.cycle
        assert len(set(cycle)) == len(cycle) > 0
        assert all((a, b) in edges for a, b in zip(cycle, [*cycle[1:], cycle[0]], strict=True))
    else:
        place = {v: i for i, v in enumerate(order)}
        assert sorted(order) == list(range(N))
        assert all(place[a] < place[b] for a, b in edges)


@given(ACYCLIC)
def test_reachability(edges: list[tuple[int, int]]) -> None:
    after = successors(N, edges)
    for v, reach in enumerate(reachable(N, edges)):
        found, todo = {v}, [v]
        while todo:
            new = set(after[todo.pop()]) - found
            found |= new
            todo += new
        assert set(bits(reach)) == found
        assert bitset(found) == reach


def test_reachability_needs_no_cycles() -> None:
    with pytest.raises(CycleError, match="0 -> 1 -> 0"):
        reachable(2, [(0, 1), (1, 0)])


@given(EDGES)
def test_components(edges: list[tuple[int, int]]) -> None:
    label = components(N, edges)
    assert all(label[a] == label[b] for a, b in edges)
    assert all(label[v] <= v and label[label[v]] == label[v] for v in range(N))
