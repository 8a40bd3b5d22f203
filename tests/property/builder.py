"""Build graphs op by op through the op table's type rules, so that they are always well typed.

Example: ``b = Builder(); x = b.input(F32, (4, 8)); y = b.op("exp", x); b.graph([y])``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from fstc.ir.graph import Graph, Node, Region, Value
from fstc.ir.ops import OPS, lookup
from fstc.ir.ops.opdef import Infer, OpError
from fstc.ir.ops.shapes import MAX_RANK
from fstc.ir.types import DType, TensorType


class Builder:
    """Values are numbered as they are made; ``graph`` renumbers them, inputs first."""

    def __init__(self) -> None:
        self.types: list[TensorType] = []
        self.hints: dict[int, tuple[tuple[str, Any], ...]] = {}  # inputs and their attributes
        self.nodes: list[tuple[str, tuple[int, ...], dict[str, Any], tuple[Region, ...], tuple[int, ...]]] = []
        self.producer: dict[int, int] = {}

    def input(self, dtype: DType, shape: Sequence[int], **hints: Any) -> int:
        self.types.append(TensorType(dtype, tuple(shape)))
        value = len(self.types) - 1
        self.hints[value] = tuple(sorted(hints.items()))
        return value

    def ops(
        self, name: str, *operands: int, declared: Sequence[TensorType] = (), region: Graph | None = None, **attrs: Any
    ) -> tuple[int, ...]:
        """All results of an op; raises OpError where the table refuses."""
        op = lookup(name)
        assert op is not None, name
        filled = {a.name: a.default for a in op.attrs if not a.required and a.default is not None} | attrs
        regions = (Region(region),) if region else ()
        infer = Infer(tuple(self.types[v] for v in operands), filled, regions, tuple(declared))
        made = op.infer(infer)
        if any(t.rank > MAX_RANK for t in made):
            raise OpError("rank")
        first = len(self.types)
        self.types += made
        outputs = tuple(range(first, len(self.types)))
        self.producer |= dict.fromkeys(outputs, len(self.nodes))
        self.nodes.append((op.name, tuple(operands), filled, regions, outputs))
        return outputs

    def op(self, name: str, *operands: int, **more: Any) -> int:
        return self.ops(name, *operands, **more)[0]

    def constant(self, dtype: DType, value: Any, shape: Sequence[int] = ()) -> int:
        return self.op("constant", declared=[TensorType(dtype, tuple(shape))], value=value)

    def graph(self, outputs: Sequence[int], name: str = "main") -> Graph:
        """The graph of what the outputs need; inputs that nothing reads are left out."""
        needed: set[int] = set()
        todo = list(outputs)
        while todo:
            value = todo.pop()
            if value in needed:
                continue
            needed.add(value)
            if value in self.producer:
                _, operands, _, _, results = self.nodes[self.producer[value]]
                todo += [*operands, *results]
        inputs = [v for v in self.hints if v in needed]
        kept = [n for n in self.nodes if needed & set(n[4])]
        order = [*inputs, *(v for n in kept for v in n[4])]
        place = {v: i for i, v in enumerate(order)}
        values = [Value(place[v], f"x{place[v]}", self.types[v], attrs=self.hints[v]) for v in inputs]
        nodes = []
        for number, (op, operands, attrs, regions, results) in enumerate(kept):
            for k, v in enumerate(results):
                values.append(Value(place[v], f"v{place[v]}", self.types[v], number, k))
            nodes.append(
                Node(
                    number,
                    OPS[op],
                    tuple(place[v] for v in operands),
                    tuple(place[v] for v in results),
                    tuple(sorted(attrs.items())),
                    regions,
                )
            )
        return Graph(name, tuple(values), tuple(nodes), tuple(range(len(inputs))), tuple(place[v] for v in outputs))


def scalar_body(dtypes: Sequence[DType], make: Callable[[Builder, Sequence[int]], Sequence[int]]) -> Graph:
    """A region of scalars: ``make(builder, parameters)`` returns its results, and reads every parameter."""
    b = Builder()
    parameters = [b.input(d, ()) for d in dtypes]
    return b.graph([*make(b, parameters)], "body")


def renamed(graph: Graph, prefix: str) -> Graph:
    """The same graph under other value names."""
    return replace(graph, values=tuple(replace(v, name=f"{prefix}{v.name}") for v in graph.values))
