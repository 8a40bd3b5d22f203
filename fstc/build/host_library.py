"""Load a host library and run its kernels.

Example::

    library.launch("softmax", [x, y], order="reverse")   # raises HostFault
    library.check("softmax", [x, y], ["x", "y"], [True, False]).fault

A launch releases the GIL. A library runs one launch at a time; several libraries run side by side.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fstc.build.host_check import CheckReport, LineTraffic, SiteRecord, buffer_slots, read_buffers, read_sites, shadowed
from fstc.build.host_fault import KINDS, SHARED, Fault, FaultRecord, HostFault
from fstc.build.host_symbols import Frame, Symbols
from fstc.build.host_unit import HostKernel

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

ORDERS = ("forward", "reverse", "warp-forward", "warp-reverse")
TIMEOUT = 600.0  # seconds of one launch; the checker needs minutes for gigabytes
ALIGNMENT = 16  # of every buffer, as kernels may assume

# One lock a loaded library: opening a path twice gives the same library, with the same state.
_LOCKS: dict[int, threading.Lock] = {}


class HostLibrary:
    """Kernels compiled by :func:`fstc.build.host.compile_host`."""

    def __init__(self, path: Path, kernels: Sequence[HostKernel], *, checked: bool) -> None:
        self.path = path
        self.checked = checked
        self.kernels = {k.name: k for k in kernels}
        self._library = ctypes.CDLL(str(path))
        self._lock = _LOCKS.setdefault(self._library._handle, threading.Lock())
        self._symbols = Symbols(path)
        self._launch = self._library.fst_host_launch
        pointers = ctypes.POINTER(ctypes.c_void_p)
        number = ctypes.c_uint
        self._launch.argtypes = (ctypes.c_void_p, pointers, number, number, ctypes.c_size_t, number, ctypes.c_double)
        self._library.fst_host_fault.restype = ctypes.POINTER(FaultRecord)
        self._library.fst_host_base.restype = ctypes.c_size_t
        self._base: int = self._library.fst_host_base()
        self._size = path.stat().st_size  # code beyond it is another library's, libm's for example

    def launch(
        self,
        name: str,
        buffers: Sequence[Array],
        *,
        order: str = "forward",
        grid: int | None = None,
        timeout: float = TIMEOUT,
    ) -> None:
        """Run a kernel on its parameters, in order; outputs are written in place. HostFault on a fault."""
        kernel = self._kernel(name, buffers)
        aligned = [_aligned(b) for b in buffers]
        addresses = [a.ctypes.data for a in aligned]
        with self._lock:
            failed = self._run(kernel, addresses, order, grid, timeout)
            fault = self._read_fault(kernel, [], buffers) if failed else None
        for original, used in zip(buffers, aligned, strict=True):
            if used is not original and original.flags.writeable:
                original[...] = used
        if fault:
            raise HostFault(fault)

    def check(
        self,
        name: str,
        buffers: Sequence[Array],
        names: Sequence[str],
        initialised: Sequence[bool],
        *,
        order: str = "warp-forward",
        grid: int | None = None,
        timeout: float = TIMEOUT,
    ) -> CheckReport:
        """Run a kernel under the checker; outputs are written in place. ``initialised``: may be read at once."""
        assert self.checked, "compile with checked=True"
        kernel = self._kernel(name, buffers)
        slots = buffer_slots(buffers)
        slot_names = [""] * len(slots)
        for slot, given in reversed(list(zip(slots, names, strict=True))):
            slot_names[slot] = given
        sized = [buffers[slots.index(slot)] for slot in sorted(set(slots))]
        with self._lock:
            with shadowed(self._library, buffers, initialised, kernel.shared) as addresses:
                failed = self._run(kernel, addresses, order, grid, timeout)
            fault = self._read_fault(kernel, slot_names, sized) if failed else None
            traffic = read_buffers(self._library, len(sized))
            sites = read_sites(self._library)
        return CheckReport(
            kernel=name,
            fault=fault,
            buffers={slot_names[i]: counts for i, counts in enumerate(traffic)},
            line_table=lambda: self._lines(kernel, sites, slot_names),
        )

    def _kernel(self, name: str, buffers: Sequence[Array]) -> HostKernel:
        kernel = self.kernels[name]
        assert len(buffers) == kernel.params, f"{name} takes {kernel.params} buffers, not {len(buffers)}"
        if not all(b.flags.c_contiguous for b in buffers):
            raise ValueError("kernels work on dense row-major arrays")
        return kernel

    def _run(self, kernel: HostKernel, addresses: Sequence[int], order: str, grid: int | None, timeout: float) -> bool:
        """Whether the launch failed."""
        call = ctypes.cast(self._library[f"fst_call_{kernel.name}"], ctypes.c_void_p)
        parameters = (ctypes.c_void_p * max(1, len(addresses)))(*addresses)
        blocks = kernel.grid if grid is None else grid
        number = ORDERS.index(order)
        return bool(self._launch(call, parameters, blocks, kernel.block, kernel.shared, number, timeout))

    def _lines(self, kernel: HostKernel, sites: Sequence[SiteRecord], names: Sequence[str]) -> tuple[LineTraffic, ...]:
        """Instructions of one line, buffer and direction, added up."""
        self._symbols.frames([s.pc for s in sites])  # all in one look-up
        totals: dict[tuple[int, str, str, bool], list[int]] = {}
        for site in sites:
            line, place = self._locate(kernel, [self._base + site.pc])
            buffer = names[site.buffer] if site.buffer >= 0 else SHARED[site.buffer]
            counts = (site.requests, site.lanes, site.lanes * site.bytes, site.sectors, site.wavefronts, site.conflicts)
            total = totals.setdefault((line, place, buffer, bool(site.write)), [0] * len(counts))
            total[:] = [a + b for a, b in zip(total, counts, strict=True)]
        return tuple(LineTraffic(*key, *total) for key, total in sorted(totals.items()))

    def _read_fault(self, kernel: HostKernel, names: Sequence[str], buffers: Sequence[Array]) -> Fault:
        record = self._library.fst_host_fault().contents
        line, place = self._locate(kernel, list(record.frame[: record.frames]))
        other_line, _ = self._locate(kernel, [record.other_frame] if record.other_frame else [])
        buffer, element = "", -1
        if record.buffer >= 0:
            buffer, element = names[record.buffer], record.offset // buffers[record.buffer].itemsize
        elif record.buffer in SHARED:
            buffer, element = SHARED[record.buffer], record.offset
        return Fault(
            kind=KINDS[record.kind],
            message=record.message.decode(errors="replace"),
            kernel=kernel.name,
            block=record.block,
            thread=record.thread,
            line=line,
            place=place,
            buffer=buffer,
            element=element,
            other_thread=record.other_thread,
            other_block=record.other_block,
            other_line=other_line,
        )

    def _locate(self, kernel: HostKernel, addresses: Sequence[int]) -> tuple[int, str]:
        """(the kernel's line, the innermost place) of return addresses, innermost first."""
        offsets = [a - self._base for a in addresses]
        chains = self._symbols.frames([o for o in offsets if 0 < o < self._size])
        frames: list[Frame] = [f for chain in chains for f in chain if f.line]
        place = f"{frames[0].file}:{frames[0].line}" if frames else ""
        return next((f.line for f in frames if f.file == kernel.file), 0), place


def _aligned(array: Array) -> Array:
    """The array itself where a kernel can use it, else an aligned copy."""
    import numpy as np

    if array.ctypes.data % ALIGNMENT == 0:
        return array
    memory = np.empty(array.nbytes + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    copy: Array = memory[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy
