"""Constants in safetensors files, as far as parsing needs them: is the tensor there, and of that type?

Example: ``ExternalFiles(folder).check("w.safetensors", "encoder.w", TensorType(F32, (768,)))``. Only the header
is read, with the standard library; the bytes are the evaluator's business.
"""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Any

from fstc.ir.types import TensorType
from fstc.support.diagnostics import Diagnostic

MAX_HEADER = 100_000_000  # bytes, the limit of the format

DTYPE_NAMES = {
    "F64": "f64", "F32": "f32", "F16": "f16", "BF16": "bf16", "F8_E4M3": "f8e4m3fn", "F8_E5M2": "f8e5m2",
    "I8": "i8", "I16": "i16", "I32": "i32", "I64": "i64", "U8": "u8", "U16": "u16", "U32": "u32", "U64": "u64",
    "BOOL": "bool",
}  # fmt: skip


class ExternalFiles:
    """The constants files beside one .fir; each header is read once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._headers: dict[str, dict[str, Any] | str] = {}

    def check(self, file: str, tensor: str, type: TensorType) -> Diagnostic | None:
        """What is wrong with using this tensor, or nothing; the caller adds the place."""
        header = self._header(file)
        if isinstance(header, str):
            return Diagnostic("FST0320", f"{file}: {header}", help="it is looked for in the folder of the .fir")
        entry = header.get(tensor)
        if not isinstance(entry, dict) or tensor == "__metadata__":
            names = sorted(n for n in header if n != "__metadata__")
            shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
            return Diagnostic("FST0321", f"{file} has no tensor `{tensor}`", help=f"it has {shown or 'none'}")
        found = stored_type(entry)
        if found != str(type):
            return Diagnostic("FST0322", f"the stored tensor is {found}, declared is {type}")
        return None

    def _header(self, file: str) -> dict[str, Any] | str:
        if file not in self._headers:
            self._headers[file] = _read(self.folder, file)
        return self._headers[file]


def stored_type(entry: dict[str, Any]) -> str:
    """A header entry's type as the language writes it."""
    shape = entry.get("shape")
    extents = ",".join(map(str, shape)) if isinstance(shape, list) else "?"
    return f"{DTYPE_NAMES.get(str(entry.get('dtype')), entry.get('dtype'))}[{extents}]"


def _read(folder: Path, file: str) -> dict[str, Any] | str:
    """The header, or why there is none to be had."""
    path = PurePosixPath(file)
    if path.is_absolute() or ".." in path.parts or "\\" in file or "\0" in file:
        return "a path below the folder of the .fir is needed"
    try:
        target = (folder / path).resolve()
        if not target.is_relative_to(folder.resolve()):
            return "the path leads out of the folder of the .fir"
        if not target.is_file():
            return "there is no such file"
        with target.open("rb") as stream:
            size = int.from_bytes(stream.read(8), "little")
            total = target.stat().st_size
            if not 2 <= size <= min(MAX_HEADER, total - 8):
                return "not a safetensors file, or cut off"
            header = json.loads(stream.read(size))
    except (ValueError, RecursionError):
        return "its header cannot be read"
    except OSError as error:
        return error.strerror or "it cannot be read"
    if not isinstance(header, dict):
        return "its header is no table"
    data = total - 8 - size
    ends = [_end(e) for name, e in header.items() if name != "__metadata__"]
    return "its data are cut off or its offsets are wrong" if any(not 0 <= e <= data for e in ends) else header


def _end(entry: Any) -> int:
    """Where a tensor's bytes end; -1 when the entry makes no sense."""
    offsets = entry.get("data_offsets") if isinstance(entry, dict) else None
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(type(o) is int for o in offsets):
        return -1
    return offsets[1] if 0 <= offsets[0] <= offsets[1] else -1
