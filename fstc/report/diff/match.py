"""Which kernels of the old plan do the work of which kernels of the new one.

Example: twelve launches of one kernel against eleven of the same and one of another give a pair of eleven that compute
the same, and a pair of one that changed. First come kernels of equal structural hash, as a multiset; then those that
make values of the same name (:mod:`fstc.report.diff.groups`: one that became two is a split); then equal names;
then neighbours. Each step is a few passes over what the steps before it left, so large plans take about linear time.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping

from fstc.report.diff.groups import by_values
from fstc.report.diff.side import Count, Launch, Match, Side, take

CROWD = 16  # a tensor that more kernels touch does not tell who corresponds to whom

Key = Callable[[Launch], Hashable]  # None: matches nothing


def match_launches(old: Side, new: Side) -> list[Match]:
    """Every launch of both plans, in as many matches as it is launched; in the order of the new plan."""
    left = {launch: launch.count for launch in old.launches}
    right = {launch: launch.count for launch in new.launches}
    hashes = _hashes(old, new)
    found = list(_pairs(left, right, lambda a: (hashes[a], a.plain_name) if hashes[a] else None, equal=True))
    found += _pairs(left, right, lambda a: hashes[a] or None, equal=True)
    found += by_values(left, right)
    found += _pairs(left, right, lambda a: a.plain_name)
    found += _pairs(left, right, lambda a: a.kinds or None)  # all renamed, or another instance of a layer
    found += _by_neighbours(left, right)
    found += [Match((a,), (), n) for a, n in left.items()]
    found += [Match((), (b,), n) for b, n in right.items()]
    return sorted(found, key=_place)


def _hashes(old: Side, new: Side) -> Mapping[Launch, str]:
    """Those of the files where both have them; a file of 1.0 has none, then both are hashed from their text."""
    if all(launch.kernel.hash for side in (old, new) for launch in side.launches):
        return {launch: launch.kernel.hash for side in (old, new) for launch in side.launches}
    return {launch: launch.text_hash for side in (old, new) for launch in side.launches}


def _pairs(left: Count, right: Count, key: Key, equal: bool = False) -> Iterator[Match]:
    """Launches of equal key in order, as often as both sides have them; what is matched is taken out."""
    waiting: dict[Hashable, list[Launch]] = defaultdict(list)
    for b in reversed(right):
        waiting[key(b)].append(b)
    waiting.pop(None, None)
    for a in list(left):
        queue = waiting.get(key(a), [])
        while queue and a in left:
            b = queue[-1]
            n = min(left[a], right[b])
            take(left, (a,), n)
            take(right, (b,), n)
            if b not in right:
                queue.pop()
            yield Match((a,), (b,), n, equal)


def _by_neighbours(left: Count, right: Count) -> Iterator[Match]:
    """The new kernel that reads and writes most tensors of the same name, one at least."""
    touching: dict[str, list[Launch]] = defaultdict(list)
    for b in right:
        for name in b.around:
            touching[name].append(b)
    for a in list(left):
        near = (b for name in a.around if len(touching[name]) <= CROWD for b in touching[name] if b in right)
        votes = Counter(near)
        if votes:
            b = max(votes, key=lambda c: (votes[c], -c.first))
            n = min(left[a], right[b])
            take(left, (a,), n)
            take(right, (b,), n)
            yield Match((a,), (b,), n)


def _place(match: Match) -> tuple[int, int]:
    """Where the new plan runs it first; what is gone stands where the old plan ran it."""
    return min(launch.first for launch in match.new or match.old), 0 if match.old else 1
