"""Layout references against loops over the definition, element by element."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from structured import FLOATS, INTEGERS, apply, same, sample, types_of

RNG = np.random.default_rng(0)
X = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
ALL = (*FLOATS, *INTEGERS, "bool")


def by_index(shape: tuple[int, ...], dtype: Any, element: Any) -> Any:
    out = np.zeros(shape, dtype)
    for i in np.ndindex(*shape):
        out[i] = element(i)
    return out


def test_broadcast_repeats_unit_and_new_dimensions() -> None:
    x = np.arange(3, dtype=np.float32).reshape(1, 3)
    got = apply("broadcast_in_dim", x, result="f32[4,3,2]", dims=(2, 1))
    same(got, by_index((4, 3, 2), np.float32, lambda i: x[0, i[1]]))


def test_broadcast_places_dimensions_in_any_order() -> None:
    x = sample(RNG, "f32", (2, 3))
    same(apply("broadcast_in_dim", x, result="f32[3,5,2]", dims=(2, 0)), np.stack([x.T] * 5, axis=1))


def test_broadcast_of_a_scalar() -> None:
    same(apply("broadcast_in_dim", np.float32(7), result="f32[2,0,3]", dims=()), np.full((2, 0, 3), 7, np.float32))
    same(apply("broadcast_in_dim", np.float32(7), result="f32[]", dims=()), np.float32(7))


@pytest.mark.parametrize("dtype", ALL)
def test_every_dtype_moves(dtype: str) -> None:
    x = sample(RNG, dtype, (2, 3))
    same(apply("transpose", x, permutation=(1, 0)), x.T.copy())
    same(apply("reshape", x, result=f"{dtype}[3,2]"), x.reshape(3, 2))
    same(apply("reverse", x, dimensions=(1,)), x[:, ::-1].copy())
    same(apply("concatenate", x, x, dimension=0), np.concatenate([x, x]))
    same(apply("pad", x, x[0, 0], low=(1, 0), high=(0, -1))[1:], x[:, :2])


def test_rank_8() -> None:
    x = np.arange(2**8, dtype=np.int32).reshape([2] * 8)
    order = (7, 0, 3, 1, 5, 2, 6, 4)
    want = by_index(x.shape, np.int32, lambda i: x[tuple(i[order.index(d)] for d in range(8))])
    same(apply("transpose", x, permutation=order), want)
    same(apply("slice", x, start=(1,) * 8, limit=(2,) * 8), x[(slice(1, 2),) * 8])


def test_transpose_of_nothing() -> None:
    same(apply("transpose", np.float32(3), permutation=()), np.float32(3))
    same(apply("transpose", X[:0], permutation=(2, 0, 1)), np.zeros((4, 0, 3), np.float32))


@pytest.mark.parametrize("start, limit, strides", [
    ((0, 0, 0), (2, 3, 4), ()), ((1, 0, 1), (2, 3, 4), (1, 2, 2)),
    ((0, 3, 0), (2, 3, 4), ()), ((0, 0, 0), (2, 3, 4), (5, 5, 5)),
])  # fmt: skip
def test_slice(start: Any, limit: Any, strides: Any) -> None:
    steps = strides or (1, 1, 1)
    want = X[tuple(slice(a, b, s) for a, b, s in zip(start, limit, steps, strict=True))]
    same(apply("slice", X, start=start, limit=limit, strides=strides), want)


def test_pad_against_positions() -> None:
    checked = 0
    for extent, gap, low, high in product(range(4), range(3), range(-4, 3), range(-4, 3)):
        size = low + max(extent + (extent - 1) * gap, 0) + high
        if size < 0:
            continue
        x = np.arange(1, extent + 1, dtype=np.int32)
        want = np.full(size, 99, np.int32)
        for k in range(extent):
            if 0 <= low + k * (gap + 1) < size:
                want[low + k * (gap + 1)] = x[k]
        same(apply("pad", x, np.int32(99), low=(low,), high=(high,), interior=(gap,)), want)
        checked += 1
    assert checked > 300


def test_pad_in_two_dimensions() -> None:
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    want = np.full((4, 4), -1, np.float32)
    want[0:3:2, 1:] = x
    same(apply("pad", x, np.float32(-1), low=(0, 1), high=(1, 0), interior=(1, 0)), want)


def test_concatenate_keeps_order_and_empty_parts() -> None:
    parts = [X[:, :1], X[:, :0], X[:, 1:]]
    same(apply("concatenate", *parts, dimension=1), X)
    same(apply("concatenate", X, dimension=2), X)


@pytest.mark.parametrize("index_dtype", INTEGERS)
def test_dynamic_slice_clamps(index_dtype: str) -> None:
    scalar = np.dtype(index_dtype.replace("i", "int").replace("u", "uint")).type
    starts = [0, 1, 100] + ([-100] if index_dtype[0] == "i" else [])
    for a, b in product(starts, starts):
        i, j = min(max(a, 0), 1), min(max(b, 0), 2)
        got = apply("dynamic_slice", X[0], scalar(a), scalar(b), sizes=(2, 2))
        same(got, X[0, i : i + 2, j : j + 2])
        update = np.full((2, 2), -1, np.float32)
        want = X[0].copy()
        want[i : i + 2, j : j + 2] = -1
        same(apply("dynamic_update_slice", X[0], update, scalar(a), scalar(b)), want)


def test_dynamic_slice_of_extreme_indices() -> None:
    x = np.arange(5, dtype=np.int16)
    same(apply("dynamic_slice", x, np.uint64(2**64 - 1), sizes=(2,)), x[3:])
    same(apply("dynamic_slice", x, np.int64(-(2**63)), sizes=(2,)), x[:2])
    same(apply("dynamic_slice", x, np.int32(9), sizes=(0,)), x[:0])
    same(apply("dynamic_slice", np.int16(4), sizes=()), np.int16(4))


def test_operands_are_not_written() -> None:
    x = X.copy()
    apply("dynamic_update_slice", x, np.zeros((1, 1, 1), np.float32), *[np.int32(0)] * 3)
    got = apply("slice", x, start=(0, 0, 0), limit=(2, 3, 4))
    got[...] = 0
    same(x, X)


@pytest.mark.parametrize("name, operands, result, attrs, expected", [
    ("slice", ["f32[10]"], (), {"start": (1,), "limit": (10,), "strides": (3,)}, "f32[3]"),
    ("slice", ["f32[10]"], (), {"start": (10,), "limit": (10,)}, "f32[0]"),
    ("pad", ["f32[0]", "f32[]"], (), {"low": (1,), "high": (2,), "interior": (5,)}, "f32[3]"),
    ("concatenate", ["i8[2,0]", "i8[2,3]"], (), {"dimension": 1}, "i8[2,3]"),
    ("reshape", ["f32[0,7]"], "f32[3,0]", {}, "f32[3,0]"),
    ("reshape", ["f32[]"], "f32[1,1]", {}, "f32[1,1]"),
])  # fmt: skip
def test_types(name: str, operands: Any, result: Any, attrs: Any, expected: str) -> None:
    assert types_of(name, operands, result, **attrs) == [expected]
