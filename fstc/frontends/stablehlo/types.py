"""MLIR's types as fstc's, or the reason why there is none.

Example: ``decoded_type(ir.Type.parse("tensor<2x?xbf16>"))`` is ``TensorType(BF16, (2, -1))``; -1 is an extent that the
type does not say.
"""

from __future__ import annotations

from typing import Any

from fstc.frontends.stablehlo.program import DYNAMIC, Foreign, TupleOf, Type
from fstc.ir.types import DTYPES, DType, TensorType

ELEMENTS = {
    **{name: DTYPES[name] for name in ("f64", "f32", "f16", "bf16", "i8", "i16", "i32", "i64")},
    **{f"ui{n}": DTYPES[f"u{n}"] for n in (8, 16, 32, 64)},
    "i1": DTYPES["bool"],
    "f8E4M3FN": DTYPES["f8e4m3fn"],
    "f8E5M2": DTYPES["f8e5m2"],
}
MOST_EXTENT = 2**63 - 1
DEEPEST = 16


def element(text: str) -> DType | str:
    """The element type, or why fstc has none."""
    found = ELEMENTS.get(text)
    if found is not None:
        return found
    if text.startswith("complex"):
        return "complex numbers: fstc has none"
    if "quant" in text:
        return "quantised types: fstc computes with the integers, write quantisation as arithmetic"
    if text in ("i2", "i4", "ui2", "ui4"):
        return f"{text}: integers of fewer than 8 bits are not supported"
    if text.startswith(("f4", "f6", "f8", "tf32")):
        return f"{text}: of the short floats only f8E4M3FN and f8E5M2 are supported"
    return f"{text}: not an element type of fstc"


def decoded_type(type: Any, depth: int = 0) -> Type:
    from jaxlib.mlir import ir

    if isinstance(type, ir.TupleType) and depth < DEEPEST:
        return TupleOf(tuple(decoded_type(type.get_type(i), depth + 1) for i in range(type.num_types)))
    text = str(type)
    if not isinstance(type, ir.RankedTensorType):
        token = text == "!stablehlo.token"
        return Foreign(text, "a token orders side effects" if token else f"{text[:80]} is no tensor of a known rank")
    dtype = element(str(type.element_type))
    if isinstance(dtype, str):
        return Foreign(text, dtype)
    if type.encoding is not None and "bounds" in str(type.encoding):
        return Foreign(text, "bounded dynamic extents are not supported: export with static shapes")
    if type.rank > 8:
        return Foreign(text, f"rank {type.rank}: at most 8 is supported")
    return TensorType(
        dtype, tuple(DYNAMIC if type.is_dynamic_dim(d) else type.get_dim_size(d) for d in range(type.rank))
    )


def is_static(type: TensorType) -> bool:
    return DYNAMIC not in type.shape
