"""Ops that change their kernel: moved to a neighbour, or repeated by each of their users.

Example: ``exp`` was joined with a sibling that reads the same tensor, and its only user, a sum, is another kernel: as a
part of the sum's kernel its result never leaves the chip. A move is tried when the fast evaluator is for it, and made
when the accurate one predicts less time for all kernels that it touches.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from fstc.ir.ops.opdef import Form, Kind
from fstc.plan.artefact import Decision
from fstc.plan.candidate import EQUAL
from fstc.plan.delta import Delta
from fstc.plan.folding import STAYS
from fstc.plan.judge import Judge
from fstc.plan.partition import Partition, circles
from fstc.plan.pricer import Members, users_of

ROUNDS = 4
MOST_ASIDE, MOST_OPS = 16, 96  # clusters and ops of a plan in which ops move between readers of one tensor
MOST_REPEATED = 32  # ops of a region that are tried as repeated by their users
MOST_WORK = 6000  # ops that are placed for it: a kernel of hundreds is tried in few ways, one of thirty in hundreds
MOST_BEFORE = 6  # ops before one of them that are repeated with it, so that it waits for less


@dataclass(frozen=True)
class Move:
    """Ops that leave one cluster for another."""

    ops: Members
    rest: Members  # of the cluster that they leave
    source: int
    target: int
    gain: float


class Mover:
    """Works on one partition; ``decisions`` are what it changed."""

    def __init__(self, judge: Judge, delta: Delta, partition: Partition) -> None:
        self.judge, self.delta, self.partition = judge, delta, partition
        self.decisions: list[Decision] = []
        self._before: dict[int, frozenset[int]] = {}
        self._most = MOST_WORK
        self._sinks: tuple[Partition, dict[tuple[int, int], list[int]]] | None = None

    def run(self) -> bool:
        """Whether something changed."""
        look_at: Container[int] = self.partition.members
        changed = False
        self._most = self.judge.pricer.work + MOST_WORK
        for _ in range(ROUNDS):
            look_at = self._move(look_at)
            if not look_at:
                break
            changed = True
        return self._repeat() or changed

    # -- moving -----------------------------------------------------------------------------------------------

    def _move(self, look_at: Container[int]) -> frozenset[int]:
        """One round along edges at some clusters: the best moves first, each cluster in one of them at most.

        Returns the clusters that changed.
        """
        edges = [(a, b) for a, b in self.pairs() if a in look_at or b in look_at]
        found = [move for a, b in edges if not self._is_enough() for move in self._between(a, b)]
        found.sort(key=lambda m: (-m.gain, m.source, m.target))
        touched: set[int] = set()
        made: list[Move] = []
        for move in found:
            if touched.isdisjoint((move.source, move.target)):
                touched |= {move.source, move.target}
                made.append(move)
        while made and not self._apply(made):
            made = made[: len(made) // 2]
        pricer = self.judge.pricer
        for move in made:
            left, right = pricer.name(move.ops), pricer.name(self.partition.members[self._home(move)])
            reason = f"{len(move.ops)} ops change their kernel"
            self.decisions.append(
                Decision(code="FSN004", accepted=True, left=left, right=right, gain_us=move.gain, reason=reason)
            )
        changed = (self.partition.home[n] for m in made for n in (min(m.ops), min(m.rest)))
        return frozenset(changed)

    def _home(self, move: Move) -> int:
        return self.partition.home[min(move.ops)]

    def _between(self, a: int, b: int) -> Iterator[Move]:
        """Moves along one edge: what only ``b`` needs goes down, what needs nothing else of ``b`` goes up."""
        members = self.partition.members
        for ops, source, target in self.offered(a, b):
            gain = self._gain(ops, members[source], members[target])
            if gain > 0:
                yield Move(ops, members[source] - ops, source, target, gain)

    def pairs(self) -> list[tuple[int, int]]:
        """Clusters between which ops may move: along edges, and in small plans between readers of one tensor."""
        edges = self.partition.edges()
        if not self._small():
            return edges
        pricer = self.judge.pricer
        reads = {
            k: frozenset(v for v in pricer.reads_of(m) if pricer.graph.type(v).elements > 1)
            for k, m in self.partition.members.items()
        }
        order = sorted(reads, key=self.partition.rank.__getitem__)
        aside = [(a, b) for n, a in enumerate(order) for b in order[n + 1 :] if not reads[a].isdisjoint(reads[b])]
        return list(dict.fromkeys((*edges, *aside)))

    def _small(self) -> bool:
        """Whether ops are moved between readers of one tensor too: pairs are many, and each move is placed."""
        return len(self.partition.members) <= MOST_ASIDE and len(self.partition.home) <= MOST_OPS

    def offered(self, a: int, b: int) -> Iterator[tuple[Members, int, int]]:
        """(ops, from, to) of the moves between two clusters that wishes allow, each once."""
        members = self.partition.members
        seen: set[Members] = set()
        aside = (*self._aside(a, b), *self._aside(b, a)) if self._small() else ()
        for ops, source, target in (*self._down(a, b), *self._up(a, b), *aside):
            kept = any(not ops.isdisjoint(group) for group in self.judge.steering.kept)
            if ops not in seen and ops != members[source] and not kept:
                seen.add(ops)
                yield ops, source, target

    def _down(self, a: int, b: int) -> Iterator[tuple[Members, int, int]]:
        """For each value of ``a`` that only ``b`` reads: its op, and what in ``a`` is there for it alone."""
        pricer, members = self.judge.pricer, self.partition.members
        order: list[int] = []
        for n in self._only(a, b):
            order = order or sorted(members[a], reverse=True)
            ops = {n}
            for m in order:
                uses = self.partition.users[m]
                kept = any(v in pricer.results for v in pricer.graph.nodes[m].outputs)
                if m not in ops and uses and not kept and all(u in ops or u in members[b] for u in uses):
                    ops.add(m)
            yield frozenset({n}), a, b
            yield frozenset(ops), a, b

    def _only(self, a: int, b: int) -> Sequence[int]:
        """Ops of ``a`` whose results only ``b`` reads, in order; found for all pairs at once."""
        if self._sinks is None or self._sinks[0] is not self.partition:
            home, results = self.partition.home, self.judge.pricer.results
            found: dict[tuple[int, int], list[int]] = {}
            for n, users in self.partition.users.items():
                target = home[users[0]] if users else home[n]
                only = target != home[n] and all(home[u] == target for u in users)
                if only and results.isdisjoint(self.judge.pricer.graph.nodes[n].outputs):
                    found.setdefault((home[n], target), []).append(n)
            self._sinks = self.partition, found
        return self._sinks[1].get((a, b), ())

    def _up(self, a: int, b: int) -> Iterator[tuple[Members, int, int]]:
        """For each reader in ``b`` of values of ``a`` that waits for nothing else in ``b``: it alone."""
        members = self.partition.members
        for n in sorted(members[b]):
            producers = self._producers(n)
            if not producers.isdisjoint(members[a]) and producers.isdisjoint(members[b]):
                yield frozenset({n}), b, a

    def _producers(self, n: int) -> frozenset[int]:
        """Ops whose results one op reads."""
        if n not in self._before:
            pricer = self.judge.pricer
            inputs = pricer.graph.nodes[n].inputs
            self._before[n] = frozenset(p for v in inputs for p in pricer.producers(v))
        return self._before[n]

    def _aside(self, a: int, b: int) -> Iterator[tuple[Members, int, int]]:
        """For each op of ``a`` that reads what ``b`` reads: it with what it waits for, or with what waits for it."""
        pricer, members = self.judge.pricer, self.partition.members
        common = pricer.reads_of(members[a]) & pricer.reads_of(members[b])
        for n in sorted(members[a]) if common else ():
            if not common.isdisjoint(pricer.reads_of(frozenset({n}))):
                yield self.judge.above(members[a], n), a, b
                yield self._below(members[a], n), a, b

    def _below(self, members: Members, node: int) -> Members:
        """An op and all members that wait for it."""
        found, stack = {node}, [node]
        while stack:
            for u in self.partition.users[stack.pop()]:
                if u in members and u not in found:
                    found.add(u)
                    stack.append(u)
        return frozenset(found)

    def _gain(self, ops: Members, source: Members, target: Members) -> float:
        rest, grown = source - ops, target | ops
        after = [self.delta.score(rest), self.delta.score(grown)]
        before = [self.delta.score(source), self.delta.score(target)]
        if any(s is None for s in after):
            return 0.0
        if sum(s.total for s in after if s) <= sum(s.total for s in before if s):
            return 0.0
        if self.judge.forbidden([grown], grown) is not None:
            return 0.0
        pricer = self.judge.pricer
        now = pricer.time(source) + pricer.time(target)
        then = pricer.time(rest) + pricer.time(grown)
        return now - then if then < now * EQUAL else 0.0

    def with_moved(self, ops: Members, source: int, target: int) -> Partition | None:
        """The partition after one move, unless clusters would then wait for each other."""
        members = dict(self.partition.members)
        members[source] -= ops
        members[target] |= ops
        if wait_in_circles(members.values(), self.partition.users):
            return None
        return Partition(members.values(), self.partition.users)

    def _apply(self, moves: list[Move]) -> bool:
        """Make the moves unless clusters would then wait for each other."""
        members = dict(self.partition.members)
        for move in moves:
            members[move.source] -= move.ops
            members[move.target] |= move.ops
        if wait_in_circles(members.values(), self.partition.users):
            return False
        self.partition = Partition(members.values(), self.partition.users)
        return True

    # -- repeating --------------------------------------------------------------------------------------------

    def _repeat(self) -> bool:
        """Fold ops of which several kernels need the result, where computing it again is cheaper than moving it."""
        home, gained = self.partition.home, 0.0
        several = [n for n in self._by_size() if not {home[u] for u in self.partition.users[n]} <= {home[n]}]
        for n in several[:MOST_REPEATED]:
            if n in self.partition.home and not self._is_enough():
                gained += self._repeated(n)
        return gained > 0

    def _is_enough(self) -> bool:
        return self.judge.pricer.work > self._most

    def repeatable(self, most: int) -> list[Members]:
        """Ops with several users, the largest results first: each with what comes for nothing, and with all before it
        that can be repeated, so that its users wait for less.
        """
        several = [n for n in self._by_size() if len(self.partition.users[n]) > 1][:most]
        return list(dict.fromkeys(chain for n in several for chain in (self._chain(n), self._chain(n, MOST_BEFORE))))

    def everything(self) -> Members:
        """All ops that their users can repeat."""
        return frozenset(self._by_size())

    def only_for(self, n: int, members: Members) -> Members:
        """One of the members, and those of them that are there for it alone."""
        pricer, found = self.judge.pricer, {n}
        for m in sorted(members, reverse=True):
            uses = self.partition.users[m]
            if m < n and uses and found.issuperset(uses) and pricer.results.isdisjoint(pricer.graph.nodes[m].outputs):
                found.add(m)
        return frozenset(found)

    def _by_size(self) -> list[int]:
        """Ops that their users may repeat, the largest results first."""
        graph = self.judge.pricer.graph
        found = [n for n, users in self.partition.users.items() if users and self._repeatable(n)]
        return sorted(found, key=lambda n: (-sum(graph.type(v).nbytes for v in graph.nodes[n].outputs), n))

    def _repeatable(self, n: int) -> bool:
        pricer, node = self.judge.pricer, self.judge.pricer.graph.nodes[n]
        steering = self.judge.steering
        if n in steering.settled or not steering.pinned.isdisjoint(self.partition.users[n]):
            return False
        if node.op.form in STAYS or node.op.kind is Kind.LIBRARY or any(v in pricer.results for v in node.outputs):
            return False
        return all(pricer.graph.nodes[u].op.form is not Form.SCATTER for u in self.partition.users[n])

    def _chain(self, n: int, most: int = 0) -> Members:
        """An op and those before it that read less than they make: with it they come for nothing.

        Besides them ``most`` others that can be repeated, the nearest first.
        """
        pricer, graph = self.judge.pricer, self.judge.pricer.graph
        found, queue = {n}, deque([n])
        while queue:
            for v in graph.nodes[queue.popleft()].inputs:
                for p in pricer.producers(v):
                    if p in found or not self._repeatable(p):
                        continue
                    node = graph.nodes[p]
                    free = sum(graph.type(i).nbytes for i in node.inputs) < graph.type(node.outputs[0]).nbytes
                    if free or most > 0:
                        most -= not free
                        found.add(p)
                        queue.append(p)
        return frozenset(found)

    def _repeated(self, n: int) -> float:
        """Fold one op if that gains; returns the gain."""
        pricer, partition = self.judge.pricer, self.partition
        chain = self._chain(n)
        below = {p for m in chain for v in pricer.graph.nodes[m].inputs for p in pricer.producers(v)}
        users = {u for m in chain for u in partition.users[m]}
        touched = {partition.home[m] for m in (*chain, *users, *below)}
        before = [partition.members[k] for k in sorted(touched)]
        now = sum(map(pricer.time, before))
        name = pricer.name(frozenset({n}))
        with pricer.folding(chain):
            after = [rest for m in before if (rest := m - chain)]
            if any(self.judge.forbidden([m], m) is not None for m in after):
                return 0.0
            then = sum(map(pricer.time, after))
            if then >= now * EQUAL:
                return 0.0
            clusters = [rest for m in partition.members.values() if (rest := m - chain)]
            remaining = users_of(pricer, (m for m in partition.users if m not in chain))
            if wait_in_circles(clusters, remaining):
                return 0.0
        pricer.fold(chain)
        self._before = {}
        self.partition = Partition(clusters, remaining)
        reason = f"{len(touched)} kernels: computing it again is cheaper than writing and reading it"
        self.decisions.append(
            Decision(code="FSN005", accepted=True, left=name, right="", gain_us=now - then, reason=reason)
        )
        return now - then


def wait_in_circles(clusters: Iterable[Members], users: Mapping[int, Sequence[int]]) -> bool:
    alone = Partition((frozenset({n}) for n in users), users)
    return bool(circles(alone, {n: -1 - k for k, found in enumerate(clusters) for n in found}))
