"""The backward oracles against central differences of the forward ones, so that no formula is trusted for its looks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.samples.oracles import ORACLES
from tests.samples.oracles.formulas import gelu, layer_norm, rms_norm

Array = Any
STEP = 1e-5


def random(*shape: int, seed: int) -> Array:
    return np.random.default_rng(seed).uniform(-1.5, 1.5, shape)


def check(loss: Callable[[Array], Any], at: Array, gradient: Array) -> None:
    """The slope of ``loss`` along random directions is the gradient's component along them."""
    for seed in range(3):
        along = random(*at.shape, seed=100 + seed)
        slope = (loss(at + STEP * along) - loss(at - STEP * along)) / (2 * STEP)
        np.testing.assert_allclose(np.sum(gradient * along), slope, rtol=1e-7, atol=1e-8)


def test_layernorm_bwd() -> None:
    x, dy, gamma = random(5, 9, seed=1), random(5, 9, seed=2), random(9, seed=3)
    beta, epsilon = random(9, seed=4), 1e-12
    rstd = 1 / np.sqrt(x.var(1) + epsilon)
    dx, dgamma, dbeta = ORACLES["layernorm_bwd"](dy=dy, x=x, mean=x.mean(1), rstd=rstd, gamma=gamma)
    check(lambda v: np.sum(dy * layer_norm(v, gamma, beta, epsilon)), x, dx)
    check(lambda v: np.sum(dy * layer_norm(x, v, beta, epsilon)), gamma, dgamma)
    check(lambda v: np.sum(dy * layer_norm(x, gamma, v, epsilon)), beta, dbeta)


def test_rmsnorm_bwd() -> None:
    x, dy, weight, epsilon = random(5, 9, seed=1), random(5, 9, seed=2), random(9, seed=3), 1e-6
    rstd = 1 / np.sqrt(np.mean(x * x, 1) + epsilon)
    dx, dweight = ORACLES["rmsnorm_bwd"](dy=dy, x=x, weight=weight, rstd=rstd)
    check(lambda v: np.sum(dy * rms_norm(v, weight, epsilon)), x, dx)
    check(lambda v: np.sum(dy * rms_norm(x, v, epsilon)), weight, dweight)


def test_softmax_bwd() -> None:
    scores, mask, dy = random(2, 3, 4, 6, seed=1), random(2, 6, seed=2), random(2, 3, 4, 6, seed=3)
    (y,) = ORACLES["softmax_mask"](scores=scores, mask=mask)
    (dscores,) = ORACLES["softmax_bwd"](y=y, dy=dy)
    check(lambda v: np.sum(dy * ORACLES["softmax_mask"](scores=v, mask=mask)[0]), scores, dscores)


def test_bias_gelu_bwd() -> None:
    x, dy, bias = random(4, 7, seed=1), random(4, 7, seed=2), random(7, seed=3)
    dx, dbias = ORACLES["bias_gelu_bwd"](dy=dy, x=x, bias=bias)
    check(lambda v: np.sum(dy * gelu(v + bias)), x, dx)
    check(lambda v: np.sum(dy * gelu(x + v)), bias, dbias)


def test_losses() -> None:
    logits, label = random(5, 11, seed=1), np.array([0, 10, 3, 3, 7])
    _, dlogits = ORACLES["cross_entropy"](logits=logits, label=label)
    check(lambda v: np.sum(ORACLES["cross_entropy"](logits=v, label=label)[0]), logits, dlogits)
    _, dlogits = ORACLES["transformer_loss"](logits=logits, label=label)
    check(lambda v: ORACLES["transformer_loss"](logits=v, label=label)[0], logits, dlogits)
