"""The table of an import: each operator of the model, how often, what it became, and what was refused where.

Example: ``as_text(coverage_report("bert.onnx", imported))``.
"""

from __future__ import annotations

from typing import Any

from fstc.frontends.artefact import Coverage, Imported, Row
from fstc.report.table import Report, Table

MOST_OPS, MOST_PLACES = 6, 3


def coverage_report(name: str, imported: Imported) -> Report:
    """``name``: of the model, as the user gave it."""
    rows = sorted(imported.coverage.rows.values(), key=lambda r: (not r.refused, -r.count, r.operator))
    graph = imported.graph
    weights = sum(array.nbytes for array in imported.tensors.values())
    operators = sum(row.count for row in rows)
    mapped = f"{operators} operators of {len(rows)} kinds" if rows else "no operators to map"
    head = (
        f"{name}: {mapped} -> {len(graph.nodes)} ops, "
        f"{len(graph.inputs)} inputs, {len(graph.outputs)} outputs, {weights / 1e6:.1f} MB of tensors"
    )
    table = Table(("operator", "count", "mapped to", "ops"), tuple(_cells(row) for row in rows))
    blocks: list[str | Table] = [head, *([table] if rows else [])]
    refused = tuple(
        (row.operator, len(places), reason, _some(places, MOST_PLACES))
        for row in rows
        for reason, places in row.refused.items()
    )
    if refused:
        blocks.append(Table(("operator", "count", "reason", "where"), refused, title="refused"))
    return Report({"model": name, "frontend": imported.frontend, **_data(imported.coverage)}, tuple(blocks))


def _cells(row: Row) -> tuple[str, int, str, str]:
    how = ", ".join(k if n == row.count else f"{k} {n}" for k, n in row.how.items())
    ops = [f"{n} {op}" if n != row.count else op for op, n in sorted(row.into.items(), key=lambda kv: (-kv[1], kv[0]))]
    return row.operator, row.count, how, _some(ops, MOST_OPS)


def _some(items: list[str], most: int) -> str:
    return ", ".join(items[:most]) + (f", ... ({len(items)})" if len(items) > most else "")


def _data(coverage: Coverage) -> dict[str, Any]:
    rows = [
        {"operator": r.operator, "count": r.count, "how": r.how, "ops": r.into, "refused": r.refused}
        for r in sorted(coverage.rows.values(), key=lambda r: r.operator)
    ]
    return {"operators": rows}
