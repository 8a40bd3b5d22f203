"""A plan for people: one row a kernel, the sum, and on request every decision.

Example: ``as_text(plan_report("softmax_mask", graph, plan, explain=True))``.
"""

from __future__ import annotations

from math import prod

import msgspec

from fstc.ir.graph import Graph
from fstc.ir.types import DTYPES
from fstc.plan.artefact import Kernel, Plan
from fstc.report.table import Cell, Report, Table
from fstc.support.sizes import binary

COLUMNS = ("kernel", "ops", "scheme", "launch", "shared", "regs", "occ", "MB", "floor", "L2 MB", "us", "bound", "axes")
DECISIONS = ("code", "", "between", "and", "gain us", "reason")


def plan_report(name: str, graph: Graph, plan: Plan, explain: bool, memory: int = 0) -> Report:
    """``explain`` adds the decisions; without it those that were declined are counted.

    ``memory``: the device's bytes; a plan that needs more is told so.
    """
    s = plan.summary
    ratio = f"unfused {_mb(s.bytes_unfused):.4g}" if s.bytes_unfused else ""
    headline = (
        f"{name}: {s.ops} ops -> {s.kernels} kernels + {s.library_calls} library calls on {plan.device}; "
        f"predicted {s.predicted_us:.4g} us, {_mb(s.bytes):.4g} MB (floor {_mb(s.bytes_min):.4g}, {ratio})"
    )
    rows: list[tuple[Cell, ...]] = []
    for step in plan.steps:
        if step.region >= 0:
            rows.append(_row(plan.regions[step.region].kernels[step.kernel]))
        else:
            rows.append(_library_row(graph, step.node))
    blocks: list[str | Table] = [headline, Table(COLUMNS, tuple(rows))]
    held = _held(graph, plan)
    if 0 < memory < held:
        room = f"{plan.device} has {binary(memory)}"
        blocks.append(f"note: the tensors need {binary(held)}, {room}: bind smaller extents")
    decisions = [d for region in plan.regions for d in region.decisions]
    if explain:
        marks = {True: "joined", False: "apart"}
        told = tuple((d.code, marks[d.accepted], d.left, d.right, d.gain_us, d.reason) for d in decisions)
        blocks.append(Table(DECISIONS, told, title="decisions") if told else "no decisions: nothing to choose")
    else:
        declined = sum(not d.accepted for d in decisions)
        blocks.append(f"{declined} pairs were kept apart; --explain says why" if declined else "")
    return Report(msgspec.to_builtins(plan), tuple(blocks))


def _held(graph: Graph, plan: Plan) -> int:
    """Bytes of every tensor that is read or written in a run: each keeps its memory to the end."""
    values = {*graph.inputs, *graph.outputs, *(v for s in plan.steps for v in (*s.reads, *s.writes))}
    scratch = sum(DTYPES[s.dtype].size * prod(s.shape) for s in plan.scratch)
    return scratch + sum(graph.type(v).nbytes for v in values if v < len(graph.values))


def _row(kernel: Kernel) -> tuple[Cell, ...]:
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
        "; ".join(dict.fromkeys(part.words for part in kernel.parts)),
    )


def _library_row(graph: Graph, node: int) -> tuple[Cell, ...]:
    call = graph.nodes[node]
    name = graph.values[call.outputs[0]].name
    return (f"{call.op.name} %{name}", 1, "library", *([None] * (len(COLUMNS) - 3)))


def _mb(size: int) -> float:
    return size / 1e6
