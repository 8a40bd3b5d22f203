"""The partition keeps an order and finds paths, against brute force on random graphs."""

from __future__ import annotations

from itertools import pairwise
from random import Random

from fstc.plan.partition import Partition


def reaches(after: dict[int, dict[int, int]], start: int, goal: int, without: set[int]) -> bool:
    stack, seen = [start], set(without)
    while stack:
        for other in after[stack.pop()]:
            if other == goal:
                return True
            if other not in seen:
                seen.add(other)
                stack.append(other)
    return False


def random_users(random: Random, n: int) -> dict[int, tuple[int, ...]]:
    return {a: tuple(b for b in range(a + 1, n) if random.random() < (0.5 if b - a < 4 else 0.05)) for a in range(n)}


def check(partition: Partition, users: dict[int, tuple[int, ...]]) -> None:
    home = {n: key for key, members in partition.members.items() for n in members}
    assert home == partition.home
    wanted: dict[tuple[int, int], int] = {}
    for a, found in users.items():
        for b in found:
            if home[a] != home[b]:
                wanted[home[a], home[b]] = wanted.get((home[a], home[b]), 0) + 1
    assert wanted == {(a, b): n for a, found in partition.after.items() for b, n in found.items()}
    assert wanted == {(a, b): n for b, found in partition.before.items() for a, n in found.items()}
    assert all(partition.rank[a] < partition.rank[b] for a, b in wanted), "the order is kept"
    assert len(set(partition.rank.values())) == len(partition.members)


def test_merges_of_random_graphs() -> None:
    for seed in range(60):
        random = Random(seed)
        n = random.randint(2, 24)
        users = random_users(random, n)
        partition = Partition([frozenset({i}) for i in range(n)], users)
        while len(partition.members) > 1:
            check(partition, users)
            pairs = [(a, b) for a in partition.members for b in partition.members if a < b]
            for a, b in random.sample(pairs, len(pairs)):
                path = partition.between(a, b)
                assert path is not None
                first, last = (a, b) if partition.rank[a] < partition.rank[b] else (b, a)
                direct = {last} if last in partition.after[first] else set()
                others = [k for k in partition.after[first] if k not in direct]
                blocked = any(k == last or reaches(partition.after, k, last, {first}) for k in others)
                assert bool(path) == blocked
                if path:
                    steps = [first, *path, last]
                    assert all(y in partition.after[x] for x, y in pairwise(steps))
                else:
                    partition.merge(a, b)
                    break
            else:
                break
        assert partition.sort()
        assert partition.levels()
