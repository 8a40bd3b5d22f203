"""The samples as a JAX user writes them, one function a sample, inputs by the names of the .fir.

Example: ``jax.jit(MODELS["swiglu"])(gate=gate, up=up)`` returns a tuple of outputs.
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import Any

import jax
import jax.numpy as jnp
from jax import nn

Array = Any
Model = Callable[..., tuple[Array, ...]]


def wide(x: Array) -> Array:
    """bf16 is computed with in f32."""
    return x.astype(jnp.float32) if x.dtype == jnp.bfloat16 else x


def stored(x: Array) -> Array:
    """Kept in bf16 and read again; XLA must not take the two conversions for none."""
    return jax.lax.reduce_precision(x, exponent_bits=8, mantissa_bits=7)


def rms_norm(x: Array, weight: Array, epsilon: float) -> Array:
    return x * jax.lax.rsqrt(jnp.mean(jnp.square(x), -1, keepdims=True) + epsilon) * wide(weight)


def layer_norm(x: Array, gamma: Array, beta: Array, epsilon: float) -> Array:
    centred = x - jnp.mean(x, -1, keepdims=True)
    return centred * jax.lax.rsqrt(jnp.mean(jnp.square(centred), -1, keepdims=True) + epsilon) * gamma + beta


def layernorm_train(x: Array, residual: Array, keep: Array, gamma: Array, beta: Array) -> tuple[Array, ...]:
    hidden = jnp.where(keep, x / 0.9, 0.0) + residual
    mean = jnp.mean(hidden, 1)
    centred = hidden - mean[:, None]
    rstd = jax.lax.rsqrt(jnp.mean(jnp.square(centred), 1) + 1e-12)
    return centred * rstd[:, None] * gamma + beta, mean, rstd


def layernorm_bwd(dy: Array, x: Array, mean: Array, rstd: Array, gamma: Array) -> tuple[Array, ...]:
    xhat = (x - mean[:, None]) * rstd[:, None]
    g = dy * gamma
    dx = (g - jnp.mean(g, 1, keepdims=True) - xhat * jnp.mean(g * xhat, 1, keepdims=True)) * rstd[:, None]
    return dx, jnp.sum(dy * xhat, 0), jnp.sum(dy, 0)


def rmsnorm_bwd(dy: Array, x: Array, weight: Array, rstd: Array) -> tuple[Array, ...]:
    xhat = wide(x) * rstd[:, None]
    g = wide(dy) * wide(weight)
    dx = (g - xhat * jnp.mean(g * xhat, 1, keepdims=True)) * rstd[:, None]
    return dx.astype(x.dtype), jnp.sum(wide(dy) * xhat, 0).astype(weight.dtype)


def add_rmsnorm_quant(x: Array, residual: Array, weight: Array) -> tuple[Array, ...]:
    hidden = stored(wide(x) + wide(residual))
    y = rms_norm(hidden, weight, 1e-5)
    scale = jnp.maximum(jnp.max(jnp.abs(y), 1) / 448.0, 1.0 / (448.0 * 512.0))
    quantised = jnp.clip(y / scale[:, None], -448.0, 448.0).astype(jnp.float8_e4m3fn)
    return hidden.astype(x.dtype), quantised, scale


def moe_combine_rmsnorm(
    expert_rows: Array, slot: Array, router_weight: Array, residual: Array, weight: Array
) -> tuple[Array, ...]:
    rows = wide(expert_rows[slot])
    hidden = stored(jnp.sum(rows * router_weight[..., None], 1) + wide(residual))
    return hidden.astype(residual.dtype), rms_norm(hidden, weight, 1e-6).astype(residual.dtype)


def groupnorm_silu(x: Array, gamma: Array, beta: Array, *, groups: int) -> tuple[Array, ...]:
    batch, channels, height, width = x.shape
    grouped = wide(x).reshape(batch, groups, channels // groups, height, width)
    axes = (2, 3, 4)
    centred = grouped - jnp.mean(grouped, axes, keepdims=True)
    normed = centred * jax.lax.rsqrt(jnp.mean(jnp.square(centred), axes, keepdims=True) + 1e-5)
    c = (None, slice(None), None, None)
    return (nn.silu(normed.reshape(x.shape) * wide(gamma)[c] + wide(beta)[c]).astype(x.dtype),)


def batchnorm_train_relu(x: Array, gamma: Array, beta: Array) -> tuple[Array, ...]:
    c = (None, slice(None), None, None)
    mean = jnp.mean(x, (0, 2, 3))
    centred = x - mean[c]
    rstd = jax.lax.rsqrt(jnp.mean(jnp.square(centred), (0, 2, 3)) + 1e-5)
    return nn.relu(centred * rstd[c] * gamma[c] + beta[c]), mean, rstd


def crnn_bn_relu_permute(
    x: Array, running_mean: Array, running_variance: Array, gamma: Array, beta: Array
) -> tuple[Array, ...]:
    sequence = jnp.transpose(jnp.squeeze(x, 2), (2, 0, 1))
    normed = (sequence - running_mean) * jax.lax.rsqrt(running_variance + 1e-5)
    return (nn.relu(normed * gamma + beta),)


def softmax_mask(scores: Array, mask: Array) -> tuple[Array, ...]:
    return (nn.softmax(scores / sqrt(64) + mask[:, None, None, :], -1),)


def softmax_bwd(y: Array, dy: Array) -> tuple[Array, ...]:
    product = y * dy
    return ((product - y * jnp.sum(product, -1, keepdims=True)) / sqrt(64),)


def asr_masked_softmax(scores: Array, length: Array) -> tuple[Array, ...]:
    valid = (jnp.arange(scores.shape[-1]) < length[:, None])[:, None, None, :]
    y = nn.softmax(jnp.where(valid, scores / sqrt(64), -jnp.inf), -1)
    return (jnp.where(valid, y, 0.0),)


def qk_norm_rope(
    query: Array, key: Array, query_weight: Array, key_weight: Array, cos: Array, sin: Array
) -> tuple[Array, ...]:
    c, s = cos[:, None, :], sin[:, None, :]

    def turned(x: Array, weight: Array) -> Array:
        first, second = jnp.split(rms_norm(wide(x), weight, 1e-6), 2, -1)
        return jnp.concatenate((first * c - second * s, second * c + first * s), -1).astype(x.dtype)

    return turned(query, query_weight), turned(key, key_weight)


def dien_attention(
    z: Array, alpha: Array, score_weight: Array, score_bias: Array, length: Array, history: Array
) -> tuple[Array, ...]:
    users, steps, _ = history.shape
    centred = z - jnp.mean(z, 0)
    p = nn.sigmoid(centred * jax.lax.rsqrt(jnp.mean(jnp.square(centred), 0) + 1e-9))
    dice = p * z + (1 - p) * alpha * z
    score = (jnp.sum(dice * score_weight, 1) + score_bias).reshape(users, steps)
    valid = jnp.arange(steps) < length[:, None]
    attention = nn.softmax(jnp.where(valid, score, -4294967296.0), -1)
    return jnp.sum(history * attention[..., None], 1), attention


def bias_gelu(x: Array, bias: Array) -> tuple[Array, ...]:
    return (nn.gelu(x + bias, approximate=False),)


def bias_gelu_bwd(dy: Array, x: Array, bias: Array) -> tuple[Array, ...]:
    z = x + bias
    cdf = 0.5 * (1 + jax.lax.erf(z / sqrt(2)))
    dx = dy * (cdf + z * jnp.exp(-0.5 * z * z) * 0.3989422804014327)
    return dx, jnp.sum(dx, 0)


def swiglu(gate: Array, up: Array) -> tuple[Array, ...]:
    return ((nn.silu(wide(gate)) * wide(up)).astype(gate.dtype),)


def dien_augru_cell(
    gates: Array,
    gate_bias: Array,
    candidate_x: Array,
    candidate_h: Array,
    candidate_bias: Array,
    attention: Array,
    h: Array,
) -> tuple[Array, ...]:
    reset, update = jnp.split(nn.sigmoid(gates + gate_bias), 2, 1)
    candidate = jnp.tanh(candidate_x + candidate_bias + reset * candidate_h)
    update = (1 - attention) * update
    return (update * h + (1 - update) * candidate,)


def crnn_lstm_cells(
    forward_gates_x: Array,
    forward_gates_h: Array,
    forward_c: Array,
    backward_gates_x: Array,
    backward_gates_h: Array,
    backward_c: Array,
) -> tuple[Array, ...]:
    def cell(gates: Array, c: Array) -> tuple[Array, Array]:
        i, f, g, o = jnp.split(gates, 4, 1)
        c = nn.sigmoid(f) * c + nn.sigmoid(i) * jnp.tanh(g)
        return c, nn.sigmoid(o) * jnp.tanh(c)

    forward = cell(forward_gates_x + forward_gates_h, forward_c)
    return *forward, *cell(backward_gates_x + backward_gates_h, backward_c)


def dien_row_reduce(item: Array, context: Array) -> tuple[Array, ...]:
    return (jnp.sum(item * context, 1),)


def adam(step_size: Array, rsqrt_correction: Array, **tensors: Array) -> tuple[Array, ...]:
    names = [name.removesuffix("_p") for name in tensors if name.endswith("_p")]
    made = {}
    for name in names:
        p, g, m, v = (tensors[f"{name}_{part}"] for part in "pgmv")
        m = m + 0.1 * (g - m)
        v = v + 0.001 * (g * g - v)
        made[name] = (p - step_size * m / (jnp.sqrt(v) * rsqrt_correction + 1e-8), m, v)
    # jit sorts keywords; the outputs stand in the order of the tensors' sizes
    ordered = sorted(names, key=lambda name: tensors[f"{name}_p"].size)
    return tuple(x for name in ordered for x in made[name])


def cross_entropy(logits: Array, label: Array) -> tuple[Array, ...]:
    logp = nn.log_softmax(wide(logits), -1)
    loss = -jnp.take_along_axis(logp, label[:, None], 1)[:, 0]
    gradient = jnp.exp(logp) - nn.one_hot(label, logits.shape[1], dtype=logp.dtype)
    return loss, gradient.astype(logits.dtype)


def transformer_loss(logits: Array, label: Array) -> tuple[Array, ...]:
    count, vocabulary = logits.shape
    logp = nn.log_softmax(logits, -1)
    target = 0.9 * nn.one_hot(label, vocabulary, dtype=logits.dtype) + 0.1 / vocabulary
    return -jnp.mean(jnp.sum(target * logp, 1)), (jnp.exp(logp) - target) / count


def bert_layer(hidden: Array, mask: Array, *, heads: int, **w: Array) -> tuple[Array, ...]:
    batch, tokens, width = hidden.shape

    def split(name: str) -> Array:
        y = hidden @ w[f"{name}_weight"] + w[f"{name}_bias"]
        return y.reshape(batch, tokens, heads, width // heads)

    query, key, value = (split(name) for name in ("query", "key", "value"))
    scores = jnp.einsum("bqhd,bkhd->bhqk", query, key) / 8 + mask[:, None, None, :]
    context = jnp.einsum("bhqk,bkhd->bqhd", nn.softmax(scores, -1), value).reshape(batch, tokens, width)
    attended = context @ w["output_weight"] + w["output_bias"] + hidden
    attended = layer_norm(attended, w["attention_gamma"], w["attention_beta"], 1e-12)
    ffn = nn.gelu(attended @ w["up_weight"] + w["up_bias"], approximate=False) @ w["down_weight"] + w["down_bias"]
    return (layer_norm(ffn + attended, w["ffn_gamma"], w["ffn_beta"], 1e-12),)


def asr_conv_module(
    x: Array,
    expand_weight: Array,
    expand_bias: Array,
    depthwise_weight: Array,
    depthwise_bias: Array,
    gamma: Array,
    beta: Array,
    project_weight: Array,
    project_bias: Array,
) -> tuple[Array, ...]:
    content, gate = jnp.split(x @ expand_weight + expand_bias, 2, -1)
    mixed = jax.lax.conv_general_dilated(
        content * nn.sigmoid(gate),
        depthwise_weight,
        (1,),
        "SAME",
        dimension_numbers=("NWC", "WIO", "NWC"),
        feature_group_count=x.shape[-1],
    )
    normed = layer_norm(mixed + depthwise_bias, gamma, beta, 1e-5)
    return (nn.silu(normed) @ project_weight + project_bias + x,)


_ALL: tuple[Any, ...] = (
    layernorm_train, layernorm_bwd, rmsnorm_bwd, add_rmsnorm_quant, moe_combine_rmsnorm, groupnorm_silu,
    batchnorm_train_relu, crnn_bn_relu_permute, softmax_mask, softmax_bwd, asr_masked_softmax, qk_norm_rope,
    dien_attention, bias_gelu, bias_gelu_bwd, swiglu, dien_augru_cell, crnn_lstm_cells, dien_row_reduce, adam,
    cross_entropy, transformer_loss, bert_layer, asr_conv_module,
)  # fmt: skip
MODELS: dict[str, Model] = {model.__name__: model for model in _ALL}
