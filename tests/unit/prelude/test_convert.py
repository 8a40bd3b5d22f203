"""Rounding in the prelude, bit for bit against numpy and ml_dtypes and, from f64 and i64, against exact arithmetic."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from fstc.ir.ops.numerics import cast, wide
from fstc.ir.types import BF16, F8E4M3FN, F8E5M2, F16, DType
from tests.unit.prelude.host_library import Library, build

NARROW = (F16, BF16, F8E4M3FN, F8E5M2)
each = pytest.mark.parametrize("dtype", NARROW, ids=str)


def entries(dtype: DType) -> str:
    s = dtype.storage
    return f"""
ENTRY up_{dtype}(const {s}* x, float* y, int n) {{ for (int i = 0; i < n; ++i) y[i] = fst::up(x[i]); }}
ENTRY down_{dtype}(const float* x, {s}* y, int n) {{ for (int i = 0; i < n; ++i) y[i] = fst::down<{s}>(x[i]); }}
ENTRY vectors_{dtype}(const {s}* x, {s}* y, int n) {{
    constexpr int N = 16 / sizeof({s});
    for (int i = 0; i < n; i += N) fst::store_vec(y + i, fst::down_vec<{s}>(fst::up_vec(fst::load_vec<N>(x + i))));
}}
ENTRY f64_to_{dtype}(const double* x, {s}* y, int n) {{
    for (int i = 0; i < n; ++i) y[i] = fst::down<{s}>(fst::convert<{s}>(x[i]));
}}
ENTRY i64_to_{dtype}(const fst::i64* x, {s}* y, int n) {{
    for (int i = 0; i < n; ++i) y[i] = fst::down<{s}>(fst::convert<{s}>(x[i]));
}}
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    return build(tmp_path_factory.mktemp("convert"), "".join(map(entries, NARROW)))


def same_bits(got: Any, want: Any) -> Any:
    """Equal bits, or NaN both."""
    bits = np.dtype(f"u{got.dtype.itemsize}")
    got_nan, want_nan = np.isnan(wide(got)), np.isnan(wide(want))
    return (got.view(bits) == want.view(bits)) & ~want_nan | got_nan & want_nan


def canonical(x: Any) -> Any:
    """Not NaN, or the canonical one: every bit but the sign."""
    nan = np.isnan(wide(x))
    return (x.view(f"u{x.dtype.itemsize}") == (1 << 8 * x.dtype.itemsize - 1) - 1) | ~nan


def values(dtype: DType) -> Any:
    with np.errstate(invalid="ignore"):
        return np.arange(1 << 8 * dtype.size, dtype=f"u{dtype.size}").view(dtype.numpy())


@each
def test_every_value_goes_up(dtype: DType, library: Library) -> None:
    x = values(dtype)
    y = np.zeros(x.shape, np.float32)
    library.call(f"up_{dtype}", x, y, x.size)
    with np.errstate(invalid="ignore"):
        assert same_bits(y, x.astype(np.float32)).all()


@each
def test_every_value_survives_the_round_trip_in_vectors(dtype: DType, library: Library) -> None:
    x = values(dtype)
    y = np.zeros_like(x)
    library.call(f"vectors_{dtype}", x, y, x.size)
    assert same_bits(y, x).all()
    assert canonical(y).all()


def floats(dtype: DType) -> Any:
    """Random bits; every value of the dtype and every midpoint between two, with their neighbours."""
    rng = np.random.default_rng(5)
    bits = rng.integers(0, 1 << 32, 500_000, dtype=np.uint32).view(np.float32)
    with np.errstate(all="ignore"):
        own = np.unique(values(dtype).astype(np.float64))
        own = own[np.isfinite(own)]
        points = np.concatenate([own, (own[1:] + own[:-1]) / 2, own[[0, -1]] * 1.0625]).astype(np.float32)
        near = [np.nextafter(points, np.float32(side), dtype=np.float32) for side in (-np.inf, np.inf)]
    ends = np.array([np.nan, -np.nan, np.inf, -np.inf, 0.0, -0.0], np.float32)
    return np.concatenate([bits, points, *near, ends])


@each
def test_floats_round_as_ml_dtypes_does(dtype: DType, library: Library) -> None:
    x = floats(dtype)
    y = np.zeros(x.shape, dtype.numpy())
    library.call(f"down_{dtype}", x, y, x.size)
    with np.errstate(all="ignore"):
        wrong = np.flatnonzero(~same_bits(y, x.astype(dtype.numpy())))
    assert not wrong.size, [(x[i], y[i]) for i in wrong[:5]]
    assert canonical(y).all()


def nearest(x: Fraction, finite: list[tuple[Fraction, int]]) -> int:
    """The bits of the value nearest to x, ties to the even bits; by exact comparison."""
    return min(finite, key=lambda candidate: (abs(candidate[0] - x), candidate[1] & 1))[1]


@pytest.mark.parametrize("source", ["f64", "i64"])
@each
def test_wide_sources_round_once(dtype: DType, source: str, library: Library) -> None:
    """Just off a midpoint: rounding through f32 (or f64, from i64) first would land on it and tie."""
    positive = wide(values(dtype)[: 1 << 8 * dtype.size - 1])
    table = [(Fraction(float(v)), bits) for bits, v in enumerate(positive) if np.isfinite(v)]
    middles = [(at, (table[at][0] + table[at + 1][0]) / 2) for at in range(len(table) - 1)]
    if source == "i64":
        middles = [(at, m) for at, m in middles if m.denominator == 1 and 8 < m < 2**62]
    assert len(middles) > 4
    wanted: list[int] = []
    tried: list[Any] = []
    for pick in np.linspace(0, len(middles) - 1, 60).astype(int):
        at, middle = middles[pick]
        for side in (-1, 0, 1):
            x = int(middle) + side if source == "i64" else float(middle) + side * float(np.spacing(float(middle)))
            tried.append(x)
            wanted.append(nearest(Fraction(x), table[max(0, at - 2) : at + 4]))
    x_array = np.array(tried, np.float64 if source == "f64" else np.int64)
    got = np.zeros(x_array.shape, dtype.numpy())
    library.call(f"{source}_to_{dtype}", x_array, got, x_array.size)
    assert got.view(f"u{dtype.size}").tolist() == wanted
    assert cast(x_array, dtype).view(f"u{dtype.size}").tolist() == wanted
