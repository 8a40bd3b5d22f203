"""The op reference of docs/fir.md, printed from the table.

Example: ``op_reference_markdown()`` begins with ``### Element-wise`` and a row for every op of that family.
A test compares the page with it, so that the page cannot be out of date.
"""

from __future__ import annotations

from collections.abc import Iterable

from fstc.ir.ops import OPS, AttrDef, Form, OpDef

FAMILIES: tuple[tuple[str, str, frozenset[Form]], ...] = (
    ("Element-wise", "One element of each operand gives one of the result; shapes are equal.",
     frozenset({Form.ELEMENTWISE})),
    ("Sources", "Values from nowhere else.", frozenset({Form.CONSTANT, Form.IOTA, Form.RNG})),
    ("Reductions", "Sums accumulate in f32 (f64 for f64; integers wrap) and round once.",
     frozenset({Form.REDUCE, Form.REDUCE_WINDOW, Form.SCAN})),
    ("Library calls", "Typed and opaque: boundaries of fusible regions, run by a library.", frozenset({Form.LIBRARY})),
)  # fmt: skip
LAYOUT = ("Layout", "Elements move, none is computed.")


def op_reference_markdown(ops: Iterable[OpDef] = tuple(OPS.values())) -> str:
    """A section a family: one table of its ops, then one of the attributes they take."""
    known = list(ops)
    named = frozenset[Form]().union(*(forms for _, _, forms in FAMILIES))
    families = [(title, text, [op for op in known if op.form in forms]) for title, text, forms in FAMILIES]
    families.insert(2, (*LAYOUT, [op for op in known if op.form not in named]))
    return "\n".join(_section(title, text, members) for title, text, members in families if members)


def _section(title: str, text: str, ops: list[OpDef]) -> str:
    lines = [f"### {title}", "", text, "", "| op | operands | results | element types | cost | meaning |"]
    lines += ["|---|---|---|---|---|---|", *map(_row, ops), ""]
    takers: dict[AttrDef, list[str]] = {}
    for op in ops:
        for attr in op.attrs:
            takers.setdefault(attr, []).append(f"`{op.name}`")
    if takers:
        lines += ["| attribute | of | type | default | meaning |", "|---|---|---|---|---|"]
        lines += [*(_attribute(attr, ", ".join(names)) for attr, names in takers.items()), ""]
    return "\n".join(lines)


def _row(op: OpDef) -> str:
    name = ", ".join(f"`{n}`" for n in (op.name, *op.aliases))
    body = ("body optional: " if op.regions_optional else "with a body: ") if op.regions else ""
    results = "n" if op.results < 0 else str(op.results)
    return _cells(name, _operands(op), results, op.dtypes, op.kind.value, body + op.doc)


def _operands(op: OpDef) -> str:
    low, high = op.arity
    return str(low) if low == high else f"{low} or more" if high is None else f"{low} to {high}"


def _attribute(attr: AttrDef, takers: str) -> str:
    type = " ".join(attr.choices) if attr.choices else attr.type
    return _cells(f"`{attr.name}`", takers, type, "required" if attr.required else _spelled(attr), attr.doc)


def _spelled(attr: AttrDef) -> str:
    """A default as the language writes it."""
    if attr.default is None:
        return "none"
    if isinstance(attr.default, bool):
        return f"`{str(attr.default).lower()}`"
    if attr.default == "":
        return '`""`'
    return f"`{list(attr.default) if isinstance(attr.default, tuple) else attr.default}`"


def _cells(*cells: str) -> str:
    return "| " + " | ".join(c.replace("|", r"\|") for c in cells) + " |"
