"""What a launch of several independent kernels takes.

Example: two kernels of 64 blocks each leave the device half empty alone; together they take hardly longer than one.
"""

from __future__ import annotations

from collections.abc import Sequence

from fstc.device.device import Device
from fstc.plan.candidate import Placed
from fstc.plan.pricer import Members

Item = tuple[Members, Placed]


def launches_time(launches: Sequence[Sequence[Item]], device: Device) -> float:
    """Microseconds of launches that follow each other."""
    return sum(launch_time(launch, device) for launch in launches)


def launch_time(items: Sequence[Item], device: Device) -> float:
    return side_by_side([placed for _, placed in items], device)


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
