"""Element types, shapes and tensor types.

Example: ``TensorType(F32, (32, 128))`` prints as ``f32[32,128]``. NumPy is reached only
through :meth:`DType.numpy`, so that planning never imports it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

Shape = tuple[int, ...]


@dataclass(frozen=True)
class DType:
    """An element type.

    ``storage`` is the C++ type in memory, ``compute`` the C++ type of a value in a register:
    16- and 8-bit floats are held as ``float`` that was rounded to the storage type where the
    value is defined (policy ``strict``).
    """

    name: str
    size: int  # bytes
    kind: str  # f float, i signed, u unsigned, b boolean
    storage: str
    compute: str
    numpy_name: str

    def numpy(self) -> Any:
        """The numpy dtype (ml_dtypes for bf16 and the 8-bit floats)."""
        import numpy as np

        if self.name in ("bf16", "f8e4m3fn", "f8e5m2"):
            import ml_dtypes

            return np.dtype(getattr(ml_dtypes, self.numpy_name))
        return np.dtype(self.numpy_name)

    @property
    def is_float(self) -> bool:
        return self.kind == "f"

    @property
    def is_integer(self) -> bool:
        return self.kind in "iu"

    def __str__(self) -> str:
        return self.name


F64 = DType("f64", 8, "f", "double", "double", "float64")
F32 = DType("f32", 4, "f", "float", "float", "float32")
F16 = DType("f16", 2, "f", "fst::f16", "float", "float16")
BF16 = DType("bf16", 2, "f", "fst::bf16", "float", "bfloat16")
F8E4M3FN = DType("f8e4m3fn", 1, "f", "fst::f8e4m3fn", "float", "float8_e4m3fn")
F8E5M2 = DType("f8e5m2", 1, "f", "fst::f8e5m2", "float", "float8_e5m2")
I8 = DType("i8", 1, "i", "fst::i8", "fst::i8", "int8")
I16 = DType("i16", 2, "i", "fst::i16", "fst::i16", "int16")
I32 = DType("i32", 4, "i", "fst::i32", "fst::i32", "int32")
I64 = DType("i64", 8, "i", "fst::i64", "fst::i64", "int64")
U8 = DType("u8", 1, "u", "fst::u8", "fst::u8", "uint8")
U16 = DType("u16", 2, "u", "fst::u16", "fst::u16", "uint16")
U32 = DType("u32", 4, "u", "fst::u32", "fst::u32", "uint32")
U64 = DType("u64", 8, "u", "fst::u64", "fst::u64", "uint64")
BOOL = DType("bool", 1, "b", "bool", "bool", "bool")

DTYPES: dict[str, DType] = {
    d.name: d for d in (F64, F32, F16, BF16, F8E4M3FN, F8E5M2, I8, I16, I32, I64, U8, U16, U32, U64, BOOL)
}


@dataclass(frozen=True)
class TensorType:
    """A dtype and a static shape, for example ``f32[32,128]``; ``f32[]`` is a scalar."""

    dtype: DType
    shape: Shape

    @property
    def rank(self) -> int:
        return len(self.shape)

    @cached_property
    def elements(self) -> int:
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        return self.elements * self.dtype.size

    def __str__(self) -> str:
        return f"{self.dtype}[{','.join(map(str, self.shape))}]"
