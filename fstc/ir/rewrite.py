"""Split a reduction in two, so that the reduced axis can reach the grid.

Example: ``reduce_sum %x {axes = [0]}`` over ``f32[4096,512]`` in 64 parts becomes a reshape to
``f32[64,64,512]``, a sum over dimension 1 and a sum of the 64 partial results.
Narrow floats are summed as f32 and rounded once at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from fstc.ir.axes import reduced_dims
from fstc.ir.graph import Graph, Node, Value
from fstc.ir.ops import OPS
from fstc.ir.ops.monoid import identity
from fstc.ir.types import F32, TensorType


class _Builder:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.values: list[Value] = []
        self.nodes: list[Node] = []
        self.moved: dict[int, int] = {}  # old value -> new value
        self.pairs: list[tuple[int, int]] = []  # nodes of a partial and of its final reduction
        for value in graph.inputs:
            self.moved[value] = len(self.values)
            self.values.append(replace(graph.values[value], id=len(self.values)))

    def copy(self, node: Node) -> None:
        outputs = tuple(range(len(self.values), len(self.values) + len(node.outputs)))
        for old, new in zip(node.outputs, outputs, strict=True):
            self.moved[old] = new
            self.values.append(replace(self.graph.values[old], id=new, node=len(self.nodes)))
        inputs = tuple(self.moved[v] for v in node.inputs)
        self.nodes.append(replace(node, id=len(self.nodes), inputs=inputs, outputs=outputs))

    def add(self, op: str, inputs: Sequence[int], ttype: TensorType, name: str, like: Node, **attrs: Any) -> int:
        value = len(self.values)
        defaults = {a.name: a.default for a in OPS[op].attrs if not a.required}
        filled = tuple(sorted((defaults | attrs).items()))
        self.values.append(Value(value, name, ttype, len(self.nodes)))
        self.nodes.append(
            Node(
                len(self.nodes),
                OPS[op],
                tuple(inputs),
                (value,),
                filled,
                loc=like.loc,
                span=like.span,
            )
        )
        return value

    def split(self, node: Node, dim: int, parts: int) -> None:
        """Replace one reduction; the last value made carries the old result's name."""
        old = node.outputs[0]
        result = self.graph.type(old)
        name = self.graph.values[old].name
        source = self.moved[node.inputs[0]]
        ttype = self.values[source].type
        narrow = ttype.dtype.is_float and ttype.dtype.size < 4 and node.op.monoid in ("add", "mul")
        if narrow:
            ttype = TensorType(F32, ttype.shape)
            source = self.add("convert", [source], ttype, f"{name}.wide", node)
        chunk = -(-ttype.shape[dim] // parts)
        missing = chunk * parts - ttype.shape[dim]
        if missing:
            assert node.op.monoid is not None
            neutral = identity(node.op.monoid, ttype.dtype)
            scalar = self.add("constant", [], TensorType(ttype.dtype, ()), f"{name}.neutral", node, value=neutral)
            zeros = (0,) * ttype.rank
            high = tuple(missing if n == dim else 0 for n in range(ttype.rank))
            ttype = TensorType(ttype.dtype, tuple(e + h for e, h in zip(ttype.shape, high, strict=True)))
            source = self.add(
                "pad", [source, scalar], ttype, f"{name}.padded", node, low=zeros, high=high, interior=zeros
            )
        shape = (*ttype.shape[:dim], parts, chunk, *ttype.shape[dim + 1 :])
        ttype = TensorType(ttype.dtype, shape)
        source = self.add("reshape", [source], ttype, f"{name}.parts", node)
        axes = reduced_dims(node)
        inner = tuple(sorted(dim + 1 if a == dim else a + (a > dim) for a in axes))
        partial = TensorType(ttype.dtype, tuple(e for n, e in enumerate(shape) if n not in inner))
        source = self.add(node.op.name, [source], partial, f"{name}.partial", node, axes=inner)
        position = dim - sum(a < dim for a in axes)
        self.pairs.append((len(self.nodes) - 1, len(self.nodes)))
        final = TensorType(ttype.dtype, result.shape)
        source = self.add(node.op.name, [source], final, f"{name}.total" if narrow else name, node, axes=(position,))
        if narrow:
            source = self.add("convert", [source], result, name, node)
        self.moved[old] = source


def apply_rewrites(graph: Graph, rewrites: Sequence[tuple[int, int, int]]) -> Graph:
    """The graph with each (value, dimension, parts) split; the same graph when there is none."""
    return rewrite(graph, rewrites).graph


class Rewritten(NamedTuple):
    """``back``: for each value of the new graph the old one or -1; ``pairs``: (partial, final) reduction nodes."""

    graph: Graph
    back: tuple[int, ...]
    pairs: tuple[tuple[int, int], ...]


def rewrite(graph: Graph, rewrites: Sequence[tuple[int, int, int]]) -> Rewritten:
    """Split each (value, dimension, parts); values keep their names."""
    if not rewrites:
        return Rewritten(graph, tuple(range(len(graph.values))), ())
    wanted = {value: (dim, parts) for value, dim, parts in rewrites}
    builder = _Builder(graph)
    for node in graph.nodes:
        if node.outputs[0] in wanted:
            builder.split(node, *wanted[node.outputs[0]])
        else:
            builder.copy(node)
    made = replace(
        graph,
        values=tuple(builder.values),
        nodes=tuple(builder.nodes),
        inputs=tuple(builder.moved[v] for v in graph.inputs),
        outputs=tuple(builder.moved[v] for v in graph.outputs),
    )
    back = {new: old for old, new in builder.moved.items()}
    return Rewritten(made, tuple(back.get(v, -1) for v in range(len(builder.values))), tuple(builder.pairs))
