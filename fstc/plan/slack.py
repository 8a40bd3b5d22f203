"""Kernels that change their launch: each may run in any launch between what it waits for and what waits for it.

Example: the sums of a split reduction's parts are a launch of 3 microseconds with two blocks. A kernel of the first
launch that nothing waits for runs beside them instead: the first launch gets shorter, the second hardly longer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fstc.device.device import Device
from fstc.plan.candidate import EQUAL
from fstc.plan.launch import Item, launch_time
from fstc.plan.partition import Partition
from fstc.plan.pricer import Members

REACH = 4  # launches that a kernel may move
MOST = 64  # kernels of a plan in which some move
ROUNDS = 3


@dataclass(frozen=True)
class Shifted:
    """A kernel that runs in another launch now, and the microseconds that this gains."""

    members: Members
    gain: float


Together = Callable[[list[Item], float], list[Item] | None]
"""The items as one launch, placed for one block size, when that takes less than some microseconds."""


def shift(
    groups: list[list[Item]], partition: Partition, together: Together, fixed: Callable[[Item], bool], device: Device
) -> list[Shifted]:
    """Move kernels between launches until none gains; ``groups``, launches in order, are changed."""
    if len(groups) < 2 or sum(map(len, groups)) > MOST:
        return []
    done: list[Shifted] = []
    movable = [item[0] for group in groups for item in group if not fixed(item)]
    for _ in range(ROUNDS):
        before = len(done)
        for members in movable:
            found = _best_place(groups, partition, members, set(movable), together, device)
            if found is not None:
                source, target, rest, grown, gain = found
                groups[source], groups[target] = rest, grown
                groups[:] = [group for group in groups if group]
                done.append(Shifted(members, gain))
        if len(done) == before:
            break
    return done


def _best_place(
    groups: Sequence[list[Item]],
    partition: Partition,
    members: Members,
    movable: set[Members],
    together: Together,
    device: Device,
) -> tuple[int, int, list[Item], list[Item], float] | None:
    """(from, to, what stays, what it joins, gain) of the best launch for one kernel, if that is another one."""
    launch = {partition.home[min(m)]: n for n, group in enumerate(groups) for m, _ in group}
    key = partition.home[min(members)]
    source = launch[key]
    low = max((launch[b] + 1 for b in partition.before[key]), default=0)
    high = min((launch[a] - 1 for a in partition.after[key]), default=len(groups) - 1)
    low, high = max(low, source - REACH), min(high, source + REACH)
    if low >= high:
        return None
    item = next(i for i in groups[source] if i[0] == members)
    others = [i for i in groups[source] if i[0] != members]
    now = launch_time(groups[source], device)
    rest = together(others, now) if others else []
    if rest is None:
        return None
    saved = now - (launch_time(rest, device) if rest else 0.0)
    best: tuple[int, int, list[Item], list[Item], float] | None = None
    for target in range(low, high + 1):
        if target == source or any(m not in movable for m, _ in groups[target]):
            continue
        there = launch_time(groups[target], device)
        least = best[4] if best else (1 - EQUAL) * (there + now)
        grown = together([*groups[target], item], there + saved - least)
        if grown is not None:
            best = source, target, rest, grown, saved + there - launch_time(grown, device)
    return best
