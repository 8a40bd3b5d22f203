"""The op table: every operator that fstc knows, by name.

Example: ``lookup("subtract") is OPS["sub"]``. A family is a tuple in a module of its own; importing a
family registers nothing, the join below is the only place.
"""

from __future__ import annotations

from fstc.ir.ops.contraction import CONTRACTION
from fstc.ir.ops.cuda import cuda_expr, literal
from fstc.ir.ops.elementwise import ELEMENTWISE
from fstc.ir.ops.layout import LAYOUT
from fstc.ir.ops.opdef import AttrDef, Form, Infer, Kind, OpDef, OpError, op_table
from fstc.ir.ops.reduction import REDUCTION
from fstc.ir.ops.source import SOURCE

OPS: dict[str, OpDef] = op_table(*ELEMENTWISE, *SOURCE, *LAYOUT, *REDUCTION, *CONTRACTION)

ALIASES: dict[str, str] = {alias: op.name for op in OPS.values() for alias in op.aliases}
"""StableHLO's long names and other spellings that the parser accepts; the printer writes the canonical name."""

assert not ALIASES.keys() & OPS.keys(), "an alias hides an op"


def lookup(name: str) -> OpDef | None:
    """The entry called ``name``, by its canonical name or an alias; None when there is none."""
    return OPS.get(ALIASES.get(name, name))


__all__ = [
    "ALIASES",
    "OPS",
    "AttrDef",
    "Form",
    "Infer",
    "Kind",
    "OpDef",
    "OpError",
    "cuda_expr",
    "literal",
    "lookup",
    "op_table",
]
