"""Candidate patterns: PatternReduction over a partition, scored by the delta-evaluator.

Source: FusionStitching, section 5.2. Clusters are visited from last to first. Of each the best ``top_k`` patterns are
kept in which it is the producer: its consumers are split into two groups, again and again until a group is small;
within a group at most one candidate of each consumer is taken, across groups unions are tried, and the producer is put
in front. *Remote fusion* runs the same procedure for a producer that is not part of the pattern: a tensor that several
clusters read. Example: of ``exp -> (sum, div)`` the pattern ``{exp, sum, div}`` is found as the union of what
its two consumers offer; ``{exp, div}`` is dropped, since it would wait for ``sum`` which waits for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

from fstc.plan.delta import Delta, Members, Score
from fstc.plan.partition import Partition

Keys = frozenset[int]
WIDEST = 256  # operands of a cluster that may be somebody's consumer
LOOKED_AT = 1024  # clusters in the search for a way out of a pattern and back


@dataclass(frozen=True)
class Candidate:
    """Some clusters as one pattern, and the microseconds that joining them gains."""

    keys: Keys
    members: Members
    score: Score
    gain: float
    last: int  # position of its last cluster in the order


@dataclass(frozen=True)
class Width:
    """How wide the search is."""

    top_k: int = 3
    beam: int = 3
    group: int = 2


class Explorer:
    """One sweep over a partition."""

    def __init__(self, partition: Partition, delta: Delta, width: Width, frozen: frozenset[int] = frozenset()) -> None:
        """``frozen``: clusters that join nobody."""
        self.partition, self.delta, self.width, self.frozen = partition, delta, width, frozen
        self.order = partition.sort()
        self.position = {key: n for n, key in enumerate(self.order)}
        self.level: dict[int, int] = {}
        for key in self.order:
            self.level[key] = max((self.level[b] + 1 for b in partition.before[key]), default=0)
        self._own = {key: self._score(members) for key, members in partition.members.items()}
        self._known: dict[Keys, Candidate | None] = {}

    def run(self) -> dict[int, list[Candidate]]:
        """For each cluster the candidates in which it comes first, the best first."""
        found: dict[int, list[Candidate]] = {}
        for key in reversed(self.order):
            if key not in self.frozen:
                consumers = [c for c in self.partition.after[key] if self._near(key, c)]
                consumers.sort(key=self.position.__getitem__)
                found[key] = self._reduce((key,), consumers, found)
        for readers in self._shared():
            for candidate in self._remote(readers, found):
                first = min(candidate.keys, key=self.position.__getitem__)
                found[first] = self._best([*found[first], candidate], self.width.top_k + 1)
        return found

    def candidate(self, keys: Keys) -> Candidate | None:
        """The clusters as one pattern; None when something lies between them, or the rules forbid it."""
        if keys not in self._known:
            self._known[keys] = self._evaluate(keys)
        return self._known[keys]

    # -- PatternReduction -------------------------------------------------------------------------------------

    def _reduce(
        self, front: tuple[int, ...], consumers: Sequence[int], found: dict[int, list[Candidate]]
    ) -> list[Candidate]:
        """The best patterns of ``front`` and some of its consumers' candidates."""
        if len(consumers) > self.width.group:
            middle = len(consumers) // 2
            left = self._reduce(front, consumers[:middle], found)
            right = self._reduce(front, consumers[middle:], found)
            unions = [self.candidate(a.keys | b.keys) for a in left for b in right]
            return self._best([*left, *right, *unions], self.width.top_k)
        offers: list[list[Keys]] = []
        for consumer in consumers:
            offers.append([frozenset(), frozenset({consumer}), *(c.keys for c in found.get(consumer, ()))])
        made = [self.candidate(frozenset(front).union(*choice)) for choice in product(*offers) if any(choice)]
        return self._best(made, self.width.top_k)

    def _remote(self, readers: Sequence[int], found: dict[int, list[Candidate]]) -> list[Candidate]:
        """Unions of clusters that read one tensor, bottom up; what cannot grow any more is kept as it is."""
        groups = [[c] for r in readers if (c := self.candidate(frozenset({r}))) is not None]
        done: list[Candidate] = []
        while len(groups) > 1:
            merged = []
            for left, right in zip(groups[::2], groups[1::2], strict=False):
                unions = self._best([self.candidate(a.keys | b.keys) for a in left for b in right], self.width.top_k)
                if unions:
                    merged.append(unions)
                else:
                    done += [*left[:1], *right[:1]]
            if len(groups) % 2:
                merged.append(groups[-1])
            groups = merged
        done += [c for group in groups for c in group]
        return [c for c in done if len(c.keys) > 1]

    def _shared(self) -> list[list[int]]:
        """Readers of each tensor that several clusters read, in order."""
        readers: dict[int, dict[int, None]] = {}
        for key in self.order:
            if key in self.frozen:
                continue
            for n in sorted(self.partition.members[key]):
                for value, _, producer in self.delta.ops[n].inputs:
                    if self.partition.home.get(producer) != key and self.delta.graph.type(value).elements > 1:
                        readers.setdefault(value, {})[key] = None
        return [list(keys) for keys in readers.values() if len(keys) > 1]

    def _near(self, key: int, consumer: int) -> bool:
        if consumer in self.frozen or len(self.partition.before[consumer]) > WIDEST:
            return False
        return self.level[consumer] - self.level[key] <= self.delta.rules.max_ops

    def _best(self, candidates: Iterable[Candidate | None], keep: int) -> list[Candidate]:
        distinct = {c.keys: c for c in candidates if c is not None and c.gain > 0}
        return sorted(distinct.values(), key=lambda c: (-c.gain, len(c.keys), c.last))[:keep]

    # -- one pattern ------------------------------------------------------------------------------------------

    def _score(self, members: Members) -> float:
        score = self.delta.score(members)
        return score.total if score is not None else 0.0

    def _evaluate(self, keys: Keys) -> Candidate | None:
        if len(keys) > self.delta.rules.max_ops or not self._convex(keys):
            return None
        members = frozenset().union(*(self.partition.members[k] for k in keys))
        score = self.delta.score(members)
        if score is None:
            return None
        gain = score.total - sum(self._own[k] for k in keys)
        return Candidate(keys, members, score, gain, max(self.position[k] for k in keys))

    def _convex(self, keys: Keys) -> bool:
        """No path leaves the clusters and comes back: looked for from their operands upwards."""
        if len(keys) < 2:
            return True
        level, before = self.level, self.partition.before
        low = min(level[k] for k in keys)
        seen: set[int] = set()
        stack = []
        for key in keys:
            for b in before[key]:
                if b not in keys and b not in seen and level[b] > low:
                    seen.add(b)
                    stack.append(b)
        while stack:
            if len(seen) > LOOKED_AT:
                return False
            for b in before[stack.pop()]:
                if b in keys:
                    return False
                if b not in seen and level[b] > low:
                    seen.add(b)
                    stack.append(b)
        return True
