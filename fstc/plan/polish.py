"""Last changes of a small plan, judged by the time of all its launches together, packing included.

Example: two kernels that were kept apart for half a microsecond follow each other; joined, they are early enough to
share the launch of a third. Only whole plans show that, and each has to be packed anew, so it is tried where a
region has few kernels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from math import inf

from fstc.ir.ops.opdef import Form
from fstc.plan.artefact import Decision
from fstc.plan.candidate import EQUAL, Placed
from fstc.plan.launch import launches_time
from fstc.plan.moves import Mover, wait_in_circles
from fstc.plan.pack import Packer
from fstc.plan.partition import Partition
from fstc.plan.pricer import Members, users_of
from fstc.plan.refine import Refiner

MOST_CLUSTERS = 12
MOST_REPEATED = 12  # ops that are tried as computed by each of their users
MOST_NEIGHBOURS = 96  # looked at in one round
MOST_WORK = 8000  # ops that are placed for it: a plan of large kernels has fewer neighbours looked at
ROUNDS = 12
NEAR = 1.25  # of the fastest choice of splits: what is polished
FAR, FARTHER = 2.0, 0.6  # what is polished, too: up to this, with a lower bound below that
FEW = 24  # ops of a region in which two changes are tried together
AHEAD = 4  # first changes that are followed by a second, though they do not gain
WORTH = 0.94  # of the time now: what must remain above it is not priced
WHOLE = (Form.ELEMENTWISE, Form.CONSTANT, Form.IOTA, Form.BROADCAST, Form.RESHAPE, Form.TRANSPOSE, Form.REDUCE)
"""Forms that read every element of their operands and write every element of their results."""


@dataclass(frozen=True)
class Neighbour:
    """A partition one change away: what meets or parts, and the ops that every user then computes."""

    partition: Partition
    left: str
    right: str
    folded: Members = frozenset()


class Polisher:
    """Works on what the refiner left; ``refiner.partition``, its decisions and what its pricer folds are changed."""

    def __init__(self, refiner: Refiner, mover: Mover, packer: Packer) -> None:
        self.refiner, self.mover, self.packer = refiner, mover, packer
        self.most = MOST_WORK

    def run(self, fastest: float) -> None:
        """``fastest``: what another choice of splits takes; what is slower and cannot be much faster is left alone."""
        refiner = self.refiner
        if len(refiner.partition.members) > MOST_CLUSTERS:
            return
        self.most = refiner.judge.pricer.work + MOST_WORK
        now, least = self.total(refiner.partition), self.floor()
        if now > NEAR * fastest and (now > FAR * fastest or least > FARTHER * fastest):
            return
        deep = len(refiner.partition.users) <= FEW and least < FARTHER * now
        for _ in range(ROUNDS):
            found = self._ranked(now)
            if found and found[0][0] < now * EQUAL:
                now = self._take(*found[0], now)
                continue
            second = self._second(found[:AHEAD], now) if deep else None
            if second is None:
                return
            first, time, following = second
            self._take(now, first, now)
            now = self._take(time, following, now)

    def _ranked(self, now: float) -> list[tuple[float, Neighbour]]:
        """Neighbours of the partition, the fastest first."""
        found = list(islice(self._neighbours(self.refiner.partition), MOST_NEIGHBOURS))
        pricer = self.refiner.judge.pricer
        priced = [(t, n) for n in found if pricer.work <= self.most and (t := self._total(n, now)) < inf]
        return sorted(priced, key=lambda p: p[0])

    def _second(self, found: list[tuple[float, Neighbour]], now: float) -> tuple[Neighbour, float, Neighbour] | None:
        """Two changes that gain together, where the first alone does not."""
        refiner, before = self.refiner, self.refiner.partition
        best: tuple[Neighbour, float, Neighbour] | None = None
        for _, first in found:
            with refiner.judge.pricer.folding(first.folded):
                refiner.partition = first.partition
                following = self._ranked(now)
                refiner.partition = before
            if following and following[0][0] < (best[1] if best else now * EQUAL):
                best = first, *following[0]
        return best

    def floor(self) -> float:
        """A lower bound of the whole: a launch, a second behind split reductions, and what crosses the memory."""
        refiner = self.refiner
        size = self._bytes(frozenset(refiner.partition.users))
        device = refiner.judge.pricer.device
        return (1 + bool(refiner.judge.partial)) * device.launch_us + 1.05 * size / (device.dram_gbps * 1e3)

    def _take(self, time: float, found: Neighbour, before: float) -> float:
        pricer, refiner = self.refiner.judge.pricer, self.refiner
        code, names = "FSN004", [(found.left, found.right)]
        if found.folded:
            code, names = "FSN005", [(pricer.name(frozenset({n})), "") for n in sorted(found.folded, reverse=True)]
            pricer.fold(found.folded)
        refiner.partition = found.partition
        reason = "all launches together take less time, packing included"
        for number, (left, right) in enumerate(names):
            gain = 0.0 if number else before - time
            refiner.decisions.append(
                Decision(code=code, accepted=True, left=left, right=right, gain_us=gain, reason=reason)
            )
        return time

    def total(self, partition: Partition) -> float:
        """Microseconds of all launches; infinite where some cluster is no kernel."""
        pricer = self.refiner.judge.pricer
        if any(not isinstance(pricer.place(m), Placed) for m in partition.members.values()):
            return inf
        launches = (packer := Packer(pricer, self.packer.packs, self.packer.steering)).run(partition)
        if packer.missing(launches) is not None:
            return inf
        return launches_time(launches, pricer.device)

    def _total(self, found: Neighbour, now: float) -> float:
        """The total of a neighbour; infinite where it cannot be worth having against ``now``."""
        judge = self.refiner.judge
        with judge.pricer.folding(found.folded):
            if self._least(found.partition) > now * WORTH:
                return inf
            known = () if found.folded else self.refiner.partition.members.values()
            made = (m for m in found.partition.members.values() if m not in known)
            if any(judge.forbidden([m], m) is not None for m in made):
                return inf
            return self.total(found.partition)

    def _least(self, partition: Partition) -> float:
        """A lower bound that needs no placement: a launch for each level, and all bytes at the full rate."""
        pricer = self.refiner.judge.pricer
        size = sum(map(self._bytes, partition.members.values()))
        levels = 1 + max(partition.levels().values())
        return levels * pricer.device.launch_us + 1.05 * size / (pricer.device.dram_gbps * 1e3)

    def _bytes(self, members: Members) -> int:
        """What a kernel moves: tensors that it reads and writes as a whole."""
        pricer = self.refiner.judge.pricer
        graph, stored = pricer.graph, pricer.outputs_of(members)
        whole: set[int] = set()
        for node in (graph.nodes[n] for n in pricer.nodes_of(members)):
            if node.op.form in WHOLE:
                whole.update((*node.inputs, *node.outputs))
            elif any(graph.values[v].node in members and v not in stored for v in node.inputs):
                return 0  # of what comes before it only a part may be wanted
        moved = (pricer.reads_of(members) | stored) & whole
        return sum(graph.type(v).nbytes for v in moved)

    def _neighbours(self, partition: Partition) -> Iterator[Neighbour]:
        self.mover.partition = partition
        yield from self._merged(partition)
        yield from self._moved(partition)
        yield from self._detached(partition)
        yield from self._parted(partition)

    def _merged(self, partition: Partition) -> Iterator[Neighbour]:
        judge, members = self.refiner.judge, partition.members
        for a, b in self.mover.pairs():
            both = members[a] | members[b]
            if partition.between(a, b) == [] and judge.forbidden([members[a], members[b]], both) is None:
                rest = [m for k, m in members.items() if k not in (a, b)]
                left, right = judge.pricer.name(members[a]), judge.pricer.name(members[b])
                yield Neighbour(Partition([*rest, both], partition.users), left, right)

    def _moved(self, partition: Partition) -> Iterator[Neighbour]:
        judge, members = self.refiner.judge, partition.members
        for a, b in self.mover.pairs():
            for ops, source, target in self.mover.offered(a, b):
                grown = members[target] | ops
                changed = self.mover.with_moved(ops, source, target)
                if changed is not None and judge.forbidden([grown], grown) is None:
                    yield Neighbour(changed, judge.pricer.name(ops), judge.pricer.name(members[target]))

    def _detached(self, partition: Partition) -> Iterator[Neighbour]:
        """Results that nothing else in their cluster reads, with what is there for them alone, apart from it.

        They may then run in a launch that comes later.
        """
        judge, members = self.refiner.judge, partition.members
        whole = frozenset().union(*judge.steering.kept)
        for key, own in members.items():
            for n in sorted(own) if whole.isdisjoint(own) else ():
                if own.isdisjoint(partition.users[n]):
                    ops = self.mover.only_for(n, own)
                    if ops != own:
                        rest = [m for k, m in members.items() if k != key]
                        name = judge.pricer.name(own - ops)
                        yield Neighbour(
                            Partition([*rest, own - ops, ops], partition.users), name, judge.pricer.name(ops)
                        )

    def _parted(self, partition: Partition) -> Iterator[Neighbour]:
        """Other clusters, when an op is computed by each of its users, or all are that can be, or none more.

        Either the clusters fall apart, or all that values connect is one cluster; where all ops are repeated that can
        be, the others are also tried alone.
        """
        pricer = self.refiner.judge.pricer
        several = self.mover.repeatable(MOST_REPEATED)
        every = self.mover.everything()
        for chain in dict.fromkeys((frozenset[int](), *several, every)):
            with pricer.folding(chain):
                users = users_of(pricer, (n for n in partition.users if n not in chain))
                ways = [self._apart(partition, chain, users), self._strands(users)]
                ways += [[frozenset({n}) for n in users]] if chain == every and ways[1] else []
                circle = [wait_in_circles(clusters, users) for clusters in ways]
            for clusters, waits in zip(ways, circle, strict=True):
                if clusters and not waits and not self._alike(partition, chain, clusters):
                    name = pricer.name(chain or min(partition.members.values(), key=min))
                    yield Neighbour(Partition(clusters, users), name, "", chain)

    def _apart(self, partition: Partition, chain: Members, users: Mapping[int, Sequence[int]]) -> list[Members]:
        """The clusters without some ops, those that are not connected any more apart."""
        whole = frozenset().union(*self.refiner.judge.steering.kept)
        return [
            part
            for m in partition.members.values()
            for part in ([m - chain] if not whole.isdisjoint(m) else connected(m - chain, users))
        ]

    def _alike(self, partition: Partition, chain: Members, clusters: Sequence[Members]) -> bool:
        """Whether the kernels compute what they compute now: all users of what is repeated are in its cluster."""
        home = partition.home
        if any(home[u] != home[n] for n in chain for u in partition.users[n]):
            return False
        return set(clusters) == {rest for m in partition.members.values() if (rest := m - chain)}

    def _strands(self, users: Mapping[int, Sequence[int]]) -> list[Members]:
        """All that is connected, except by a value that has to cross a launch; nothing where wishes are to be kept."""
        judge = self.refiner.judge
        if judge.steering.kept or judge.steering.pinned or judge.steering.apart or len(users) > judge.rules.max_ops:
            return []
        across = {frozenset(pair) for pair in judge.partial}
        inside = {n: [u for u in found if frozenset({n, u}) not in across] for n, found in users.items()}
        return connected(frozenset(users), inside)


def connected(members: Members, users: Mapping[int, Sequence[int]]) -> list[Members]:
    """The parts of a cluster between which no value passes, in the order of their first ops."""
    group = {n: n for n in sorted(members)}

    def find(n: int) -> int:
        while group[n] != n:
            n = group[n]
        return n

    for n in group:
        for u in users[n]:
            if u in group:
                a, b = find(n), find(u)
                group[max(a, b)] = min(a, b)
    found: dict[int, set[int]] = {}
    for n in group:
        found.setdefault(find(n), set()).add(n)
    return [frozenset(part) for part in found.values()]
