"""Rewriter: one walk over a graph that replaces values, and makes a new graph only where something changed.

Example, a pass that drops ``neg(neg(x))``::

    def simplify(rw: Rewriter, node: Node) -> int | None:
        inner = rw.maker(node.inputs[0], "neg")
        return inner.inputs[0] if node.op is OPS["neg"] and inner else None

    graph, tensors = rewrite(graph, tensors, simplify)

Values keep their ids during the walk and new ones are numbered behind them, so that an op nothing happens to costs a
look-up and no copy. Operands are always rewritten before their readers. The result is renumbered once, at the end,
without the ops that no output needs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fstc.frontends.emitter import Array, as_attribute, dtype_of
from fstc.ir.graph import Attr, Graph, Node, Region, Value
from fstc.ir.ops import OPS
from fstc.ir.ops.numerics import cast
from fstc.ir.ops.opdef import Infer, OpDef
from fstc.ir.ops.source import split_data
from fstc.ir.types import DType, Shape, TensorType

CONSTANT = OPS["constant"]


@dataclass(frozen=True)
class Tensors:
    """The arrays of constants that name ``file``, by their names there."""

    file: str
    arrays: Mapping[str, Array]


Rule = Callable[["Rewriter", Node], "int | None"]
"""What an op's only result is replaced by; None where the rule does not fit."""


