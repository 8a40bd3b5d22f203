"""Library calls against sums and sorts written out."""

from __future__ import annotations

from functools import cmp_to_key
from itertools import product
from math import inf, nan
from typing import Any

import numpy as np
import pytest
from structured import FLOATS, INTEGERS, apply, infer_of, region, same, sample, types_of

from fstc.ir.ops import OPS
from fstc.ir.ops.opdef import OpError

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("seed", range(40))
def test_dot_general(seed: int) -> None:
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 3, 4)
    batch, depth, rows, columns = ([int(n) for n in rng.integers(0 if rng.random() < 0.1 else 1, 4, c)] for c in counts)
    left, right = batch + depth + rows, batch + depth + columns
    lhs_order, rhs_order = rng.permutation(len(left)), rng.permutation(len(right))
    x = sample(rng, "i32", tuple(left)).transpose(lhs_order)
    y = sample(rng, "i32", tuple(right)).transpose(rhs_order)
    lhs_at, rhs_at = np.argsort(lhs_order), np.argsort(rhs_order)
    b, d = len(batch), len(batch) + len(depth)
    lhs_rows = [int(p) for p in sorted(lhs_at[d:])]
    rhs_columns = [int(p) for p in sorted(rhs_at[d:])]
    attrs = {"lhs_batch": tuple(map(int, lhs_at[:b])), "rhs_batch": tuple(map(int, rhs_at[:b])),
             "lhs_contract": tuple(map(int, lhs_at[b:d])), "rhs_contract": tuple(map(int, rhs_at[b:d]))}  # fmt: skip
    shape = (*batch, *(x.shape[p] for p in lhs_rows), *(y.shape[p] for p in rhs_columns))
    want = np.zeros(shape, np.int32)
    for i in np.ndindex(*shape):
        at_x, at_y = dict(zip(attrs["lhs_batch"], i, strict=False)), dict(zip(attrs["rhs_batch"], i, strict=False))
        at_x |= dict(zip(lhs_rows, i[b:], strict=False))
        at_y |= dict(zip(rhs_columns, i[b + len(rows) :], strict=False))
        for k in np.ndindex(*depth):
            px = at_x | dict(zip(attrs["lhs_contract"], k, strict=True))
            py = at_y | dict(zip(attrs["rhs_contract"], k, strict=True))
            want[i] += x[tuple(px[p] for p in range(x.ndim))] * y[tuple(py[p] for p in range(y.ndim))]
    same(apply("dot_general", x, y, result=("i32[]",), **attrs), want)


@pytest.mark.parametrize("dtype", (*FLOATS, *INTEGERS))
def test_dot_of_every_dtype(dtype: str) -> None:
    x, y = sample(RNG, dtype, (3, 4)), sample(RNG, dtype, (4, 2))
    got = apply("dot_general", x, y, lhs_contract=(1,), rhs_contract=(0,))
    for i, j in product(range(3), range(2)):
        if dtype in INTEGERS:
            exact = sum(int(x[i, k]) * int(y[k, j]) for k in range(4))
            assert int(got[i, j]) == int(np.array([exact % 2**64], np.uint64).astype(got.dtype)[0])
        else:
            total = sum(float(x[i, k]) * float(y[k, j]) for k in range(4))
            assert float(got[i, j]) == pytest.approx(float(np.array([total]).astype(got.dtype)[0]), rel=1e-7)


def test_dot_widens_when_told_so() -> None:
    x = np.full((1, 1000), 100, np.int8)
    got = apply("dot_general", x, x.T.copy(), result="i32[1,1]", lhs_contract=(1,), rhs_contract=(0,))
    assert got.tolist() == [[10_000_000]]
    half = np.full((1, 4), 300, np.float16)
    assert apply("dot_general", half, half.T.copy(), result="f32[]", lhs_contract=(1,), rhs_contract=(0,)) == 360000


