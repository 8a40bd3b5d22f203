"""ConstantStore: tensors of the safetensors files beside a ``.fir``, read when asked for.

Example: ``ConstantStore(Path("models")).load("bert.safetensors:encoder.w", TensorType(F32, (768,)))``. Only
the header is read before a tensor is needed, and tensors are mapped into memory, not copied. A header is
data from elsewhere: every number in it is checked.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn

from fstc.ir.ops.opdef import OpError
from fstc.ir.ops.source import split_data
from fstc.ir.types import BF16, BOOL, DTYPES, F8E4M3FN, F8E5M2, F16, F32, F64, DType, TensorType
from fstc.support.diagnostics import Diagnostic, FstcError, Label
from fstc.support.source import Span

HEADER_LIMIT = 100_000_000  # bytes, the format's own limit

STORED: dict[str, DType] = {
    "BOOL": BOOL,
    "F64": F64,
    "F32": F32,
    "F16": F16,
    "BF16": BF16,
    "F8_E4M3": F8E4M3FN,
    "F8_E5M2": F8E5M2,
    **{name.upper(): d for name, d in DTYPES.items() if d.is_integer},
}


@dataclass(frozen=True, slots=True)
class Stored:
    """Where a tensor lies in its file."""

    type: TensorType
    offset: int


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
            self._headers[name] = _read_header(self.path(name, span), span)
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
        import numpy as np

        stored = self.check(data, type, span)
        if not type.elements:
            return np.zeros(type.shape, type.dtype.numpy())
        path = self.path(split_data(data)[0], span)
        try:
            raw = np.memmap(path, np.uint8, "r", stored.offset, (type.nbytes,))
        except (OSError, ValueError) as error:
            _refuse("FST0320", f"cannot read {path.name}: {error}", str(path), span)
        aligned = raw if stored.offset % type.dtype.size == 0 else raw.copy()
        return np.asarray(aligned.view(type.dtype.numpy()).reshape(type.shape))

    def path(self, name: str, span: Span | None = None) -> Path:
        """The file, which must lie in the folder or below it."""
        parts = PurePosixPath(name)
        if parts.is_absolute() or ".." in parts.parts or "\0" in name or os.path.splitdrive(name)[0]:
            _refuse("FST0320", f"{name!r} leads out of the folder of the .fir", name, span)
        path = self.base / parts
        if not path.resolve().is_relative_to(self.base.resolve()):
            _refuse("FST0320", f"{name!r} is a link that leads out of the folder of the .fir", name, span)
        return path


def _read_header(path: Path, span: Span | None) -> dict[str, Stored]:
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or length > min(HEADER_LIMIT, size - 8):
                _refuse("FST0320", f"{path.name} is no safetensors file, or is cut off", str(path), span)
            text = file.read(length)
    except OSError as error:
        _refuse("FST0320", f"cannot read {path.name}: {error.strerror or error}", str(path), span)
    try:
        header = json.loads(text)
        header.pop("__metadata__", None)
        entries = {name: _entry(entry, size - 8 - length) for name, entry in header.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        _refuse("FST0320", f"the header of {path.name} is damaged: {error}", str(path), span)
    return {name: Stored(t, 8 + length + begin) for name, (t, begin) in entries.items() if t is not None}


def _entry(entry: dict[str, Any], size: int) -> tuple[TensorType | None, int]:
    """Type and offset; None for element types that fstc does not have."""
    dtype, shape, (begin, end) = STORED.get(entry["dtype"]), tuple(entry["shape"]), entry["data_offsets"]
    if not all(isinstance(n, int) and n >= 0 for n in (*shape, begin, end)) or not begin <= end <= size:
        raise ValueError("extents or offsets are out of range")
    if dtype is None:
        return None, begin
    found = TensorType(dtype, shape)
    if found.nbytes != end - begin:
        raise ValueError(f"{found} does not have {end - begin} bytes")
    return found, begin


def _refuse(code: str, message: str, file: str, span: Span | None, help: str = "") -> NoReturn:
    label = Label(span) if span else None
    raise FstcError(Diagnostic(code, message, label, help=help, file="" if span else file))
