"""Which lines of a kernel's source spill: local-memory instructions looked up in the cubin's line table.

Example: ``spill_lines(image)["softmax"] == (14, 9)``, most instructions first. The image must be compiled with
``-lineinfo``. It is a courtesy to whoever reads a finding: what cannot be read gives no lines and no error.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from fstc.build.cubin import Section, read_sections

INSTRUCTION_BYTES = 16  # since sm_70
OPCODE_BITS = 0xFFF
LOCAL_MEMORY = frozenset({0x387, 0x983})  # STL, LDL
KERNEL_FILE = 1  # NVRTC lists the source itself first

# DWARF 2 line programs (section 6.2 of the standard) and NVIDIA's two additions.
SET_ADDRESS, END_SEQUENCE = 0x02, 0x01
COPY, ADVANCE_PC, ADVANCE_LINE, SET_FILE, SET_COLUMN, NEGATE, BASIC_BLOCK, CONST_ADD, FIXED_ADVANCE = range(1, 10)


def spill_lines(image: bytes) -> dict[str, tuple[int, ...]]:
    """Lines by kernel symbol."""
    try:
        return _spill_lines(memoryview(image))
    except (struct.error, ValueError, LookupError):
        return {}


def _spill_lines(image: memoryview) -> dict[str, tuple[int, ...]]:
    sections, _ = read_sections(image)
    by_name = {s.name: s for s in sections}
    table = by_name.get(".debug_line")
    if table is None:
        return {}
    found = {}
    for symbol, rows in _rows(table.data, _targets(by_name, sections)).items():
        code = by_name[f".text.{symbol}"].data
        starts = [address for address, _ in rows]
        lines: Counter[int] = Counter()
        for at in range(0, len(code) - INSTRUCTION_BYTES + 1, INSTRUCTION_BYTES):
            (word,) = struct.unpack_from("<Q", code, at)
            row = bisect_right(starts, at) - 1
            if word & OPCODE_BITS in LOCAL_MEMORY and row >= 0:
                lines[rows[row][1]] += 1
        if lines:
            found[symbol] = tuple(sorted(lines, key=lambda line: (-lines[line], line)))
    return found


def _targets(by_name: dict[str, Section], sections: list[Section]) -> dict[int, str]:
    """Where the line table holds an address, and the kernel whose code that address begins."""
    symbols = by_name[".symtab"].data
    targets: dict[int, str] = {}
    for name, size in (".rela.debug_line", 24), (".rel.debug_line", 16):  # the second before sm_90
        relocations = by_name[name].data if name in by_name else memoryview(b"")
        for at in range(0, len(relocations), size):
            offset, info = struct.unpack_from("<QQ", relocations, at)
            (section,) = struct.unpack_from("<H", symbols, 24 * (info >> 32) + 6)
            targets[offset] = sections[section].name.removeprefix(".text.")
    return targets


@dataclass
class _State:
    """The registers of a line program that matter here."""

    address: int = 0
    file: int = 1
    line: int = 1
    symbol: str = ""
    rows: list[tuple[int, int]] = field(default_factory=list)

    def emit(self) -> None:
        """A row; code of an inlined function counts for the kernel's line before it."""
        if self.file == KERNEL_FILE:
            self.rows.append((self.address, self.line))


def _rows(table: memoryview, targets: dict[int, str]) -> dict[str, list[tuple[int, int]]]:
    """(address, line) in address order, by kernel."""
    found: dict[str, list[tuple[int, int]]] = {}
    at = 0
    while at < len(table):
        length, version, header = struct.unpack_from("<IHI", table, at)
        minimum, _, base, span, opcodes = struct.unpack_from("<BBbBB", table, at + 10)
        if version != 2 or span == 0:
            raise ValueError(f"line table of version {version}")
        lengths = table[at + 15 : at + 15 + opcodes - 1]
        state = _State()
        cursor = _Cursor(table, at + 10 + header, at + 4 + length)
        for opcode in cursor.opcodes():
            if opcode >= opcodes:
                step = opcode - opcodes
                state.address += step // span * minimum
                state.line += base + step % span
                state.emit()
            elif opcode == 0:
                _extended(cursor, state, targets, found)
            elif opcode == COPY:
                state.emit()
            elif opcode == ADVANCE_PC:
                state.address += cursor.unsigned() * minimum
            elif opcode == ADVANCE_LINE:
                state.line += cursor.signed()
            elif opcode == SET_FILE:
                state.file = cursor.unsigned()
            elif opcode == CONST_ADD:
                state.address += (255 - opcodes) // span * minimum
            elif opcode == FIXED_ADVANCE:
                state.address += cursor.fixed(2)
            else:
                for _ in range(lengths[opcode - 1]):
                    cursor.unsigned()
        at += 4 + length
    return {symbol: sorted(rows) for symbol, rows in found.items() if rows}


def _extended(cursor: _Cursor, state: _State, targets: dict[int, str], found: dict[str, list[tuple[int, int]]]) -> None:
    size = cursor.unsigned()
    end = cursor.at + size
    opcode = cursor.fixed(1)
    if opcode == SET_ADDRESS:
        state.symbol = targets.get(cursor.at, state.symbol)
        state.address = cursor.fixed(size - 1)
    elif opcode == END_SEQUENCE:
        found.setdefault(state.symbol, []).extend(state.rows)
        state.address, state.file, state.line, state.symbol, state.rows = 0, 1, 1, "", []
    cursor.at = end


class _Cursor:
    """Reads numbers of the line program between two offsets."""

    def __init__(self, data: memoryview, at: int, end: int) -> None:
        self.data, self.at, self.end = data, at, end

    def opcodes(self) -> Iterator[int]:
        while self.at < self.end:
            yield self.fixed(1)

    def fixed(self, size: int) -> int:
        value = int.from_bytes(self.data[self.at : self.at + size], "little")
        self.at += size
        return value

    def unsigned(self) -> int:
        value, shift = 0, 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def signed(self) -> int:
        start = self.at
        value = self.unsigned()
        bits = 7 * (self.at - start)
        return value - (1 << bits) if self.data[self.at - 1] & 0x40 else value
