"""Small ONNX models made by hand, and the comparison with onnxruntime.

Example: ``compare(model, {"x": x}, tmp_path)`` imports the model, evaluates it and runs onnxruntime on the same file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from fstc.frontends.artefact import Imported, ImportOptions
from fstc.frontends.run import import_model
from fstc.ir.reference import evaluate
from tests.stored import stored

Array = Any
OPSET = 17


def node(operator: str, inputs: str, outputs: str, domain: str = "", **attrs: Any) -> onnx.NodeProto:
    """``node("Add", "x y", "z")``; ``_`` is an input or output that is left out."""
    names = [[("" if n == "_" else n) for n in text.split()] for text in (inputs, outputs)]
    return helper.make_node(operator, *names, name=f"node_{names[1][0]}", domain=domain, **attrs)


def value(name: str, shape: Sequence[Any] | None, dtype: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, dtype, shape)


def model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    weights: Mapping[str, Array] | None = None,
    opset: int = OPSET,
    **more: Any,
) -> onnx.ModelProto:
    stored = [numpy_helper.from_array(np.asarray(w), name) for name, w in (weights or {}).items()]
    graph = helper.make_graph(list(nodes), "g", list(inputs), list(outputs), stored)
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8, **more)


def save(made: onnx.ModelProto, folder: Path) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(made.SerializeToString())
    return path


def outputs_of(imported: Imported, feeds: Mapping[str, Array]) -> list[Array]:
    graph, store = imported.graph, stored(imported.tensors)
    found = evaluate(graph, {v: feeds[graph.values[v].name] for v in graph.inputs}, store)  # type: ignore[arg-type]
    return [found[v] for v in graph.outputs]


def compare(
    made: onnx.ModelProto,
    feeds: Mapping[str, Array],
    folder: Path,
    binds: Mapping[str, int] | None = None,
    rtol: float = 1e-5,
    atol: float = 1e-6,
) -> Imported:
    """Ours against onnxruntime's."""
    from fstc.frontends.onnx.peer import run_peer

    path = save(made, folder)
    imported = import_model(path, ImportOptions(binds or {}), "model.safetensors")
    assert not imported.coverage.refused
    wanted = run_peer(path, feeds, binds or {})
    for ours, theirs in zip(outputs_of(imported, feeds), wanted, strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_allclose(ours.astype(np.float64), theirs.astype(np.float64), rtol=rtol, atol=atol)
    return imported


def ops_of(imported: Imported) -> dict[str, int]:
    found: dict[str, int] = {}
    for n in imported.graph.nodes:
        found[n.op.name] = found.get(n.op.name, 0) + 1
    return found
