"""Compute once what is written twice: common subexpressions, equal constants, equal stored tensors.

Example::

    before  %a = exp %x : f32[4]      after  %a = exp %x : f32[4]
            %b = exp %x : f32[4]             %c = add %a, %a : f32[4]
            %c = add %a, %b : f32[4]

A call that fstc does not know is not merged: it may have effects.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from fstc.frontends.emitter import Array
from fstc.frontends.passes.rewriter import CONSTANT, Rewriter, Tensors, rewrite
from fstc.ir.graph import Graph, Node, Region
from fstc.ir.ops import OPS
from fstc.ir.ops.source import split_data

UNKNOWN_CALL = OPS["custom_call"]
SAMPLE = 64  # elements that tell most tensors of one type apart


def merge_equal(graph: Graph, tensors: Tensors) -> tuple[Graph, Tensors]:
    """One op for all that are equal: the first of them."""
    first: dict[Hashable, Node] = {}
    stored = _same_tensors(tensors)

    def merge(rw: Rewriter, node: Node) -> int | None:
        if node.op is UNKNOWN_CALL:
            return None
        key = _key(rw, node, stored)
        same = first.setdefault(key, node)
        return None if same is node else rw.drop(node, same)

    return rewrite(graph, tensors, merge)


def _key(rw: Rewriter, node: Node, stored: dict[str, str]) -> Hashable:
    """Equal for ops that give the same bits. ``repr`` keeps 0, 0.0, -0.0 and false apart."""
    inputs = tuple(sorted(node.inputs)) if node.op.commutative else node.inputs
    attrs = repr(node.attrs)
    if node.op is CONSTANT and (data := node.attr("data")):
        file, name = split_data(data)
        attrs = f"{file}:{stored.get(name, name)}" if file == rw.file else data
    bodies = tuple(_body(region) for region in node.regions)
    return node.op.name, inputs, attrs, tuple(rw.type(v) for v in node.outputs), bodies


def _body(region: Region) -> str:
    """A body without the names of its values."""
    graph = region.graph
    nodes = [(n.op.name, n.inputs, n.outputs, n.attrs) for n in graph.nodes]
    return repr(([v.type for v in graph.values], nodes, graph.inputs, graph.outputs))


def _same_tensors(tensors: Tensors) -> dict[str, str]:
    """For each tensor that equals an earlier one the name of the first."""
    import numpy as np

    alike: dict[Hashable, list[str]] = {}
    found: dict[str, str] = {}
    for name, array in tensors.arrays.items():
        flat = array.reshape(-1)
        sample = flat[:: max(1, flat.size // SAMPLE)].tobytes()
        others = alike.setdefault((array.dtype.name, array.shape, sample), [])
        same = next((o for o in others if _same_bits(np, tensors.arrays[o], array)), None)
        if same is None:
            others.append(name)
        else:
            found[name] = same
    return found


def _same_bits(np: Any, one: Array, other: Array) -> bool:
    if one is other:
        return True
    a, b = (np.ascontiguousarray(x).reshape(-1).view(np.uint8) for x in (one, other))
    return bool(np.array_equal(a, b))
