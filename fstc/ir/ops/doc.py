"""The op reference in Markdown, printed from the table: ``fstc ops --format md`` and a part of docs/fir.md.

Example: ``op_reference_markdown()`` begins with ``### Element-wise`` and a row for every op of that family.
A test compares the page with it, so that the page cannot be out of date.
"""

from __future__ import annotations

from collections.abc import Iterable

from fstc.ir.ops import OPS, AttrDef, Form, OpDef

FAMILIES: tuple[tuple[str, str, frozenset[Form]], ...] = (
    ("Element-wise", "One element of each operand gives one of the result; shapes are equal. Where the meaning says "
     "nothing else: a NaN operand gives NaN, infinities and signed zeros go as IEEE 754 and C's function of that name "
     "have them, subnormal numbers are kept, integers wrap, and a float result is rounded once to its type.",
     frozenset({Form.ELEMENTWISE})),
    ("Sources", "Values from nowhere else.", frozenset({Form.CONSTANT, Form.IOTA, Form.RNG})),
    ("Reductions", "Float sums and products accumulate in f32 (f64 for f64) and round once; a sum is never -0. "
     "Integers wrap in their own type. The order of a float sum is fixed by the plan, so that equal inputs give equal "
     "bits.",
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
    return _cells(name, operands(op) or "none", results, op.dtypes, op.kind.value, body + op.doc)


def operands(op: OpDef) -> str:
    """The operands by name, as the meaning speaks of them: ``x, starts...``."""
    return op.operands or ", ".join(("x", "y")[: op.arity[0]])


def _attribute(attr: AttrDef, takers: str) -> str:
    default = attr_default(attr)
    marked = default if attr.required or attr.default is None else f"`{default}`"
    return _cells(f"`{attr.name}`", takers, attr_type(attr), marked, attr.doc)


def attr_type(attr: AttrDef) -> str:
    return " ".join(attr.choices) if attr.choices else attr.type


def attr_default(attr: AttrDef) -> str:
    """A default as the language writes it; ``none`` where leaving the attribute out means something else."""
    if attr.required:
        return "required"
    if attr.default is None:
        return "none"
    if isinstance(attr.default, bool):
        return str(attr.default).lower()
    if attr.default == "":
        return '""'
    return str(list(attr.default) if isinstance(attr.default, tuple) else attr.default)


def _cells(*cells: str) -> str:
    return "| " + " | ".join(c.replace("|", r"\|") for c in cells) + " |"
