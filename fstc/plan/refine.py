"""From what the fast evaluator proposes to what the accurate one approves: cut, merge, split, move and repeat ops.

Example: the explorer proposes a kernel in which a row sum is read behind a transpose; no placement does that, so the
cluster is cut behind the sum (FSN010). Every step is a :class:`Decision`; it is taken when the latency-evaluator
predicts less time, so that the result is never slower than what it started from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from fstc.ir.ops.opdef import Form
from fstc.ir.pattern import Refusal
from fstc.plan.artefact import Decision
from fstc.plan.candidate import EQUAL, Placed
from fstc.plan.delta import Delta
from fstc.plan.judge import Judge, refusal
from fstc.plan.launch import launches_time
from fstc.plan.moves import Mover
from fstc.plan.pack import Packer
from fstc.plan.partition import Partition
from fstc.plan.pricer import Members
from fstc.plan.steer import names_of
from fstc.plan.wishes import Refused
from fstc.support.diagnostics import Diagnostic, FstcError
from fstc.support.profile import timed

SLOWER = ("FSN020", "FSN021")  # refusals that depend on sizes, not on what lies around
SMALL = 3  # launches' time: kernels that share one gain by it
CUTS = 6  # of one cluster that are tried


@dataclass
class Refiner:
    """Works on one partition; ``decisions`` are what was done and not done."""

    judge: Judge
    partition: Partition
    decisions: list[Decision] = field(default_factory=list)
    beside: dict[int, int] = field(default_factory=dict)  # small kernels of a cluster's level

    def run(self, delta: Delta) -> None:
        """Merge, split and move, from a partition whose clusters are all legal."""
        with timed("merge"):
            self.merge()
        with timed("split"):
            changed = self.split()
        if changed:
            with timed("merge"):
                self.merge()
        mover = Mover(self.judge, delta, self.partition)
        with timed("move"):
            changed = mover.run()
        if changed:
            self.partition = mover.partition
            self.decisions += mover.decisions
            with timed("merge"):
                self.merge()

    def time(self) -> float:
        """Microseconds of all launches, packed where the rules let values pass between threads at all."""
        judge = self.judge
        launches = Packer(judge.pricer, not judge.rules.threads_only, judge.steering).run(self.partition)
        return launches_time(launches, judge.pricer.device)

    # -- cutting what is no kernel ----------------------------------------------------------------------------

    def legalize(self) -> None:
        """Cut clusters that no placement fits; one op always has one."""
        made: list[Members] = []
        changed = False
        for key in self.partition.sort():
            for members in self._legal(self.partition.members[key]):
                made.append(members)
                changed |= members != self.partition.members[key]
        if changed:
            self.partition = Partition(made, self.partition.users)

    def _legal(self, members: Members) -> Iterator[Members]:
        stack = [members]
        pricer = self.judge.pricer
        while stack:
            part = stack.pop()
            placed = pricer.place(part)
            if isinstance(placed, Placed):
                yield part
                continue
            if len(part) == 1:
                raise FstcError(Diagnostic("FST0411", f"{pricer.name(part)} fits no kernel: {placed.reason}"))
            if any(group <= part for group in self.judge.steering.kept):
                raise _impossible(self.judge, part, placed)
            first, second = self.judge.cut(part, placed)
            self.decisions.append(refusal(placed.code, pricer.name(first), pricer.name(second), placed.reason))
            stack += [second, first]

    # -- merging ----------------------------------------------------------------------------------------------

    def merge(self) -> None:
        """Three sweeps; a pair that was refused is not asked again in the same sweep, however its sides have grown.

        Neither is a pair like it: of two hundred equal tensors that feed one norm, the first that is better left
        apart speaks for all. So the number of placements that are tried stays linear in the number of edges.
        """
        last: dict[tuple[int, int], Decision] = {}
        for pairs in (self.partition.edges, self._siblings, self.partition.edges):
            last |= self._sweep(pairs)
        members = self.partition.members
        self.decisions += [d for (a, b), d in last.items() if a in members and b in members]

    def _sweep(self, pairs: Callable[[], list[tuple[int, int]]]) -> dict[tuple[int, int], Decision]:
        refused: dict[tuple[int, int], Decision] = {}
        alike: dict[tuple[str | int, str | int], Decision] = {}
        shape, members = self.judge.pricer.shape, self.partition.members
        again = True
        while again:
            again = False
            self.beside = self._crowds()
            for a, b in pairs():
                if a not in members or b not in members or (a, b) in refused:
                    continue
                kinds = ((shape(members[a]), b), (a, shape(members[b])))
                verdict = alike.get(kinds[0]) or alike.get(kinds[1]) or self._try(a, b)
                again |= verdict.accepted
                if not verdict.accepted:
                    refused[a, b] = verdict
                    if verdict.code in SLOWER:
                        alike |= dict.fromkeys(kinds, verdict)
        return refused

    def _try(self, a: int, b: int) -> Decision:
        members, pricer = self.partition.members, self.judge.pricer
        path = self.partition.between(a, b)
        left, right = pricer.name(members[a]), pricer.name(members[b])
        if path is None:
            return refusal("FSN016", left, right, "too many kernels lie between them to look at")
        if path:
            names = [pricer.name(members[k]) for k in path]
            reason = f"{names[0]} lies between them, and would both wait and be waited for"
            return refusal("FSN014", left, right, reason, path=(left, *names, right))
        verdict = self.judge.join([members[a], members[b]], [self.beside.get(k, 0) for k in (a, b)])
        if verdict.accepted:
            self.decisions.append(verdict)
            self.partition.merge(a, b)
        return verdict

    def _crowds(self) -> dict[int, int]:
        """For each small kernel how many there are of its level: such kernels share launches when they are packed."""
        if self.judge.rules.threads_only:
            return {}
        pricer = self.judge.pricer
        small = [
            (key, level)
            for key, level in self.partition.levels().items()
            if pricer.time(self.partition.members[key]) < SMALL * pricer.device.launch_us
        ]
        count = Counter(level for _, level in small)
        return {key: count[level] for key, level in small}

    def _siblings(self) -> list[tuple[int, int]]:
        """Clusters that read a common tensor, neighbours in the order of the clusters."""
        pricer = self.judge.pricer
        readers: dict[int, dict[int, None]] = {}
        for key in sorted(self.partition.members):
            for v in sorted(pricer.reads_of(self.partition.members[key])):
                if pricer.graph.type(v).elements > 1:
                    readers.setdefault(v, {})[key] = None
        return list(dict.fromkeys(pair for keys in readers.values() for pair in pairwise(keys)))

    # -- splitting --------------------------------------------------------------------------------------------

    def split(self) -> bool:
        """Cut clusters that are slower than their parts: the right to split."""
        made: list[Members] = []
        changed = False
        for key in self.partition.sort():
            members = self.partition.members[key]
            parts = self._faster(members)
            changed |= len(parts) > 1
            made += parts
        if changed:
            self.partition = Partition(made, self.partition.users)
        return changed

    def _faster(self, members: Members) -> list[Members]:
        if len(members) == 1 or any(not group.isdisjoint(members) for group in self.judge.steering.kept):
            return [members]
        pricer = self.judge.pricer
        whole = pricer.place(members)
        assert isinstance(whole, Placed)
        latency = whole.pattern.phases() * pricer.device.dram_latency_us
        ideal = max(whole.bytes / (pricer.device.dram_gbps * 1e3), latency)
        room = whole.estimate.time - pricer.device.launch_us - ideal
        best: tuple[float, Members, Members] | None = None
        for first, second in self._cuts(members, room):
            time = pricer.time(first)
            if time < whole.estimate.time:
                time += pricer.time(second)
            if time < whole.estimate.time * EQUAL and (best is None or time < best[0]):
                best = (time, first, second)
        if best is None:
            return [members]
        time, first, second = best
        reason = f"one kernel takes {whole.estimate.time:.1f} us ({whole.estimate.bound}), its two parts {time:.1f} us"
        gain = time - whole.estimate.time
        left, right = pricer.name(first), pricer.name(second)
        self.decisions.append(refusal("FSN024", left, right, reason, gain))
        return [*self._faster(first), *self._faster(second)]

    def _cuts(self, members: Members, room: float) -> list[tuple[Members, Members]]:
        """Cuts behind reductions and in the middle that two launches and what passes between them leave time for.

        Two kernels take two launches, their bytes at full rate and the latency of their phases at least: a bound that
        needs no placement.
        """
        pricer, device = self.judge.pricer, self.judge.pricer.device
        if room <= device.launch_us:
            return []
        found: dict[Members, None] = {}
        for n in sorted(members):
            if pricer.graph.nodes[n].op.form in (Form.REDUCE, Form.SCAN):
                found[self.judge.above(members, n)] = None
        found[self.judge.middle(members)[0]] = None
        out = []
        for first in found:
            second = members - first
            if not second:
                continue
            passing = sum(
                pricer.graph.type(v).nbytes
                for v in pricer.outputs_of(first)
                if any(u in second for u in pricer.readers(v))
            )
            if device.launch_us + passing / (device.dram_gbps * 1e3) < room:
                out.append((first, second))
        return out[:CUTS]


def _impossible(judge: Judge, members: Members, why: Refusal) -> FstcError:
    ops = frozenset().union(*(group for group in judge.steering.kept if group <= members))
    return Refused(f"{names_of(judge.pricer.graph, ops)} cannot be one kernel", why.code, why.reason)
