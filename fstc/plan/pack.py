"""Kernel packing: independent kernels share a launch, each on its own range of blocks.

Example: twelve Adam updates from 64 to 9.4 million elements become one launch of twelve ranges. Kernels of one level
are packed first; those that may run later or earlier then change their launch where that gains (slack.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf

from fstc.ir.pattern import Refusal
from fstc.plan.artefact import Decision
from fstc.plan.candidate import Placed
from fstc.plan.launch import Item, launch_time
from fstc.plan.partition import Partition
from fstc.plan.pricer import MOST_POINTERS, Members, Pricer
from fstc.plan.slack import shift
from fstc.plan.steer import NO_WISH, Steering
from fstc.support.diagnostics import Diagnostic, FstcError

MOST_PARTS = 64
THREADS = (256, 128, 512)
OPEN = 4  # groups that another kernel may still join


@dataclass
class Packer:
    """Joins independent clusters; ``decisions`` are what it did."""

    pricer: Pricer
    packs: bool  # whether the strategy shares launches at all
    steering: Steering = NO_WISH
    decisions: list[Decision] = field(default_factory=list)

    def run(self, partition: Partition) -> list[list[Item]]:
        """Launches in an order in which they can run; each is a list of clusters with their placements."""
        levels = partition.levels()
        by_level: dict[int, list[Members]] = {}
        for key in partition.sort():
            by_level.setdefault(levels[key], []).append(partition.members[key])
        gains: dict[Members, float] = {}
        groups = [group for level in sorted(by_level) for group in self._groups(by_level[level], gains)]
        if self.packs:
            for move in shift(groups, partition, self._together, self._stays, self.pricer.device):
                gains.pop(move.members, None)
                gains[move.members] = move.gain
        self._record(groups, gains)
        return groups

    def missing(self, launches: list[list[Item]]) -> Members | None:
        """Ops that are to share a launch and do not."""
        ops = [frozenset().union(*(members for members, _ in launch)) for launch in launches]
        return next((wanted for wanted in self.steering.launched if not any(wanted <= o for o in ops)), None)

    def _groups(self, clusters: list[Members], gains: dict[Members, float]) -> list[list[Item]]:
        """Clusters of one level; ``gains`` by those that joined others."""
        items = [(members, self._placed(members)) for members in clusters]
        wanted = [group for group in self._wanted(items) if len(group) > 1]
        taken = {members for group in wanted for members, _ in group}
        items = [item for item in items if item[0] not in taken]
        if len(items) < 2 or not self.packs:
            return [*wanted, *([item] for item in items)]
        in_place = [i for i in items if self._alone(i)]
        closed: list[list[Item]] = []
        open_groups: list[list[Item]] = []
        for item in (i for i in items if i not in in_place):
            for group in open_groups:
                now = launch_time(group, self.pricer.device) + item[1].estimate.time
                joined = self._together([*group, item], now)
                if joined is not None:
                    gains[item[0]] = now - launch_time(joined, self.pricer.device)
                    group[:] = joined
                    break
            else:
                open_groups.append([item])
                if len(open_groups) > OPEN:
                    closed.append(open_groups.pop(0))
        return wanted + closed + open_groups + [[item] for item in in_place]

    def _wanted(self, items: list[Item]) -> list[list[Item]]:
        """Launches that a wish asks for, as far as these clusters can share one; each cluster in one of them."""
        found: list[list[Item]] = []
        left = list(items)
        for ops in self.steering.launched:
            group = [i for i in left if not ops.isdisjoint(i[0]) and not self.pricer.scatters(i[0])]
            made = self._together(group, inf) if len(group) > 1 else None
            if made is not None:
                found.append(made)
                left = [i for i in left if i not in group]
        return found

    def _stays(self, item: Item) -> bool:
        """Whether a cluster keeps its launch: it shares it with none, or a wish says with whom."""
        return self._alone(item) or any(not ops.isdisjoint(item[0]) for ops in self.steering.launched)

    def _alone(self, item: Item) -> bool:
        """Whether a cluster shares its launch with none."""
        return self.pricer.scatters(item[0]) or not self.steering.pinned.isdisjoint(item[0])

    def _record(self, groups: list[list[Item]], gains: dict[Members, float]) -> None:
        first = {members: group[0][0] for group in groups for members, _ in group}
        for members, gain in gains.items():
            if first[members] != members:
                left, right = self.pricer.name(first[members]), self.pricer.name(members)
                reason = "independent kernels share one launch"
                self.decisions.append(
                    Decision(code="FSN003", accepted=True, left=left, right=right, gain_us=gain, reason=reason)
                )

    def _placed(self, members: Members) -> Placed:
        placed = self.pricer.place(members)
        if isinstance(placed, Refusal):
            raise FstcError(Diagnostic("FST0411", f"{self.pricer.name(members)} fits no kernel: {placed.reason}"))
        return placed

    def _together(self, items: list[Item], beat: float) -> list[Item] | None:
        """The items placed for one block size, when a single launch of them is predicted to take less than ``beat``."""
        if self.steering.divided(op for members, _ in items for op in members):
            return None
        if len(items) == 1:
            alone = self._placed(items[0][0])
            return [(items[0][0], alone)] if alone.estimate.time < beat else None
        pointers = sum(len(p.pattern.graph.inputs) + len(p.pattern.graph.outputs) for _, p in items)
        if len(items) > MOST_PARTS or pointers > MOST_POINTERS:
            return None
        best: tuple[float, list[Item]] | None = None
        common = {p.schedule.threads for _, p in items}
        sizes = (common.pop(),) if len(common) == 1 else THREADS
        for threads in sizes:
            made: list[Item] = []
            for members, placed in items:
                again = placed if placed.schedule.threads == threads else self.pricer.place(members, threads)
                if isinstance(again, Refusal):
                    break
                made.append((members, again))
            else:
                time = launch_time(made, self.pricer.device)
                if time < beat and (best is None or time < best[0]):
                    best = (time, made)
        return None if best is None else best[1]
