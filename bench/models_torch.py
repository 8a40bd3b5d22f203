"""The samples as a torch user writes them, one function a sample, inputs by the names of the .fir.

Example: ``MODELS["swiglu"](gate=gate, up=up)`` returns a tuple of outputs. The same functions serve eager mode,
torch.compile and, on float64 tensors, as the reference: ``wide`` and ``like`` leave float64 alone, and what a model
stores in bf16 and reads again is rounded there too.
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Model = Callable[..., tuple[Tensor, ...]]


def wide(x: Tensor) -> Tensor:
    """bf16 is computed with in f32."""
    return x.float() if x.dtype == torch.bfloat16 else x


def like(y: Tensor, x: Tensor) -> Tensor:
    return y.to(x.dtype)


def stored(x: Tensor) -> Tensor:
    """Kept in bf16 and read again."""
    return x.to(torch.bfloat16).to(x.dtype)


def rms_norm(x: Tensor, weight: Tensor, epsilon: float) -> Tensor:
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + epsilon) * wide(weight)


def layernorm_train(x: Tensor, residual: Tensor, keep: Tensor, gamma: Tensor, beta: Tensor) -> tuple[Tensor, ...]:
    hidden = torch.where(keep, x / 0.9, 0.0) + residual
    mean = hidden.mean(1)
    centred = hidden - mean[:, None]
    rstd = torch.rsqrt(centred.square().mean(1) + 1e-12)
    return centred * rstd[:, None] * gamma + beta, mean, rstd


def layernorm_bwd(dy: Tensor, x: Tensor, mean: Tensor, rstd: Tensor, gamma: Tensor) -> tuple[Tensor, ...]:
    xhat = (x - mean[:, None]) * rstd[:, None]
    g = dy * gamma
    dx = (g - g.mean(1, keepdim=True) - xhat * (g * xhat).mean(1, keepdim=True)) * rstd[:, None]
    return dx, (dy * xhat).sum(0), dy.sum(0)


def rmsnorm_bwd(dy: Tensor, x: Tensor, weight: Tensor, rstd: Tensor) -> tuple[Tensor, ...]:
    xhat = wide(x) * wide(rstd)[:, None]
    g = wide(dy) * wide(weight)
    dx = (g - xhat * (g * xhat).mean(1, keepdim=True)) * wide(rstd)[:, None]
    return like(dx, x), like((wide(dy) * xhat).sum(0), weight)


def add_rmsnorm_quant(x: Tensor, residual: Tensor, weight: Tensor) -> tuple[Tensor, ...]:
    hidden = stored(wide(x) + wide(residual))
    y = rms_norm(hidden, weight, 1e-5)
    scale = (y.abs().amax(1) / 448.0).clamp(min=1.0 / (448.0 * 512.0))
    quantised = y / scale[:, None]
    if x.dtype == torch.bfloat16:
        quantised = quantised.clamp(-448.0, 448.0).to(torch.float8_e4m3fn)
    return like(hidden, x), quantised, scale


def moe_combine_rmsnorm(
    expert_rows: Tensor, slot: Tensor, router_weight: Tensor, residual: Tensor, weight: Tensor
) -> tuple[Tensor, ...]:
    rows = wide(expert_rows[slot])
    hidden = stored((rows * router_weight[..., None]).sum(1) + wide(residual))
    return like(hidden, residual), like(rms_norm(hidden, weight, 1e-6), residual)


def groupnorm_silu(x: Tensor, gamma: Tensor, beta: Tensor, *, groups: int) -> tuple[Tensor, ...]:
    return (like(F.silu(F.group_norm(wide(x), groups, wide(gamma), wide(beta), 1e-5)), x),)


def batchnorm_train_relu(x: Tensor, gamma: Tensor, beta: Tensor) -> tuple[Tensor, ...]:
    mean = x.mean((0, 2, 3))
    variance = x.var((0, 2, 3), correction=0)
    rstd = torch.rsqrt(variance + 1e-5)
    c = (None, slice(None), None, None)
    return torch.relu((x - mean[c]) * rstd[c] * gamma[c] + beta[c]), mean, rstd


def crnn_bn_relu_permute(
    x: Tensor, running_mean: Tensor, running_variance: Tensor, gamma: Tensor, beta: Tensor
) -> tuple[Tensor, ...]:
    y = torch.relu(F.batch_norm(x, running_mean, running_variance, gamma, beta, False, 0.0, 1e-5))
    return (y.squeeze(2).permute(2, 0, 1).contiguous(),)


def softmax_mask(scores: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
    return (torch.softmax(scores / sqrt(64) + mask[:, None, None, :], -1),)


def softmax_bwd(y: Tensor, dy: Tensor) -> tuple[Tensor, ...]:
    product = y * dy
    return ((product - y * product.sum(-1, keepdim=True)) / sqrt(64),)


def asr_masked_softmax(scores: Tensor, length: Tensor) -> tuple[Tensor, ...]:
    frame = torch.arange(scores.shape[-1], device=scores.device)
    valid = (frame < length[:, None])[:, None, None, :]
    y = torch.softmax((scores / sqrt(64)).masked_fill(~valid, float("-inf")), -1)
    return (y.masked_fill(~valid, 0.0),)


def qk_norm_rope(
    query: Tensor, key: Tensor, query_weight: Tensor, key_weight: Tensor, cos: Tensor, sin: Tensor
) -> tuple[Tensor, ...]:
    c, s = cos[:, None, :], sin[:, None, :]

    def turned(x: Tensor, weight: Tensor) -> Tensor:
        first, second = rms_norm(wide(x), weight, 1e-6).chunk(2, -1)
        return like(torch.cat((first * c - second * s, second * c + first * s), -1), x)

    return turned(query, query_weight), turned(key, key_weight)


def dien_attention(
    z: Tensor, alpha: Tensor, score_weight: Tensor, score_bias: Tensor, length: Tensor, history: Tensor
) -> tuple[Tensor, ...]:
    users, steps, _ = history.shape
    p = torch.sigmoid((z - z.mean(0)) * torch.rsqrt(z.var(0, correction=0) + 1e-9))
    dice = p * z + (1 - p) * alpha * z
    score = ((dice * score_weight).sum(1) + score_bias).view(users, steps)
    valid = torch.arange(steps, device=z.device) < length[:, None]
    attention = torch.softmax(score.masked_fill(~valid, -4294967296.0), -1)
    return (history * attention[..., None]).sum(1), attention


def bias_gelu(x: Tensor, bias: Tensor) -> tuple[Tensor, ...]:
    return (F.gelu(x + bias),)


def bias_gelu_bwd(dy: Tensor, x: Tensor, bias: Tensor) -> tuple[Tensor, ...]:
    z = x + bias
    cdf = 0.5 * (1 + torch.erf(z / sqrt(2)))
    dx = dy * (cdf + z * torch.exp(-0.5 * z * z) * 0.3989422804014327)
    return dx, dx.sum(0)


def swiglu(gate: Tensor, up: Tensor) -> tuple[Tensor, ...]:
    return (like(F.silu(wide(gate)) * wide(up), gate),)


def dien_augru_cell(
    gates: Tensor,
    gate_bias: Tensor,
    candidate_x: Tensor,
    candidate_h: Tensor,
    candidate_bias: Tensor,
    attention: Tensor,
    h: Tensor,
) -> tuple[Tensor, ...]:
    reset, update = torch.sigmoid(gates + gate_bias).chunk(2, 1)
    candidate = torch.tanh(candidate_x + candidate_bias + reset * candidate_h)
    update = (1 - attention) * update
    return (update * h + (1 - update) * candidate,)


def crnn_lstm_cells(
    forward_gates_x: Tensor,
    forward_gates_h: Tensor,
    forward_c: Tensor,
    backward_gates_x: Tensor,
    backward_gates_h: Tensor,
    backward_c: Tensor,
) -> tuple[Tensor, ...]:
    def cell(gates: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        i, f, g, o = gates.chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return c, torch.sigmoid(o) * torch.tanh(c)

    forward = cell(forward_gates_x + forward_gates_h, forward_c)
    return *forward, *cell(backward_gates_x + backward_gates_h, backward_c)


def dien_row_reduce(item: Tensor, context: Tensor) -> tuple[Tensor, ...]:
    return ((item * context).sum(1),)


def adam(step_size: Tensor, rsqrt_correction: Tensor, **tensors: Tensor) -> tuple[Tensor, ...]:
    names = [name.removesuffix("_p") for name in tensors if name.endswith("_p")]
    out: list[Tensor] = []
    for name in names:
        p, g, m, v = (tensors[f"{name}_{part}"] for part in "pgmv")
        m = m + 0.1 * (g - m)
        v = v + 0.001 * (g * g - v)
        out += (p - step_size * m / (v.sqrt() * rsqrt_correction + 1e-8), m, v)
    return tuple(out)


def cross_entropy(logits: Tensor, label: Tensor) -> tuple[Tensor, ...]:
    x, index = wide(logits), label.long()[:, None]
    logp = torch.log_softmax(x, -1)
    loss = -logp.gather(1, index)[:, 0]
    gradient = logp.exp().scatter_add(1, index, -torch.ones_like(index, dtype=logp.dtype))
    return loss, like(gradient, logits)


def transformer_loss(logits: Tensor, label: Tensor) -> tuple[Tensor, ...]:
    count, vocabulary = logits.shape
    logp = torch.log_softmax(logits, -1)
    target = torch.full_like(logits, 0.1 / vocabulary)
    target.scatter_(1, label.long()[:, None], 0.9 + 0.1 / vocabulary)
    return -(target * logp).sum(1).mean(), (logp.exp() - target) / count


def bert_layer(hidden: Tensor, mask: Tensor, *, heads: int, **w: Tensor) -> tuple[Tensor, ...]:
    batch, tokens, width = hidden.shape

    def split(name: str) -> Tensor:
        y = hidden @ w[f"{name}_weight"] + w[f"{name}_bias"]
        return y.view(batch, tokens, heads, width // heads).transpose(1, 2)

    query, key, value = (split(name) for name in ("query", "key", "value"))
    probabilities = torch.softmax(query @ key.transpose(2, 3) / 8 + mask[:, None, None, :], -1)
    context = (probabilities @ value).transpose(1, 2).reshape(batch, tokens, width)
    attended = context @ w["output_weight"] + w["output_bias"] + hidden
    attended = F.layer_norm(attended, (width,), w["attention_gamma"], w["attention_beta"], 1e-12)
    ffn = F.gelu(attended @ w["up_weight"] + w["up_bias"]) @ w["down_weight"] + w["down_bias"]
    return (F.layer_norm(ffn + attended, (width,), w["ffn_gamma"], w["ffn_beta"], 1e-12),)


def asr_conv_module(
    x: Tensor,
    expand_weight: Tensor,
    expand_bias: Tensor,
    depthwise_weight: Tensor,
    depthwise_bias: Tensor,
    gamma: Tensor,
    beta: Tensor,
    project_weight: Tensor,
    project_bias: Tensor,
) -> tuple[Tensor, ...]:
    glu = F.glu(x @ expand_weight + expand_bias, -1)
    kernel = depthwise_weight.permute(2, 1, 0)
    taps, width = kernel.shape[2], kernel.shape[0]
    mixed = F.conv1d(glu.transpose(1, 2), kernel, depthwise_bias, padding=taps // 2, groups=width).transpose(1, 2)
    normed = F.layer_norm(mixed, (width,), gamma, beta, 1e-5)
    return (F.silu(normed) @ project_weight + project_bias + x,)


_ALL: tuple[Any, ...] = (
    layernorm_train, layernorm_bwd, rmsnorm_bwd, add_rmsnorm_quant, moe_combine_rmsnorm, groupnorm_silu,
    batchnorm_train_relu, crnn_bn_relu_permute, softmax_mask, softmax_bwd, asr_masked_softmax, qk_norm_rope,
    dien_attention, bias_gelu, bias_gelu_bwd, swiglu, dien_augru_cell, crnn_lstm_cells, dien_row_reduce, adam,
    cross_entropy, transformer_loss, bert_layer, asr_conv_module,
)  # fmt: skip
MODELS: dict[str, Model] = {model.__name__: model for model in _ALL}
