"""What plan writes: kernels with placements, nests, carriers and schemes; decisions; the steps of a run.

Example: ``plan.regions[0].kernels[0].parts[0].placement`` lists, for every axis, its digits. Value ids inside a
region are those of the region's own graph (printed in ``RegionPlan.text``); ``Step`` speaks in
values of the whole graph.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import gcd
from typing import ClassVar

import msgspec

from fstc.support.affine import Index
from fstc.support.artefact import Artefact

REQUEST = 16  # widest access of a thread, bytes


class AxisPlace(msgspec.Struct, frozen=True, kw_only=True):
    """Digits of one axis. Its index, innermost digit first, is vector, lane, warp, serial, grid.

    ``i = e + vector * (lane + lanes * (warp + warps * (s + serial * block)))`` where ``lane`` is ``(thread lane /
    lane_stride) % lanes`` and so on; the product of the radices covers the extent, a guard cuts the rest.
    """

    axis: str
    extent: int
    vector: int = 1
    lanes: int = 1
    lane_stride: int = 1
    warps: int = 1
    warp_stride: int = 1
    serial: int = 1
    grid: int = 1
    grid_stride: int = 1

    @property
    def covered(self) -> int:
        return self.vector * self.lanes * self.warps * self.serial * self.grid

    @property
    def per_thread(self) -> int:
        return self.vector * self.serial

    @property
    def per_block(self) -> int:
        return self.covered // self.grid


def vector_width(offset: Index, size: int, places: Mapping[str, AxisPlace]) -> tuple[str, int]:
    """(axis, elements) of the widest aligned access: the axis has stride 1 and all else is a multiple of the width."""
    for term, c in offset.terms:
        place = places.get(term.key)
        if place is None or c != 1 or term.arg is not None or place.vector == 1:
            continue
        wide = min(place.vector, REQUEST // size) or 1
        for other, k in offset.terms:
            if other.key == term.key:
                continue
            if other.arg is not None and term.key in other.arg.variables:
                wide = 1
            wide = gcd(wide, k)
        return term.key, gcd(wide, offset.const) if offset.const else wide
    return "", 1


class Nest(msgspec.Struct, frozen=True, kw_only=True):
    """One loop nest of a phase: what it reduces and stores. Loops are serial digits, outermost first."""

    phase: int
    loops: tuple[str, ...]
    reduces: tuple[int, ...] = ()  # node ids
    stores: tuple[int, ...] = ()  # value ids
    unroll: int = 1  # serial steps at once; loops that index a register array are unrolled whole


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """A value kept on chip between nests, every thread its own elements."""

    value: int
    axes: tuple[str, ...]
    carrier: str  # "register" or "shared"
    elements: int  # a thread
    offset: int = 0  # in the arena, bytes; shared only


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """Partial results of a reduction crossing warps through shared memory."""

    node: int
    offset: int
    bytes: int
    phase: int


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Operators that share a schedule, rooted at a sub-root or an output."""

    root: int  # value id
    ops: tuple[int, ...]  # node ids
    kind: str  # "reduction", "output"
    phase: int


