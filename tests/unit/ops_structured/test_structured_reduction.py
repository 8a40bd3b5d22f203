"""Reductions, running sums and windows against plain loops; NaN, signed zeros, empty extents, every dtype."""

from __future__ import annotations

from itertools import product
from math import fsum, inf, nan
from typing import Any

import numpy as np
import pytest
from structured import BY_NUMPY, FLOATS, INTEGERS, apply, binary, region, same, sample

from fstc.ir.ops.monoid import body_monoid, identity
from fstc.ir.types import DTYPES

RNG = np.random.default_rng(0)
NUMERIC = (*FLOATS, *INTEGERS)


def columns(x: Any, axes: tuple[int, ...]) -> Any:
    """[kept..., steps]: what each result element reduces, in index order."""
    kept = [d for d in range(x.ndim) if d not in axes]
    moved = x.transpose(*kept, *sorted(axes)) if x.ndim else x
    return moved.reshape([x.shape[d] for d in kept] + [-1 if x.size else 0])


@pytest.mark.parametrize("axes", [(), (0,), (1,), (2, 0), (0, 1, 2)])
@pytest.mark.parametrize("dtype", NUMERIC)
def test_sum_and_product(dtype: str, axes: tuple[int, ...]) -> None:
    x = sample(RNG, dtype, (2, 3, 2))
    rows = columns(x, axes)
    for op, neutral in (("reduce_sum", 0), ("reduce_prod", 1)):
        got = apply(op, x, axes=axes)
        for i in np.ndindex(*got.shape):
            values = [v.item() if dtype[0] in "iu" else float(v) for v in rows[i]]
            if dtype[0] in "iu":
                total = sum(values) if neutral == 0 else int(np.prod(np.array(values, object)))
                assert int(got[i]) == int(np.array([total % 2**64], np.uint64).astype(got.dtype)[0])
            elif neutral == 0:
                want = np.array([fsum(values)]).astype(got.dtype)[0]
                assert abs(float(got[i]) - float(want)) <= 1e-15 * abs(float(want)) or got[i] == want
            else:
                want = 1.0
                for v in values:
                    want *= v
                assert float(got[i]) == pytest.approx(float(np.array([want]).astype(got.dtype)[0]), rel=1e-14)


@pytest.mark.parametrize("dtype", (*NUMERIC, "bool"))
def test_max_and_min(dtype: str) -> None:
    x = sample(RNG, dtype, (3, 4))
    for op, pick in (("reduce_max", max), ("reduce_min", min)):
        got = apply(op, x, axes=(1,))
        same(got, np.array([pick(row.tolist()) for row in x.astype(np.float64)]).astype(x.dtype))


def test_max_and_min_of_nan_and_zeros() -> None:
    x = np.array([[0.0, -0.0], [-0.0, 0.0], [-0.0, -0.0], [nan, inf], [1, nan], [-inf, -0.0]], np.float32)
    same(apply("reduce_max", x, axes=(1,)), np.array([0.0, 0.0, -0.0, nan, nan, -0.0], np.float32))
    same(apply("reduce_min", x, axes=(1,)), np.array([-0.0, -0.0, -0.0, nan, nan, -inf], np.float32))


def test_sums_accumulate_wide_and_never_give_minus_zero() -> None:
    x = np.full(4096, 1.0, np.float16)
    x[0] = 2048
    assert float(apply("reduce_sum", x, axes=(0,))) == 6144  # in f16 it would stay at 2048
    assert not np.signbit(apply("reduce_sum", np.array([-0.0], np.float32), axes=(0,)))
    assert not np.signbit(apply("cumsum", np.array([-0.0], np.float32), axis=0)[0])
    assert float(apply("reduce_sum", np.array([6e4, 6e4, -6e4], np.float16), axes=(0,))) == pytest.approx(6e4, rel=1e-3)


@pytest.mark.parametrize("dtype", (*NUMERIC, "bool"))
def test_nothing_reduces_to_the_identity(dtype: str) -> None:
    x = np.zeros((2, 0), DTYPES[dtype].numpy())
    ops = {"reduce_max": "max", "reduce_min": "min"}
    if dtype != "bool":
        ops |= {"reduce_sum": "add", "reduce_prod": "mul"}
    if dtype[0] in "biu" and dtype != "bf16":
        ops |= {"reduce_and": "and", "reduce_or": "or"}
    for op, monoid in ops.items():
        same(apply(op, x, axes=(1,)), np.full(2, identity(monoid, DTYPES[dtype]), x.dtype))
    values, where = apply("argmax", x, axis=1)
    same(values, np.full(2, identity("max", DTYPES[dtype]), x.dtype))
    same(where, np.zeros(2, np.int32))
    assert apply("reduce_max", x, axes=(0,)).shape == (0,)


