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

from fstc.build.host_fault import DYNAMIC_SHARED, KINDS, STATIC_SHARED, Fault, FaultRecord, HostFault
from fstc.build.host_symbols import Frame, Symbols
from fstc.build.host_unit import HostKernel

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

ORDERS = ("forward", "reverse", "warp-forward", "warp-reverse")
TIMEOUT = 120.0  # seconds of one launch
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
        kernel = self.kernels[name]
        assert len(buffers) == kernel.params, f"{name} takes {kernel.params} buffers, not {len(buffers)}"
        aligned = [_aligned(b) for b in buffers]
        with self._lock:
            fault = self._run(kernel, [a.ctypes.data for a in aligned], order, grid, timeout, [""] * len(buffers), buffers)
        for original, used in zip(buffers, aligned, strict=True):
            if used is not original and original.flags.writeable:
                original[...] = used
        if fault:
            raise HostFault(fault)

    def _run(
        self,
        kernel: HostKernel,
        addresses: Sequence[int],
        order: str,
        grid: int | None,
        timeout: float,
        names: Sequence[str],
        buffers: Sequence[Array],
    ) -> Fault | None:
        call = ctypes.cast(self._library[f"fst_call_{kernel.name}"], ctypes.c_void_p)
        parameters = (ctypes.c_void_p * max(1, len(addresses)))(*addresses)
        blocks = kernel.grid if grid is None else grid
        number = ORDERS.index(order)
        if not self._launch(call, parameters, blocks, kernel.block, kernel.shared, number, timeout):
            return None
        return self._read_fault(kernel, names, [b.itemsize for b in buffers])

    def _read_fault(self, kernel: HostKernel, names: Sequence[str], sizes: Sequence[int]) -> Fault:
        record = self._library.fst_host_fault().contents
        line, place = self._locate(kernel, list(record.frame[: record.frames]))
        other_line, _ = self._locate(kernel, [record.other_frame] if record.other_frame else [])
        buffer, element = "", -1
        if record.buffer >= 0:
            buffer = names[record.buffer] or f"parameter {record.buffer}"
            element = record.offset // sizes[record.buffer]
        elif record.buffer in (DYNAMIC_SHARED, STATIC_SHARED):
            buffer = "shared memory" if record.buffer == DYNAMIC_SHARED else "static shared memory"
            element = record.offset
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
        chains = self._symbols.frames([a - self._base for a in addresses])
        frames: list[Frame] = [f for chain in chains for f in chain if f.line]
        place = f"{frames[0].file}:{frames[0].line}" if frames else ""
        return next((f.line for f in frames if f.file == kernel.file), 0), place


def _aligned(array: Array) -> Array:
    """The array itself where a kernel can use it, else an aligned copy."""
    import numpy as np

    if not array.flags.c_contiguous:
        raise ValueError("kernels work on dense row-major arrays")
    if array.ctypes.data % ALIGNMENT == 0:
        return array
    memory = np.empty(array.nbytes + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    copy: Array = memory[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy
