"""gather and scatter against the loops of StableHLO's specification, over random dimension numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from structured import apply, binary, region, same, sample

from fstc.ir.ops.indexing import _turns


def random_case(rng: np.random.Generator) -> dict[str, Any]:
    """Dimension numbers in gather's words, an operand shape and an index shape that fit them."""
    rank = int(rng.integers(1, 5))
    operand = tuple(int(n) for n in rng.integers(1, 5, rank))
    dims = [int(d) for d in rng.permutation(rank)]
    batching = sorted(dims[: int(rng.integers(0, 2)) if rank > 1 else 0])
    others = [d for d in dims if d not in batching]
    collapsed = sorted(others[: int(rng.integers(0, len(others) + 1))])
    index_map = [int(d) for d in rng.permutation(others)][: int(rng.integers(1, len(others) + 1))]
    sizes = [1 if d in collapsed + batching else int(rng.integers(1, operand[d] + 1)) for d in range(rank)]
    batch_rank = int(rng.integers(len(batching), 3 + len(batching)))
    batch = [int(n) for n in rng.integers(0 if rng.random() < 0.1 else 1, 4, batch_rank)]
    places = [int(p) for p in rng.permutation(batch_rank)[: len(batching)]]
    for d, p in zip(batching, places, strict=True):
        batch[p] = operand[d]
    vector_dim = int(rng.integers(0, batch_rank + 1))
    implicit = len(index_map) == 1 and rng.random() < 0.3
    indices = tuple(batch) if implicit else (*batch[:vector_dim], len(index_map), *batch[vector_dim:])
    if implicit:
        vector_dim = batch_rank
    at = [p + (not implicit and p >= vector_dim) for p in places]
    kept = [d for d in range(rank) if d not in collapsed + batching]
    window = sorted(int(d) for d in rng.permutation(batch_rank + len(kept))[: len(kept)])
    return {"operand": operand, "indices": indices, "batch": batch, "window": tuple(window), "kept": kept,
            "collapsed": tuple(collapsed), "batching": tuple(batching), "indices_batching": tuple(at),
            "index_map": tuple(index_map), "vector_dim": vector_dim, "sizes": tuple(sizes)}  # fmt: skip


def full_index(case: dict[str, Any], indices: Any, i: tuple[int, ...], clamp: bool) -> list[int]:
    """The operand index that element ``i`` of the windowed tensor stands for."""
    batch_at = [d for d in range(len(i)) if d not in case["window"]]
    point = [i[d] for d in batch_at]
    v = case["vector_dim"]
    if v == len(case["indices"]):
        vector = [int(indices[tuple(point)])]
    else:
        vector = [int(indices[(*point[:v], k, *point[v:])]) for k in range(case["indices"][v])]
    full = [0] * len(case["operand"])
    for k, d in enumerate(case["index_map"]):
        full[d] = min(max(vector[k], 0), case["operand"][d] - case["sizes"][d]) if clamp else vector[k]
    for d, source in zip(case["batching"], case["indices_batching"], strict=True):
        full[d] = point[source - (source > v)]
    for d, w in zip(case["kept"], case["window"], strict=True):
        full[d] += i[w]
    return full


def gather_attrs(c: dict[str, Any]) -> dict[str, Any]:
    return {"offset_dims": c["window"], "collapsed_slice_dims": c["collapsed"], "operand_batching_dims": c["batching"],
            "start_indices_batching_dims": c["indices_batching"], "start_index_map": c["index_map"],
            "index_vector_dim": c["vector_dim"], "slice_sizes": c["sizes"]}  # fmt: skip


def scatter_attrs(c: dict[str, Any]) -> dict[str, Any]:
    return {"update_window_dims": c["window"], "inserted_window_dims": c["collapsed"],
            "input_batching_dims": c["batching"], "scatter_indices_batching_dims": c["indices_batching"],
            "scatter_dims_to_operand_dims": c["index_map"], "index_vector_dim": c["vector_dim"]}  # fmt: skip


def windowed_shape(c: dict[str, Any]) -> tuple[int, ...]:
    batch, kept = iter(c["batch"]), iter(c["sizes"][d] for d in c["kept"])
    return tuple(next(kept) if d in c["window"] else next(batch) for d in range(len(c["batch"]) + len(c["window"])))


