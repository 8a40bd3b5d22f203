"""Graph -> canonical .fir text.

Example: ``parse_text(print_graph(graph)) == graph``, and printing what was parsed gives the same text.
Extents are printed as numbers: a graph is bound. Its named extents are printed as declared, so that they
survive, and attributes that have their default value are left out. The formatter, which keeps symbolic
extents and comments, works on the text instead: :mod:`fstc.ir.formatter`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fstc.ir.graph import Attr, Graph, Node
from fstc.ir.literals import INDENT, attribute, header, quoted, symbol_name, value_name, word


def print_graph(graph: Graph) -> str:
    """The text of a whole graph."""
    return "".join(f"{line}\n" for line in _lines(graph))


def print_node(graph: Graph, node: Node) -> str:
    """One statement on one line, without its location."""
    return " ".join(line.strip() for line in _statement(graph, node, "", located=False))


def _lines(graph: Graph) -> Iterator[str]:
    if graph.module or graph.attrs:
        yield f"module {symbol_name(graph.module)}{braces(graph.attrs)}"
        yield ""
    for name, value in graph.dims:
        yield f"dim {name} = {value}"
    if graph.dims:
        yield ""
    yield from header(symbol_name(graph.name), _params(graph), [str(graph.type(v)) for v in graph.outputs])
    yield from _body(graph, INDENT)
    yield "}"


def _body(graph: Graph, indent: str) -> Iterator[str]:
    for node in graph.nodes:
        yield from _statement(graph, node, indent)
    yield f"{indent}return {_names(graph, graph.outputs)}".rstrip()


def _statement(graph: Graph, node: Node, indent: str, located: bool = True) -> Iterator[str]:
    types = ", ".join(str(graph.type(v)) for v in node.outputs)
    head = f"{indent}{_names(graph, node.outputs)} = {node.op.name}"
    head += f" {_names(graph, node.inputs)}" if node.inputs else ""
    head += braces(_shown(node), {a.name for a in node.op.attrs if a.choices or a.type == "dtype"})
    for region in node.regions:
        yield f"{head} ({', '.join(_params(region.graph))}) {{"
        yield from _body(region.graph, indent + INDENT)
        head = f"{indent}}}"
    yield f"{head} : {types}" + (f" loc({quoted(node.loc)})" if node.loc and located else "")


def _params(graph: Graph) -> list[str]:
    values = [graph.values[i] for i in graph.inputs]
    return [f"{value_name(v.name)}: {v.type}{braces(v.attrs, {'domain'})}" for v in values]


def _shown(node: Node) -> list[tuple[str, Attr]]:
    """The attributes that say more than the op's defaults."""
    defaults = {a.name: a.default for a in node.op.attrs if not a.required}
    return [(k, v) for k, v in node.attrs if k not in defaults or not _same(defaults[k], v)]


def _same(default: Attr, value: Attr) -> bool:
    """Equal in type too: 0, 0.0, -0.0 and false print differently."""
    return type(default) is type(value) and repr(default) == repr(value)


def braces(attrs: Sequence[tuple[str, Attr]], words: set[str] | frozenset[str] = frozenset()) -> str:
    """``{a = 1, b = [0, 1]}`` after a space, or nothing; the values of ``words`` are bare where they can be."""
    if not attrs:
        return ""
    return f" {{{', '.join(f'{k} = {word(v) if k in words else attribute(v)}' for k, v in attrs)}}}"


def _names(graph: Graph, values: Sequence[int]) -> str:
    return ", ".join(value_name(graph.values[v].name) for v in values)
