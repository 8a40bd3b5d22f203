"""Stored tensors of a model as arrays: inside the protobuf, or mapped from files in the model's folder.

Example: ``TensorReader(Path("model.onnx")).array(graph.initializer[0])``. A model must not choose what is read: only
regular files in its folder or below it are.
"""

from __future__ import annotations

import os
from math import prod
from pathlib import Path, PurePosixPath
from typing import Any

from fstc.frontends.artefact import Unsupported
from fstc.frontends.onnx.problems import Beyond, bad_data, short, wrong
from fstc.ir.types import (
    BF16,
    BOOL,
    F8E4M3FN,
    F8E5M2,
    F16,
    F32,
    F64,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    DType,
)  # fmt: skip

Array = Any
Proto = Any  # messages of the onnx package

DTYPES: dict[int, DType] = {
    1: F32, 2: U8, 3: I8, 4: U16, 5: I16, 6: I32, 7: I64, 9: BOOL, 10: F16, 11: F64, 12: U32, 13: U64, 16: BF16,
    17: F8E4M3FN, 19: F8E5M2,
}  # fmt: skip
NUMBERS = {dtype: number for number, dtype in DTYPES.items()}
PACKED = {21: U8, 22: I8, 25: U8, 26: I8}  # uint4, int4, uint2, int2: constants of them are held as bytes
EXTERNAL = 1  # TensorProto.EXTERNAL
MOST_DENSE = 1 << 26  # elements of a sparse tensor that is made dense
MOST_ELEMENTS = (1 << 63) - 1


def dtype_name(number: int) -> str:
    """FLOAT, STRING, ...; the number where onnx does not know it."""
    from onnx import TensorProto

    try:
        return str(TensorProto.DataType.Name(number))
    except ValueError:
        return f"number {number}"


def element_type(number: int) -> DType:
    """The element type of a value."""
    found = DTYPES.get(number)
    if found is not None:
        return found
    name = dtype_name(number)
    if name in ("UNDEFINED", f"number {number}"):
        raise wrong(f"element type {name} does not exist")
    raise Unsupported(f"element type {name}: there are no tensors of it")


def checked_shape(dims: Any) -> tuple[int, ...]:
    """The extents of a stored tensor."""
    shape = tuple(int(n) for n in dims)
    if any(n < 0 for n in shape):
        raise wrong(f"the shape {list(shape)} has a negative extent")
    if prod(shape) > MOST_ELEMENTS:
        raise wrong(f"the shape {list(shape)} has more elements than can be counted")
    return shape


class TensorReader:
    """Arrays of TensorProto messages; ``path`` is the model's file, in whose folder external data lies."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._files: dict[str, Array] = {}

    def array(self, tensor: Proto) -> Array:
        """The elements, in a NumPy type that fstc has."""
        import numpy as np

        shape = checked_shape(tensor.dims)
        number = tensor.data_type
        dtype = PACKED.get(number) or element_type(number)
        if tensor.data_location == EXTERNAL:
            if number in PACKED:
                raise Unsupported(f"external data of element type {dtype_name(number)}")
            return self._external(tensor, dtype, shape)
        if tensor.HasField("raw_data") and number not in PACKED:
            raw = tensor.raw_data
            if len(raw) != prod(shape) * dtype.size:
                raise wrong(
                    f"tensor {short(tensor.name)!r} has {len(raw)} bytes, {dtype}{list(shape)} needs "
                    f"{prod(shape) * dtype.size}"
                )
            return _booleans(np.frombuffer(raw, dtype.numpy()).reshape(shape), dtype)
        from onnx import numpy_helper

        try:
            found = np.asarray(numpy_helper.to_array(tensor))
        except (ValueError, TypeError, OverflowError) as error:
            raise wrong(f"tensor {short(tensor.name)!r} does not hold {list(shape)} elements: {error}") from None
        return found.astype(dtype.numpy(), copy=False)

    def sparse(self, tensor: Proto) -> Array:
        """A sparse tensor made dense."""
        import numpy as np

        shape = checked_shape(tensor.dims)
        if prod(shape) > MOST_DENSE:
            raise Beyond(f"a sparse tensor of {list(shape)} is more than {MOST_DENSE:,} elements when dense")
        values, indices = self.array(tensor.values), self.array(tensor.indices)
        if values.ndim != 1 or indices.ndim not in (1, 2) or len(indices) != len(values):
            raise wrong("a sparse tensor with values and indices of different numbers")
        found = np.zeros(prod(shape), values.dtype)
        if indices.ndim == 2:
            if indices.shape[1] != len(shape):
                raise wrong("a sparse tensor whose indices have another rank")
            if ((indices < 0) | (indices >= np.asarray(shape))).any():
                raise wrong("a sparse tensor with an index outside")
            indices = np.ravel_multi_index(tuple(indices.T), shape) if len(indices) else np.zeros(0, np.int64)
        if len(indices) and (indices.min() < 0 or indices.max() >= found.size):
            raise wrong("a sparse tensor with an index outside")
        found[indices] = values
        return found.reshape(shape)

    def _external(self, tensor: Proto, dtype: DType, shape: tuple[int, ...]) -> Array:
        given = {entry.key: entry.value for entry in tensor.external_data}
        name, needed = given.get("location", ""), prod(shape) * dtype.size
        data = self._file(tensor.name, name)
        offset = self._number(tensor.name, given.get("offset", "0"), "offset")
        length = self._number(tensor.name, given.get("length") or str(needed), "length")
        if length != needed:
            raise bad_data(self.path, tensor.name, f"is {length} bytes, {dtype}{list(shape)} needs {needed}")
        if offset + length > len(data):
            end = offset + length
            raise bad_data(self.path, tensor.name, f"ends at byte {end} of {short(name)!r}, which has {len(data)}")
        return _booleans(data[offset : offset + length].view(dtype.numpy()).reshape(shape), dtype)

    def _number(self, tensor: str, text: str, what: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) < 20):
            raise bad_data(self.path, tensor, f"has the {what} {short(text)!r}")
        return int(text)

    def _file(self, tensor: str, name: str) -> Array:
        """The bytes of a file, mapped; FST0807 for one that the model may not read."""
        import numpy as np

        if name not in self._files:
            parts = PurePosixPath(name)
            outside = parts.is_absolute() or ".." in parts.parts or "\0" in name or "\\" in name
            if not name or outside or os.path.splitdrive(name)[0]:
                raise bad_data(self.path, tensor, f"lies at {short(name)!r}, outside the model's folder")
            place = self.path.parent / parts
            try:
                real = Path(os.path.realpath(place))
                if not real.is_relative_to(os.path.realpath(self.path.parent)):
                    raise bad_data(self.path, tensor, f"is behind {short(name)!r}, a link that leads out of the folder")
                if not real.is_file():
                    raise bad_data(self.path, tensor, f"should be in {short(name)!r}, which is no file")
                size = real.stat().st_size
                self._files[name] = np.memmap(real, np.uint8, "r") if size else np.zeros(0, np.uint8)
            except (OSError, ValueError) as error:
                raise bad_data(self.path, tensor, f"in {short(name)!r} cannot be read: {error}") from None
        return self._files[name]


def _booleans(found: Array, dtype: DType) -> Array:
    """Bytes other than 0 and 1 are no bool that NumPy can work with."""
    return found.view("uint8") != 0 if dtype == BOOL else found
