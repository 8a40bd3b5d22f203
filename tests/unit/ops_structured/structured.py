"""One op on arrays, through its type rule and its reference; and a body from text.

Example: ``apply("transpose", x, permutation=(1, 0))`` checks that the reference keeps the rule's types.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from fstc.ir.graph import Region
from fstc.ir.ops import OPS
from fstc.ir.ops.opdef import Infer
from fstc.ir.parser import parse_text
from fstc.ir.types import DTYPES, TensorType

FLOATS = ("f64", "f32", "f16", "bf16", "f8e4m3fn", "f8e5m2")
INTEGERS = ("i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64")
BY_NUMPY = {d.numpy(): d for d in DTYPES.values()}


def tensor(text: str) -> TensorType:
    """``tensor("f32[2,3]")``."""
    found = re.fullmatch(r"(\w+)\[([\d,]*)\]", text)
    assert found, text
    return TensorType(DTYPES[found[1]], tuple(map(int, filter(None, found[2].split(",")))))


def region(text: str) -> Region:
    """``region("(%a: f32[], %b: f32[]) -> (f32[]) { %c = add %a, %b : f32[] return %c }")``."""
    return Region(parse_text(f"func @body{text}"))


def binary(op: str, dtype: str) -> Region:
    """A body that is one op of its two parameters."""
    return region(f"(%a: {dtype}[], %b: {dtype}[]) -> ({dtype}[]) {{ %c = {op} %a, %b : {dtype}[] return %c }}")


def infer_of(name: str, operands: Any, result: Any = (), body: Region | None = None, **attrs: Any) -> Infer:
    """The arguments of a type rule, types as text or TensorType, defaults filled in."""
    types = tuple(tensor(t) if isinstance(t, str) else t for t in operands)
    results = (result,) if isinstance(result, str) else result
    defaults = {a.name: a.default for a in OPS[name].attrs}
    assert not attrs.keys() - defaults.keys(), attrs
    return Infer(types, defaults | attrs, (body,) if body else (), tuple(tensor(t) for t in results))


def types_of(name: str, operands: Any, result: Any = (), body: Region | None = None, **attrs: Any) -> list[str]:
    return [str(t) for t in OPS[name].infer(infer_of(name, operands, result, body, **attrs))]


def apply(name: str, *arrays: Any, result: Any = (), body: Region | None = None, **attrs: Any) -> Any:
    """The result, or a tuple of several, checked against the types that the rule gives."""
    arrays = tuple(np.asarray(a) for a in arrays)
    infer = infer_of(name, [TensorType(BY_NUMPY[a.dtype], a.shape) for a in arrays], result, body, **attrs)
    types = OPS[name].infer(infer)
    found = OPS[name].reference(arrays, Infer(infer.operands, infer.attrs, infer.regions, types))
    assert [(a.dtype, a.shape) for a in found] == [(t.dtype.numpy(), t.shape) for t in types]
    return found[0] if len(found) == 1 else found


def sample(rng: np.random.Generator, dtype: str, shape: tuple[int, ...]) -> Any:
    """Small values of any dtype."""
    kind = DTYPES[dtype].kind
    if kind == "b":
        return rng.random(shape) < 0.5
    drawn = rng.normal(size=shape) if kind == "f" else rng.integers(0 if kind == "u" else -9, 10, shape)
    return np.asarray(drawn).astype(DTYPES[dtype].numpy())


def same(got: Any, want: Any) -> None:
    """Equal bit for bit, except that any NaN equals any NaN."""
    got, want = np.asarray(got), np.asarray(want)
    assert got.dtype == want.dtype and got.shape == want.shape, (got.dtype, got.shape, want.dtype, want.shape)
    if got.dtype.kind not in "iub":
        width = f"u{got.dtype.itemsize}"
        nan = np.isnan(got.astype(np.float64)) & np.isnan(want.astype(np.float64))
        got, want = np.where(nan, 0, got.view(width)), np.where(nan, 0, want.view(width))
    np.testing.assert_array_equal(got, want)
