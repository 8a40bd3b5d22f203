"""A plan for people: one row a launch, the sum, what was not stitched, and on request every decision.

Example: ``as_text(plan_report("softmax_mask", graph, plan, explain=True))``. Where a plan has many launches, equal ones
share a row with their count; ``every`` gives each its own.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import prod

import msgspec

from fstc.ir.graph import Graph
from fstc.ir.types import DTYPES
from fstc.plan.artefact import Kernel, Plan, Step
from fstc.report.apart import apart_table, apart_tree
from fstc.report.launches import launches_of
from fstc.report.table import Cell, Report, Table, Tree
from fstc.support.sizes import binary

COLUMNS = ("kernel", "ops", "scheme", "launch", "shared", "regs", "occ", "MB", "floor", "L2 MB", "us", "bound", "axes")
DECISIONS = ("code", "", "between", "and", "gain us", "reason")
MANY = 24  # launches; of more, equal ones are counted


@dataclass(frozen=True)
class Line:
    """Equal launches of a plan: a kernel, or a library call."""

    name: str
    count: int
    kernel: Kernel | None


def plan_report(name: str, graph: Graph, plan: Plan, explain: bool, memory: int = 0, every: bool = False) -> Report:
    """``explain`` adds the decisions in place of what was not stitched; ``every``: a row for each launch.

    ``memory``: the device's bytes; a plan that needs more is told so.
    """
    s = plan.summary
    ratio = f"unfused {_mb(s.bytes_unfused):.4g}" if s.bytes_unfused else ""
    headline = (
        f"{name}: {s.ops} ops -> {s.kernels} kernels + {s.library_calls} library calls on {plan.device}; "
        f"predicted {s.predicted_us:.4g} us, {_mb(s.bytes):.4g} MB (floor {_mb(s.bytes_min):.4g}, {ratio})"
    )
    lines = _lines(graph, plan, every)
    rest: list[str | Table] = []
    held = _held(graph, plan)
    if 0 < memory < held:
        room = f"{plan.device} has {binary(memory)}"
        rest.append(f"note: the tensors need {binary(held)}, {room}: bind smaller extents")
    if explain:
        rest.append(_decisions(plan))
    else:
        rest += apart_table(plan)
    drawn = [apart_tree(block) if isinstance(block, Table) and not explain else block for block in rest]
    data = msgspec.to_builtins(plan)
    return Report(data, (headline, _table(lines), *rest), (_tree(headline, lines), *drawn))


def kernel_row(kernel: Kernel) -> tuple[Cell, ...]:
    return (
        kernel.name,
        sum(len(part.nodes) for part in kernel.parts),
        kernel.scheme,
        f"{kernel.blocks} x {kernel.threads}",
        kernel.shared,
        kernel.registers,
        f"{kernel.occupancy:.0%}",
        _mb(kernel.bytes),
        _mb(kernel.bytes_min),
        _mb(kernel.l2_bytes),
        kernel.predicted_us,
        kernel.bound,
        _axes(kernel),
    )


def _lines(graph: Graph, plan: Plan, every: bool) -> list[Line]:
    """Launches in order; equal ones together where there are many, at the place of the first."""
    names = _names(graph, plan)
    if every or len(plan.steps) <= MANY:
        return [Line(name, 1, _kernel(plan, step)) for name, step in zip(names, plan.steps, strict=True)]
    first: dict[str, tuple[str, Step]] = {}
    counts: Counter[str] = Counter()
    for name, step in zip(names, plan.steps, strict=True):
        same = _identity(graph, plan, step)
        first.setdefault(same, (name, step))
        counts[same] += 1
    return [Line(name, counts[same], _kernel(plan, step)) for same, (name, step) in first.items()]


def _names(graph: Graph, plan: Plan) -> list[str]:
    """A kernel that runs at several places of the model has the name that its result has there."""
    runs = Counter(step.region for step in plan.steps if step.kernel == 0)
    if any(n > 1 for n in runs.values()):
        steps = launches_of(graph, plan).steps
        return [s.name if s.kernel else _call(graph, plan.steps[s.step].node) for s in steps]
    return [kernel.name if (kernel := _kernel(plan, s)) else _call(graph, s.node) for s in plan.steps]


def _call(graph: Graph, node: int) -> str:
    return f"{graph.nodes[node].op.name} %{graph.values[graph.nodes[node].outputs[0]].name}"


def _kernel(plan: Plan, step: Step) -> Kernel | None:
    return plan.regions[step.region].kernels[step.kernel] if step.region >= 0 else None


def _identity(graph: Graph, plan: Plan, step: Step) -> str:
    """Equal for launches of kernels that compute the same, and for calls of one op on equal types."""
    kernel = _kernel(plan, step)
    if kernel is not None:
        return kernel.hash or f"{step.region} {step.kernel}"
    call = graph.nodes[step.node]
    types = " ".join(str(graph.type(v)) for v in (*call.inputs, *call.outputs))
    return f"{call.op.name} {types} {call.attrs}"


def _table(lines: list[Line]) -> Table:
    """With the number of launches and the time of all of them, where lines stand for several."""
    library: tuple[Cell, ...] = (1, "library", *([None] * (len(COLUMNS) - 3)))
    rows = [kernel_row(x.kernel) if x.kernel else (x.name, *library) for x in lines]
    rows = [(x.name, *row[1:]) for x, row in zip(lines, rows, strict=True)]
    if all(x.count == 1 for x in lines):
        return Table(COLUMNS, tuple(rows))
    us = COLUMNS.index("us") + 1
    counted = [
        (row[0], x.count, *row[1:us], x.count * x.kernel.predicted_us if x.kernel else None, *row[us:])
        for x, row in zip(lines, rows, strict=True)
    ]
    return Table((COLUMNS[0], "launches", *COLUMNS[1:us], "all us", *COLUMNS[us:]), tuple(counted))


def _tree(headline: str, lines: list[Line]) -> Tree:
    """For a terminal: what a kernel is and costs in words, a line each."""
    return Tree(headline, tuple(_branch(x) for x in lines), frozenset(n for n, x in enumerate(lines) if not x.kernel))


def _branch(line: Line) -> tuple[str, ...]:
    times = f"{line.name} x {line.count}" if line.count > 1 else line.name
    k = line.kernel
    if k is None:
        return (times, "library")
    above = f" (floor {_mb(k.bytes_min):.4g})" if k.bytes > k.bytes_min else ""
    return (
        times,
        k.scheme,
        f"{k.predicted_us:.4g} us",
        f"{k.bound}-bound",
        f"{_mb(k.bytes):.4g} MB{above}",
        f"smem {binary(k.shared)}",
        f"regs {k.registers}",
        f"occ {k.occupancy:.0%}",
        _axes(k),
    )


def _axes(kernel: Kernel) -> str:
    return "; ".join(dict.fromkeys(part.words for part in kernel.parts))


def _decisions(plan: Plan) -> str | Table:
    marks = {True: "joined", False: "apart"}
    decisions = [d for region in plan.regions for d in region.decisions]
    told = tuple((d.code, marks[d.accepted], d.left, d.right, d.gain_us, d.reason) for d in decisions)
    return Table(DECISIONS, told, title="decisions") if told else "no decisions: nothing to choose"


def _held(graph: Graph, plan: Plan) -> int:
    """Bytes of every tensor that is read or written in a run: each keeps its memory to the end."""
    values = {*graph.inputs, *graph.outputs, *(v for s in plan.steps for v in (*s.reads, *s.writes))}
    scratch = sum(DTYPES[s.dtype].size * prod(s.shape) for s in plan.scratch)
    return scratch + sum(graph.type(v).nbytes for v in values if v < len(graph.values))


def _mb(size: int) -> float:
    return size / 1e6
