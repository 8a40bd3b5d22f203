"""What the interpreter of plans knows of a launch: which thread has which index, and who owns which shared bytes when.

Example: ``Threads(places, blocks, ()).index("a0")`` has the index of axis ``a0`` for every block, warp, lane and
register; a placement that leaves an element to nobody shows, because nobody computes it. NumPy is imported here and
not in the functions, since no stage loads this module.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from fstc.ir.types import DType
from fstc.plan.artefact import AxisPlace
from fstc.support.diagnostics import InternalError

Array = Any
WARP, LANE, OTHERS = 0, 1, 2  # dimensions of every array; then axes in the thread, axes on the grid, window loops


def poison(dtype: DType) -> Array:
    """A scalar that shows: NaN, and bits that no program writes for integers and bools."""
    fill = 0xFF if dtype.is_float else 0xA5
    return np.full(dtype.size, fill, np.uint8).view(dtype.numpy())[0]


class Threads:
    """All threads of one part. Arrays have a dimension each for warps, lanes, what a thread has of every axis, the
    blocks along every axis, and every window loop.

    What a thread has of an axis counts vector elements, then serial steps. A dimension along which nothing differs has
    size one.
    """

    def __init__(self, places: Mapping[str, AxisPlace], blocks: int, windows: Sequence[str]) -> None:
        self.places = places
        self.warps = max((p.warp_stride * p.warps for p in places.values()), default=1)
        self.lanes = max((p.lane_stride * p.lanes for p in places.values()), default=1)
        self.dims = {axis: OTHERS + n for n, axis in enumerate(places)}
        self.grid = {axis: OTHERS + len(places) + n for n, axis in enumerate(places)}
        self.windows = {name: OTHERS + 2 * len(places) + n for n, name in enumerate(windows)}
        self.rank = OTHERS + 2 * len(places) + len(windows)
        stride = 1
        for p in sorted((p for p in places.values() if p.grid > 1), key=lambda p: p.grid_stride):
            if p.grid_stride != stride:
                raise InternalError(f"the blocks along {p.axis} are {p.grid_stride} apart, the others are {stride}")
            stride *= p.grid
        if stride != blocks:
            raise InternalError(f"the axes lie on {stride} blocks, the part has {blocks}")

    def along(self, dim: int, values: Array) -> Array:
        """Values that differ along one dimension only."""
        shape = [1] * self.rank
        shape[dim] = len(values)
        return values.reshape(shape)

    def digits(self, axis: str) -> tuple[Array, Array, Array]:
        """(block, warp, lane) digits of an axis."""
        p = self.places[axis]
        return (
            self.along(self.grid[axis], np.arange(p.grid, dtype=np.int64)),
            self._digit(WARP, self.warps, p.warp_stride, p.warps),
            self._digit(LANE, self.lanes, p.lane_stride, p.lanes),
        )

    def _digit(self, dim: int, count: int, stride: int, radix: int) -> Array:
        if radix == 1:
            return np.zeros([1] * self.rank, np.int64)
        return self.along(dim, np.arange(count, dtype=np.int64) // stride % radix)

    def index(self, axis: str) -> Array:
        """Each thread's indices of an axis, as :class:`AxisPlace` defines them; some may lie beyond the extent."""
        p = self.places[axis]
        block, warp, lane = self.digits(axis)
        own = np.arange(p.per_thread, dtype=np.int64)
        serial, element = self.along(self.dims[axis], own // p.vector), self.along(self.dims[axis], own % p.vector)
        return element + p.vector * (lane + p.lanes * (warp + p.warps * (serial + p.serial * block)))

    def first(self, axes: Iterable[str]) -> Array:
        """The one thread, of all that differ only in digits of other axes, that writes what they all have."""
        known = set(axes)
        found = np.ones([1] * self.rank, bool)
        for axis in self.places:
            if axis not in known:
                for digit in self.digits(axis):
                    found = found & (digit == 0)
        return found

    def leader(self, kept: Iterable[str]) -> Array:
        """For each lane the lane with the same digits of the kept axes, and zero for all others."""
        lane = np.arange(self.lanes)
        return sum(
            (
                lane // p.lane_stride % p.lanes * p.lane_stride
                for p in (self.places[a] for a in dict.fromkeys(kept))
                if p.lanes > 1
            ),
            np.zeros_like(lane),
        )

    def per_thread(self, axes: Iterable[str]) -> int:
        return prod(self.places[a].per_thread for a in axes)


@dataclass
class _Buffer:
    low: int
    high: int
    content: tuple[Array, ...]
    spoilt: bool
    touched: int  # epoch of the last access


@dataclass
class Shared:
    """The arena of every block: named buffers at byte ranges, in epochs between barriers.

    Writing a buffer spoils what overlaps it. If that was accessed since the last barrier, some threads may still be at
    it: then the new buffer is spoilt, too.
    """

    size: int
    epoch: int = 0
    buffers: dict[str, _Buffer] = field(default_factory=dict)

    def barrier(self) -> None:
        self.epoch += 1

    def write(self, name: str, offset: int, size: int, content: tuple[Array, ...]) -> None:
        if offset < 0 or offset + size > self.size:
            raise InternalError(f"{name} lies at {offset} to {offset + size} of {self.size} bytes of shared memory")
        low, high = offset, offset + size
        race = False
        for other, buffer in self.buffers.items():
            if other != name and buffer.low < high and low < buffer.high:
                buffer.spoilt = True
                race |= buffer.touched == self.epoch
        self.buffers[name] = _Buffer(low, high, content, race, self.epoch)

    def read(self, name: str, dtypes: Sequence[DType]) -> tuple[Array, ...]:
        buffer = self.buffers.get(name)
        if buffer is None:
            raise InternalError(f"{name} is read from shared memory before anything wrote it")
        buffer.touched = self.epoch
        if not buffer.spoilt:
            return buffer.content
        return tuple(np.full_like(x, poison(d)) for x, d in zip(buffer.content, dtypes, strict=True))
