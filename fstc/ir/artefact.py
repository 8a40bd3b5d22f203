"""GraphFile: a Graph as the artefact ``.graph.json``.

Example: ``write(path, to_file_form(graph)); graph = to_graph(read(path, GraphFile), path)``. Ops and types are
stored by name; floats as text, so that they stay exact. Spans are kept with the name and digest of
the source: a late stage draws carets while the source lies beside the file unchanged, and does without
once it does not.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from fstc.ir.graph import Attr, Graph, Node, Region, Value
from fstc.ir.ops import OPS, OpDef
from fstc.ir.types import DTYPES, TensorType
from fstc.ir.verify import verify
from fstc.support.artefact import Artefact
from fstc.support.diagnostics import Diagnostic, FstcError
from fstc.support.files import sha256
from fstc.support.source import Source, Span

_TYPE = re.compile(r"([a-z0-9]+)\[((?:[0-9]+(?:,[0-9]+)*)?)\]")

StoredSpan = tuple[int, int] | None
StoredAttrs = dict[str, Any]


class StoredSource(msgspec.Struct, frozen=True):
    """Where spans point: a file name beside the artefact and the digest of its text."""

    name: str
    sha256: str


class StoredValue(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    type: str
    attrs: StoredAttrs = msgspec.field(default_factory=dict)
    span: StoredSpan = None


class StoredNode(msgspec.Struct, frozen=True, kw_only=True):
    """``results`` are values in order; their ids follow from the position."""

    op: str
    inputs: tuple[int, ...]
    results: tuple[StoredValue, ...]
    attrs: StoredAttrs = msgspec.field(default_factory=dict)
    regions: tuple[StoredGraph, ...] = ()
    loc: str = ""
    span: StoredSpan = None


class StoredGraph(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    inputs: tuple[StoredValue, ...]
    nodes: tuple[StoredNode, ...]
    outputs: tuple[int, ...]


class StoredDim(msgspec.Struct, frozen=True, kw_only=True):
    """A named extent as bound; a list of these keeps the order of the file."""

    name: str
    value: int


class GraphFile(Artefact, frozen=True, kw_only=True):
    KIND: ClassVar[str] = "graph"
    VERSION: ClassVar[str] = "1.0"

    module: str = ""
    attrs: StoredAttrs = msgspec.field(default_factory=dict)
    dims: tuple[StoredDim, ...] = ()
    function: StoredGraph
    source: StoredSource | None = None


def to_file_form(graph: Graph) -> GraphFile:
    """The artefact of a graph."""
    source = _source(graph)
    stored = StoredSource(Path(source.name).name, sha256(source.text.encode())) if source else None
    return GraphFile(
        module=graph.module,
        attrs=_store_attrs(graph.attrs),
        dims=tuple(StoredDim(name=n, value=v) for n, v in graph.dims),
        function=_store_graph(graph, source),
        source=stored,
    )


def to_graph(file: GraphFile, path: Path | None = None, *, ops: Mapping[str, OpDef] = OPS) -> Graph:
    """The graph of an artefact, verified; ``path`` is the artefact's, where its source is looked for."""
    name = str(path) if path else "graph"
    source = _find_source(file.source, path)
    try:
        graph = _load_graph(file.function, source, ops)
    except _Damaged as error:
        raise FstcError(Diagnostic("FST0004", str(error), help="rerun `fstc parse`", file=name)) from None
    graph = Graph(
        graph.name,
        graph.values,
        graph.nodes,
        graph.inputs,
        graph.outputs,
        module=file.module,
        attrs=_load_attrs(file.attrs),
        dims=tuple((d.name, d.value) for d in file.dims),
    )
    verify(graph, name)
    return graph


class _Damaged(Exception):
    pass


def _source(graph: Graph) -> Source | None:
    """The one source that spans of a parsed graph point into."""
    spans = [v.span for v in graph.values if v.span] or [n.span for n in graph.nodes if n.span]
    return spans[0].source if spans else None


