"""Canonical forms: one way to say what frameworks say in many.

Example::

    before  %r = reshape %m : f32[8,1,1,128]
            %b = broadcast_in_dim %r {dims = [0, 1, 2, 3]} : f32[8,12,128,128]
    after   %b = broadcast_in_dim %m {dims = [0, 3]} : f32[8,12,128,128]

A rule looks at one op and what made its operands. Rules stand in tables by family, op to rules in the order in which
they are tried, each with the reason why no bit of the result changes. Every rule leaves less to do, or moves towards
the one form that is kept (constants on the right, fewer layout ops), and a number bounds how often they are tried.
"""

from __future__ import annotations

from fstc.frontends.passes.arithmetic import ARITHMETIC
from fstc.frontends.passes.conversion import CONVERSION
from fstc.frontends.passes.gathers import GATHERS
from fstc.frontends.passes.layout import LAYOUT
from fstc.frontends.passes.logic import LOGIC
from fstc.frontends.passes.pieces import PIECES
from fstc.frontends.passes.products import PRODUCTS
from fstc.frontends.passes.reductions import REDUCTIONS
from fstc.frontends.passes.rewriter import Rewriter, Rule, Tensors, rewrite
from fstc.ir.graph import Graph, Node

STEPS = 16  # rules that may follow one another at one op

FAMILIES = (ARITHMETIC, LOGIC, CONVERSION, LAYOUT, PIECES, GATHERS, REDUCTIONS, PRODUCTS)
RULES: dict[str, tuple[Rule, ...]] = {}
for _family in FAMILIES:
    for _op, _rules in _family.items():
        RULES[_op] = (*RULES.get(_op, ()), *_rules)


def canonicalise(graph: Graph, tensors: Tensors) -> tuple[Graph, Tensors]:
    """Every op in the form that its rules lead to."""
    return rewrite(graph, tensors, _apply)


def _apply(rw: Rewriter, node: Node) -> int | None:
    """What the first rule that fits gives, and then the rules of what it made."""
    found = None
    for _ in range(STEPS):
        made = next((m for rule in RULES.get(node.op.name, ()) if (m := rule(rw, node)) is not None), None)
        if made is None:
            break
        found = made
        maker = rw.producer(made)
        if maker is None or maker.id >= 0:  # an input, or an op that has been here before
            break
        node = maker
    return found
