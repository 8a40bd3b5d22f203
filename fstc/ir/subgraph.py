"""Cut a stand-alone graph out of a graph, and say what two graphs have in common.

Example: ``part, globals_ = extract(graph, [3, 4]); structural_hash(part)``. The hash ignores names,
places and spans, so the twelve equal layers of a model have one hash and share one plan.
"""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterable, Sequence

from fstc.ir.graph import Attr, Graph, Node, Value
from fstc.support.profile import timed

ALIAS = "alias"  # the attribute of a donated input: which output may take its memory
EXTERNAL = "data"  # the attribute that names a constant's place in a file; its bytes are no structure


def extract(
    graph: Graph,
    node_ids: Iterable[int],
    users: Sequence[Sequence[int]] | None = None,
    *,
    keep: Container[int] | None = None,
) -> tuple[Graph, list[int]]:
    """The graph of some nodes, and for each of its values the id in ``graph``.

    Its inputs are the outside values in order of first use; its outputs the values that are used
    outside or are outputs of ``graph``, in order of their ids, or those in ``keep``. Names are kept; an input
    stays an alias where its output is one of the part. Who cuts many parts passes ``graph.users()`` along.
    """
    nodes = [graph.nodes[i] for i in sorted(set(node_ids))]
    inside = {n.id for n in nodes}
    made = [o for n in nodes for o in n.outputs]
    inputs = list(dict.fromkeys(i for n in nodes for i in n.inputs if graph.values[i].node not in inside))
    if keep is None:
        users = graph.users() if users is None else users
        results = set(graph.outputs)
        keep = {v for v in made if v in results or any(u not in inside for u in users[v])}
    outputs = [v for v in made if v in keep]
    origin = inputs + made
    local = {g: i for i, g in enumerate(origin)}
    rank = {n.id: i for i, n in enumerate(nodes)}
    place = {v: i for i, v in enumerate(outputs)}
    values = tuple(_moved(graph, g, i, rank, place) for i, g in enumerate(origin))
    part = Graph(
        name=graph.name,
        values=values,
        nodes=tuple(
            Node(
                i,
                n.op,
                tuple([local[v] for v in n.inputs]),
                tuple([local[v] for v in n.outputs]),
                n.attrs,
                n.regions,
                n.loc,
                n.span,
            )
            for i, n in enumerate(nodes)
        ),
        inputs=tuple(range(len(inputs))),
        outputs=tuple(local[v] for v in outputs),
    )
    return part, origin


def structural_text(graph: Graph) -> str:
    """Everything about a graph that its plan may depend on, as canonical text.

    Values are numbered; inline constants count by value, external ones by type only.
    """
    return "\n".join(_lines(graph))


def structural_hash(graph: Graph) -> str:
    """sha256 of :func:`structural_text`."""
    with timed("hash"):
        return hashlib.sha256(structural_text(graph).encode()).hexdigest()


def _moved(graph: Graph, value: int, id: int, rank: dict[int, int], place: dict[int, int]) -> Value:
    """A value under its local id; one made outside becomes an input. ``place``: where an output is among the part's."""
    v = graph.values[value]
    if v.node in rank:
        return Value(id, v.name, v.type, rank[v.node], v.index, v.attrs, v.span)
    attrs = tuple((k, _place_of(graph, a, place) if k == ALIAS else a) for k, a in v.attrs)
    return Value(id, v.name, v.type, attrs=tuple((k, a) for k, a in attrs if k != ALIAS or a >= 0), span=v.span)


def _place_of(graph: Graph, output: Attr, place: dict[int, int]) -> int:
    """Where the graph's output of that number is among the part's; -1 where it is none of them."""
    return place.get(graph.outputs[output], -1) if output in range(len(graph.outputs)) else -1


def _lines(graph: Graph) -> Iterable[str]:
    number = {v: i for i, v in enumerate([*graph.inputs, *(o for n in graph.nodes for o in n.outputs)])}
    yield f"in {' '.join(_input(graph.values[v]) for v in graph.inputs)}"
    for node in graph.nodes:
        yield _statement(graph, node, number)
        for region in node.regions:
            yield "{"
            yield from _lines(region.graph)
            yield "}"
    yield f"out {' '.join(str(number[v]) for v in graph.outputs)}"


def _input(value: Value) -> str:
    # Domain hints steer random test values only; an alias steers code.
    attrs = tuple((k, v) for k, v in value.attrs if k == ALIAS)
    return f"{value.type}{_attrs(attrs)}"


def _statement(graph: Graph, node: Node, number: dict[int, int]) -> str:
    operands = " ".join(str(number[v]) for v in node.inputs)
    types = " ".join(str(graph.type(v)) for v in node.outputs)
    return f"{node.op.name} {operands}{_attrs(node.attrs)} : {types}"


def _attrs(attrs: tuple[tuple[str, Attr], ...]) -> str:
    shown = (f"{k}={'' if k == EXTERNAL else _attr(v)}" for k, v in attrs if v is not None)
    text = ",".join(shown)
    return f"{{{text}}}" if text else ""


def _attr(value: Attr) -> str:
    """Exact: floats in hexadecimal (-0.0 and 0.0 differ, all NaNs are one)."""
    if isinstance(value, float):
        return value.hex()
    if isinstance(value, tuple):
        return f"({','.join(map(_attr, value))})"
    return repr(value)
