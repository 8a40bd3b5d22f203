"""Operators for a terminal or a program: all in one list, or one with its attributes.

Example: ``as_text(op_list(tuple(OPS.values())))``. The Markdown page of all ops is
:func:`fstc.ir.ops.doc.op_reference_markdown`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fstc.ir.ops.doc import attr_default, attr_type, operands
from fstc.ir.ops.opdef import OpDef
from fstc.report.table import Report, Table


def op_list(ops: Sequence[OpDef]) -> Report:
    """One row an op, in the order of the table."""
    rows = tuple((op.name, operands(op) or None, op.kind.value, op.dtypes, attributes(op), op.doc) for op in ops)
    columns = ("op", "operands", "class", "element types", "attributes", "meaning")
    return Report([as_dict(op) for op in ops], (Table(columns, rows),))


def one_op(op: OpDef) -> Report:
    facts = (
        ("operands", operands(op) or None),
        ("class", op.kind.value),
        ("form", op.form.value),
        ("element types", op.dtypes),
        ("other names", ", ".join(op.aliases) or None),
    )
    attrs = tuple((a.name, attr_type(a), attr_default(a), a.doc) for a in op.attrs)
    blocks: list[str | Table] = [f"{op.name}: {op.doc}", Table(("fact", "value"), facts)]
    if attrs:
        blocks.append(Table(("attribute", "type", "default", "meaning"), attrs))
    return Report(as_dict(op), tuple(blocks))


def arity(op: OpDef) -> str:
    low, high = op.arity
    return f"{low}+" if high is None else str(low) if low == high else f"{low}-{high}"


def attributes(op: OpDef) -> str:
    return ", ".join(a.name if a.required else f"[{a.name}]" for a in op.attrs)


def as_dict(op: OpDef) -> dict[str, Any]:
    attrs = [
        {"name": a.name, "type": a.type, "required": a.required, "choices": list(a.choices), "doc": a.doc}
        for a in op.attrs
    ]
    return {
        "name": op.name, "aliases": list(op.aliases), "operands": arity(op), "operand_names": operands(op),
        "kind": op.kind.value, "form": op.form.value, "dtypes": op.dtypes, "attrs": attrs, "regions": op.regions,
        "results": op.results, "doc": op.doc,
    }  # fmt: skip
