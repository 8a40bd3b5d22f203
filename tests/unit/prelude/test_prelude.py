"""Shuffles, vectors, combiners, Philox and literals of the prelude, compiled for the CPU."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from fstc.ir.ops import literal
from fstc.ir.ops.numerics import wide
from fstc.ir.ops.philox import philox4x32
from fstc.ir.types import DTYPES, F8E5M2, F16, F32, F64, I32, I64, U32, U64, DType
from tests.unit.prelude.host_library import Library, build

FINITE = (0.0, -0.0, 1.0, -1.5, 0.1, 1e-3, 448.0, 65504.0, 1e6, 1e20, 1e-40, 5e-324, math.pi)
NUMBERS = (*FINITE, math.inf, -math.inf, math.nan)
SIZED = [d for d in DTYPES.values() if d.kind != "b"]


def constants(dtype: DType) -> list[Any]:
    if dtype.is_float:
        return list(NUMBERS)
    if dtype.kind == "b":
        return [False, True]
    info = np.iinfo(dtype.numpy())
    return [int(info.min), 0, 1, 7, int(info.max) - 1, int(info.max)] + ([-1] if dtype.kind == "i" else [])


def entries(dtype: DType) -> str:
    s, c = dtype.storage, dtype.compute
    lines = [f"    y[{i}] = fst::down<{s}>({literal(dtype, v)});" for i, v in enumerate(constants(dtype))]
    text = f"ENTRY literals_{dtype}({s}* y) {{\n" + "\n".join(lines) + "\n}\n"
    if dtype.kind != "b":
        text += f"""
ENTRY shuffle_{dtype}(const {s}* x, {s}* y, int n) {{ for (int i = 0; i < n; ++i) y[i] = fst::shfl_xor(x[i], 1); }}
ENTRY vectors_{dtype}(const {s}* x, {s}* y) {{
    fst::store_vec(y, fst::load_vec<16 / sizeof({s})>(x));
    fst::store_vec(y + 16 / sizeof({s}), fst::load_vec<1>(x + 1));
}}
ENTRY combine_{dtype}(const {c}* a, const {c}* b, {c}* y, int n) {{
    for (int i = 0; i < n; ++i) {{
        y[i] = fst::op_add(a[i], b[i]);
        y[n + i] = fst::op_mul(a[i], b[i]);
        y[2 * n + i] = fst::op_max(a[i], b[i]);
        y[3 * n + i] = fst::op_min(a[i], b[i]);
    }}
}}
"""
    return text


PHILOX = """
ENTRY philox(const fst::u64* x, fst::u32* y, int n) {
    for (int i = 0; i < n; ++i) {
        const fst::philox_block block = fst::philox(x[3 * i], x[3 * i + 1], x[3 * i + 2]);
        for (int j = 0; j < 4; ++j) y[4 * i + j] = block.v[j];
    }
}
ENTRY logic(bool* y) {
    for (int i = 0; i < 4; ++i) {
        const bool a = i / 2, b = i % 2;
        *y++ = fst::op_add(a, b);
        *y++ = fst::op_mul(a, b);
        *y++ = fst::op_max(a, b);
        *y++ = fst::op_min(a, b);
        *y++ = fst::op_and(a, b);
        *y++ = fst::op_or(a, b);
    }
}
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    return build(tmp_path_factory.mktemp("prelude"), "".join(map(entries, DTYPES.values())) + PHILOX)


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=str)
def test_literals_are_exact(dtype: DType, library: Library) -> None:
    with np.errstate(all="ignore"):
        exact = np.array(constants(dtype), np.float64 if dtype.is_float else dtype.numpy())
        want = exact.astype(dtype.numpy())
    got = np.zeros_like(want)
    library.call(f"literals_{dtype}", got)
    if dtype.is_float:
        nan = np.isnan(wide(want))
        assert (np.isnan(wide(got)) == nan).all()
        got, want = got[~nan], want[~nan]
    assert got.tobytes() == want.tobytes()


def test_literals_are_readable() -> None:
    written = [(F32, 0.5), (F32, 1024), (F32, 0.1), (F64, 2.0), (F16, 1e6), (F8E5M2, -0.0), (I32, -7), (U32, 7)]
    texts = ["0.5f", "1024.0f", "0x1.99999ap-4f", "2.0", "fst::inf<float>()", "-0.0f", "-7", "7u"]
    assert [literal(d, v) for d, v in written] == texts
    assert literal(I64, -(2**63)) == "(-9223372036854775807ll - 1)"
    assert literal(U64, 2**64 - 1) == "18446744073709551615ull"


@pytest.mark.parametrize("dtype", SIZED, ids=str)
def test_shuffle_and_vectors_keep_the_bits(dtype: DType, library: Library) -> None:
    x = np.random.default_rng(3).integers(0, 256, 32, dtype=np.uint8)
    y = np.zeros_like(x)
    library.call(f"shuffle_{dtype}", x, y, 32 // dtype.size)
    assert (x == y).all()
    z = np.zeros(16 + dtype.size, np.uint8)
    library.call(f"vectors_{dtype}", x, z)
    assert z.tobytes() == x.tobytes()[:16] + x.tobytes()[dtype.size : 2 * dtype.size]


@pytest.mark.parametrize("dtype", SIZED, ids=str)
def test_combiners(dtype: DType, library: Library) -> None:
    compute = {"double": np.float64, "float": np.float32}.get(dtype.compute, dtype.numpy())
    some = [0.0, -0.0, 1.5, -2.0, np.inf, -np.inf, np.nan] if dtype.is_float else constants(dtype)
    line = np.array(some, compute)
    a, b = (g.reshape(-1).copy() for g in np.meshgrid(line, line))
    y = np.zeros((4, a.size), compute)
    library.call(f"combine_{dtype}", a, b, y, a.size)
    with np.errstate(all="ignore"):
        want = np.stack([a + b, a * b, np.maximum(a, b), np.minimum(a, b)])
    np.testing.assert_array_equal(y, want)
    if dtype.is_float:
        zeros = (a == 0) & (b == 0)
        assert (np.signbit(y[2]) == (np.signbit(a) & np.signbit(b)))[zeros].all()
        assert (np.signbit(y[3]) == (np.signbit(a) | np.signbit(b)))[zeros].all()


def test_combiners_of_booleans(library: Library) -> None:
    y = np.zeros((4, 6), bool)
    library.call("logic", y)
    either, both = [False, True, True, True], [False, False, False, True]
    assert y.T.tolist() == [either, both, either, both, both, either]


def test_philox_gives_the_known_answers(library: Library) -> None:
    """The vectors of the authors' Random123 distribution (kat_vectors, philox4x32 10)."""
    ones = 2**64 - 1
    inputs = np.array(
        [[0, 0, 0], [ones, ones, ones], [0x299F31D0A4093822, 0x85A308D3243F6A88, 0x0370734413198A2E]], np.uint64
    )
    want = [
        [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8],
        [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD],
        [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
    ]
    got = np.zeros((3, 4), np.uint32)
    library.call("philox", inputs, got, 3)
    assert got.tolist() == want
    assert [philox4x32(k, np.array([lo]), hi)[0].tolist() for k, lo, hi in inputs] == want