def test_library_form_agrees_with_the_reference() -> None:
    x, w = sample(RNG, "f32", (4, 5, 6)), sample(RNG, "f32", (6, 7))
    infer = infer_of("dot_general", ["f32[4,5,6]", "f32[6,7]"], "f32[4,5,7]", lhs_contract=(2,), rhs_contract=(0,))
    library = OPS["dot_general"].library
    assert library is not None
    error = np.abs(library((x, w), infer)[0] - OPS["dot_general"].reference((x, w), infer)[0])
    # Six products and five sums in f32: each rounding is relative to what is added, not to what cancels.
    assert (error <= 12 * 2.0**-24 * (np.abs(x) @ np.abs(w))).all()


def conv_loop(x: Any, w: Any, a: dict[str, Any]) -> Any:
    """NCHW, OIHW: StableHLO's convolution with one spatial loop nest."""
    groups, batches = a["feature_group_count"], a["batch_group_count"]
    n, (outs, ins), space = x.shape[0] // batches, w.shape[:2], x.ndim - 2
    sizes = []
    for d in range(space):
        low, high = a["padding"][d]
        size = low + max((x.shape[d + 2] - 1) * a["lhs_dilation"][d] + 1, 0) + high
        reach = (w.shape[d + 2] - 1) * a["rhs_dilation"][d] + 1
        sizes.append(0 if size < reach else (size - reach) // a["window_strides"][d] + 1)
    out = np.zeros((n, outs, *sizes), np.int64)
    for i in np.ndindex(*out.shape):
        image = i[0] + n * (i[1] * batches // outs)
        first = ins * (i[1] * groups // outs)
        for c, *k in np.ndindex(ins, *w.shape[2:]):
            offsets = zip(i[2:], k, a["window_strides"], a["rhs_dilation"], a["padding"], strict=True)
            at = [p * stride + q * dilation - low for p, q, stride, dilation, (low, _) in offsets]
            if all(p % b == 0 and 0 <= p // b < e for p, b, e in zip(at, a["lhs_dilation"], x.shape[2:], strict=True)):
                places = [p // b for p, b in zip(at, a["lhs_dilation"], strict=True)]
                out[i] += int(x[(image, first + c, *places)]) * int(w[(i[1], c, *k)])
    return out


@pytest.mark.parametrize("seed", range(40))
def test_convolution(seed: int) -> None:
    rng = np.random.default_rng(seed)
    space = int(rng.integers(0, 3))
    draw = lambda low, high: tuple(int(v) for v in rng.integers(low, high, space))  # noqa: E731
    groups = int(rng.integers(1, 3))
    batches = int(rng.integers(1, 3)) if groups == 1 else 1
    ins, outs = int(rng.integers(1, 3)), groups * batches * int(rng.integers(1, 3))
    x = sample(rng, "i32", (batches * int(rng.integers(1, 3)), ins * groups, *draw(1, 6)))
    w = sample(rng, "i32", (outs, ins, *draw(1, 4)))
    attrs = {"window_strides": draw(1, 3), "lhs_dilation": draw(1, 3), "rhs_dilation": draw(1, 3),
             "padding": tuple(zip(draw(-1, 3), draw(-1, 3), strict=True)),
             "feature_group_count": groups, "batch_group_count": batches}  # fmt: skip
    want = conv_loop(x, w, attrs).astype(np.int32)
    same(apply("convolution", x, w, **attrs), want)
    orders = [tuple(int(d) for d in rng.permutation(space + 2)) for _ in range(3)]
    numbers = {}
    sides = (
        ("input", "batch", "feature"),
        ("kernel", "output_feature", "input_feature"),
        ("output", "batch", "feature"),
    )
    for order, (side, first, second) in zip(orders, sides, strict=True):
        numbers |= {f"{side}_{first}_dimension": order[0], f"{side}_{second}_dimension": order[1],
                    f"{side}_spatial_dimensions": order[2:]}  # fmt: skip
    moved = x.transpose(np.argsort(orders[0])), w.transpose(np.argsort(orders[1]))
    got = apply("convolution", *moved, **numbers, **attrs)
    same(got.transpose(orders[2]), want)


@pytest.mark.parametrize("x, w", [((0, 2, 4), (3, 2, 2)), ((1, 0, 4), (3, 0, 2)), ((1, 2, 0), (3, 2, 2)),
                                  ((1, 2, 4), (0, 2, 2)), ((1, 2, 3), (3, 2, 5))])  # fmt: skip
def test_convolution_of_nothing(x: tuple[int, ...], w: tuple[int, ...]) -> None:
    got = apply("convolution", np.ones(x, np.float32), np.ones(w, np.float32))
    assert got.shape == (x[0], w[0], max(x[2] - w[2] + 1, 0)) and not got.any()


@pytest.mark.parametrize("dtype", (*FLOATS, *INTEGERS, "bool"))
@pytest.mark.parametrize("descending", [False, True])
def test_sort_is_stable(dtype: str, descending: bool) -> None:
    x = sample(RNG, dtype, (9, 3))
    place = np.broadcast_to(np.arange(9, dtype=np.int32)[:, None], (9, 3))
    keys, payload = apply("sort", x, place, dimension=0, descending=descending)
    for c in range(3):
        order = sorted(range(9), key=lambda i: -float(x[i, c]) if descending else float(x[i, c]))
        assert payload[:, c].tolist() == order
        same(keys[:, c], x[order, c])


def test_nan_is_greatest_and_zeros_are_equal() -> None:
    x = np.array([nan, 0.0, inf, -0.0, -inf, nan], np.float32)
    place = np.arange(6, dtype=np.int32)
    assert apply("sort", x, place, dimension=0)[1].tolist() == [4, 1, 3, 2, 0, 5]
    assert apply("sort", x, place, dimension=0, descending=True)[1].tolist() == [0, 5, 2, 1, 3, 4]


@pytest.mark.parametrize("extent", [0, 1, 2, 3, 5, 8, 13, 100])
def test_sort_with_a_comparator(extent: int) -> None:
    """By the last digit, downwards; equal ones keep their order."""
    body = region("""(%a: i32[], %b: i32[], %p: f32[], %q: f32[]) -> (bool[]) {
        %ten = constant {value = 10} : i32[]
        %x = rem %a, %ten : i32[]
        %y = rem %b, %ten : i32[]
        %r = compare %x, %y {direction = GT} : bool[]
        return %r }""")
    x = np.random.default_rng(extent).integers(0, 50, (extent, 2)).astype(np.int32)
    place = np.broadcast_to(np.arange(extent, dtype=np.float32)[:, None], (extent, 2))
    keys, payload = apply("sort", x, place, body=body, dimension=0)
    for c in range(2):
        order = sorted(range(extent), key=cmp_to_key(lambda i, j, c=c: int(x[j, c] % 10) - int(x[i, c] % 10)))  # type: ignore[misc]
        assert payload[:, c].tolist() == order
        assert keys[:, c].tolist() == x[order, c].tolist()


def test_top_k() -> None:
    x = np.array([[3, 9, 9, 1], [nan, 2, inf, nan]], np.float32)
    values, where = apply("top_k", x, k=3)
    assert where.tolist() == [[1, 2, 0], [0, 3, 2]]
    same(values, np.array([[9, 9, 3], [nan, nan, inf]], np.float32))
    assert apply("top_k", x, k=0)[0].shape == (2, 0)


def test_custom_call_is_typed_and_cannot_run() -> None:
    assert types_of("custom_call", ["f32[2]"], ("f32[3]", "i8[]"), call_target_name="x") == ["f32[3]", "i8[]"]
    infer = infer_of("custom_call", ["f32[2]"], ("f32[3]",), call_target_name="secret")
    with pytest.raises(OpError, match="only a framework can run `secret`") as caught:
        OPS["custom_call"].reference((np.zeros(2, np.float32),), infer)
    assert caught.value.attr == "call_target_name"


def test_a_layer_of_bert_is_quick() -> None:
    """Not timed; the test as a whole would stand out."""
    x, w = np.ones((1024, 768), np.float32), np.ones((768, 3072), np.float32)
    types = ["f32[1024,768]", "f32[768,3072]"]
    infer = infer_of("dot_general", types, "f32[1024,3072]", lhs_contract=(1,), rhs_contract=(0,))
    library = OPS["dot_general"].library
    assert library is not None and (library((x, w), infer)[0] == 768).all()
