"""The one table: an operator's name, with or without its overload, and how it is mapped.

Example: ``OPERATORS["aten.mul"](cx, x, y)``. Families stand in modules of their own.
"""

from __future__ import annotations

from fstc.frontends.torch.arithmetic import ACTIVATIONS, ARITHMETIC
from fstc.frontends.torch.attention import ATTENTION
from fstc.frontends.torch.bags import BAGS
from fstc.frontends.torch.complexes import REAL, complex_table
from fstc.frontends.torch.composites import COMPOSITES
from fstc.frontends.torch.context import Handler
from fstc.frontends.torch.contraction import CONTRACTION
from fstc.frontends.torch.gradients import GRADIENTS
from fstc.frontends.torch.higher_order import HIGHER_ORDER
from fstc.frontends.torch.indexing import INDEXING
from fstc.frontends.torch.layers import LAYERS
from fstc.frontends.torch.recurrent import RECURRENT
from fstc.frontends.torch.reductions import REDUCTIONS
from fstc.frontends.torch.sorting import SORTING
from fstc.frontends.torch.sources import SOURCES
from fstc.frontends.torch.views import VIEWS

FAMILIES = (
    ARITHMETIC,
    ACTIVATIONS,
    VIEWS,
    REDUCTIONS,
    SORTING,
    INDEXING,
    CONTRACTION,
    ATTENTION,
    LAYERS,
    SOURCES,
    COMPOSITES,
    BAGS,
    RECURRENT,
    GRADIENTS,
    REAL,
)
OPERATORS: dict[str, Handler] = {name: handler for family in FAMILIES for name, handler in family.items()}
COMPLEX: dict[str, Handler] = complex_table(OPERATORS)
"""Where an operand or the result is complex."""

__all__ = ["COMPLEX", "HIGHER_ORDER", "OPERATORS"]
