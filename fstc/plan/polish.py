"""Last changes of a small plan, judged by the time of all its launches together, packing included.

Example: two kernels that were kept apart for half a microsecond follow each other; joined, they are early enough to
share the launch of a third. Only whole plans show that, and each has to be packed anew, so it is tried where a
region has few kernels.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

from fstc.plan.artefact import Decision
from fstc.plan.candidate import Placed
from fstc.plan.judge import EQUAL
from fstc.plan.moves import Mover
from fstc.plan.pack import Packer, side_by_side
from fstc.plan.partition import Partition
from fstc.plan.refine import Refiner

MOST_CLUSTERS = 12
ROUNDS = 4


class Polisher:
    """Works on what the refiner left; ``refiner.partition`` and its decisions are changed."""

    def __init__(self, refiner: Refiner, mover: Mover, packer: Packer) -> None:
        self.refiner, self.mover, self.packer = refiner, mover, packer

    def run(self) -> None:
        partition = self.refiner.partition
        if not 1 < len(partition.members) <= MOST_CLUSTERS:
            return
        now = self.total(partition)
        for _ in range(ROUNDS):
            best: tuple[float, Partition, str, str] | None = None
            for changed, left, right in self._neighbours(partition):
                time = self.total(changed)
                if time < now * EQUAL and (best is None or time < best[0]):
                    best = time, changed, left, right
            if best is None:
                return
            time, partition, left, right = best
            reason = "all launches together take less time, packing included"
            self.refiner.decisions.append(
                Decision(code="FSN004", accepted=True, left=left, right=right, gain_us=now - time, reason=reason)
            )
            self.refiner.partition, now = partition, time

    def total(self, partition: Partition) -> float:
        """Microseconds of all launches; infinite where some cluster is no kernel."""
        pricer = self.refiner.judge.pricer
        if any(not isinstance(pricer.place(m), Placed) for m in partition.members.values()):
            return inf
        launches = Packer(pricer, self.packer.packs, self.packer.pinned).run(partition)
        return sum(side_by_side([placed for _, placed in launch], pricer.device) for launch in launches)

    def _neighbours(self, partition: Partition) -> Iterator[tuple[Partition, str, str]]:
        """Partitions that are one merge or one move away, with names of what meets."""
        judge, members = self.refiner.judge, partition.members
        pricer = judge.pricer
        keys = sorted(members, key=partition.rank.__getitem__)
        for n, a in enumerate(keys):
            for b in keys[n + 1 :]:
                if partition.between(a, b) != [] or judge.forbidden([members[a], members[b]], members[a] | members[b]):
                    continue
                merged = [m for k, m in members.items() if k not in (a, b)]
                yield (
                    Partition([*merged, members[a] | members[b]], partition.users),
                    pricer.name(members[a]),
                    pricer.name(members[b]),
                )
        self.mover.partition = partition
        for a, b in self.mover.pairs():
            for ops, source, target in self.mover.offered(a, b):
                grown = members[target] | ops
                if judge.forbidden([grown], grown) is not None:
                    continue
                changed = self.mover.with_moved(ops, source, target)
                if changed is not None:
                    yield changed, pricer.name(ops), pricer.name(members[target])
