"""delta-evaluator: microseconds that a set of ops saves as one kernel, fast enough to drive the search.

    f = T_reduced_mem + T_reduced_calls - T_penalty                    (FusionStitching, section 4.4)

Example: for a softmax of four ops over ``f32[4096,1024]`` f is about 26 us: six
tensors are not moved, three launches not made.
T_reduced_mem is linear in the bytes that stay on chip, with one coefficient for what a thread keeps and one for what
crosses threads. T_penalty is a simplified latency: parallelism lost to reductions, instructions beyond what the memory
time hides, rows too long to keep. Axes are those of the whole region: nothing is placed, no pattern is analysed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from math import prod

from fstc.device.device import Device
from fstc.ir.axes import find_axes
from fstc.ir.graph import Graph, Node
from fstc.ir.ops.opdef import Form, Kind
from fstc.plan.code import ADDRESS
from fstc.plan.pricer import MOST_POINTERS
from fstc.plan.work import slots, slots_of
from fstc.support.digraph import bits

Members = frozenset[int]
REGISTER_BYTES = 64 * 4  # a thread may keep so much of a row; the rest is shared memory's
TILE = 1024  # elements of a block
STEP = 8  # elements of a loop that a thread has in flight at once
PART = (Form.SLICE, Form.DYNAMIC_SLICE, Form.GATHER)  # they read no more of an operand than they make
WAITS = (Form.REDUCE, Form.SCAN)


@dataclass(frozen=True)
class Score:
    """Terms of f in microseconds."""

    reduced_mem: float
    reduced_calls: float
    penalty: float

    @property
    def total(self) -> float:
        return self.reduced_mem + self.reduced_calls - self.penalty

    def as_terms(self) -> dict[str, float]:
        return {"reduced_mem": self.reduced_mem, "reduced_calls": self.reduced_calls, "penalty": -self.penalty}


ALONE = Score(0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Rules:
    """What may not share a kernel, whatever it would save."""

    max_ops: int = 128
    threads_only: bool = False  # strategy classic: no value passes from one thread to others
    apart: dict[int, frozenset[int]] | None = None  # op -> ops that it must not share a kernel with


@dataclass(slots=True)
class OpFacts:
    """One op with a kernel of its own."""

    inputs: tuple[tuple[int, int, int], ...]  # (value, bytes read, producing op or -1), through folded ops
    made: tuple[tuple[int, int, int], ...]  # (value, bytes, ops that read it), results of the region with one more
    space: int  # bits of the axes that it iterates over
    reduced: int
    elements: int
    work: float  # thread-instructions
    waits: bool  # its result is known only when all of a row is
    scatter: bool


class Delta:
    """The evaluator of one region. ``folded`` ops are repeated by their users and have no facts of their own."""

    def __init__(self, graph: Graph, device: Device, folded: frozenset[int], rules: Rules) -> None:
        self.graph, self.device, self.rules = graph, device, rules
        self.results = frozenset(graph.outputs)
        axes = find_axes(graph)
        self._bit = {axis.name: n for n, axis in enumerate(axes.axes)}
        self._extents = [axis.extent for axis in axes.axes]
        self._sizes: dict[int, int] = {0: 1}
        self._mask = [self._bits(names) for names in axes.members]
        self.ops: dict[int, OpFacts] = {}
        readers = [0] * len(graph.values)  # ops that read a value, through folded ops
        behind: dict[int, tuple[tuple[int, int, int], ...]] = {}  # value of a folded op -> what it is made of
        for node in graph.nodes:
            inputs = self._inputs(node, behind)
            if node.id in folded:
                behind |= dict.fromkeys(node.outputs, inputs)
                continue
            self.ops[node.id] = self._facts(node, inputs, self._bits(axes.reduced[node.id]))
            for value in dict.fromkeys(v for v, _, _ in inputs):
                readers[value] += 1
        for n, op in self.ops.items():
            op.made = tuple((v, graph.type(v).nbytes, readers[v] + (v in self.results)) for v in graph.nodes[n].outputs)
        self._alone = {n: self._price((n,)) for n in self.ops}

    # -- facts ------------------------------------------------------------------------------------------------

    def _bits(self, names: Iterable[str]) -> int:
        found = 0
        for name in names:
            found |= 1 << self._bit[name]
        return found

    def _size(self, mask: int) -> int:
        if mask not in self._sizes:
            self._sizes[mask] = prod(self._extents[bit] for bit in bits(mask))
        return self._sizes[mask]

    def _inputs(
        self, node: Node, behind: dict[int, tuple[tuple[int, int, int], ...]]
    ) -> tuple[tuple[int, int, int], ...]:
        graph = self.graph
        made = sum(graph.type(v).nbytes for v in node.outputs)
        found: dict[int, tuple[int, int]] = {}
        for k, value in enumerate(node.inputs):
            limit = made if node.op.kind is Kind.LAYOUT and (node.op.form in PART and k == 0) else None
            entries = behind.get(value)
            if entries is None:
                entries = ((value, graph.type(value).nbytes, graph.values[value].node),)
            for v, size, producer in entries:
                read = size if limit is None else min(size, limit)
                found[v] = max(read, found.get(v, (0, 0))[0]), producer
        return tuple((v, size, producer) for v, (size, producer) in found.items())

    def _facts(self, node: Node, inputs: tuple[tuple[int, int, int], ...], reduced: int) -> OpFacts:
        graph = self.graph
        space = 0
        for value in node.outputs:
            space |= self._mask[value]
        largest = max((graph.type(v).elements for v in node.outputs), default=1)
        if node.op.form in (Form.REDUCE, Form.SCAN, Form.REDUCE_WINDOW):
            space |= self._mask[node.inputs[0]]
            largest = max(largest, graph.type(node.inputs[0]).elements)
        load = slots(self.device)[ADDRESS]
        return OpFacts(
            inputs=inputs,
            made=(),
            space=space,
            reduced=reduced,
            elements=largest,
            work=largest * (slots_of(node.op, self.device) + load * len(inputs)),
            waits=node.op.form in WAITS,
            scatter=node.op.form is Form.SCATTER,
        )

    # -- the score --------------------------------------------------------------------------------------------

    @cached_property
    def _bytes_us(self) -> float:
        return self.device.dram_gbps * 1e3

    @cached_property
    def _issue_us(self) -> float:
        d = self.device
        return d.sms * d.fp32_per_clock * d.clock_ghz * 1e3

    def score(self, members: Members) -> Score | None:
        """f of some ops as one kernel; None when the rules keep them apart."""
        if len(members) == 1:
            return ALONE
        rules = self.rules
        if len(members) > rules.max_ops:
            return None
        if rules.apart:
            for n in members:
                if n in rules.apart and not rules.apart[n].isdisjoint(members):
                    return None
        priced = self._price(sorted(members))
        if priced is None or priced.tensors > MOST_POINTERS:
            return None
        moved = 0
        penalty = priced.penalty
        for n in members:
            alone = self._alone[n]
            assert alone is not None
            moved += alone.moved
            penalty -= alone.penalty
        d, saved = self.device, moved - priced.moved
        crossing = min(saved, priced.crossing)
        mem = (saved - crossing) * d.delta_register_us_per_mb + crossing * d.delta_shared_us_per_mb
        return Score(mem / 1e6, (len(members) - 1) * d.delta_call_us, penalty)

    def _price(self, members: Iterable[int]) -> _Price | None:
        """``members`` in the order of the graph."""
        ops, threads_only, sizes = self.ops, self.rules.threads_only, self._sizes
        depth: dict[int, int] = {}
        reads: dict[int, int] = {}
        inside: dict[int, int] = {}
        columns = phases = crossing = space = largest = widest = steps = 0
        work = 0.0
        for n in members:
            op = ops[n]
            if op.scatter and depth:
                return None
            waited = 0
            for value, size, producer in op.inputs:
                at = depth.get(producer)
                if at is None:
                    if reads.get(value, 0) < size:
                        reads[value] = size
                else:
                    inside[value] = inside.get(value, 0) + 1
                    if at > waited:
                        waited = at
                    above = ops[producer]
                    if above.scatter:
                        return None
                    if above.waits:
                        if threads_only:
                            return None
                        crossing += size
            depth[n] = waited + op.waits
            columns |= op.reduced
            space |= op.space
            if op.elements > largest:
                largest, widest = op.elements, op.space
            if waited > phases:
                phases = waited
        moved = sum(reads.values())
        tensors = len(reads)
        grid = self._size(space & ~columns)
        rows = row = 1
        for n in depth:
            op = ops[n]
            mask = op.space & ~columns
            size = sizes.get(mask) or self._size(mask)
            if size > rows:
                rows = size
            if grid > size and grid > TILE:  # every block along axes that it lacks computes it again
                work += op.work * (grid / max(size, TILE))
            else:
                work += op.work
            if columns and op.space & columns:
                row = max(row, self._size(op.space & columns))
                if op.waits:  # lanes lie along the widest space; other reduced axes are loops
                    steps += self._size(op.space & columns & ~widest) // STEP
            for value, size, readers in op.made:
                if inside.get(value, 0) < readers:
                    moved += size
                    tensors += 1
        penalty = self._penalty(moved, work, rows, row, phases) + steps * self.device.dram_latency_us
        return _Price(moved, tensors, crossing, penalty)

    def _penalty(self, moved: int, work: float, rows: int, row: int, phases: int) -> float:
        """Microseconds beyond the bytes at full rate."""
        d = self.device
        memory = moved / self._bytes_us
        busy = min(1.0, rows / d.sms)
        found = memory * (1 / busy - 1)
        found += max(0.0, work / (self._issue_us * busy) - memory / busy)
        if phases:
            found += phases * d.dram_latency_us
            request = row * 4
            threads = min(d.max_threads_per_block, max(32, row // 4))
            if request > threads * REGISTER_BYTES and request > d.shared_per_block_max:
                again = moved * phases
                found += (again if moved / rows * min(rows, d.sms) > d.l2_bytes / 2 else again / 4) / self._bytes_us
        return found


@dataclass(frozen=True, slots=True)
class _Price:
    moved: int  # bytes in and out
    tensors: int
    crossing: int  # bytes of results that pass from some threads to others
    penalty: float