def _find_source(stored: StoredSource | None, path: Path | None) -> Source | None:
    """The source, when it still lies beside the artefact and has not changed."""
    if stored is None or path is None or Path(stored.name).name != stored.name:
        return None
    beside = path.with_name(stored.name)
    try:
        text = beside.read_bytes().decode("utf-8-sig")
    except (OSError, ValueError):
        return None
    return Source(str(beside), text) if sha256(text.encode()) == stored.sha256 else None


def _store_graph(graph: Graph, source: Source | None) -> StoredGraph:
    return StoredGraph(
        name=graph.name,
        inputs=tuple(_store_value(graph.values[i], source) for i in graph.inputs),
        nodes=tuple(_store_node(graph, n, source) for n in graph.nodes),
        outputs=graph.outputs,
    )


def _store_node(graph: Graph, node: Node, source: Source | None) -> StoredNode:
    return StoredNode(
        op=node.op.name,
        inputs=node.inputs,
        results=tuple(_store_value(graph.values[o], source) for o in node.outputs),
        attrs=_store_attrs(node.attrs),
        regions=tuple(_store_graph(r.graph, source) for r in node.regions),
        loc=node.loc,
        span=_store_span(node.span, source),
    )


def _store_value(value: Value, source: Source | None) -> StoredValue:
    return StoredValue(
        name=value.name, type=str(value.type), attrs=_store_attrs(value.attrs), span=_store_span(value.span, source)
    )


def _store_span(span: Span | None, source: Source | None) -> StoredSpan:
    return (span.start, span.end) if span and span.source is source else None


def _store_attrs(attrs: tuple[tuple[str, Attr], ...]) -> StoredAttrs:
    return {k: _store_attr(v) for k, v in attrs}


def _store_attr(value: Attr) -> Any:
    if isinstance(value, float):
        return {"float": repr(value)}
    return [_store_attr(v) for v in value] if isinstance(value, tuple) else value


def _load_graph(stored: StoredGraph, source: Source | None, ops: Mapping[str, OpDef]) -> Graph:
    values: list[Value] = []
    nodes: list[Node] = []

    def add(items: tuple[StoredValue, ...], node: int) -> tuple[int, ...]:
        first = len(values)
        for index, item in enumerate(items):
            attrs, span = _load_attrs(item.attrs), _load_span(item.span, source)
            place = index if node >= 0 else 0
            values.append(Value(len(values), item.name, _load_type(item.type), node, place, attrs, span))
        return tuple(range(first, len(values)))

    inputs = add(stored.inputs, -1)
    for item in stored.nodes:
        op = ops.get(item.op)
        if op is None:
            raise _Damaged(f"no op is called {item.op!r}")
        regions = tuple(Region(_load_graph(r, source, ops)) for r in item.regions)
        outputs = add(item.results, len(nodes))
        span = _load_span(item.span, source)
        nodes.append(
            Node(len(nodes), op, item.inputs, outputs, _load_attrs(item.attrs), regions, item.loc, span),
        )
    return Graph(stored.name, tuple(values), tuple(nodes), inputs, stored.outputs)


def _load_span(stored: StoredSpan, source: Source | None) -> Span | None:
    if stored is None or source is None or not 0 <= stored[0] <= stored[1] <= len(source.text):
        return None
    return Span(source, *stored)


def _load_attrs(stored: StoredAttrs) -> tuple[tuple[str, Attr], ...]:
    return tuple((k, _load_attr(v)) for k, v in sorted(stored.items()))


def _load_attr(stored: Any) -> Attr:
    if isinstance(stored, list):
        return tuple(_load_attr(v) for v in stored)
    if isinstance(stored, dict):
        try:
            value = float(stored["float"])
        except (KeyError, TypeError, ValueError):
            raise _Damaged(f"{stored} is no attribute value") from None
        return math.nan if math.isnan(value) else value  # one NaN object, so that graphs compare equal
    if stored is None or isinstance(stored, float):
        raise _Damaged(f"{stored} is no attribute value; floats are stored as text")
    return stored


@lru_cache(maxsize=4096)
def _load_type(text: str) -> TensorType:
    match = _TYPE.fullmatch(text)
    if not match or match[1] not in DTYPES or len(text) > 256:
        raise _Damaged(f"{text!r} is no tensor type")
    return TensorType(DTYPES[match[1]], tuple(int(n) for n in match[2].split(",") if n))
