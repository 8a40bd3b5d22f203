"""Read a model of the framework: ``read(path, options, "model.safetensors")``."""

from __future__ import annotations

from pathlib import Path

from fstc.frontends.artefact import Imported, ImportOptions


def read(path: Path | None, options: ImportOptions, file: str) -> Imported:
    """The model as a graph, with all its operators in the coverage."""
    raise NotImplementedError
