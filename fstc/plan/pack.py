"""Kernel packing: independent kernels of one level share a launch, each on its own range of blocks.

Example: twelve Adam updates from 64 to 9.4 million elements become one launch of twelve ranges.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from fstc.device.device import Device
from fstc.ir.pattern import Refusal
from fstc.plan.artefact import Decision
from fstc.plan.candidate import Placed
from fstc.plan.partition import Partition
from fstc.plan.pricer import MOST_POINTERS, Members, Pricer
from fstc.plan.steer import NO_WISH, Steering
from fstc.support.diagnostics import Diagnostic, FstcError

MOST_PARTS = 64
THREADS = (256, 128, 512)
OPEN = 4  # groups that another kernel may still join


Item = tuple[Members, Placed]


@dataclass
class Packer:
    """Joins independent clusters of one level; ``decisions`` are what it did."""

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
        return [group for level in sorted(by_level) for group in self._groups(by_level[level])]

    def missing(self, launches: list[list[Item]]) -> Members | None:
        """Ops that are to share a launch and do not."""
        ops = [frozenset().union(*(members for members, _ in launch)) for launch in launches]
        return next((wanted for wanted in self.steering.launched if not any(wanted <= o for o in ops)), None)

    def _groups(self, clusters: list[Members]) -> list[list[Item]]:
        items = [(members, self._placed(members)) for members in clusters]
        wanted = [group for group in self._wanted(items) if len(group) > 1]
        taken = {members for group in wanted for members, _ in group}
        items = [item for item in items if item[0] not in taken]
        if len(items) < 2 or not self.packs:
            return [*wanted, *([item] for item in items)]
        pinned = self.steering.pinned
        in_place = [i for i in items if self.pricer.scatters(i[0]) or not pinned.isdisjoint(i[0])]
        closed: list[list[Item]] = []
        open_groups: list[list[Item]] = []
        for item in (i for i in items if i not in in_place):
            for group in open_groups:
                joined = self._join([*group, item])
                if joined is not None:
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
            made = self._join(group, wished=True) if len(group) > 1 else None
            if made is not None:
                found.append(made)
                left = [i for i in left if i not in group]
        return found

    def _placed(self, members: Members) -> Placed:
        placed = self.pricer.place(members)
        if isinstance(placed, Refusal):
            raise FstcError(Diagnostic("FST0411", f"{self.pricer.name(members)} fits no kernel: {placed.reason}"))
        return placed

    def _join(self, items: list[Item], wished: bool = False) -> list[Item] | None:
        """The items placed for one block size, when a single launch of them is wished or predicted to be faster."""
        if self.steering.divided(op for members, _ in items for op in members):
            return None
        pointers = sum(len(p.pattern.graph.inputs) + len(p.pattern.graph.outputs) for _, p in items)
        if len(items) > MOST_PARTS or pointers > MOST_POINTERS:
            return None
        now = side_by_side([p for _, p in items[:-1]], self.pricer.device) + items[-1][1].estimate.time
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
                time = side_by_side([p for _, p in made], self.pricer.device)
                if (wished or time < now) and (best is None or time < best[0]):
                    best = (time, made)
        if best is None:
            return None
        left, right = self.pricer.name(items[0][0]), self.pricer.name(items[-1][0])
        reason = "independent kernels share one launch"
        self.decisions.append(
            Decision(code="FSN003", accepted=True, left=left, right=right, gain_us=now - best[0], reason=reason)
        )
        return best[1]


def side_by_side(placed: list[Placed], device: Device) -> float:
    """Microseconds of one launch of independent parts: they fill the device together, the longest is waited for.

    A part that uses a share of the SMs costs that share of its time; the parts with the least room slow the others.
    """
    resident = min(p.estimate.blocks_per_sm for p in placed)
    longest = total = 0.0
    for p in placed:
        slowed = max(1.0, min(p.estimate.blocks_per_sm, 4) / max(resident, 1))
        body = (p.estimate.time - device.launch_us) * slowed
        longest = max(longest, body)
        total += body * min(1.0, p.blocks / device.sms)
    return device.launch_us + max(longest, total)