class Rewriter:
    """The graph during a walk. Rules ask it for producers, types and known content, and make ops with it."""

    def __init__(self, graph: Graph, tensors: Tensors) -> None:
        self.graph, self.file = graph, tensors.file
        self.arrays = dict(tensors.arrays)
        self.types = [v.type for v in graph.values]
        self._names = [v.name for v in graph.values]
        self._makers: list[Node | None] = [None] * len(graph.values)
        self._order: list[Node] = []
        self._moved: dict[int, int] = {}
        self._known: dict[int, Array | None] = {}
        self._counts: dict[str, int] = {}
        self._outputs = set(graph.outputs)
        self._at: Node | None = None
        self.reads = [0] * len(graph.values)  # how many operands and outputs a value is, at least
        for node in graph.nodes:
            for value in node.inputs:
                self.reads[value] += 1
        for value in graph.outputs:
            self.reads[value] += 1

    # -- what a rule asks --------------------------------------------------------------------------------------------

    def type(self, value: int) -> TensorType:
        return self.types[value]

    def shape(self, value: int) -> Shape:
        return self.types[value].shape

    def producer(self, value: int) -> Node | None:
        """The op behind a value; None for an input."""
        return self._makers[value]

    def maker(self, value: int, *names: str) -> Node | None:
        """The op behind a value where it is one of these."""
        node = self._makers[value]
        return node if node is not None and any(node.op is OPS[name] for name in names) else None

    def known(self, value: int) -> Array | None:
        """The content of a constant. A repeated number comes as an array that takes no memory."""
        if value not in self._known:
            node = self._makers[value]
            self._known[value] = self._content(node, self.types[value]) if node else None
        return self._known[value]

    def known_of(self, node: Node) -> Array | None:
        """The content of the constant that is being rewritten."""
        return self._content(node, self.types[node.outputs[0]])

    def name(self, value: int) -> str:
        return self._names[value]

    def number(self, value: int) -> bool | int | float | None:
        """The number that a constant repeats; None where it is no such constant."""
        node = self._makers[value]
        if node is None or node.op is not CONSTANT:
            return None
        found = node.attr("value")
        return None if isinstance(found, tuple) else found

    def repeats(self, value: int, number: bool | int | float) -> bool:
        """Is the value this number everywhere, with the sign of a zero?"""
        found = self.number(value)
        if found is None or found != number:
            return False
        return not isinstance(found, float) or found != 0.0 or _negative(found) == _negative(float(number))

    def is_constant(self, value: int) -> bool:
        node = self._makers[value]
        return node is not None and node.op is CONSTANT

    @staticmethod
    def is_a(node: Node, name: str) -> bool:
        return node.op is OPS[name]

    # -- what a rule makes -------------------------------------------------------------------------------------------

    def op(
        self, name: str, inputs: Sequence[int], *declared: TensorType, regions: Sequence[Region] = (), **attrs: Attr
    ) -> int:
        """An op of the table with one result, at the place of the op that is being rewritten."""
        op = OPS[name]
        given = {a.name: a.default for a in op.attrs if not a.required} | attrs
        infer = Infer(tuple(self.types[v] for v in inputs), given, tuple(regions), declared)
        (result,) = op.infer(infer)
        shown = tuple(sorted((k, v) for k, v in given.items() if v is not None))
        return self._new(op, tuple(inputs), result, shown, tuple(regions))

    def again(self, node: Node, inputs: Sequence[int]) -> int:
        """The same op of other operands of the same types."""
        return self._new(node.op, tuple(inputs), self.types[node.outputs[0]], node.attrs, node.regions)

    def constant(self, array: Array, name: str) -> int:
        """A constant: in the text where it is short, else among the tensors, under ``name`` where that is free."""
        result = TensorType(dtype_of(array), tuple(array.shape))
        written = as_attribute(array, result.dtype)
        if written is None:
            stored, count = name, 0
            while stored in self.arrays:
                count += 1
                stored = f"{name}.{count}"
            self.arrays[stored] = array
            return self._new(CONSTANT, (), result, (("data", f"{self.file}:{stored}"),))
        return self._new(CONSTANT, (), result, (("value", written),))

    def full(self, number: bool | int | float, result: TensorType) -> int:
        """A number, repeated."""
        return self._new(CONSTANT, (), result, (("value", number),))

    def reshape(self, value: int, shape: Shape) -> int:
        return (
            value if self.shape(value) == shape else self.op("reshape", [value], TensorType(self.dtype(value), shape))
        )

    def transpose(self, value: int, order: Sequence[int]) -> int:
        plain = list(order) == list(range(len(order)))
        return value if plain else self.op("transpose", [value], permutation=tuple(order))

    def broadcast(self, value: int, shape: Shape, dims: Sequence[int]) -> int:
        return self.op("broadcast_in_dim", [value], TensorType(self.dtype(value), shape), dims=tuple(dims))

    def convert(self, value: int, dtype: DType) -> int:
        same = self.dtype(value) == dtype
        return value if same else self.op("convert", [value], TensorType(dtype, self.shape(value)))

    def dtype(self, value: int) -> DType:
        return self.types[value].dtype

    # -- the walk ----------------------------------------------------------------------------------------------------

    def walk(self, rule: Rule) -> None:
        """Every op, operands first; what ``rule`` returns takes the place of the op's only result."""
        for node in self.graph.nodes:
            if self._moved and any(v in self._moved for v in node.inputs):
                node = replace(node, inputs=tuple(self._moved.get(v, v) for v in node.inputs))
            self._at, made = node, len(self.types)
            found = rule(self, node)
            if found is None:
                self._order.append(node)
                for value in node.outputs:
                    self._makers[value] = node
            elif found != node.outputs[0]:
                self._put(node.outputs[0], found, found >= made)
        self._at = None

    def drop(self, node: Node, same: Node) -> int | None:
        """Let the results of ``same``, an equal op before it, stand for those of ``node``; returns the first."""
        for old, new in zip(node.outputs[1:], same.outputs[1:], strict=True):
            self._put(old, new, fresh=False)
        return same.outputs[0]

    def _put(self, old: int, new: int, fresh: bool) -> None:
        """``new`` is read for ``old``. A fresh value takes the name, and so does what is returned in its place."""
        self._moved[old] = new
        self.reads[new] += self.reads[old]
        returned = old in self._outputs and new not in self._outputs and self._makers[new] is not None
        if fresh or returned:
            self._names[new] = self._names[old]
        if returned:
            self._outputs.add(new)

    def finish(self) -> tuple[Graph, Tensors]:
        """The graph without what no output needs; the very graph given where nothing changed."""
        outputs = tuple(self._moved.get(v, v) for v in self.graph.outputs)
        order = _needed(self._order, outputs)
        if not self._moved and len(order) == len(self.graph.nodes):
            return self.graph, Tensors(self.file, self.arrays)
        return self._renumbered(order, outputs), Tensors(self.file, self.arrays)

    def _renumbered(self, order: Sequence[Node], outputs: Sequence[int]) -> Graph:
        old = self.graph.values
        place = {v: i for i, v in enumerate(self.graph.inputs)}
        values = [old[v] for v in self.graph.inputs]
        nodes = []
        used = {v.name for v in values} | {self._names[v] for v in outputs}
        kept = set(place) | set(outputs)
        for number, node in enumerate(order):
            ids = tuple(range(len(values), len(values) + len(node.outputs)))
            for index, (id, value) in enumerate(zip(ids, node.outputs, strict=True)):
                place[value] = id
                name = self._names[value]
                if value not in kept and name in used:
                    name = self._unique(name, used)
                used.add(name)
                span = old[value].span if value < len(old) else None
                values.append(Value(id, name, self.types[value], number, index, span=span))
            inputs = tuple(place[v] for v in node.inputs)
            nodes.append(Node(number, node.op, inputs, ids, node.attrs, node.regions, node.loc, node.span))
        results = tuple(place[v] for v in outputs)
        return replace(self.graph, values=tuple(values), nodes=tuple(nodes), outputs=results)

    def _new(
        self, op: OpDef, inputs: tuple[int, ...], result: TensorType, attrs: Any, regions: tuple[Region, ...] = ()
    ) -> int:
        value, at = len(self.types), self._at
        self.types.append(result)
        self._names.append(f"{self._names[at.outputs[0]]}.{op.name}" if at else op.name)
        self.reads.append(0)
        node = Node(-1, op, inputs, (value,), attrs, regions, at.loc if at else "", at.span if at else None)
        self._makers.append(node)
        self._order.append(node)
        return value

    def _content(self, node: Node, result: TensorType) -> Array | None:
        import numpy as np

        if node.op is not CONSTANT:
            return None
        data = node.attr("data")
        if data is not None:
            file, name = split_data(data)
            return self.arrays.get(name) if file == self.file else None
        written = node.attr("value")
        if not result.elements:
            return np.zeros(result.shape, result.dtype.numpy())
        raw = np.asarray(written, np.float64 if result.dtype.is_float else result.dtype.numpy())
        return np.broadcast_to(cast(raw, result.dtype), result.shape)

    def _unique(self, name: str, used: set[str]) -> str:
        found = name
        while found in used:
            self._counts[name] = self._counts.get(name, 0) + 1
            found = f"{name}.{self._counts[name]}"
        return found


def rewrite(graph: Graph, tensors: Tensors, rule: Rule) -> tuple[Graph, Tensors]:
    """One walk with one rule; the very graph given where it changed nothing."""
    rewriter = Rewriter(graph, tensors)
    rewriter.walk(rule)
    return rewriter.finish()


def _needed(order: Sequence[Node], outputs: Sequence[int]) -> list[Node]:
    wanted = set(outputs)
    found = []
    for node in reversed(order):
        if any(v in wanted for v in node.outputs):
            found.append(node)
            wanted.update(node.inputs)
    return found[::-1]


def _negative(number: float) -> bool:
    return str(number).startswith("-")