def test_identities_are_neutral() -> None:
    for dtype, monoid in product((*NUMERIC, "bool"), ("max", "min", "and", "or", "add", "mul")):
        d = DTYPES[dtype]
        if (monoid in ("and", "or") and d.is_float) or (monoid in ("add", "mul") and dtype == "bool"):
            continue
        x = sample(RNG, dtype, (5,))
        start = np.full(5, identity(monoid, d), x.dtype)
        name = {"max": "max", "min": "min", "and": "and", "or": "or", "add": "add", "mul": "mul"}[monoid]
        got = apply(name, start, x)
        np.testing.assert_array_equal(got.astype(np.float64), x.astype(np.float64))


def test_logic() -> None:
    x = np.array([[6, 3], [5, 5]], np.int8)
    same(apply("reduce_and", x, axes=(1,)), np.array([2, 5], np.int8))
    same(apply("reduce_or", x, axes=(1,)), np.array([7, 5], np.int8))
    flags = np.array([[True, False], [True, True]])
    same(apply("reduce_and", flags, axes=(0, 1)), np.array(False))
    same(apply("reduce_or", flags, axes=()), flags)


@pytest.mark.parametrize("dtype", (*NUMERIC, "bool"))
@pytest.mark.parametrize("op", ["argmax", "argmin"])
def test_arg_takes_the_lowest_index(op: str, dtype: str) -> None:
    x = sample(RNG, dtype, (4, 6, 2))
    values, where = apply(op, x, axis=1)
    for i, k in product(range(4), range(2)):
        row = x[i, :, k].astype(np.float64).tolist()
        best = row.index((max if op == "argmax" else min)(row))
        assert where[i, k] == best and values[i, k] == x[i, best, k]


def test_arg_of_nan_and_zeros() -> None:
    x = np.array([[1, nan, inf, nan], [-0.0, 0.0, -0.0, -1.0], [-inf, -inf, -inf, -inf]], np.float32)
    values, where = apply("argmax", x, axis=1)
    assert where.tolist() == [1, 0, 0]
    same(values, np.array([nan, -0.0, -inf], np.float32))
    assert apply("argmin", x[:, :3], axis=1)[1].tolist() == [1, 0, 0]


def test_rank_8_and_0() -> None:
    x = np.arange(2**8, dtype=np.int64).reshape([2] * 8)
    assert apply("reduce_sum", x, axes=tuple(range(8))) == x.sum()
    same(apply("reduce_sum", x, axes=(7, 2, 4)), x.sum((7, 2, 4)))
    same(apply("reduce_max", np.float32(3), axes=()), np.float32(3))


@pytest.mark.parametrize("dtype", NUMERIC)
@pytest.mark.parametrize("reverse", [False, True])
def test_cumsum(dtype: str, reverse: bool) -> None:
    x = sample(RNG, dtype, (2, 5))
    got = apply("cumsum", x, axis=1, reverse=reverse)
    for i, j in np.ndindex(2, 5):
        part = x[i, j:][::-1] if reverse else x[i, : j + 1]
        same(got[i, j], apply("reduce_sum", part, axes=(0,)))


def test_general_reduce_folds_from_the_left() -> None:
    x = sample(RNG, "i32", (3, 2, 2))
    body = region("(%a: i32[], %b: i32[]) -> (i32[]) { %c = sub %b, %a : i32[] return %c }")
    got = apply("reduce", x, np.int32(5), body=body, axes=(2, 0))
    for j in range(2):
        state = 5
        for i, k in product(range(3), range(2)):
            state = int(x[i, j, k]) - state
        assert got[j] == state


def test_general_reduce_of_two_tensors() -> None:
    """argmax as StableHLO writes it."""
    body = region("""(%v: f32[], %i: i32[], %w: f32[], %j: i32[]) -> (f32[], i32[]) {
        %more = compare %w, %v {direction = GT} : bool[]
        %a = select %more, %w, %v : f32[]
        %b = select %more, %j, %i : i32[]
        return %a, %b }""")
    x = sample(RNG, "f32", (4, 7))
    index = np.broadcast_to(np.arange(7, dtype=np.int32), (4, 7))
    values, where = apply("reduce", x, index, np.float32(-inf), np.int32(0), body=body, axes=(1,))
    wanted = apply("argmax", x, axis=1)
    same(values, wanted[0])
    same(where, wanted[1])


def test_general_reduce_over_nothing_gives_the_initial_value() -> None:
    body = region("(%a: f32[], %b: f32[]) -> (f32[]) { %c = sub %b, %a : f32[] return %c }")
    got = apply("reduce", np.zeros((0, 3), np.float32), np.float32(4), body=body, axes=(0,))
    same(got, np.full(3, 4, np.float32))
    got = apply("reduce", np.zeros((0, 3), np.float32), np.float32(4), body=binary("max", "f32"), axes=(0,))
    same(got, np.full(3, 4, np.float32))


def test_general_reduce_with_a_constant_body() -> None:
    body = region("(%a: f32[], %b: f32[]) -> (f32[]) { %c = constant {value = 2.5} : f32[] return %c }")
    same(apply("reduce", np.ones((3, 4), np.float32), np.float32(0), body=body, axes=(1,)), np.full(3, 2.5, np.float32))


