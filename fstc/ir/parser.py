"""Text of a .fir -> Graph.

Example::

    graph = parse_text("func @f(%x: f32[4]) -> (f32[4]) { %y = exp %x : f32[4] return %y }", "f.fir")

Every independent error of a text is found in one run: a statement that cannot be understood still
defines its names with the types it declares, so what follows is judged on its own. Extents are bound here
and nowhere later; after parsing every shape is static.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fstc.ir.attributes import free
from fstc.ir.body import BodyBuilder
from fstc.ir.constants import ConstantStore
from fstc.ir.extents import Extents
from fstc.ir.graph import Graph
from fstc.ir.ops import ALIASES, OPS, OpDef
from fstc.ir.reader import MAX_BYTES, decode_text, read_text
from fstc.ir.syntax import File, spelled
from fstc.support.diagnostics import Diagnostic, FstcError
from fstc.support.files import read_bytes
from fstc.support.profile import timed
from fstc.support.source import Source

MAX_ERRORS = 100
TABLE: dict[str, OpDef] = OPS | {alias: OPS[name] for alias, name in ALIASES.items()}


def parse_text(
    text: str,
    name: str = "<text>",
    binds: Mapping[str, int] | None = None,
    *,
    folder: Path | None = None,
    ops: Mapping[str, OpDef] = TABLE,
) -> Graph:
    """The graph of a text; constants files are looked for in ``folder``, and not looked at without one."""
    return _parse(decode_text(text.encode("utf-8", "surrogatepass"), name), binds or {}, folder, ops)


def parse_file(path: Path, binds: Mapping[str, int] | None = None, *, ops: Mapping[str, OpDef] = TABLE) -> Graph:
    """The graph of a file; spans call it by its name as given."""
    return parse_bytes(read_bytes(path, MAX_BYTES), str(path), binds, folder=path.parent, ops=ops)


def parse_bytes(
    data: bytes,
    name: str,
    binds: Mapping[str, int] | None = None,
    *,
    folder: Path | None = None,
    ops: Mapping[str, OpDef] = TABLE,
) -> Graph:
    """The graph of a file's content."""
    return _parse(decode_text(data, name), binds or {}, folder, ops)


def _parse(source: Source, binds: Mapping[str, int], folder: Path | None, ops: Mapping[str, OpDef]) -> Graph:
    with timed("syntax"):
        file, errors, lost = read_text(source)
    if file is None:
        raise FstcError(*errors)
    extents = Extents(source, lost)
    errors += extents.bind(file.dims, binds)
    builder = BodyBuilder(extents, lost, ops, ConstantStore(folder) if folder else None)
    with timed("ops and types"):
        graph = _graph(file, extents, builder, errors)
    errors += builder.errors
    if errors:
        raise FstcError(*_ordered(errors))
    return graph


def _graph(file: File, extents: Extents, builder: BodyBuilder, errors: list[Diagnostic]) -> Graph:
    attrs, wrong = free(file.module.attrs, extents) if file.module else ({}, [])
    errors += wrong
    body = builder.function(file)
    return Graph(
        name=spelled(file.func),
        values=tuple(body.values),
        nodes=tuple(body.nodes),
        inputs=tuple(range(len(file.params))),
        outputs=tuple(body.outputs),
        module=spelled(file.module.name) if file.module else "",
        attrs=tuple(sorted(attrs.items())),
        dims=tuple(extents.bound.items()),
    )


def _ordered(errors: list[Diagnostic]) -> list[Diagnostic]:
    """In the order of the text, each once, and not more than anyone would read."""
    unique = list(dict.fromkeys(errors))
    unique.sort(key=lambda d: d.label.span.start if d.label else -1)
    if len(unique) <= MAX_ERRORS:
        return unique
    more = f"{len(unique) - MAX_ERRORS:,} more errors are not shown"
    return [*unique[:MAX_ERRORS], Diagnostic("FST0105", more, file=unique[0].file)]
