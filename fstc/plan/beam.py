"""Beam search: disjoint candidates that cover a partition and gain most.

Source: FusionStitching, section 5.3. Clusters are visited from producers to consumers; each of the best partial plans
either leaves the cluster alone or appends a candidate in which it comes first. A candidate that overlaps what is
covered already is tried without the overlap. Patterns that wait for each other are refused where the two are found side
by side, and dissolved at the end where the circle is longer. Example: with candidates ``{a, b}`` (5 us) and ``{b, c}``
(6 us) the plan is ``{a}, {b, c}``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fstc.plan.explore import Candidate, Explorer, Keys
from fstc.plan.partition import Partition, circles


@dataclass(frozen=True)
class Chosen:
    """A candidate in a plan, the best one that came first in its place, and what was chosen before it."""

    candidate: Candidate
    rejected: Candidate | None
    before: Chosen | None


@dataclass(frozen=True)
class _State:
    gain: float
    chosen: Chosen | None
    covered: Keys  # of what comes later
    open: tuple[Candidate, ...]  # chosen candidates that reach into what comes later


def beam(explorer: Explorer, candidates: Mapping[int, Sequence[Candidate]]) -> list[list[Chosen]]:
    """The best covers, the best first; clusters that no candidate holds stay as they are."""
    states = [_State(0.0, None, frozenset(), ())]
    for at, key in enumerate(explorer.order):
        offered = candidates.get(key, ())
        found: dict[Keys, _State] = {}
        for state in states:
            for following in _follow(explorer, state, at, key, offered):
                known = found.get(following.covered)
                if known is None or following.gain > known.gain + 1e-9:
                    found[following.covered] = following
        states = sorted(found.values(), key=lambda s: -s.gain)[: explorer.width.beam]
    return [_listed(state.chosen) for state in states]


def _follow(explorer: Explorer, state: _State, at: int, key: int, offered: Sequence[Candidate]) -> list[_State]:
    still = tuple(c for c in state.open if c.last > at)
    if key in state.covered:
        return [_State(state.gain, state.chosen, state.covered - {key}, still)]
    fitting: dict[Keys, Candidate] = {}
    for candidate in offered:
        keys = candidate.keys - state.covered
        fit: Candidate | None = candidate
        if len(keys) < len(candidate.keys):
            fit = explorer.candidate(keys) if len(keys) > 1 else None
        if fit is not None and fit.gain > 0 and not any(_circle(explorer, fit, other) for other in still):
            fitting[fit.keys] = fit
    ranked = sorted(fitting.values(), key=lambda c: -c.gain)
    out = [_State(state.gain, state.chosen, state.covered, still)]
    for n, fit in enumerate(ranked):
        other = ranked[1 - n] if len(ranked) > 1 and n < 2 else None
        chosen = Chosen(fit, other, state.chosen)
        out.append(_State(state.gain + fit.gain, chosen, (state.covered | fit.keys) - {key}, (*still, fit)))
    return out


def _circle(explorer: Explorer, a: Candidate, b: Candidate) -> bool:
    """Whether each of the two reads from the other."""
    return _feeds(explorer, a, b) and _feeds(explorer, b, a)


def _feeds(explorer: Explorer, a: Candidate, b: Candidate) -> bool:
    before = explorer.partition.before
    return any(not a.keys.isdisjoint(before[k]) for k in b.keys)


def _listed(chosen: Chosen | None) -> list[Chosen]:
    found = []
    while chosen is not None:
        found.append(chosen)
        chosen = chosen.before
    return found[::-1]


def covered(partition: Partition, chosen: Sequence[Chosen]) -> tuple[Partition, list[Chosen]]:
    """The partition with the candidates as clusters, and those that remain when no circle of clusters is left."""
    kept = list(chosen)
    while True:
        home: dict[int, int] = {}
        for n, item in enumerate(kept):
            home |= dict.fromkeys(item.candidate.keys, -1 - n)
        found = circles(partition, home)
        if not found:
            break
        gone = set()
        for circle in found:
            gone.add(min((-1 - k for k in circle if k < 0), key=lambda n: (kept[n].candidate.gain, n)))
        kept = [item for n, item in enumerate(kept) if n not in gone]
    joined = [item.candidate.members for item in kept]
    inside = {key for item in kept for key in item.candidate.keys}
    alone = [members for key, members in partition.members.items() if key not in inside]
    return Partition([*joined, *alone], partition.users), kept
