"""Shared memory by lifetimes: buffers whose lives are separated by a barrier share bytes.

Example: an exchange written before barrier 0 and read after it lives in epochs 0 and 1; one that is written after
barrier 1 (epoch 2) may reuse its bytes, one written in epoch 1 may not: a slow warp could still be reading.
"""

from __future__ import annotations

from dataclasses import dataclass

ALIGNMENT = 16  # bytes


@dataclass(frozen=True)
class Life:
    """A buffer of ``size`` bytes, written from epoch ``first`` and read until epoch ``last`` (inclusive).

    An epoch is the time between two block barriers.
    """

    size: int
    first: int
    last: int

    def meets(self, other: Life) -> bool:
        return self.first <= other.last and other.first <= self.last


def place(lives: tuple[Life, ...]) -> tuple[tuple[int, ...], int]:
    """(offset of each buffer, size of the arena), first fit by descending size; deterministic."""
    offsets: dict[int, int] = {}
    for n in sorted(range(len(lives)), key=lambda n: (-lives[n].size, n)):
        taken = sorted((offsets[m], offsets[m] + _padded(lives[m].size)) for m in offsets if lives[m].meets(lives[n]))
        at = 0
        for low, high in taken:
            if at + _padded(lives[n].size) <= low:
                break
            at = max(at, high)
        offsets[n] = at
    total = max((offsets[n] + _padded(lives[n].size) for n in offsets), default=0)
    return tuple(offsets[n] for n in range(len(lives))), total


def _padded(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