@pytest.mark.parametrize("seed", range(150))
def test_gather(seed: int) -> None:
    rng = np.random.default_rng(seed)
    case = random_case(rng)
    x = sample(rng, "f32", case["operand"])
    indices = rng.integers(-3, 8, case["indices"]).astype(rng.choice(["int8", "int32", "int64"]))
    want = np.zeros(windowed_shape(case), np.float32)
    for i in np.ndindex(*want.shape):
        want[i] = x[tuple(full_index(case, indices, i, clamp=True))]
    same(apply("gather", x, indices, **gather_attrs(case)), want)


@pytest.mark.parametrize("seed", range(150))
def test_scatter_in_order_and_dropping_what_is_outside(seed: int) -> None:
    rng = np.random.default_rng(1000 + seed)
    case = random_case(rng)
    x = sample(rng, "i32", case["operand"])
    indices = rng.integers(-2, 6, case["indices"]).astype(np.int32)
    updates = sample(rng, "i32", windowed_shape(case))
    # neither commutative nor associative: order shows
    body = region("(%a: i32[], %b: i32[]) -> (i32[]) { %c = sub %b, %a : i32[] return %c }")
    want = x.copy()
    for i in np.ndindex(*updates.shape):
        full = full_index(case, indices, i, clamp=False)
        if all(0 <= p < n for p, n in zip(full, case["operand"], strict=True)):
            want[tuple(full)] = updates[i] - want[tuple(full)]
    same(apply("scatter", x, indices, updates, body=body, **scatter_attrs(case)), want)


ROWS: dict[str, Any] = {
    "update_window_dims": (1,),
    "inserted_window_dims": (0,),
    "scatter_dims_to_operand_dims": (0,),
    "index_vector_dim": 1,
}


def test_scatter_that_replaces_keeps_the_last() -> None:
    body = region("(%a: f32[], %b: f32[]) -> (f32[]) { return %b }")
    got = apply("scatter", np.zeros((2, 1), np.float32), np.array([1, 1, 0]), np.array([[5], [6], [7]], np.float32),
                body=body, **ROWS)  # fmt: skip
    same(got, np.array([[7], [6]], np.float32))


def test_scatter_sums_round_once() -> None:
    one, small = np.ones((1, 1)), np.full((64, 1), 2.0**-10)
    import ml_dtypes

    got = apply("scatter", one.astype(ml_dtypes.bfloat16), np.zeros(64, np.int32), small.astype(ml_dtypes.bfloat16),
                body=binary("add", "bf16"), **ROWS)  # fmt: skip
    assert float(got[0, 0]) == 1.0625  # step by step every addend would be lost


def test_untouched_elements_keep_their_bits() -> None:
    x = np.array([[-0.0], [np.nan]], np.float32)
    got = apply("scatter", x, np.array([9]), np.ones((1, 1), np.float32), body=binary("add", "f32"), **ROWS)
    same(got, x)


def test_scatter_with_unsigned_indices_far_outside() -> None:
    got = apply("scatter", np.zeros((2, 1), np.float32), np.array([2**64 - 1, 1], np.uint64),
                np.ones((2, 1), np.float32), body=binary("max", "f32"), **ROWS)  # fmt: skip
    same(got, np.array([[0], [1]], np.float32))


def test_turns_visit_each_position_once() -> None:
    at = np.array([3, 1, 3, 3, 1, 0])
    turns = [sorted(t.tolist()) for t in _turns(at)]
    assert turns == [[0, 1, 5], [2, 4], [3]]
    assert _turns(np.zeros(0, np.int64)) == []


def test_gather_of_rows_is_quick() -> None:
    table, ids = np.ones((30000, 768), np.float32), np.arange(4096, dtype=np.int32) * 7
    got = apply("gather", table, ids, offset_dims=(1,), collapsed_slice_dims=(0,), start_index_map=(0,),
                index_vector_dim=1, slice_sizes=(1, 768))  # fmt: skip
    assert got.shape == (4096, 768)
