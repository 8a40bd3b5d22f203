"""Oracles of the normalisations: layer, RMS, batch and group norm, forward and backward.

Example: ``layernorm_train(x=x, residual=r, keep=k, gamma=g, beta=b)`` returns y, mean and rstd.
"""

from __future__ import annotations

import numpy as np

from tests.samples.oracles.formulas import Array, kept_in_bf16, layer_norm, rms_norm, silu


def layernorm_train(x: Array, residual: Array, keep: Array, gamma: Array, beta: Array) -> tuple[Array, ...]:
    hidden = np.where(keep, x, 0) / 0.9 + residual
    return layer_norm(hidden, gamma, beta, 1e-12), hidden.mean(1), 1 / np.sqrt(hidden.var(1) + 1e-12)


def layernorm_bwd(dy: Array, x: Array, mean: Array, rstd: Array, gamma: Array) -> tuple[Array, ...]:
    width = x.shape[1]
    xhat = (x - mean[:, None]) * rstd[:, None]
    g = dy * gamma
    inner = width * g - g.sum(1, keepdims=True) - xhat * np.einsum("nd,nd->n", g, xhat)[:, None]
    return rstd[:, None] / width * inner, np.einsum("nd,nd->d", dy, xhat), dy.sum(0)


def rmsnorm_bwd(dy: Array, x: Array, weight: Array, rstd: Array) -> tuple[Array, ...]:
    width = x.shape[1]
    g = dy * weight
    # d/dx of weight * x * rstd(x): the product rule with d rstd / dx = -rstd^3 x / width
    dx = g * rstd[:, None] - x * (rstd**3 / width * np.einsum("nd,nd->n", g, x))[:, None]
    return dx, np.einsum("nd,nd,n->d", dy, x, rstd)


def add_rmsnorm_quant(x: Array, residual: Array, weight: Array) -> tuple[Array, ...]:
    hidden = kept_in_bf16(x + residual)
    y = rms_norm(hidden, weight, 1e-5)
    scale = np.maximum(np.abs(y).max(1) / 448, 1 / (448 * 512))
    return hidden, y / scale[:, None], scale


def moe_combine_rmsnorm(
    expert_rows: Array, slot: Array, router_weight: Array, residual: Array, weight: Array
) -> tuple[Array, ...]:
    hidden = kept_in_bf16(residual + np.einsum("tk,tkd->td", router_weight, expert_rows[slot]))
    return hidden, rms_norm(hidden, weight, 1e-6)


def groupnorm_silu(x: Array, gamma: Array, beta: Array, *, groups: int) -> tuple[Array, ...]:
    channels = x.shape[1]
    out = np.empty_like(x)
    size = channels // groups
    for first in range(0, channels, size):
        group = x[:, first : first + size]
        deviation = group - group.mean((1, 2, 3), keepdims=True)
        out[:, first : first + size] = deviation / np.sqrt(group.var((1, 2, 3), keepdims=True) + 1e-5)
    return (silu(out * gamma[:, None, None] + beta[:, None, None]),)


def batchnorm_train_relu(x: Array, gamma: Array, beta: Array) -> tuple[Array, ...]:
    by_channel = np.moveaxis(x, 1, -1)
    flat = by_channel.reshape(-1, x.shape[1])
    mean, deviation = flat.mean(0), np.sqrt(flat.var(0) + 1e-5)
    y = np.maximum((by_channel - mean) / deviation * gamma + beta, 0)
    return np.moveaxis(y, -1, 1), mean, 1 / deviation


def crnn_bn_relu_permute(
    x: Array, running_mean: Array, running_variance: Array, gamma: Array, beta: Array
) -> tuple[Array, ...]:
    sequence = np.einsum("bchw->wbc", x)  # height is one
    normed = (sequence - running_mean) / np.sqrt(running_variance + 1e-5)
    return (np.maximum(normed * gamma + beta, 0),)


NORMS = (
    layernorm_train,
    layernorm_bwd,
    rmsnorm_bwd,
    add_rmsnorm_quant,
    moe_combine_rmsnorm,
    groupnorm_silu,
    batchnorm_train_relu,
    crnn_bn_relu_permute,
)
