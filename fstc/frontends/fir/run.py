"""Read a ``.fir`` as a model: ``read(path, options, "model.safetensors")``.

There is nothing to map, so the coverage is empty. The tensors that its constants name, of whichever files, are the
import's own; they stay mapped from where they are.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from fstc.frontends.artefact import Coverage, Imported, ImportOptions
from fstc.ir.constants import ConstantStore
from fstc.ir.graph import Graph, Node
from fstc.ir.ops.opdef import Form
from fstc.ir.ops.source import split_data
from fstc.ir.parser import parse_file

FRONTEND = "fir"


def read(path: Path | None, options: ImportOptions, file: str) -> Imported:
    """The graph as it is written, its stored constants renamed to ``file``."""
    assert path is not None, "a function makes torch modules only"
    graph = parse_file(path, options.binds)
    return _adopted(graph, ConstantStore(path.parent), file, path)


def _adopted(graph: Graph, store: ConstantStore, file: str, path: Path) -> Imported:
    tensors: dict[str, Any] = {}
    taken: dict[str, str] = {}  # "file:tensor" -> its name in the new file

    def adopt(node: Node) -> Node:
        data = node.attr("data") if node.op.form is Form.CONSTANT else None
        if data is None:
            return node
        if data not in taken:
            name, count = split_data(data)[1], 0
            while name in tensors:
                count += 1
                name = f"{split_data(data)[1]}.{count}"
            tensors[name] = store.load(data, graph.type(node.outputs[0]), node.span)
            taken[data] = name
        return replace(node, attrs=(("data", f"{file}:{taken[data]}"),))

    found = replace(graph, nodes=tuple(map(adopt, graph.nodes)))
    return Imported(found, tensors, file, Coverage(), FRONTEND, path)
