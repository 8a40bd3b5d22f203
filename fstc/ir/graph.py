"""Graph: an immutable SSA program over tensors. Values and nodes have integer ids.

Example: ``graph.values[node.inputs[0]].type``. Value ids index ``graph.values``; the function's
inputs come first, then results in program order. A change makes a new graph.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fstc.ir.ops.opdef import Form, Infer, OpDef
from fstc.ir.types import TensorType
from fstc.support.source import Span

Attr = Any  # int, float, str, bool or nested tuples of these


@dataclass(frozen=True, slots=True)
class Value:
    id: int
    name: str  # as written, without the %
    type: TensorType
    node: int = -1  # producing node, -1 for an input of the graph
    index: int = 0  # which result of that node
    attrs: tuple[tuple[str, Attr], ...] = ()  # inputs only: domain hints such as ("low", 0)
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Region:
    """A body (of reduce, scatter, ...): a graph of scalar ops; its inputs are the block parameters."""

    graph: Graph


@dataclass(frozen=True, slots=True)
class Node:
    id: int
    op: OpDef
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    attrs: tuple[tuple[str, Attr], ...] = ()  # sorted by name, defaults filled in
    regions: tuple[Region, ...] = ()
    loc: str = ""  # the framework's own source location, carried through
    span: Span | None = field(default=None, compare=False, repr=False)

    def attr(self, name: str, default: Attr = None) -> Attr:
        for key, value in self.attrs:
            if key == name:
                return value
        return default


@dataclass(frozen=True, slots=True)
class Graph:
    name: str  # function name
    values: tuple[Value, ...]
    nodes: tuple[Node, ...]  # topological order
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    module: str = ""
    attrs: tuple[tuple[str, Attr], ...] = ()  # of the module
    dims: tuple[tuple[str, int], ...] = ()  # named extents as bound, in file order

    def type(self, value: int) -> TensorType:
        return self.values[value].type

    def infer_args(self, node: Node) -> Infer:
        """The arguments that ``node.op.infer`` and ``node.op.reference`` take."""
        return Infer(
            operands=tuple(self.values[i].type for i in node.inputs),
            attrs=dict(node.attrs),
            regions=node.regions,
            declared=tuple(self.values[o].type for o in node.outputs),
        )

    def users(self) -> tuple[tuple[int, ...], ...]:
        """Per value: the ids of nodes that read it, in order, each once."""
        found: list[list[int]] = [[] for _ in self.values]
        for node in self.nodes:
            for value in dict.fromkeys(node.inputs):
                found[value].append(node.id)
        return tuple(tuple(u) for u in found)


__all__ = ["Attr", "Form", "Graph", "Node", "Region", "Value"]
