"""ConstantStore: tensors of the safetensors files beside a ``.fir``, read when asked for.

Example: ``ConstantStore(Path("models")).load("bert.safetensors:encoder.w", TensorType(F32, (768,)))``. Only
headers are read before a tensor is needed. A file outside the folder is refused, also behind a link.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn

from fstc.ir.ops.opdef import OpError
from fstc.ir.ops.source import split_data
from fstc.ir.safetensors import Refused, Stored, map_tensor, read_header
from fstc.ir.types import TensorType
from fstc.support.diagnostics import Diagnostic, FstcError, Label
from fstc.support.source import Span


@dataclass
class ConstantStore:
    """The files in one folder (that of the ``.fir``) and below it."""

    base: Path
    _headers: dict[str, dict[str, Stored]] = field(default_factory=dict, init=False, repr=False)

    def check(self, data: str, type: TensorType, span: Span | None = None) -> Stored:
        """The tensor's place, when the file has it in this type; reads the header only."""
        try:
            name, tensor = split_data(data)
        except OpError as error:
            _refuse("FST0320", error.message, data, span)
        if name not in self._headers:
            path = self.path(name, span)
            try:
                self._headers[name] = read_header(path)
            except Refused as error:
                _refuse("FST0320", str(error), str(path), span)
        stored = self._headers[name].get(tensor)
        if stored is None:
            known = sorted(self._headers[name])
            some = ", ".join(known[:5]) + (", ..." if len(known) > 5 else "")
            _refuse("FST0321", f"{name} has no tensor {tensor!r}", name, span, f"it has {some}" if known else "")
        if stored.type != type:
            _refuse("FST0322", f"{tensor!r} in {name} is {stored.type}, {type} is declared", name, span)
        return stored

    def load(self, data: str, type: TensorType, span: Span | None = None) -> Any:
        """The tensor as a read-only array that is mapped from the file."""
        stored = self.check(data, type, span)
        path = self.path(split_data(data)[0], span)
        try:
            return map_tensor(path, stored)
        except Refused as error:
            _refuse("FST0320", str(error), str(path), span)

    def path(self, name: str, span: Span | None = None) -> Path:
        """The file, which must lie in the folder or below it."""
        parts = PurePosixPath(name)
        if parts.is_absolute() or ".." in parts.parts or "\0" in name or os.path.splitdrive(name)[0]:
            _refuse("FST0320", f"{name!r} leads out of the folder of the .fir", name, span)
        path = self.base / parts
        # realpath, because Path.resolve raises on a link that leads to itself
        if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(self.base)):
            _refuse("FST0320", f"{name!r} is a link that leads out of the folder of the .fir", name, span)
        return path


def _refuse(code: str, message: str, file: str, span: Span | None, help: str = "") -> NoReturn:
    label = Label(span) if span else None
    raise FstcError(Diagnostic(code, message, label, help=help, file="" if span else file))
