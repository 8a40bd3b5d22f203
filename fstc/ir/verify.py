"""Invariants of a Graph, one function each; the parser ensures them, a hand-edited file may not.

Example: ``verify(graph)`` returns quietly or raises every violation as one FstcError. Passes that make
graphs run it under ``--verify-each``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from fstc.ir.graph import Attr, Graph, Node
from fstc.ir.ops.opdef import Form, OpError
from fstc.ir.types import DTYPES, TensorType
from fstc.support.diagnostics import Diagnostic, FstcError, Label
from fstc.support.source import Span

LIMIT = 2**63 - 1
MAX_RANK = 8
IN_REGIONS = (Form.ELEMENTWISE, Form.CONSTANT)

Problems = Iterator[Diagnostic]


def verify(graph: Graph, file: str = "") -> None:
    """Raise what is wrong with the graph; ``file`` names it where a problem has no place in a source."""
    problems = problems_of(graph)
    if problems:
        raise FstcError(*(p if p.label else replace(p, file=file) for p in problems))


def value_ids(graph: Graph) -> Problems:
    """Values are numbered by position: inputs first, then results in program order."""
    made = [*graph.inputs, *(o for n in graph.nodes for o in n.outputs)]
    if made != list(range(len(graph.values))) or any(v.id != i for i, v in enumerate(graph.values)):
        yield _damaged("its values are not numbered inputs first, then results in order")


def node_ids(graph: Graph) -> Problems:
    """Nodes are numbered by position, and each value names its producer and its place there."""
    if any(n.id != i for i, n in enumerate(graph.nodes)):
        yield _damaged("its nodes are not numbered in order")
    produced = {o: (n.id, k) for n in graph.nodes for k, o in enumerate(n.outputs)}
    for value in graph.values:
        if (value.node, value.index) != produced.get(value.id, (-1, 0)):
            yield _damaged(f"%{value.name} does not name the node that makes it")


def uses(graph: Graph) -> Problems:
    """An operand is an input or the result of an earlier node."""
    known = len(graph.inputs)
    for node in graph.nodes:
        if any(not 0 <= i < known for i in node.inputs):
            yield _damaged(f"node {node.id} ({node.op.name}) reads a value that is not made before it")
        known += len(node.outputs)
    if any(not 0 <= o < len(graph.values) for o in graph.outputs):
        yield _damaged("an output is no value")


def names(graph: Graph) -> Problems:
    """A name stands for one value."""
    first: dict[str, int] = {}
    for value in graph.values:
        if first.setdefault(value.name, value.id) != value.id:
            yield _at("FST0203", f"%{value.name} is defined twice", value.span)


def sizes(graph: Graph) -> Problems:
    """Ranks, extents and byte counts are within the limits of the language."""
    for value in graph.values:
        if value.type.rank > MAX_RANK:
            yield _at("FST0312", f"%{value.name} has rank {value.type.rank}", value.span)
        if any(n < 0 for n in value.type.shape):
            yield _at("FST0310", f"%{value.name} is {value.type}: extents are not negative", value.span)
        elif max(value.type.nbytes, *value.type.shape, 0) > LIMIT:
            yield _at("FST0311", f"%{value.name} is {value.type}: too large", value.span)


def counts(graph: Graph) -> Problems:
    """Operands and regions are as many as the op takes."""
    for node in graph.nodes:
        least, most = node.op.arity
        if len(node.inputs) < least or (most is not None and len(node.inputs) > most):
            yield _at("FST0205", f"{node.op.name} has {len(node.inputs)} operands", node.span)
        if len(node.regions) != node.op.regions and not (node.op.regions_optional and not node.regions):
            yield _at("FST0207", f"{node.op.name} has {len(node.regions)} regions", node.span)


def attributes(graph: Graph) -> Problems:
    """Attributes are sorted, known to the op, of the right type, and complete."""
    for node in graph.nodes:
        given = dict(node.attrs)
        known = {a.name: a for a in node.op.attrs}
        if [k for k, _ in node.attrs] != sorted(given):
            yield _at("FST0304", f"the attributes of {node.op.name} are not sorted and unique", node.span)
        for name, value in given.items():
            if name not in known:
                yield _at("FST0302", f"{node.op.name} has no attribute `{name}`", node.span)
            elif not FITS[known[name].type](value):
                yield _at("FST0303", f"`{name}` of {node.op.name} has the wrong type", node.span)
        for name, definition in known.items():
            if name not in given and (definition.required or definition.default is not None):
                yield _at("FST0301", f"{node.op.name} lacks the attribute `{name}`", node.span)


def regions(graph: Graph) -> Problems:
    """Bodies are sound graphs of scalars."""
    for node in graph.nodes:
        for region in node.regions:
            body = region.graph
            yield from problems_of(body)
            if any(v.type.shape for v in body.values):
                yield _at("FST0212", f"a region of {node.op.name} has a value that is no scalar", node.span)
            for inner in body.nodes:
                if inner.op.form not in IN_REGIONS:
                    yield _at("FST0213", f"{inner.op.name} may not stand in a region", inner.span or node.span)


def types(graph: Graph) -> Problems:
    """Every node's result types are what the op's rule infers."""
    for node in graph.nodes:
        declared = tuple(graph.type(o) for o in node.outputs)
        problem = _inferred(graph, node, declared)
        if problem:
            yield problem


STRUCTURE: tuple[Callable[[Graph], Problems], ...] = (value_ids, node_ids, uses)
MEANING: tuple[Callable[[Graph], Problems], ...] = (names, sizes, counts, attributes, regions)
LEVELS = (*((check,) for check in STRUCTURE), MEANING, (types,))  # a level relies on those before it


def problems_of(graph: Graph) -> list[Diagnostic]:
    """All problems of the first level that has any."""
    for level in LEVELS:
        problems = [p for check in level for p in check(graph)]
        if problems:
            return problems
    return []


def _is_int(value: Attr) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_ints(value: Attr) -> bool:
    return isinstance(value, tuple) and all(map(_is_int, value))


def _is_value(value: Attr) -> bool:
    return all(map(_is_value, value)) if isinstance(value, tuple) else isinstance(value, int | float)


FITS: dict[str, Callable[[Attr], bool]] = {
    "int": _is_int,
    "ints": _is_ints,
    "float": lambda v: isinstance(v, float),
    "bool": lambda v: isinstance(v, bool),
    "str": lambda v: isinstance(v, str),
    "value": _is_value,
    "dtype": lambda v: isinstance(v, str) and v in DTYPES,
    "pairs": lambda v: isinstance(v, tuple) and all(_is_ints(p) and len(p) == 2 for p in v),
}


def _inferred(graph: Graph, node: Node, declared: tuple[TensorType, ...]) -> Diagnostic | None:
    try:
        inferred = node.op.infer(graph.infer_args(node))
    except OpError as error:
        return _at("FST0209", f"{node.op.name}: {error.message}", node.span, error.help)
    if inferred != declared:
        right = ", ".join(map(str, inferred))
        found = ", ".join(map(str, declared))
        return _at("FST0210", f"the result of {node.op.name} is {right}, declared is {found}", node.span)
    return None


def _at(code: str, message: str, span: Span | None, help: str = "") -> Diagnostic:
    return Diagnostic(code, message, Label(span) if span else None, help=help)


def _damaged(why: str) -> Diagnostic:
    return Diagnostic("FST0004", f"the graph is damaged: {why}", help="rerun `fstc parse`")
