"""Torch's element types and promotion, in fstc's types.

Example: ``promoted([(I64, 2), (F32, 0), 2.5])`` is f32. Operands are (element type, rank) or Python numbers; a tensor
with dimensions outranks one without, which outranks a number, within and across bool, integer and float.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from fstc.frontends.artefact import Unsupported
from fstc.ir.types import BOOL, DTYPES, F32, I64, DType

_NAMES = {
    "float64": "f64", "float32": "f32", "float16": "f16", "bfloat16": "bf16", "float8_e4m3fn": "f8e4m3fn",
    "float8_e5m2": "f8e5m2", "int8": "i8", "int16": "i16", "int32": "i32", "int64": "i64", "uint8": "u8",
    "uint16": "u16", "uint32": "u32", "uint64": "u64", "bool": "bool",
}  # fmt: skip
_TORCH = {ours: theirs for theirs, ours in _NAMES.items()}

Operand = tuple[DType, int] | bool | int | float


@cache
def dtype_from_torch(dtype: Any) -> DType:
    name = _NAMES.get(str(dtype).removeprefix("torch."))
    if name is None:
        raise Unsupported(f"element type {str(dtype).removeprefix('torch.')}")
    return DTYPES[name]


def dtype_to_torch(dtype: DType) -> Any:
    import torch

    return getattr(torch, _TORCH[dtype.name])


def category(dtype: DType) -> int:
    """bool, integer, float."""
    return 0 if dtype == BOOL else 2 if dtype.is_float else 1


def promoted(operands: Sequence[Operand], default: DType = F32) -> DType:
    """The type that torch computes in; ``default``: what a Python float gives beside integers."""
    ranked: list[DType | None] = [None, None, None]  # tensors with dimensions, without, numbers
    for operand in operands:
        place, dtype = _placed(operand, default)
        before = ranked[place]
        ranked[place] = dtype if before is None else _joined(before, dtype)
    found: DType | None = None
    for one in ranked:
        if one is not None and (found is None or category(one) > category(found)):
            found = one
    assert found is not None, "a promotion of nothing"
    return found


def _placed(operand: Operand, default: DType) -> tuple[int, DType]:
    if isinstance(operand, tuple):
        return (0 if operand[1] else 1), operand[0]
    return 2, BOOL if isinstance(operand, bool) else I64 if isinstance(operand, int) else default


@cache
def _joined(x: DType, y: DType) -> DType:
    import torch

    return dtype_from_torch(torch.promote_types(dtype_to_torch(x), dtype_to_torch(y)))
