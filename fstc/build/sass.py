"""Count the machine instructions of a kernel from its code section; needs no disassembler.

Example: ``count(section.data).total``. From sm_70 on an instruction has 16 bytes and its low 9 bits say what it is
(bits 9 to 11 say how its operands are given). NVIDIA does not document this: a test compares every class with ``nvdisasm``
on all architectures that the samples are compiled for.
"""

from __future__ import annotations

import struct

from fstc.build.artefact import Instructions

SIZE = 16  # bytes of an instruction
OPCODE = 0x1FF
NOP, BRANCH, EXIT = 0x118, 0x147, 0x14D
LOAD, STORE = 0x181, 0x186
CLASSES = {
    LOAD: "loads",
    STORE: "stores",
    0x183: "local_loads",
    0x187: "local_stores",
    0x184: "shared_loads",
    0x188: "shared_stores",
    0x108: "special",
    0x189: "shuffles",
    0x11D: "barriers",
}
WIDE = {LOAD: "wide_loads", STORE: "wide_stores"}
WIDTH_AT, WIDTH, WIDE_WIDTH = 9, 7, 6  # in the upper half: 4, 5 and 6 are 32, 64 and 128 bits


def count(code: memoryview) -> Instructions:
    """Instructions of one kernel, without padding: the empty ones, and the branch to itself before them."""
    found = dict.fromkeys((*CLASSES.values(), *WIDE.values()), 0)
    total = 0
    words = list(struct.iter_unpack("<QQ", code[: len(code) - len(code) % SIZE]))
    while words and words[-1][0] & OPCODE == NOP:
        words.pop()
    if words and words[-1][0] & OPCODE == BRANCH:
        words.pop()
    for low, high in words:
        opcode = low & OPCODE
        total += opcode != NOP
        name = CLASSES.get(opcode)
        if name:
            found[name] += 1
        if opcode in WIDE and high >> WIDTH_AT & WIDTH == WIDE_WIDTH:
            found[WIDE[opcode]] += 1
    return Instructions(total=total, **found)
