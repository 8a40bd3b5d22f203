"""What the build stage writes: the manifest of a package, and findings about kernels.

Example: ``manifest.device("h200").kernels[0].compiled.registers``. Entries of the zip are named by the
manifest and nothing else is read; a digest stands beside each.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from fstc.support.artefact import Artefact


class Instructions(msgspec.Struct, frozen=True, kw_only=True):
    """Machine instructions in a kernel's code, each counted once however often it runs."""

    total: int = 0  # without padding
    loads: int = 0  # from global memory
    wide_loads: int = 0  # those of 16 bytes
    stores: int = 0
    wide_stores: int = 0
    local_loads: int = 0  # spills, and arrays that are indexed at run time
    local_stores: int = 0
    shared_loads: int = 0
    shared_stores: int = 0
    special: int = 0  # of the special-function units: exp2, reciprocal, ...
    shuffles: int = 0
    barriers: int = 0


class Resources(msgspec.Struct, frozen=True, kw_only=True):
    """What the compiler used for one kernel on one architecture. Sizes are bytes."""

    registers: int
    stack: int  # local memory a thread, spills included
    spill_stores: int
    spill_loads: int
    shared: int  # static; without the system's reserve
    barriers: int
    max_threads: int  # of a block, as compiled
    parameters: int
    code: int
    instructions: Instructions = Instructions()  # from 1.1


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """What the plan counted on for the same kernel."""

    registers: int
    shared: int  # static and dynamic
    blocks_per_sm: int
    limiter: str
    instructions: int = 0  # in the kernel's code (from 1.1; 0: not known)


class KernelEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One kernel of one device."""

    symbol: str
    name: str
    source: str  # entry of the zip
    cubin: str  # entry of the zip; equal kernels share one
    ptx: str = ""
    compiled: Resources
    planned: Estimate
    blocks_per_sm: int  # with the resources that the compiler used
    limiter: str


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """One plan of a build that plans again, as it was compiled."""

    number: int  # 0: planned from estimates alone
    kernels: int
    spilling: tuple[str, ...]  # names of kernels with spills or a stack
    lower: tuple[str, ...]  # with fewer blocks on an SM than planned
    predicted_us: float
    compiled_us: float  # predicted again, with what the compiler used
    kept: bool = False


class DeviceEntry(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a package holds for one device."""

    name: str
    title: str
    arch: str
    sms: int
    shared_per_block_max: int
    plan: str  # entries of the zip
    codegen: str
    kernels: tuple[KernelEntry, ...]
    files: tuple[str, ...] = ()  # maps of kernels, host library and its source
    rounds: tuple[Round, ...] = ()  # the plans that were compiled, when asked to plan again (from 1.1)


class Constant(msgspec.Struct, frozen=True, kw_only=True):
    """A constants file: beside the package under its name, or embedded."""

    name: str
    sha256: str
    size: int
    entry: str = ""  # of the zip; empty: not embedded


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something the compiler did that the plan did not want. Whether it is denied is the caller's business."""

    code: str  # FST0510 and on
    device: str
    kernel: str
    op: str  # "%name = op" of the lines concerned, "; " between several
    message: str


class Manifest(Artefact, frozen=True, kw_only=True):
    KIND: ClassVar[str] = "package"
    VERSION: ClassVar[str] = "1.1"

    graph: str  # entry of the zip
    compiler: str  # "nvrtc 13.0"
    options: tuple[str, ...]
    devices: tuple[DeviceEntry, ...]
    constants: tuple[Constant, ...]
    findings: tuple[Finding, ...]
    entries: dict[str, str]  # every other entry of the zip and its sha256

    def device(self, name: str) -> DeviceEntry | None:
        return next((d for d in self.devices if d.name == name), None)
