"""Constants, iota and random bits."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import numpy as np
import pytest
from structured import FLOATS, INTEGERS, apply, same

from fstc.ir.ops.philox import philox4x32
from fstc.ir.types import DTYPES


@pytest.mark.parametrize("dtype", (*FLOATS, *INTEGERS))
def test_constant_repeats_a_number(dtype: str) -> None:
    same(apply("constant", result=f"{dtype}[2,3]", value=3), np.full((2, 3), 3, DTYPES[dtype].numpy()))
    same(apply("constant", result=f"{dtype}[]", value=1), np.ones((), DTYPES[dtype].numpy()))


def test_constant_lists_nest_as_the_shape() -> None:
    same(apply("constant", result="i8[2,2]", value=((1, 2), (3, -4))), np.array([[1, 2], [3, -4]], np.int8))
    same(apply("constant", result="bool[2]", value=(True, False)), np.array([True, False]))
    same(apply("constant", result="f32[0,3]", value=()), np.zeros((0, 3), np.float32))
    same(apply("constant", result="f32[2,0]", value=((), ())), np.zeros((2, 0), np.float32))


def test_constant_extremes() -> None:
    same(apply("constant", result="u64[]", value=2**64 - 1), np.array(2**64 - 1, np.uint64))
    same(apply("constant", result="i64[]", value=-(2**63)), np.array(-(2**63), np.int64))
    for value in (inf, -inf, nan, -0.0, 1e-45):
        same(apply("constant", result="f32[]", value=value), np.float32(value))
    assert np.isnan(float(apply("constant", result="f8e4m3fn[]", value=nan)))


def test_constant_is_rounded_once() -> None:
    value = 1 + 2**-8 + 2**-40  # through f32 this becomes a tie and rounds down
    assert float(apply("constant", result="bf16[]", value=value)) == 1 + 2**-7


@pytest.mark.parametrize("dtype", (*FLOATS, *INTEGERS))
def test_iota(dtype: str) -> None:
    got = apply("iota", result=f"{dtype}[3,5,2]", dimension=1)
    want = np.arange(5).astype(DTYPES[dtype].numpy())
    for i in np.ndindex(3, 5, 2):
        assert got[i] == want[i[1]]
    assert apply("iota", result=f"{dtype}[0,4]", dimension=0).shape == (0, 4)


def test_iota_wraps_and_rounds() -> None:
    assert apply("iota", result="u8[300]", dimension=0)[299] == 43
    assert float(apply("iota", result="bf16[260]", dimension=0)[257]) == 256


def test_philox_known_answers() -> None:
    """The vectors that the authors of Philox publish (Random123, kat_vectors)."""
    ones = 2**64 - 1
    pi = (0x85A308D3243F6A88, 0x0370734413198A2E, 0x299F31D0A4093822)
    for key, low, high, want in (
        (0, 0, 0, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        (ones, ones, ones, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        (pi[2], pi[0], pi[1], "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ):
        got = philox4x32(key, np.array([low], np.uint64), high)[0]
        assert " ".join(f"{w:08x}" for w in got) == want


@pytest.mark.parametrize("dtype, words", [("u8", 1), ("u16", 1), ("u32", 1), ("u64", 2)])
def test_random_bits(dtype: str, words: int) -> None:
    state = np.array([7, 2**64 - 2], np.uint64)
    after, bits = apply("rng_bit_generator", state, result=("u64[2]", f"{dtype}[3,5]"))
    flat: list[int] = []
    for block in range(8):
        counter = np.array([(2**64 - 2 + block) % 2**64], np.uint64)
        flat += [int(w) for w in philox4x32(7, counter)[0]]
    if words == 2:
        flat = [low | high << 32 for low, high in zip(flat[::2], flat[1::2], strict=True)]
    same(bits, np.array(flat[:15], np.uint64).astype(bits.dtype).reshape(3, 5))
    assert after.tolist() == [7, (2**64 - 2 + -(-15 * words // 4)) % 2**64]


def test_random_bits_go_on_where_they_stopped() -> None:
    state: Any = np.array([1, 0], np.uint64)
    whole = apply("rng_bit_generator", state, result=("u64[2]", "u32[16]"))[1]
    after, first = apply("rng_bit_generator", state, result=("u64[2]", "u32[8]"))
    second = apply("rng_bit_generator", after, result=("u64[2]", "u32[8]"))[1]
    same(np.concatenate([first, second]), whole)
    same(apply("rng_bit_generator", state, result=("u64[2]", "u32[0]"))[0], state)
