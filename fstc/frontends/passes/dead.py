"""Leave out what no output needs: ops, and stored tensors that no constant names.

Example::

    before  %a = exp %x : f32[4]
            %b = neg %x : f32[4]
            return %b
    after   %b = neg %x : f32[4]
            return %b

Inputs stay, read or not: they are the function's signature.
"""

from __future__ import annotations

from fstc.frontends.passes.rewriter import CONSTANT, Rewriter, Tensors
from fstc.ir.graph import Graph
from fstc.ir.ops.source import split_data


def drop_dead(graph: Graph, tensors: Tensors) -> tuple[Graph, Tensors]:
    """The ops and tensors that outputs depend on."""
    rewriter = Rewriter(graph, tensors)
    rewriter.walk(lambda rw, node: None)
    graph, _ = rewriter.finish()
    named = [split_data(data) for node in graph.nodes if node.op is CONSTANT and (data := node.attr("data"))]
    used = {name for file, name in named if file == tensors.file}
    if used.issuperset(tensors.arrays):
        return graph, tensors
    return graph, Tensors(tensors.file, {name: a for name, a in tensors.arrays.items() if name in used})
