"""The device expression of every element-wise op, run on the CPU, against the op's NumPy reference.

Exact where the op is (integers, logic, conversions, + - * / sqrt and the roundings); a few units in the last
place where both sides call a function of a library.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fstc.ir.ops import Kind
from fstc.ir.ops.numerics import wide
from fstc.ir.types import DType
from tests.unit.ops_elementwise.device_cases import CASES, Case, operands, source
from tests.unit.prelude.host_library import Library, build

EXACT_THOUGH_EXPENSIVE = ("div", "rem", "sqrt")
ULPS = {8: 4, 4: 2, 2: 1, 1: 1}  # of the result's type, by its size


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Library:
    return build(tmp_path_factory.mktemp("expressions"), source(CASES))


def run(library: Library, case: Case, arrays: tuple[Any, ...]) -> Any:
    out = np.zeros(arrays[0].shape, case.result.numpy())
    library.call(str(case), *map(np.ascontiguousarray, arrays), out, out.size)
    return out


def ordered(x: Any, dtype: DType) -> Any:
    """Floats as integers in the same order, neighbours one apart; -0 and +0 coincide."""
    bits = x.view(f"i{dtype.size}").astype(np.int64)
    lowest = np.int64(-1 << 63) if dtype.size == 8 else np.int64(-1 << (8 * dtype.size - 1))
    return np.where(bits < 0, lowest - bits, bits)


def wrong(got: Any, want: Any, dtype: DType, ulps: int) -> Any:
    if not dtype.is_float:
        return got != want
    both_nan = np.isnan(wide(got)) & np.isnan(wide(want))
    if ulps == 0:
        return (got.view(f"u{dtype.size}") != want.view(f"u{dtype.size}")) & ~both_nan
    a, b = ordered(got, dtype), ordered(want, dtype)
    apart = np.maximum(a, b).view(np.uint64) - np.minimum(a, b).view(np.uint64)  # exact, even from -inf to inf
    return (apart > ulps) & ~both_nan


@pytest.mark.parametrize("case", CASES, ids=str)
def test_expression_computes_what_the_reference_does(case: Case, compiled: Library) -> None:
    arrays = operands(case)
    (want,) = case.op.reference(arrays, case.infer(arrays[0].size))
    assert want.dtype == case.result.numpy() and want.shape == arrays[0].shape
    got = run(compiled, case, arrays)
    exact = case.op.kind is Kind.LIGHT or case.op.name in EXACT_THOUGH_EXPENSIVE or not case.result.is_float
    bad = np.flatnonzero(wrong(got, want, case.result, 0 if exact else ULPS[case.result.size]))
    first = [f"({', '.join(str(a[i]) for a in arrays)}) -> {got[i]}, not {want[i]}" for i in bad[:5]]
    assert not bad.size, f"{bad.size} of {want.size} differ: " + "; ".join(first)
