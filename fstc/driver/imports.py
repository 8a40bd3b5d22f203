"""An imported model in files: ``NAME.fir``, and ``NAME.safetensors`` where it has stored constants.

Example: ``write_imported(imported, Path("bert.fir"))``. The module of the ``.fir`` says where it came from, so that
``verify --against`` finds the model again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from fstc.frontends.artefact import Imported
from fstc.frontends.run import FIR
from fstc.ir.graph import Attr, Graph
from fstc.ir.printer import print_graph
from fstc.ir.safetensors import write_tensors
from fstc.support.files import check_name, write_atomic


def write_imported(imported: Imported, target: Path, factory: str = "", binds: Mapping[str, int] | None = None) -> None:
    """The tensors first, so that a ``.fir`` that is there is whole. ``factory``, ``binds``: as the import had them."""
    for path in (target, imported.source):
        if path is not None:
            check_name(path)
    if imported.tensors:
        write_atomic(target.with_name(imported.file), lambda stream: write_tensors(stream, imported.tensors))
    write_atomic(target, print_graph(_with_origin(imported, target, factory, binds or {})).encode())


def _with_origin(imported: Imported, target: Path, factory: str, binds: Mapping[str, int]) -> Graph:
    if imported.frontend == FIR:
        return _as_before(imported, target)
    attrs: dict[str, Attr] = {"frontend": imported.frontend}
    if imported.source is not None:
        attrs["source"] = os.path.relpath(imported.source, target.parent)
        attrs["sha256"] = digest(imported.source)
    elif factory:
        attrs["source"] = factory
    if binds:
        attrs["binds"] = ",".join(f"{name}={extent}" for name, extent in sorted(binds.items()))
    module = imported.graph.module or target.stem
    return replace(imported.graph, module=module, attrs=tuple(sorted(attrs.items())))


def _as_before(imported: Imported, target: Path) -> Graph:
    """A .fir keeps its origin; the way to the model begins at the new file."""
    attrs = dict(imported.graph.attrs)
    if imported.source is not None and "sha256" in attrs and isinstance(attrs.get("source"), str):
        attrs["source"] = os.path.relpath(imported.source.parent / attrs["source"], target.parent)
    return replace(imported.graph, attrs=tuple(sorted(attrs.items())))


def digest(path: Path) -> str:
    """sha256 of a file, read piece by piece."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