class Edge(msgspec.Struct, frozen=True, kw_only=True):
    """An internal edge whose producer and user disagree at some digit, or whose value is kept."""

    value: int
    user: int  # node id; -1: a later nest
    scheme: str  # thread, warp, block
    carrier: str  # register, shuffle, shared, recompute
    bytes: int  # on chip, per block
    why: str  # the disagreeing digits


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """Traffic of one tensor, in bytes of distinct 32-byte sectors, as the checker counts it."""

    value: int
    mode: str  # "read" or "write"
    vector: int  # elements a request and thread
    run: int  # contiguous bytes a warp request
    bytes: int
    l2_bytes: int


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One pattern of a launch; a packed launch has several, each with its own range of blocks."""

    nodes: tuple[int, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    blocks: int
    placement: tuple[AxisPlace, ...]
    nests: tuple[Nest, ...]
    holds: tuple[Hold, ...]
    exchanges: tuple[Exchange, ...]
    groups: tuple[Group, ...]
    edges: tuple[Edge, ...]
    accesses: tuple[Access, ...]
    words: str  # the axes for people: "rows (b,s) columns (h)"
    again: tuple[int, ...] = ()  # values that later phases compute again, which is cheaper than to keep them (from 1.1)


class Kernel(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    parts: tuple[Part, ...]
    threads: int
    shared: int  # dynamic, bytes
    registers: int  # estimate, a thread
    blocks_per_sm: int
    min_blocks: int  # blocks an SM that the compiler is told to make room for
    occupancy: float
    scheme: str  # the highest scheme in use: packing, thread, warp, block
    bytes: int
    bytes_min: int
    l2_bytes: int
    predicted_us: float
    bound: str  # memory, l2, issue, latency, launch
    terms: dict[str, float]  # microseconds
    instructions: int = 0  # in its code, an estimate (from 1.1)
    hash: str = ""  # of what it computes: equal for equal ops on equal types, whatever they are called (from 1.1)

    @property
    def blocks(self) -> int:
        return sum(p.blocks for p in self.parts)


class Decision(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something joined or kept apart, with the reason. Codes are explained by ``fstc explain CODE``.

    From 1.1: ``terms``, microseconds of each term of the price, one kernel minus apart (their sum is not the gain: the
    largest binds); ``limits``, what the one kernel needs of a resource and what there is; ``path``, values on a cycle.
    """

    code: str
    accepted: bool
    left: str
    right: str
    gain_us: float
    reason: str
    terms: dict[str, float] = msgspec.field(default_factory=dict)
    limits: dict[str, tuple[float, float]] = msgspec.field(default_factory=dict)
    path: tuple[str, ...] = ()


class Rewrite(msgspec.Struct, frozen=True, kw_only=True):
    """A reduction split in two, so that its reduced axis reaches the grid: ``parts`` partial results."""

    value: int  # result of the reduction, in the region's graph before any rewrite
    dim: int  # which reduced dimension is split
    parts: int


class RegionPlan(msgspec.Struct, frozen=True, kw_only=True):
    hash: str
    text: tuple[str, ...]  # the region as planned, one operator a line
    rewrites: tuple[Rewrite, ...]
    kernels: tuple[Kernel, ...]
    decisions: tuple[Decision, ...]


class Step(msgspec.Struct, frozen=True, kw_only=True):
    kind: str  # "kernel" or "library"
    region: int = -1
    kernel: int = -1
    node: int = -1
    reads: tuple[int, ...] = ()
    writes: tuple[int, ...] = ()


class Scratch(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    name: str
    dtype: str
    shape: tuple[int, ...]


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    ops: int
    kernels: int
    library_calls: int
    bytes: int
    bytes_min: int
    bytes_unfused: int
    l2_bytes: int
    predicted_us: float


class Measurement(msgspec.Struct, frozen=True, kw_only=True):
    """What the compiler made of one placement of a pattern, in a kernel of its own."""

    pattern: str  # structural hash, as Kernel.hash
    placement: str  # digest
    min_blocks: int  # blocks an SM that the compiler was told to make room for
    planned: int  # registers
    registers: int
    stack: int  # bytes a thread, as the spills
    spill_stores: int
    spill_loads: int
    instructions: int


class Plan(Artefact, frozen=True, kw_only=True):
    KIND: ClassVar[str] = "plan"
    VERSION: ClassVar[str] = "1.1"

    device: str
    strategy: str
    policy: str
    index_bits: int
    summary: Summary
    regions: tuple[RegionPlan, ...]
    steps: tuple[Step, ...]
    scratch: tuple[Scratch, ...]
    constants: dict[str, float] = msgspec.field(default_factory=dict)
    """Figures of the device and of the model that the predictions rest on (from 1.1)."""
    measured: tuple[Measurement, ...] = ()
    """What the compiler made of placements of earlier plans; this one was made with it (from 1.1)."""
