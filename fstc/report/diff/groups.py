"""Kernels that make values of the same name, as groups: one became another, was split, merged, or several regrouped.

Example: of old ``{%a, %b}`` and new ``{%a}``, ``{%b}`` it gives one match of one old and two new kernels.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from fstc.report.diff.side import Count, Launch, Match, take

MAJORITY = 0.5  # of all values of two kernels: then one is the other, some ops having moved

Shared = dict[Launch, Counter[Launch]]  # values that an old and a new kernel both make
Group = tuple[tuple[Launch, ...], tuple[Launch, ...]]


def by_values(left: Count, right: Count) -> Iterator[Match]:
    """A match for every group; its launches are taken out, as often as all of the group are launched."""
    own = {**_own(left), **_own(right)}
    maker = {name: b for b in right for name in own[b]}
    shared: Shared = {a: Counter(maker[name] for name in own[a] if name in maker) for a in left}
    for olds, news in list(_groups(shared)):
        for group in _apart(olds, news, shared, own):
            yield _taken(left, right, *group)


def _own(count: Count) -> dict[Launch, tuple[str, ...]]:
    """The values that no other kernel makes; light ops and constants are repeated by every reader and tie nothing."""
    makers = Counter(name for launch in count for name in launch.ops)
    return {a: tuple(name for name in a.ops if makers[name] == 1) or a.stored for a in count}


def _apart(
    olds: tuple[Launch, ...], news: tuple[Launch, ...], shared: Shared, own: dict[Launch, tuple[str, ...]]
) -> Iterator[Group]:
    """Of a group of several with several, first the pairs that are mostly the same kernel, then what is left of it."""
    if len(olds) == 1 or len(news) == 1:
        yield olds, news
        return
    twins = [
        (a, b) for a in olds for b, n in shared[a].items() if n > MAJORITY * (len(own[a]) + len(own[b]) - n)
    ]  # more than half: at most one partner each
    yield from (((a,), (b,)) for a, b in twins)
    gone = {launch for pair in twins for launch in pair}
    yield from _groups(
        {a: Counter({b: n for b, n in shared[a].items() if b not in gone}) for a in olds if a not in gone}
    )


def _groups(shared: Shared) -> Iterator[Group]:
    """Connected groups of old and new kernels; who shares nothing is in none."""
    makers: dict[Launch, list[Launch]] = defaultdict(list)
    for a, others in shared.items():
        for b in others:
            makers[b].append(a)
    seen: set[Launch] = set()
    for start, others in shared.items():
        if start in seen or not others:
            continue
        seen.add(start)
        todo, mine, theirs = [start], [], dict[Launch, None]()
        while todo:
            a = todo.pop()
            mine.append(a)
            for b in shared[a]:
                if b not in theirs:
                    theirs[b] = None
                    fresh = [c for c in makers[b] if c not in seen]
                    seen.update(fresh)
                    todo += fresh
        yield _ordered(mine), _ordered(theirs)


def _ordered(launches: Iterable[Launch]) -> tuple[Launch, ...]:
    return tuple(sorted(launches, key=lambda a: a.first))


def _taken(left: Count, right: Count, olds: tuple[Launch, ...], news: tuple[Launch, ...]) -> Match:
    n = min(*(left[a] for a in olds), *(right[b] for b in news))
    take(left, olds, n)
    take(right, news, n)
    return Match(olds, news, n)
