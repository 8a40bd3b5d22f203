"""Kernels compute on the host what they compute on the device, in every thread order."""

from __future__ import annotations

import numpy as np
import pytest

from fstc.build.host import HostLibrary
from fstc.build.host_library import ORDERS

RNG = np.random.default_rng(7)


@pytest.mark.parametrize("order", ORDERS)
def test_rows_are_summed(plain: HostLibrary, order: str) -> None:
    x, y = RNG.random((3, 1000), np.float32), np.zeros((3, 2), np.float32)
    plain.launch("rowsum", [x, y], order=order)
    np.testing.assert_allclose(y, np.outer(x.sum(1, dtype=np.float64), [1, 2]), rtol=1e-5)


@pytest.mark.parametrize("order", ORDERS)
def test_the_last_block_finishes(plain: HostLibrary, order: str) -> None:
    x, y = RNG.random((5, 4, 64), np.float32), np.zeros(64, np.float32)
    plain.launch("ticket", [x, np.zeros(5 * 64, np.float32), np.zeros(1, np.uint32), y], order=order)
    np.testing.assert_allclose(y, x.sum((0, 1), dtype=np.float64), rtol=1e-5)


@pytest.mark.parametrize("order", ORDERS)
def test_a_matrix_is_transposed(plain: HostLibrary, order: str) -> None:
    x, y = RNG.random((64, 64), np.float32), np.zeros((64, 64), np.float32)
    plain.launch("transpose", [x, y], order=order)
    np.testing.assert_array_equal(y, x.T)


@pytest.mark.parametrize("order", ORDERS)
def test_warps_exchange(plain: HostLibrary, order: str) -> None:
    x = RNG.integers(-100, 100, (2, 2, 32)).astype(np.int32)
    y = np.zeros((2, 2, 32, 8), np.int32)
    plain.launch("warps", [x, y], order=order)
    n = np.roll(x, -1, 2)
    odd = (np.uint32(1) << np.arange(32, dtype=np.uint32)) * (n & 1).astype(np.uint32)
    np.testing.assert_array_equal(y[..., 0], np.broadcast_to(n.sum((1, 2))[:, None, None], n.shape))
    np.testing.assert_array_equal(y[..., 1].view(np.uint32), np.broadcast_to(odd.sum(2, keepdims=True), n.shape))
    np.testing.assert_array_equal(y[..., 2], np.broadcast_to(n.max(2, keepdims=True), n.shape))
    np.testing.assert_array_equal(y[..., 3], np.broadcast_to(n[..., 31:], n.shape))
    np.testing.assert_array_equal(y[..., 4], np.concatenate([n[..., :1], n[..., :-1]], 2))
    lane = np.arange(32)
    np.testing.assert_array_equal(y[..., 5], n[..., np.where(lane % 16 < 8, lane + 8, lane)])
    np.testing.assert_array_equal(y[..., 6], np.broadcast_to((n & 1).sum((1, 2))[:, None, None], n.shape))
    np.testing.assert_array_equal(y[..., 7], np.broadcast_to((n < 0).any(2, keepdims=True), n.shape))


def test_atomics(plain: HostLibrary, checked: HostLibrary) -> None:
    for library in (plain, checked):
        words, total = np.zeros(9, np.int32), np.zeros(1, np.float32)
        words[2] = 1000
        library.launch("atomics", [words, total])
        assert words.tolist() == [384, 383, 0, 255, 0, 384 % 10, 1, 1, -768] and total[0] == 192.0


def test_an_unaligned_view_is_copied_and_written_back(plain: HostLibrary) -> None:
    memory = np.zeros(3 * 1000 + 6 + 2, np.float32)
    x, y = memory[1:3001].reshape(3, 1000), memory[3001:3007].reshape(3, 2)
    x[...] = 1.0
    plain.launch("rowsum", [x, y])
    assert (y == [1000.0, 2000.0]).all()


def test_a_view_with_strides_is_refused(plain: HostLibrary) -> None:
    with pytest.raises(ValueError, match="dense"):
        plain.launch("rowsum", [np.zeros((1000, 3), np.float32).T, np.zeros((3, 2), np.float32)])


def test_a_grid_can_be_overridden(plain: HostLibrary) -> None:
    x, y = np.ones((3, 1000), np.float32), np.zeros((3, 2), np.float32)
    plain.launch("rowsum", [x, y], grid=2)
    assert y.tolist() == [[1000.0, 2000.0]] * 2 + [[0.0, 0.0]]
