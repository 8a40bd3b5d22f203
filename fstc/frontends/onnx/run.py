"""Read an ONNX model: ``read(Path("model.onnx"), ImportOptions({"N": 8}), "model.safetensors")``."""

from __future__ import annotations

from pathlib import Path

from fstc.frontends.artefact import Imported, ImportOptions
from fstc.frontends.onnx.importer import Importer
from fstc.frontends.onnx.model import read_model


def read(path: Path | None, options: ImportOptions, file: str) -> Imported:
    """The model as a graph, with all its operators in the coverage."""
    assert path is not None, "only torch makes models without a file"
    return Importer(read_model(path), options).run(file)
