"""Resources of the kernels in a cubin, read from its ELF tables; needs neither tools nor a GPU.

Example: ``read_cubin(image)["softmax"].registers``. The format is NVIDIA's and undocumented: the attribute
numbers are those that ``cuobjdump -elf`` prints. Spill bytes are not in the file (``nvrtc`` has them
from ptxas). Damaged input is refused with FST0505.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace

from fstc.build.artefact import Instructions
from fstc.build.sass import count
from fstc.support.diagnostics import Diagnostic, FstcError

MACHINE_CUDA = 190
NOBITS = 8  # a section without bytes in the file
SHARED_RESERVED = 1024  # counted in .nv.shared.KERNEL from sm_90 on

# Attributes of .nv.info (whole file, by symbol) and .nv.info.KERNEL
FRAME_SIZE, REGISTER_COUNT = 0x11, 0x2F
MAX_THREADS, PARAMETER_BYTES, BARRIERS = 0x05, 0x19, 0x4C
FORMAT_SIZED = 4  # the value is a length and that many bytes follow; otherwise it is the value


@dataclass(frozen=True)
class CubinKernel:
    """One entry function. Sizes are bytes."""

    name: str
    registers: int = 0
    stack: int = 0
    shared: int = 0  # static, without the reserve
    barriers: int = 0
    max_threads: int = 0  # 0: not stated
    parameters: int = 0
    code: int = 0
    instructions: Instructions = Instructions()


@dataclass(frozen=True)
class Section:
    """A section of the ELF file."""

    name: str
    type: int
    link: int
    info: int
    data: memoryview
    size: int


def read_cubin(image: bytes) -> dict[str, CubinKernel]:
    """The kernels of a cubin by symbol, in name order."""
    try:
        return _read(memoryview(image))
    except (struct.error, ValueError, IndexError, UnicodeDecodeError) as error:
        raise FstcError(Diagnostic("FST0505", f"the compiled image is damaged: {error}")) from None


def _read(image: memoryview) -> dict[str, CubinKernel]:
    sections, arch = read_sections(image)
    by_name = {s.name: s for s in sections}
    kernels: dict[str, CubinKernel] = {}
    for section in sections:
        # Device functions that were not inlined have code too, but no parameters' constant bank.
        name = section.name.removeprefix(".text.")
        if name != section.name and f".nv.info.{name}" in by_name:
            kernels[name] = CubinKernel(name, code=section.size, instructions=count(section.data))
    for name, kernel in kernels.items():
        shared = by_name.get(f".nv.shared.{name}")
        size = shared.size if shared else 0
        kernels[name] = _local_info(
            replace(kernel, shared=max(0, size - SHARED_RESERVED) if arch >= 90 else size), by_name[f".nv.info.{name}"]
        )
    return dict(sorted(_global_info(kernels, sections, by_name).items()))


def read_sections(image: memoryview) -> tuple[list[Section], int]:
    """All sections, and the architecture's number; ValueError or struct.error when they are damaged."""
    if bytes(image[:6]) != b"\x7fELF\x02\x01":
        raise ValueError("no 64-bit little-endian ELF file")
    (machine,) = struct.unpack_from("<H", image, 18)
    if machine != MACHINE_CUDA:
        raise ValueError(f"ELF machine {machine} is not CUDA")
    (table,) = struct.unpack_from("<Q", image, 40)
    (flags,) = struct.unpack_from("<I", image, 48)
    entry, count, names = struct.unpack_from("<HHH", image, 58)
    (segments,) = struct.unpack_from("<Q", image, 32)
    segment_size, segment_count = struct.unpack_from("<HH", image, 54)
    if entry != 64 or names >= count or segments + segment_size * segment_count > len(image):
        raise ValueError("bad section table")
    headers = [struct.unpack_from("<IIQQQQIIQQ", image, table + i * entry) for i in range(count)]
    strings = _body(image, headers[names])
    sections = [Section(_string(strings, h[0]), h[1], h[6], h[7], _body(image, h), h[5]) for h in headers]
    # The SM number moved within the flags with version 8 of the ABI (CUDA 13).
    return sections, flags >> 8 & 0xFF if image[8] >= 8 else flags & 0xFF


def _body(image: memoryview, header: tuple[int, ...]) -> memoryview:
    kind, offset, size = header[1], header[4], header[5]
    if kind == NOBITS:
        return memoryview(b"")
    if offset + size > len(image):
        raise ValueError("a section lies outside the file")
    return image[offset : offset + size]


def _string(table: memoryview, offset: int) -> str:
    raw = bytes(table[offset : offset + 4096])
    return raw[: raw.index(b"\0")].decode("ascii")


def _attributes(data: memoryview) -> Iterator[tuple[int, int, memoryview]]:
    """(attribute, value, bytes) of an info section."""
    at = 0
    while at + 4 <= len(data):
        form, attribute, value = struct.unpack_from("<BBH", data, at)
        at += 4
        length = value if form == FORMAT_SIZED else 0
        if at + length > len(data):
            raise ValueError("an attribute is cut off")
        yield attribute, value, data[at : at + length]
        at += length


def _local_info(kernel: CubinKernel, section: Section) -> CubinKernel:
    for attribute, value, data in _attributes(section.data):
        if attribute == MAX_THREADS:
            x, y, z = struct.unpack_from("<III", data)
            kernel = replace(kernel, max_threads=x * y * z)
        elif attribute == PARAMETER_BYTES:
            kernel = replace(kernel, parameters=value)
        elif attribute == BARRIERS:
            kernel = replace(kernel, barriers=value)
    return kernel


def _global_info(
    kernels: dict[str, CubinKernel], sections: list[Section], by_name: dict[str, Section]
) -> dict[str, CubinKernel]:
    """Registers and frames, which the file keeps by symbol number."""
    info, symbols = by_name.get(".nv.info"), by_name.get(".symtab")
    if info is None or symbols is None:
        raise ValueError("it has no .nv.info or no symbols")
    strings = sections[symbols.link].data
    for attribute, _, data in _attributes(info.data):
        if attribute not in (FRAME_SIZE, REGISTER_COUNT):
            continue
        symbol, value = struct.unpack_from("<II", data)
        (name_at,) = struct.unpack_from("<I", symbols.data, 24 * symbol)
        name = _string(strings, name_at)
        if name in kernels and attribute == REGISTER_COUNT:
            kernels[name] = replace(kernels[name], registers=value)
        elif name in kernels:
            kernels[name] = replace(kernels[name], stack=value)
    return kernels
