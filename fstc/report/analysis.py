"""An analysis for people: regions with their axes and floors, then every op.

Example: ``as_text(analysis_report(graph, analysis))``.
"""

from __future__ import annotations

import msgspec

from fstc.analysis.artefact import Analysis, OpFact
from fstc.ir.graph import Graph
from fstc.report.table import Report, Table

REGIONS = ("region", "ops", "equals", "depth", "inputs", "outputs", "floor", "unfused", "axes")
OPS = ("node", "op", "result", "type", "class", "region", "users", "bytes", "axes", "reduces")


def analysis_report(graph: Graph, analysis: Analysis) -> Report:
    """Two tables; the same facts as data."""
    regions = tuple(
        (
            number,
            len(r.nodes),
            r.same_as if r.same_as != number else None,
            r.depth,
            len(r.inputs),
            len(r.outputs),
            r.floor,
            r.unfused,
            " ".join(f"{a.name}={a.extent}" for a in r.axes),
        )
        for number, r in enumerate(analysis.regions)
    )
    ops = tuple(_row(graph, fact) for fact in analysis.ops)
    headline = f"@{graph.module or graph.name}: {len(graph.nodes)} ops in {len(regions)} regions"
    return Report(msgspec.to_builtins(analysis), (headline, Table(REGIONS, regions), Table(OPS, ops)))


def _row(graph: Graph, fact: OpFact) -> tuple[str | int | None, ...]:
    result = graph.values[graph.nodes[fact.node].outputs[0]]
    region = fact.region if fact.region >= 0 else None
    axes, reduced = " ".join(fact.axes), " ".join(fact.reduced)
    where = (fact.node, fact.op, f"%{result.name}", str(result.type), fact.kind, region)
    return (*where, fact.users, fact.bytes, axes, reduced)
