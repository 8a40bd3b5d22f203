"""Make a failing graph small: ``python -m tests.property.reduce SEED [rows]`` prints the smallest that still fails.

Nodes are taken out one by one: an output is dropped, a value becomes an input, an op's result is replaced by an operand
of the same type, as long as a failure stays.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from fstc.ir.graph import Graph
from fstc.ir.printer import print_graph
from fstc.ir.verify import problems_of
from tests.property.graphs import random_graph
from tests.property.roads import Case, failures


def rebuilt(graph: Graph, outputs: list[int], cut: int | None = None, instead: dict[int, int] | None = None) -> Graph:
    """The graph of these outputs; ``cut`` becomes an input, ``instead`` replaces uses of values."""
    swap = instead or {}
    outputs = [swap.get(v, v) for v in outputs]
    needed: set[int] = set()
    todo = list(outputs)
    while todo:
        v = todo.pop()
        if v in needed:
            continue
        needed.add(v)
        node = graph.values[v].node
        if node >= 0 and v != cut:
            todo += [swap.get(i, i) for i in graph.nodes[node].inputs]
            todo += [o for o in graph.nodes[node].outputs if o != cut]
    nodes = [n for n in graph.nodes if any(o in needed and o != cut for o in n.outputs)]
    made = [o for n in nodes for o in n.outputs if o != cut]
    inputs = [v for v in sorted(needed) if v not in made]
    order = [*inputs, *made]
    place = {v: i for i, v in enumerate(order)}
    rank = {n.id: i for i, n in enumerate(nodes)}
    values = [replace(graph.values[v], id=place[v], node=rank.get(graph.values[v].node, -1) if v in made else -1,
                      index=graph.values[v].index if v in made else 0) for v in order]  # fmt: skip
    new = [
        replace(
            n,
            id=rank[n.id],
            inputs=tuple(place[swap.get(i, i)] for i in n.inputs),
            outputs=tuple(place[o] for o in n.outputs),
        )
        for n in nodes
    ]
    return Graph(graph.name, tuple(values), tuple(new), tuple(range(len(inputs))), tuple(place[v] for v in outputs))


def smaller(graph: Graph) -> Iterator[Graph]:
    outputs = list(graph.outputs)
    for k in range(len(outputs)):
        if len(outputs) > 1:
            yield rebuilt(graph, outputs[:k] + outputs[k + 1 :])
    for node in reversed(graph.nodes):
        for o in node.outputs:
            if len(node.outputs) == 1 and not (o in outputs and len(outputs) == 1):
                yield rebuilt(graph, outputs, cut=o)
            for i in node.inputs:
                if graph.type(i) == graph.type(o):
                    yield rebuilt(graph, outputs, instead={o: i})
        for i in node.inputs:
            if graph.values[i].node >= 0:
                yield rebuilt(graph, [*node.inputs])


def reduce(graph: Graph, fails: Callable[[Graph], bool]) -> Graph:
    again = True
    while again:
        again = False
        for candidate in smaller(graph):
            if len(candidate.nodes) + len(candidate.outputs) >= len(graph.nodes) + len(graph.outputs):
                continue
            if not candidate.nodes or problems_of(candidate):
                continue
            if fails(candidate):
                graph, again = candidate, True
                break
    return graph


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        seed = int(sys.argv[1])

        def fails(graph: Graph) -> bool:
            return bool(failures([Case("", graph)], Path(folder), checked="check" in sys.argv))

        graph = reduce(random_graph(seed, rows="rows" in sys.argv), fails)
        sys.stdout.write(print_graph(graph))
        sys.stdout.write("\n".join(failures([Case("", graph)], Path(folder))) + "\n")


if __name__ == "__main__":
    main()
