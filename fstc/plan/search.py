"""The search of one region: explore by the delta-evaluator, judge by the latency-evaluator.

    ops ─▶ candidates (explore.py) ─▶ covers (beam.py) ─▶ cut, merge, split (refine.py) ─▶ clusters

Example: ``search(judge, delta, Width()).partition.members``. Exploring is repeated on its own result, clusters in the
place of ops, until nothing is gained: what has several producers is found in this way. The covers that survive the beam
are refined each, and the fastest stays.
"""

from __future__ import annotations

from dataclasses import dataclass

from fstc.plan.artefact import Decision
from fstc.plan.beam import Chosen, beam, covered
from fstc.plan.delta import Delta
from fstc.plan.explore import Explorer, Width
from fstc.plan.judge import Judge
from fstc.plan.partition import Partition
from fstc.plan.pricer import Members, users_of
from fstc.plan.refine import Refiner
from fstc.plan.steer import check_order
from fstc.support.profile import timed

LARGE = 64  # ops of a region: beyond it only the cover that looks fastest is refined
NARROW = Width(top_k=1, beam=1)  # of a second exploration, under narrower rules
SWEEPS = 8  # of the explorer over its own result


@dataclass(frozen=True)
class Cover:
    """A partition that the explorer proposes, with the patterns that made it."""

    partition: Partition
    chosen: tuple[Chosen, ...]


def search(judge: Judge, delta: Delta | None, width: Width, also: Delta | None = None) -> Refiner:
    """The best partition found. Without ``delta`` every op stays alone (strategy none).

    ``also``: an evaluator under narrower rules, whose covers are places to start from too.
    """
    start = starting(judge)
    if delta is None:
        refiner = Refiner(judge, start)
        refiner.legalize()
        return refiner
    with timed("explore"):
        covers = explore(start, delta, width, judge.steering.pinned)
        covers += explore(start, also, NARROW, judge.steering.pinned) if also is not None else []
    refiners = [Refiner(judge.fork(), c.partition, [_joined(judge, x) for x in c.chosen]) for c in covers]
    with timed("legalize"):
        for refiner in refiners:
            refiner.legalize()
    if len(start.members) > LARGE:  # most clusters of the covers are the same
        refiners = [min(refiners, key=lambda refiner: refiner.time())]
    with timed("refine"):
        for refiner in refiners:
            refiner.run(delta)
    return min(refiners, key=lambda refiner: refiner.time())


def starting(judge: Judge) -> Partition:
    """Every op alone, except those that are to stay together."""
    pricer, kept = judge.pricer, judge.steering.kept
    ops = [n.id for n in pricer.graph.nodes if n.id not in pricer.folded]
    users = users_of(pricer, ops)
    alone = Partition((frozenset({n}) for n in ops), users)
    if not kept:
        return alone
    check_order(alone, judge.steering, pricer.graph)
    together = frozenset().union(*kept)
    return Partition([*kept, *(frozenset({n}) for n in ops if n not in together)], users)


def explore(start: Partition, delta: Delta, width: Width, pinned: frozenset[int] = frozenset()) -> list[Cover]:
    """Distinct covers, those of the first sweep's beam each explored to its end."""
    out: dict[frozenset[Members], Cover] = {}
    for cover in _sweep(Cover(start, ()), delta, width, pinned):
        for _ in range(SWEEPS - 1):
            following = _sweep(cover, delta, width, pinned)[0]
            if len(following.partition.members) == len(cover.partition.members):
                break
            cover = following
        out.setdefault(frozenset(cover.partition.members.values()), cover)
    return list(out.values())


def _sweep(cover: Cover, delta: Delta, width: Width, pinned: frozenset[int]) -> list[Cover]:
    frozen = frozenset(cover.partition.home[n] for n in pinned)
    explorer = Explorer(cover.partition, delta, width, frozen)
    found = []
    for chosen in beam(explorer, explorer.run()):
        partition, kept = covered(cover.partition, chosen)
        found.append(Cover(partition, (*cover.chosen, *kept)))
    return found


def _joined(judge: Judge, chosen: Chosen) -> Decision:
    """What the explorer joined, with the terms of its score and the candidate that it was preferred to."""
    pricer, candidate, rejected = judge.pricer, chosen.candidate, chosen.rejected
    members = sorted(candidate.members)
    first, last = (pricer.name(frozenset({n})) for n in (members[0], members[-1]))
    reason = f"{len(members)} ops; what passes between them stays on chip"
    if rejected is not None:
        reason += f"; next best: {len(rejected.members)} ops, {rejected.gain:.2f} us"
    return Decision(
        code="FSN002",
        accepted=True,
        left=first,
        right=last,
        gain_us=candidate.gain,
        reason=reason,
        terms=candidate.score.as_terms(),
    )
