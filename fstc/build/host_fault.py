"""What goes wrong while a kernel runs on the host, and where.

Example: ``str(fault)`` is ``race in softmax at softmax.cu:14, thread 32 of block 0, shared memory byte 128: ...``.
A fault is a bug in a kernel, so it is an exception of its own and no diagnostic.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

KINDS = (
    "", "deadlock", "divergent-barrier", "bad-mask", "race", "out-of-bounds", "uninitialised", "misaligned",
    "stack-overflow", "crash", "timeout", "trap",
)  # fmt: skip
SHARED = {-2: "shared memory", -3: "static shared memory"}
MAX_FRAMES = 16


class FaultRecord(ctypes.Structure):
    """templates/host/machine.h's ``Fault``."""

    _fields_ = (
        ("kind", ctypes.c_int32),
        ("block", ctypes.c_uint32),
        ("thread", ctypes.c_uint32),
        ("buffer", ctypes.c_int32),
        ("offset", ctypes.c_int64),
        ("bytes", ctypes.c_uint32),
        ("other_thread", ctypes.c_int32),
        ("other_block", ctypes.c_int64),
        ("frames", ctypes.c_uint32),
        ("frame", ctypes.c_size_t * MAX_FRAMES),
        ("other_frame", ctypes.c_size_t),
        ("message", ctypes.c_char * 1024),
    )


@dataclass(frozen=True)
class Fault:
    """``line`` is the kernel's own line (0 when unknown), ``place`` the innermost one, perhaps in the prelude."""

    kind: str
    message: str
    kernel: str
    block: int
    thread: int
    line: int = 0
    place: str = ""
    buffer: str = ""  # a name that was given, or one of SHARED
    element: int = -1  # of the buffer; of shared memory the byte
    other_thread: int = -1
    other_block: int = -1
    other_line: int = 0

    def __str__(self) -> str:
        where = f"{self.kernel}.cu:{self.line}" if self.line else self.place or "an unknown line"
        inner = f" ({self.place})" if self.line and self.place and self.place != where else ""
        unit = "byte" if self.buffer in SHARED.values() else "element"
        what = f", {self.buffer} {unit} {self.element}" if self.buffer else ""
        who = f"thread {self.thread} of block {self.block}"
        return f"{self.kind} in {self.kernel} at {where}{inner}, {who}{what}: {self.message}"


class HostFault(Exception):
    """A launch failed; ``fault`` says how. The process and the library stay usable."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault

    @property
    def kind(self) -> str:
        return self.fault.kind
