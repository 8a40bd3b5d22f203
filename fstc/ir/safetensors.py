"""The safetensors format: what a file holds, its tensors mapped into memory, and writing one.

Example: ``read_header(path)["encoder.w"].type`` is ``f32[768]``. A header is data from elsewhere: every number
in it is checked, and :class:`Refused` says what is wrong.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from fstc.ir.types import BF16, BOOL, DTYPES, F8E4M3FN, F8E5M2, F16, F32, F64, DType, TensorType

HEADER_LIMIT = 100_000_000  # bytes, the format's own limit
ALIGNMENT = 8  # bytes, of the first tensor
PIECE = 1 << 26  # bytes written at a time

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


class Refused(Exception):
    """The file cannot be read, or is not what its name says."""


@dataclass(frozen=True, slots=True)
class Stored:
    """Where a tensor lies in its file."""

    type: TensorType
    offset: int


def read_header(path: Path) -> dict[str, Stored]:
    """The tensors by name; those of element types that fstc does not have are left out."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or length > min(HEADER_LIMIT, size - 8):
                raise Refused(f"{path.name} is no safetensors file, or is cut off")
            text = file.read(length)
    except OSError as error:
        raise Refused(f"cannot read {path.name}: {error.strerror or error}") from None
    try:
        header = json.loads(text)
        header.pop("__metadata__", None)
        entries = {name: _entry(entry, size - 8 - length) for name, entry in header.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Refused(f"the header of {path.name} is damaged: {error}") from None
    return {name: Stored(t, 8 + length + begin) for name, (t, begin) in entries.items() if t is not None}


def map_tensor(path: Path, stored: Stored) -> Any:
    """The tensor as a read-only array backed by the file (copied only where the file misaligns it)."""
    import numpy as np

    found = stored.type
    if not found.elements:
        return np.zeros(found.shape, found.dtype.numpy())
    try:
        raw = np.memmap(path, np.uint8, "r", stored.offset, (found.nbytes,))
    except (OSError, ValueError) as error:
        raise Refused(f"cannot read {path.name}: {error}") from None
    aligned = raw if stored.offset % found.dtype.size == 0 else raw.copy()
    out = np.asarray(aligned.view(found.dtype.numpy()).reshape(found.shape))
    out.flags.writeable = False
    return out


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


def write_tensors(stream: BinaryIO, tensors: Mapping[str, Any]) -> None:
    """A safetensors file with these arrays, in order of their names, each written from its own memory."""
    import numpy as np

    spelled = {dtype.numpy_name: name for name, dtype in STORED.items()}
    header: dict[str, Any] = {}
    offset = 0
    for name in sorted(tensors):
        array = tensors[name]
        place = [offset, offset + array.nbytes]
        header[name] = {"dtype": spelled[array.dtype.name], "shape": list(array.shape), "data_offsets": place}
        offset += array.nbytes
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=True).encode()
    text += b" " * (-len(text) % ALIGNMENT)
    stream.write(len(text).to_bytes(8, "little"))
    stream.write(text)
    for name in sorted(tensors):
        flat = np.ascontiguousarray(tensors[name]).reshape(-1).view(np.uint8)
        for start in range(0, flat.size, PIECE):
            stream.write(flat[start : start + PIECE].data)
