"""latency-evaluator: predicted microseconds of one launch, as the largest of its bounds plus the launch itself.

    time = launch + max(memory, l2, issue) / overlap + phases

Source: FusionStitching section 4.3 (L = N_wave * L_warp) for the latency term; the memory, L2 and issue terms and the
bytes in flight (Little's law) are ours, see docs/architecture.md, "Cost model".
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import ceil

from fstc.device.device import Device
from fstc.device.occupancy import blocks_per_sm
from fstc.plan.artefact import Access, Nest
from fstc.plan.schedule import Schedule


@dataclass(frozen=True)
class Estimate:
    """Microseconds, and what binds."""

    time: float
    bound: str
    terms: dict[str, float]
    blocks_per_sm: int
    occupancy: float


@cache
def _resident(device: Device, threads: int, registers: int, shared: int) -> int:
    return blocks_per_sm(device, threads, min(registers, 255), shared)[0]


def estimate(
    device: Device,
    schedule: Schedule,
    accesses: tuple[Access, ...],
    work: float,
    blocks: int,
    reread: int,
) -> Estimate:
    """Predicted time of ``blocks`` blocks.

    ``work``: thread-instructions issued; ``reread``: bytes that dropped holds read again.
    """
    resident = _resident(device, schedule.threads, schedule.registers, schedule.shared)
    if resident == 0:
        return Estimate(float("inf"), "resources", {}, 0, 0.0)
    waves, busy, tail = _waves(device, resident, blocks)
    loads = [a for a in accesses if a.mode == "read" and a.bytes > 1 << 14]
    pending = (
        schedule.threads
        * min(resident, ceil(blocks / device.sms))
        * max(16, sum(_outstanding(a, schedule) for a in loads))
    )
    stream = min(1.0, pending / device.in_flight_bytes)
    dram = sum(a.bytes * min(_waste(a), 1.25) for a in accesses) + reread
    wasted = sum((a.bytes + a.l2_bytes) * _waste(a) for a in accesses) + reread
    memory = dram / (device.dram_gbps * 1e3 * max(stream, 0.05) * busy * tail) * _exposed(device, schedule, resident)
    l2 = wasted / (device.l2_gbps * 1e3 * busy * tail)
    rate = device.sms * device.fp32_per_clock * device.clock_ghz * 1e3 * busy * tail  # thread-instructions a us
    issue = work / rate
    latency = waves * _wave_us(device, schedule)
    terms = {"memory": memory, "l2": l2, "issue": issue, "latency": latency, "launch": device.launch_us}
    bound = max(("memory", "l2", "issue", "latency"), key=lambda k: terms[k])
    total = max(memory, l2, issue, latency) + 0.15 * (memory + l2 + issue) / 3 + device.launch_us
    if terms[bound] < device.launch_us:
        bound = "launch"
    occupancy = resident * schedule.threads / device.max_threads_per_sm
    return Estimate(total, bound, terms, resident, occupancy)


def least_time(device: Device, schedule: Schedule, bytes: int, blocks: int) -> float:
    """A lower bound of :func:`estimate` that needs no traffic: bytes at full width, and the latency."""
    resident = _resident(device, schedule.threads, schedule.registers, schedule.shared)
    if resident == 0:
        return float("inf")
    waves, busy, tail = _waves(device, resident, blocks)
    memory = bytes / (device.dram_gbps * 1e3 * busy * tail) * _exposed(device, schedule, resident)
    return max(memory, waves * _wave_us(device, schedule)) + 0.05 * memory + device.launch_us


def _waves(device: Device, resident: int, blocks: int) -> tuple[int, float, float]:
    """(waves of blocks, share of the SMs that have a block at all, share of the last wave that is full)."""
    slots = resident * device.sms
    waves = ceil(blocks / slots)
    tail = blocks / (waves * slots) if blocks > slots and waves < 6 else 1.0
    return waves, min(1.0, blocks / device.sms), max(tail, 0.5 + 0.5 * tail)


def _wave_us(device: Device, schedule: Schedule) -> float:
    """Loads that wait for each other, and barriers, of one wave."""
    steps = sum(_steps(schedule, nest) for nest in schedule.nests)
    return max(steps, 1) * device.dram_latency_us + schedule.barriers * device.barrier_us


def _exposed(device: Device, schedule: Schedule, resident: int) -> float:
    """Phases alternate between loading and computing; few resident warps do not fill each other's gaps.

    A phase that streams for many steps has its gap once.
    """
    phases = 1 + max((n.phase for n in schedule.nests), default=0)
    steps = sum(_steps(schedule, n) for n in schedule.nests)
    return 1 + device.exposed_share * phases * phases / max(steps, phases) * 16 * 32 / (resident * schedule.threads)


def _steps(schedule: Schedule, nest: Nest) -> int:
    """Loads that wait for each other: serial steps of a nest, those unrolled together counting once."""
    steps = 1
    for axis in nest.loops:
        steps *= schedule.places[axis].serial
    held = {a for h in schedule.holds if h.carrier == "register" for a in h.axes}
    together = steps if set(nest.loops) <= held else nest.unroll
    return -(-steps // together)


def _outstanding(item: Access, schedule: Schedule) -> int:
    """Bytes that a thread has in flight of one tensor: its vector, times the serial steps that are unrolled."""
    held = max((n.unroll for n in schedule.nests), default=1)
    size = max(item.run // 32, 1)
    return min(16, max(item.vector, 1) * min(size, 8)) * min(held, 4)


def _waste(item: Access) -> float:
    """Sectors moved over sectors needed, and what short runs cost the DRAM, whose bursts are 64 and pages larger."""
    run = max(item.run, 1)
    if run < 32:
        return 1.25 * 32 / run
    return 1.25 if run < 64 else 1.1 if run < 128 else 1.0