def test_bodies_that_are_a_combiner() -> None:
    assert body_monoid(binary("add", "f32")) == "add"
    assert body_monoid(region("(%a: f32[], %b: f32[]) -> (f32[]) { %c = max %b, %a : f32[] return %c }")) == "max"
    assert body_monoid(region("(%a: f32[], %b: f32[]) -> (f32[]) { %c = add %a, %a : f32[] return %c }")) is None
    assert body_monoid(region("(%a: f32[], %b: f32[]) -> (f32[]) { %c = sub %a, %b : f32[] return %c }")) is None
    assert body_monoid(region("(%a: f32[], %b: f32[]) -> (f32[]) { return %b }")) is None


def window_case(rng: np.random.Generator) -> dict[str, Any]:
    rank = int(rng.integers(1, 4))
    draw = lambda low, high: tuple(int(n) for n in rng.integers(low, high, rank))  # noqa: E731
    return {
        "shape": draw(0, 6),
        "window_dimensions": draw(1, 4),
        "window_strides": draw(1, 3),
        "base_dilations": draw(1, 3),
        "window_dilations": draw(1, 3),
        "padding": tuple(zip(draw(-1, 3), draw(-1, 3), strict=True)),
    }


def window_loop(x: Any, case: dict[str, Any], start: Any, step: Any) -> Any:
    """The definition: an element of the dilated, padded operand is there or it is ``start``."""
    out = []
    for n, w, s, b, d, (low, high) in zip(*(case[k] for k in case), strict=True):
        size = low + (max((n - 1) * b + 1, 0)) + high
        reach = (w - 1) * d + 1
        out.append(0 if size < reach else (size - reach) // s + 1)
    result = np.zeros(out, object)
    for i in np.ndindex(*out):
        state = start
        for k in np.ndindex(*case["window_dimensions"]):
            at = [i[d] * case["window_strides"][d] + k[d] * case["window_dilations"][d] - case["padding"][d][0]
                  for d in range(x.ndim)]  # fmt: skip
            inside = all(
                p % b == 0 and 0 <= p // b < n for p, b, n in zip(at, case["base_dilations"], x.shape, strict=True)
            )
            value = (
                x[tuple(p // b for p, b in zip(at, case["base_dilations"], strict=True))].item() if inside else start
            )
            state = step(state, value)
        result[i] = state
    return result.astype(x.dtype)


@pytest.mark.parametrize("seed", range(60))
def test_windows(seed: int) -> None:
    rng = np.random.default_rng(seed)
    case = window_case(rng)
    x = sample(rng, "i32", case["shape"])
    attrs = {k: v for k, v in case.items() if k != "shape"}
    same(apply("window_sum", x, **attrs), window_loop(x, case, 0, lambda a, b: a + b))
    same(apply("window_max", x, **attrs), window_loop(x, case, -(2**31), max))
    same(apply("window_min", x, **attrs), window_loop(x, case, 2**31 - 1, min))
    body = region("(%a: i32[], %b: i32[]) -> (i32[]) { %c = sub %b, %a : i32[] return %c }")
    got = apply("reduce_window", x, np.int32(3), body=body, **attrs)
    same(got, window_loop(x, case, 3, lambda a, b: b - a))
    got = apply("reduce_window", x, np.int32(3), body=binary("add", "i32"), **attrs)
    same(got, window_loop(x, case, 3, lambda a, b: a + b))


@pytest.mark.parametrize("dtype", NUMERIC)
def test_window_that_covers_a_row_is_a_reduction(dtype: str) -> None:
    x = sample(RNG, dtype, (3, 4))
    for window, reduce in (("window_sum", "reduce_sum"), ("window_max", "reduce_max"), ("window_min", "reduce_min")):
        same(apply(window, x, window_dimensions=(1, 4))[:, 0], apply(reduce, x, axes=(1,)))


def test_window_max_of_nan_zeros_and_padding() -> None:
    x = np.array([nan, 1, -0.0, 0.0, -5], np.float32)
    got = apply("window_max", x, window_dimensions=(2,), padding=((1, 1),))
    same(got, np.array([nan, nan, 1, 0.0, 0.0, -5], np.float32))
    got = apply("window_min", x, window_dimensions=(2,), padding=((1, 1),))
    same(got, np.array([nan, nan, -0.0, -0.0, -5, -5], np.float32))


def test_windows_of_rank_0_and_of_nothing() -> None:
    same(apply("window_sum", np.float32(3), window_dimensions=()), np.float32(3))
    assert apply("window_max", np.zeros((0, 3), np.float32), window_dimensions=(2, 2)).shape == (0, 2)


def test_reductions_of_a_large_tensor_are_quick() -> None:
    x = np.ones((4096, 1024), np.float32)
    for op in ("reduce_sum", "reduce_max"):
        for axes in ((0,), (1,)):
            assert BY_NUMPY[apply(op, x, axes=axes).dtype].name == "f32"
