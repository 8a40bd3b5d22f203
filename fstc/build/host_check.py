"""The checker's side of a host library: prepare its memory, run, read what it counted.

Example::

    report = library.check("copy", [x, y], ["x", "y"], [True, False])
    assert report.fault is None and report.buffers["x"].read_bytes == x.nbytes

Definitions: a sector is 32 bytes, counted from the buffer's start (allocations on the device are aligned to
256). ``bytes`` of a buffer are its distinct sectors read, plus those written; ``l2_bytes`` is what the blocks
together touched beyond that, each block counting a sector once.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from fstc.build.host_fault import Fault

    Array = np.ndarray[Any, Any]

SECTOR = 32


@dataclass(frozen=True)
class BufferTraffic:
    """Global memory traffic of one buffer, in 32-byte sectors and warp instructions."""

    read_sectors: int = 0  # distinct over the launch
    write_sectors: int = 0
    block_read_sectors: int = 0  # distinct in each block, summed over the blocks
    block_write_sectors: int = 0
    read_requests: int = 0
    write_requests: int = 0
    read_request_sectors: int = 0  # distinct in each request, summed
    write_request_sectors: int = 0

    @property
    def read_bytes(self) -> int:
        return SECTOR * self.read_sectors

    @property
    def write_bytes(self) -> int:
        return SECTOR * self.write_sectors

    @property
    def bytes(self) -> int:
        return self.read_bytes + self.write_bytes

    @property
    def l2_bytes(self) -> int:
        return SECTOR * (self.block_read_sectors + self.block_write_sectors) - self.bytes


@dataclass(frozen=True)
class LineTraffic:
    """What one source line of a kernel did to one buffer (or ``shared memory``) in one direction."""

    line: int  # 0: in no line of the kernel, see ``place``
    place: str
    buffer: str
    write: bool
    requests: int
    lanes: int  # accesses of single threads
    bytes: int  # asked for by them
    sectors: int  # global memory
    wavefronts: int  # shared memory: passes over the banks
    bank_conflicts: int  # of these, beyond the fewest possible

    @property
    def sectors_per_request(self) -> float:
        return self.sectors / self.requests


@dataclass(frozen=True)
class CheckReport:
    """``fault`` is the first one found; the counts are complete only without one."""

    kernel: str
    fault: Fault | None
    buffers: dict[str, BufferTraffic]
    line_table: Callable[[], tuple[LineTraffic, ...]] = field(repr=False, compare=False)

    @cached_property
    def lines(self) -> tuple[LineTraffic, ...]:
        """By source line; looked up when asked for, since it takes a run of addr2line."""
        return self.line_table()

    @property
    def bytes(self) -> int:
        return sum(b.bytes for b in self.buffers.values())

    @property
    def l2_bytes(self) -> int:
        return sum(b.l2_bytes for b in self.buffers.values())

    @property
    def bank_conflicts(self) -> int:
        return sum(line.bank_conflicts for line in self.lines)


COUNTS = tuple(BufferTraffic.__dataclass_fields__)


class BufferRecord(ctypes.Structure):
    """templates/host/check/traffic.h's ``BufferTraffic``."""

    _fields_ = tuple((name, ctypes.c_uint64) for name in COUNTS)


class SiteRecord(ctypes.Structure):
    """templates/host/check/traffic.h's ``SiteTraffic``: one instruction's accesses to one buffer."""

    _fields_ = (
        ("pc", ctypes.c_uint32),
        ("buffer", ctypes.c_int32),
        ("write", ctypes.c_uint32),
        ("bytes", ctypes.c_uint32),
        ("requests", ctypes.c_uint64),
        ("lanes", ctypes.c_uint64),
        ("sectors", ctypes.c_uint64),
        ("wavefronts", ctypes.c_uint64),
        ("conflicts", ctypes.c_uint64),
    )


@contextmanager
def shadowed(
    library: ctypes.CDLL, buffers: Sequence[Array], initialised: Sequence[bool], shared: int
) -> Iterator[list[int]]:
    """Copy the buffers into the checker's arena, yield their addresses there, copy back what can be written.

    A buffer that is not initialised arrives as NaN bytes. The same array given twice is one buffer: the
    addresses are by parameter.
    """
    import numpy as np

    slots = buffer_slots(buffers)
    count = len(set(slots))
    distinct = [buffers[slots.index(i)] for i in range(count)]
    known = [any(flag for slot, flag in zip(slots, initialised, strict=True) if slot == i) for i in range(count)]
    addresses = (ctypes.c_uint64 * max(1, count))()
    made = library.fst_check_begin(
        ctypes.c_size_t(count),
        (ctypes.c_uint64 * max(1, count))(*(b.nbytes for b in distinct)),
        (ctypes.c_uint32 * max(1, count))(*(min(8, b.itemsize) for b in distinct)),
        (ctypes.c_uint8 * max(1, count))(*known),
        ctypes.c_size_t(shared),
        addresses,
    )
    if not made:
        library.fst_check_end()
        raise MemoryError(f"no memory to check buffers of {sum(b.nbytes for b in distinct):,} bytes")
    try:
        inside = [_bytes_at(int(addresses[i]), b.nbytes) for i, b in enumerate(distinct)]
        for memory, buffer, flag in zip(inside, distinct, known, strict=True):
            memory[...] = buffer.reshape(-1).view(np.uint8) if flag and buffer.nbytes else 0xFF
        yield [int(addresses[slot]) for slot in slots]
        for memory, buffer in zip(inside, distinct, strict=True):
            if buffer.flags.writeable and buffer.nbytes:
                buffer.reshape(-1).view(np.uint8)[...] = memory
    finally:
        library.fst_check_end()


def buffer_slots(buffers: Sequence[Array]) -> list[int]:
    """Per parameter the number that the checker knows its buffer by."""
    slots: dict[tuple[int, int], int] = {}
    return [slots.setdefault(_identity(b), len(slots)) for b in buffers]


def read_buffers(library: ctypes.CDLL, count: int) -> list[BufferTraffic]:
    records = (BufferRecord * max(1, count))()
    library.fst_check_buffers(records)
    return [BufferTraffic(*(int(getattr(r, name)) for name in COUNTS)) for r in records[:count]]


def read_sites(library: ctypes.CDLL) -> list[SiteRecord]:
    library.fst_check_sites.restype = ctypes.c_size_t
    count = library.fst_check_sites(None, ctypes.c_size_t(0))
    records = (SiteRecord * max(1, count))()
    library.fst_check_sites(records, ctypes.c_size_t(count))
    return list(records[:count])


def _identity(buffer: Array) -> tuple[int, int]:
    # Arrays without elements may share an address; each is a buffer of its own.
    return (int(buffer.ctypes.data), int(buffer.nbytes)) if buffer.nbytes else (id(buffer), 0)


def _bytes_at(address: int, size: int) -> Array:
    import numpy as np

    if not size:
        return np.empty(0, np.uint8)
    memory: Array = np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(address))
    return memory
