"""The passes in order; three importers meet in the same graph.

Example: ``simplify(imported).graph``. Every pass is a function of a graph and its tensors to another that has the same
inputs, gives the same outputs in the same order, bit for bit under policy ``strict``, and keeps names and locations of
what it keeps. A pass returns the very graph that it was given where it has nothing to do, which ends the rounds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from fstc.frontends.artefact import Imported
from fstc.frontends.passes.canonical import canonicalise
from fstc.frontends.passes.dead import drop_dead
from fstc.frontends.passes.fold import fold_constants
from fstc.frontends.passes.merge import merge_equal
from fstc.frontends.passes.rewriter import Tensors
from fstc.ir.graph import Graph

Pass = Callable[[Graph, Tensors], tuple[Graph, Tensors]]

ROUNDS = 12  # more than any graph has been seen to need; each round is linear in the graph

PASSES: tuple[Pass, ...] = (
    drop_dead,  # first, so that a value's readers are those that count
    canonicalise,  # before folding: a transposed weight goes into dot_general and is not stored a second time
    fold_constants,
    merge_equal,
)


def simplify(imported: Imported) -> Imported:
    """The same function in canonical form."""
    graph, tensors = run_passes(imported.graph, Tensors(imported.file, imported.tensors))
    return replace(imported, graph=graph, tensors=tensors.arrays)


def run_passes(graph: Graph, tensors: Tensors, passes: tuple[Pass, ...] = PASSES) -> tuple[Graph, Tensors]:
    """The passes over and over, until a round changes nothing."""
    for _ in range(ROUNDS):
        before = graph
        for step in passes:
            graph, tensors = step(graph, tensors)
        if graph is before:
            break
    return drop_dead(graph, tensors)
