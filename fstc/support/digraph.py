"""Directed graphs over the integers 0..n-1: order, reachability, components.

Example: ``topological_order(3, [(2, 0), (2, 1)]) == [2, 0, 1]``. Sets of vertices are bitsets in Python
integers: bit v stands for vertex v. Results depend on ids only, never on the order of the edges.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator

Edges = Iterable[tuple[int, int]]


class CycleError(ValueError):
    """The graph has a cycle; ``cycle`` lists its vertices in order."""

    def __init__(self, cycle: list[int]) -> None:
        super().__init__(f"cycle: {' -> '.join(map(str, [*cycle, cycle[0]]))}")
        self.cycle = cycle


def successors(n: int, edges: Edges) -> list[list[int]]:
    """Sorted successors of each vertex, each once."""
    found: list[set[int]] = [set() for _ in range(n)]
    for a, b in edges:
        found[a].add(b)
    return [sorted(s) for s in found]


def topological_order(n: int, edges: Edges) -> list[int]:
    """Every vertex before its successors; among those that may come next, the smallest id."""
    after = successors(n, edges)
    waiting = [0] * n
    for vertices in after:
        for v in vertices:
            waiting[v] += 1
    ready = [v for v in range(n) if not waiting[v]]
    order = []
    while ready:
        v = heapq.heappop(ready)
        order.append(v)
        for w in after[v]:
            waiting[w] -= 1
            if not waiting[w]:
                heapq.heappush(ready, w)
    if len(order) < n:
        raise CycleError(_a_cycle(after, {v for v in range(n) if waiting[v]}))
    return order


def reachable(n: int, edges: Edges) -> list[int]:
    """Per vertex the bitset of vertices it reaches, itself included; the graph must be acyclic."""
    after = successors(n, edges)
    reach = [0] * n
    for v in reversed(topological_order(n, ((a, b) for a in range(n) for b in after[a]))):
        bits = 1 << v
        for w in after[v]:
            bits |= reach[w]
        reach[v] = bits
    return reach


def components(n: int, edges: Edges) -> list[int]:
    """Per vertex the smallest vertex of its weakly connected component."""
    root = list(range(n))

    def find(v: int) -> int:
        while root[v] != v:
            root[v] = root[root[v]]
            v = root[v]
        return v

    for a, b in edges:
        x, y = find(a), find(b)
        root[max(x, y)] = min(x, y)
    return [find(v) for v in range(n)]


def bits(bitset: int) -> Iterator[int]:
    """The vertices of a bitset, ascending."""
    while bitset:
        low = bitset & -bitset
        yield low.bit_length() - 1
        bitset ^= low


def bitset(vertices: Iterable[int]) -> int:
    """The bitset of some vertices."""
    result = 0
    for v in vertices:
        result |= 1 << v
    return result


def _a_cycle(after: list[list[int]], left: set[int]) -> list[int]:
    """A cycle among vertices that no order can place.

    What is left holds every cycle and what lies behind one, so we walk backwards: each vertex that is
    left has a predecessor that is left.
    """
    before = {w: v for v in sorted(left, reverse=True) for w in after[v] if w in left}
    path, seen = [min(left)], {min(left): 0}
    while True:
        v = before[path[-1]]
        if v in seen:
            cycle = path[seen[v] :][::-1]
            first = cycle.index(min(cycle))
            return cycle[first:] + cycle[:first]
        seen[v] = len(path)
        path.append(v)
