"""What the docs promise of each op, in literal examples: type rules, edge values, names."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from fstc.ir.ops import ALIASES, OPS, Infer, OpError, cuda_expr, lookup
from fstc.ir.ops.elementwise import ELEMENTWISE
from fstc.ir.ops.numerics import cast
from fstc.ir.types import BF16, BOOL, DTYPES, F8E4M3FN, F8E5M2, F16, F32, F64, I8, I32, I64, U8, U32, TensorType

NAN, INF = math.nan, math.inf


def types(*texts: str) -> tuple[TensorType, ...]:
    """``types("f32[4]", "bool[]")``"""
    found = []
    for text in texts:
        name, extents = text.rstrip("]").split("[")
        found.append(TensorType(DTYPES[name], tuple(map(int, extents.split(","))) if extents else ()))
    return tuple(found)


def infer(name: str, *operands: str, result: str = "", **attrs: Any) -> tuple[TensorType, ...]:
    return OPS[name].infer(Infer(types(*operands), attrs, (), types(result) if result else ()))


def apply(name: str, dtype: Any, *values: Sequence[Any], to: Any = None, **attrs: Any) -> list[Any]:
    with np.errstate(all="ignore"):
        arrays = [np.array(v).astype(dtype.numpy()) for v in values]
    operands = tuple(TensorType(dtype, a.shape) for a in arrays)
    declared = (TensorType(to or dtype, arrays[0].shape),)
    (out,) = OPS[name].reference(arrays, Infer(operands, attrs, (), declared))
    assert out.dtype == (to.numpy() if to else out.dtype)
    return out.astype(np.float64).tolist() if dtype.is_float and out.dtype.kind not in "iub" else out.tolist()


def same(got: list[Any], want: list[Any]) -> bool:
    """Equal, zeros by sign and NaN by being one."""
    return list(map(str, got)) == list(map(str, want))


EXAMPLES = [
    ("add", I8, ([127], [1]), [-128]),
    ("add", BOOL, ([False, False, True], [False, True, True]), [False, True, True]),
    ("mul", U8, ([200], [200]), [64]),
    ("div", I32, ([7, -7, 5, 0, -(2**31)], [2, 2, 0, 0, -1]), [3, -3, -1, -1, -(2**31)]),
    ("div", U8, ([7, 9], [2, 0]), [3, 255]),
    ("div", F32, ([1.0, -1.0, 0.0], [0.0, 0.0, 0.0]), [INF, -INF, NAN]),
    ("rem", I32, ([7, -7, 5, -(2**31)], [-3, 3, 0, -1]), [1, -1, 5, 0]),
    ("rem", F32, ([5.5, -5.5, 1.0], [2.0, 2.0, 0.0]), [1.5, -1.5, NAN]),
    ("max", F32, ([NAN, 1.0, -0.0, 0.0, -0.0], [1.0, NAN, 0.0, -0.0, -0.0]), [NAN, NAN, 0.0, 0.0, -0.0]),
    ("min", F32, ([NAN, 1.0, -0.0, 0.0, 0.0], [1.0, NAN, 0.0, -0.0, 0.0]), [NAN, NAN, -0.0, -0.0, 0.0]),
    ("pow", I32, ([2, 2, 1, -1, -1, 0, 3], [10, -1, -5, -5, -4, 0, 21]), [1024, 0, 1, -1, 1, 1, 3**21 % 2**32]),
    ("pow", F32, ([NAN, 1.0, -2.0, 0.0, -8.0], [0.0, NAN, 3.0, -1.0, 0.5]), [1.0, 1.0, -8.0, INF, NAN]),
    ("abs", I8, ([-128, -1],), [-128, 1]),
    ("neg", I8, ([-128, 5],), [-128, -5]),
    ("neg", U8, ([1],), [255]),
    ("sign", F32, ([-3.0, -0.0, 0.0, NAN],), [-1.0, -0.0, 0.0, NAN]),
    ("round_nearest_even", F32, ([0.5, 1.5, -2.5, -0.2],), [0.0, 2.0, -2.0, -0.0]),
    ("round_nearest_afz", F32, ([0.5, 1.5, -2.5, 0.49999997],), [1.0, 2.0, -3.0, 0.0]),
    ("clamp", F32, ([0.0, 0.0, NAN], [NAN, -1.0, 1.0], [1.0, 1.0, 1.0]), [NAN, 0.0, NAN]),
    ("clamp", I32, ([5], [0], [3]), [3]),  # the upper bound has the last word
    ("rsqrt", F32, ([0.0, -0.0, 4.0, -1.0],), [INF, -INF, 0.5, NAN]),
    ("sqrt", F32, ([-0.0, -1.0],), [-0.0, NAN]),
    ("logistic", F64, ([-INF, INF, 0.0],), [0.0, 1.0, 0.5]),
    ("cbrt", F64, ([-27.0],), [-3.0]),
    ("not", BOOL, ([True, False],), [False, True]),
    ("shift_left", I8, ([1, 1, 1, -1], [7, 8, -1, 1]), [-128, 0, 0, -2]),
    ("shift_right_arithmetic", I8, ([-128, -128, 127, -1], [7, 9, 100, -3]), [-1, -1, 0, -1]),
    ("shift_right_arithmetic", U8, ([128, 128], [1, 8]), [192, 255]),
    ("shift_right_logical", I8, ([-128, -128], [7, 8]), [1, 0]),
    ("popcnt", I8, ([-1, 5],), [8, 2]),
    ("clz", I32, ([0, 1, -1],), [32, 31, 0]),
    ("is_finite", F32, ([1.0, INF, NAN],), [True, False, False]),
]


@pytest.mark.parametrize(("name", "dtype", "operands", "want"), EXAMPLES, ids=[f"{e[0]}_{e[1]}" for e in EXAMPLES])
def test_examples(name: str, dtype: Any, operands: tuple[list[Any], ...], want: list[Any]) -> None:
    assert same(apply(name, dtype, *operands), want)


def test_compare_with_nan() -> None:
    x, y = [1.0, NAN, -0.0, 2.0], [2.0, NAN, 0.0, 1.0]
    want = {
        "EQ": [False, False, True, False],
        "NE": [True, True, False, True],
        "LT": [True, False, False, False],
        "LE": [True, False, True, False],
        "GT": [False, False, False, True],
        "GE": [False, False, True, True],
    }
    assert {d: apply("compare", F16, x, y, to=BOOL, direction=d) for d in want} == want


@pytest.mark.parametrize(
    ("source", "target", "values", "want"),
    [
        (F32, I8, [1.9, -1.9, 300.0, -300.0, NAN, INF], [1, -1, 127, -128, 0, 127]),
        (F32, U8, [-0.5, -5.0, 255.9], [0, 0, 255]),
        (F64, I64, [9.3e18, -9.3e18, 2.0**62], [2**63 - 1, -(2**63), 2**62]),
        (I32, U8, [-1, 256, 511], [255, 0, 255]),
        (F32, BOOL, [0.0, -0.0, 0.1, NAN], [False, False, True, True]),
        (BOOL, F32, [False, True], [0.0, 1.0]),
        (F32, F8E4M3FN, [448.0, 464.0, 465.0, INF], [448.0, 448.0, NAN, NAN]),
        (F32, F8E5M2, [57344.0, 61439.0, 61440.0, -INF], [57344.0, 57344.0, INF, -INF]),
    ],
    ids=str,
)
def test_convert(source: Any, target: Any, values: list[Any], want: list[Any]) -> None:
    with np.errstate(all="ignore"):
        got = cast(np.array(values).astype(source.numpy()), target)
    assert same(got.astype(np.float64).tolist() if target.is_float else got.tolist(), want)


def test_convert_rounds_once() -> None:
    just_above_a_tie = 1 + 2.0**-8 + 2.0**-40  # as f32 it is the tie itself
    assert apply("convert", F64, [just_above_a_tie], to=BF16) == [1 + 2.0**-7]


def test_bitcast_of_nan_is_canonical() -> None:
    assert apply("bitcast_convert", F32, [1.0, -NAN], to=U32) == [0x3F800000, 0x7FFFFFFF]
    assert apply("bitcast_convert", I32, [0x3F800000], to=F32) == [1.0]


def test_reduce_precision() -> None:
    values = [1.0009765625, 1e30, -1e30, 1e-7, -1e-7, NAN]
    got = apply("reduce_precision", F32, values, exponent_bits=5, mantissa_bits=4)
    assert same(got, [1.0, INF, -INF, 0.0, -0.0, NAN])


def test_scalars_where_stablehlo_allows_them() -> None:
    assert infer("select", "bool[]", "f32[2,3]", "f32[2,3]") == types("f32[2,3]")
    assert infer("clamp", "f32[]", "f32[2,3]", "f32[2,3]") == types("f32[2,3]")
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    given = Infer(types("bool[]", "f32[2,3]", "f32[2,3]"), {}, (), ())
    (out,) = OPS["select"].reference([np.array(True), x, -x], given)
    np.testing.assert_array_equal(out, x)


REFUSED = [
    (("add", "f32[4]", "bf16[4]"), {}, 1, "bf16[4] against f32[4] of operand 0", "convert one side"),
    (("add", "f32[4]", "f32[1]"), {}, 1, "f32[1] against f32[4] of operand 0", "broadcast_in_dim"),
    (("exp", "i32[4]"), {}, 0, "operand 0 is i32[4], expected float", "f32"),
    (("and", "f32[4]", "f32[4]"), {}, 0, "operand 0 is f32[4], expected signed or unsigned or bool", "convert"),
    (("select", "f32[4]", "f32[4]", "f32[4]"), {}, 0, "operand 0 is f32[4], expected bool", "convert"),
    (("select", "bool[1]", "f32[4]", "f32[4]"), {}, 0, "bool[1] against f32[4] of operand 1", "scalar"),
    (("clamp", "f32[]", "f32[4]", "f16[]"), {}, 2, "f16[] against f32[4] of operand 1", "convert one side"),
    (("reduce_precision", "f8e5m2[4]"), {"exponent_bits": 4, "mantissa_bits": 1}, 0, "f8e5m2[4]", "convert"),
]


@pytest.mark.parametrize(("call", "attrs", "operand", "message", "help"), REFUSED, ids=[r[0][0] for r in REFUSED])
def test_type_errors(call: tuple[str, ...], attrs: dict[str, Any], operand: int, message: str, help: str) -> None:
    with pytest.raises(OpError) as caught:
        infer(*call, **attrs)
    assert caught.value.operand == operand and message in caught.value.message and help in caught.value.help


def test_widths_of_a_bitcast() -> None:
    with pytest.raises(OpError, match=r"f32\[4\] has 32 bits an element, i16 has 16"):
        infer("bitcast_convert", "f32[4]", result="i16[4]")
    with pytest.raises(OpError, match="bool"):
        infer("bitcast_convert", "u8[4]", result="bool[4]")
    with pytest.raises(OpError) as caught:
        infer("reduce_precision", "f32[4]", exponent_bits=0, mantissa_bits=3)
    assert caught.value.attr == "exponent_bits"


def test_stablehlo_names_lead_to_the_entries() -> None:
    names = {"subtract": "sub", "exponential_minus_one": "expm1", "log_plus_one": "log1p", "remainder": "rem"}
    assert all(lookup(long) is OPS[short] for long, short in names.items())
    assert lookup("add") is OPS["add"] and lookup("adding") is None
    assert set(ALIASES.values()) <= OPS.keys() and not ALIASES.keys() & OPS.keys()


@pytest.mark.parametrize("op", ELEMENTWISE, ids=lambda op: op.name)
def test_entries_are_complete(op: Any) -> None:
    assert op.doc.endswith(".") and op.cuda is not None and op.dtypes
    assert not op.domain or (len(op.domain) == op.arity[0] and all(low <= high for low, high in op.domain))


def test_negative_literals_do_not_run_together() -> None:
    assert cuda_expr(OPS["neg"], (F32,), F32, {}, ("-1.0f",)) == "-(-1.0f)"
    assert cuda_expr(OPS["sub"], (F32, F32), F32, {}, ("v1", "v2")) == "v1 - v2"
    assert cuda_expr(OPS["convert"], (F32,), I64, {}, ("v1",)) == "fst::convert<fst::i64>(v1)"
