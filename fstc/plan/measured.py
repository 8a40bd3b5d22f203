"""What the compiler made of placements that were planned before: real registers and spills in the place of estimates.

Example: a kernel planned with 37 registers and 6 blocks an SM that needs 48 and fits 5 leaves a
:class:`Measurement`; planned again, its placement is priced with 5 blocks, and another may win. A plan records the
measurements that it was made with (``Plan.measured``), so that it stays a function of its inputs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256

import msgspec

from fstc.device.device import Device
from fstc.device.occupancy import blocks_per_sm
from fstc.ir.graph import Graph
from fstc.ir.subgraph import structural_hash
from fstc.plan.artefact import AxisPlace, Measurement

DIGITS = 16  # of a placement's digest
WORD = 8  # bytes that a register too few costs: out and in


def placement_digest(placement: tuple[AxisPlace, ...]) -> str:
    return sha256(msgspec.json.encode(placement)).hexdigest()[:DIGITS]


@dataclass(frozen=True)
class Real:
    """Registers to count on for a placement, and what compiles to them."""

    registers: int
    spilled: int  # bytes a thread, out and in
    min_blocks: int  # that the compiler is told


@dataclass(frozen=True)
class Measured:
    """Measurements by pattern and placement; empty for a first plan."""

    record: tuple[Measurement, ...] = ()
    _known: dict[tuple[str, str], list[Measurement]] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        for item in self.record:
            self._known.setdefault((item.pattern, item.placement), []).append(item)

    @classmethod
    def of(cls, record: Iterable[Measurement]) -> Measured:
        """In a fixed order, each once."""
        return cls(tuple(sorted(set(record), key=lambda m: (m.pattern, m.placement, m.min_blocks))))

    def key(self, graph: Graph) -> str:
        """What the measurements know a pattern by; nothing where there are none, since it takes time."""
        return structural_hash(graph) if self.record else ""

    def compiled(self, pattern: str, placement: tuple[AxisPlace, ...]) -> list[Measurement]:
        """How this placement was compiled so far, by the blocks that the compiler was told to make room for."""
        return self._known.get((pattern, placement_digest(placement)), []) if self.record else []

    def reals(
        self, pattern: str, placement: tuple[AxisPlace, ...], threads: int, shared: int, device: Device
    ) -> tuple[Real, ...]:
        """What this placement can be compiled to, as far as it is known; nothing when it was never compiled.

        Where a bound made it spill, the compiler may be left free: it then takes more registers than the bound left.
        """
        found = self.compiled(pattern, placement)
        clean = tuple(real(m) for m in found if not spilled(m))
        if clean or not all(m.min_blocks > 1 for m in found):
            return clean or tuple(real(m) for m in found)
        if not found:
            return ()
        least = min(m.min_blocks for m in found)
        registers = max(m.registers for m in found)
        while registers < device.registers_per_thread_max and fits(device, threads, registers, shared) >= least:
            registers += 1
        return (Real(registers, 0, 1),)

    def bias(self, pattern: str) -> int:
        """Registers that the compiler needed beyond the plan for every placement of a pattern that it has seen.

        So the next placement is not chosen for an estimate that is too low in the same way.
        """
        if not self.record:
            return 0
        found = [m.registers + spilled(m) // WORD - m.planned for m in self.record if m.pattern == pattern]
        return max(0, min(found, default=0))


def spilled(item: Measurement) -> int:
    return item.spill_stores + item.spill_loads


def real(item: Measurement) -> Real:
    return Real(item.registers, spilled(item), item.min_blocks)


def fits(device: Device, threads: int, registers: int, shared: int) -> int:
    return blocks_per_sm(device, threads, registers, shared)[0]


NOTHING = Measured()
