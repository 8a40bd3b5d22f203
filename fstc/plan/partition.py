"""A disjoint, acyclic cover of a region's ops: clusters, the edges between them, an order that is kept as they merge.

Example: ``Partition([frozenset({0}), frozenset({1, 2})], users).merge(0, 1)``. Before a merge :meth:`between` says
whether a path of other clusters leads from one to the other: then they cannot be one kernel. The order is kept as in
Pearce and Kelly, "A dynamic topological sort algorithm for directed acyclic graphs" (JEA 2006), so that the search
for such a path looks only at clusters that lie between the two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from heapq import heapify, heappop, heappush

Members = frozenset[int]
VISITS = 4096  # clusters looked at in the search for one path


class Partition:
    """``members`` by key, the smallest op of a cluster when it was made; ``home`` of every op; ``after`` and ``before``
    of a cluster: its neighbours with the number of edges between them.
    """

    def __init__(self, clusters: Iterable[Members], users: Mapping[int, Sequence[int]]) -> None:
        """``users``: for each op those that read its results."""
        self.users = users
        self.members: dict[int, Members] = {}
        self.home: dict[int, int] = {}
        self.after: dict[int, dict[int, int]] = {}
        self.before: dict[int, dict[int, int]] = {}
        for cluster in clusters:
            self._add(cluster)
        for key in list(self.members):
            self._connect(key)
        self.rank = {key: n for n, key in enumerate(self.sort())}

    def _add(self, cluster: Members) -> int:
        key = min(cluster)
        self.members[key] = cluster
        self.after[key], self.before[key] = {}, {}
        for n in cluster:
            self.home[n] = key
        return key

    def _connect(self, key: int) -> None:
        """Edges from a cluster to all others."""
        for n in self.members[key]:
            for u in self.users[n]:
                other = self.home[u]
                if other != key:
                    self.after[key][other] = self.after[key].get(other, 0) + 1
                    self.before[other][key] = self.before[other].get(key, 0) + 1

    def sort(self) -> list[int]:
        """Keys in an order in which clusters can run; of those that could be next, the one that holds the first op."""
        waiting = {key: len(before) for key, before in self.before.items()}
        ready = [key for key, n in waiting.items() if not n]
        heapify(ready)
        order = []
        while ready:
            key = heappop(ready)
            order.append(key)
            for other in self.after[key]:
                waiting[other] -= 1
                if not waiting[other]:
                    heappush(ready, other)
        assert len(order) == len(self.members), "clusters form a cycle"
        return order

    def levels(self) -> dict[int, int]:
        """Longest path to each cluster; clusters of one level do not wait for each other."""
        level: dict[int, int] = {}
        for key in self.sort():
            level[key] = max((level[b] + 1 for b in self.before[key]), default=0)
        return level

    def edges(self) -> list[tuple[int, int]]:
        """(producer, user) in the order of the producers."""
        order = sorted(self.members, key=self.rank.__getitem__)
        return [(a, b) for a in order for b in sorted(self.after[a], key=self.rank.__getitem__)]

    # -- change -----------------------------------------------------------------------------------------------

    def between(self, a: int, b: int) -> list[int] | None:
        """Clusters on a path from one to the other, ends left out; empty when there is none but an edge.

        None: too many clusters lie between to look at.
        """
        first, last = sorted((a, b), key=self.rank.__getitem__)
        limit = self.rank[last]
        came: dict[int, int] = {}
        stack = [k for k in self.after[first] if k != last and self.rank[k] < limit]
        came.update(dict.fromkeys(stack, first))
        while stack:
            if len(came) > VISITS:
                return None
            key = stack.pop()
            for other in self.after[key]:
                if other == last:
                    path = [key]
                    while came[path[-1]] != first:
                        path.append(came[path[-1]])
                    return path[::-1]
                if other not in came and self.rank[other] < limit:
                    came[other] = key
                    stack.append(other)
        return []

    def merge(self, a: int, b: int) -> int:
        """One cluster of two between which no path of others leads; returns its key."""
        first, last = sorted((a, b), key=self.rank.__getitem__)
        self._reorder(first, last)
        keep, gone = (a, b) if self._degree(a) >= self._degree(b) else (b, a)
        for n in self.members[gone]:
            self.home[n] = keep
        self.members[keep] |= self.members.pop(gone)
        del self.rank[gone]
        for mine, theirs in ((self.after, self.before), (self.before, self.after)):
            for other, count in mine.pop(gone).items():
                del theirs[other][gone]
                if other != keep:
                    mine[keep][other] = mine[keep].get(other, 0) + count
                    theirs[other][keep] = theirs[other].get(keep, 0) + count
        return keep

    def _degree(self, key: int) -> int:
        return len(self.after[key]) + len(self.before[key])

    def _reorder(self, first: int, last: int) -> None:
        """Bring the two together in the order: what must come before them first, what waits for them last."""
        low, high = self.rank[first], self.rank[last]
        forward = self._reach(first, self.after, lambda r: r < high, last)
        backward = self._reach(last, self.before, lambda r: r > low, first)
        keys = [*sorted(backward, key=self.rank.__getitem__), first, last, *sorted(forward, key=self.rank.__getitem__)]
        for key, rank in zip(keys, sorted(self.rank[k] for k in keys), strict=True):
            self.rank[key] = rank

    def _reach(
        self, start: int, edges: Mapping[int, Mapping[int, int]], inside: Callable[[int], bool], stop: int
    ) -> set[int]:
        found: set[int] = set()
        stack = [start]
        while stack:
            for other in edges[stack.pop()]:
                if other != stop and other not in found and inside(self.rank[other]):
                    found.add(other)
                    stack.append(other)
        return found


def circles(partition: Partition, home: Mapping[int, int]) -> list[list[int]]:
    """Groups of more than one that wait for each other, where ``home`` maps some clusters to what they are part of.

    Strongly connected components, after Tarjan (SIAM Journal on Computing 1972); iterative.
    """
    after: dict[int, dict[int, None]] = {}
    for key, users in partition.after.items():
        own = home.get(key, key)
        targets = after.setdefault(own, {})
        for other in users:
            target = home.get(other, other)
            if target != own:
                targets[target] = None
    number: dict[int, int] = {}
    low: dict[int, int] = {}
    stack: list[int] = []
    waiting: set[int] = set()
    path: list[tuple[int, Iterator[int]]] = []
    found: list[list[int]] = []

    def enter(key: int) -> None:
        number[key] = low[key] = len(number)
        stack.append(key)
        waiting.add(key)
        path.append((key, iter(after[key])))

    for start in after:
        if start not in number:
            enter(start)
        while path:
            key, rest = path[-1]
            for other in rest:
                if other not in number:
                    enter(other)
                    break
                if other in waiting:
                    low[key] = min(low[key], number[other])
            else:
                path.pop()
                if path:
                    low[path[-1][0]] = min(low[path[-1][0]], low[key])
                if low[key] == number[key]:
                    group: list[int] = []
                    while not group or group[-1] != key:
                        group.append(stack.pop())
                    waiting.difference_update(group)
                    if len(group) > 1:
                        found.append(group)
    return found
