"""Oracles of whole layers with matrix products: a BERT encoder layer, Conformer's convolution module.

Example: ``bert_layer(**feeds)``.
"""

from __future__ import annotations

import numpy as np

from tests.samples.oracles.formulas import Array, gelu, layer_norm, sigmoid, silu, softmax


def bert_layer(
    hidden: Array,
    mask: Array,
    query_weight: Array,
    query_bias: Array,
    key_weight: Array,
    key_bias: Array,
    value_weight: Array,
    value_bias: Array,
    output_weight: Array,
    output_bias: Array,
    attention_gamma: Array,
    attention_beta: Array,
    up_weight: Array,
    up_bias: Array,
    down_weight: Array,
    down_bias: Array,
    ffn_gamma: Array,
    ffn_beta: Array,
    *,
    heads: int,
) -> tuple[Array, ...]:
    width = hidden.shape[2] // heads
    out = np.empty_like(hidden)
    for sentence, tokens in enumerate(hidden):
        query, key, value = (
            tokens @ weight + bias
            for weight, bias in (
                (query_weight, query_bias),
                (key_weight, key_bias),
                (value_weight, value_bias),
            )
        )
        context = np.empty_like(tokens)
        for head in range(heads):
            part = slice(head * width, (head + 1) * width)
            # 8 = sqrt(64), the model's constant at every test size
            scores = query[:, part] @ key[:, part].T / 8 + mask[sentence]
            context[:, part] = softmax(scores) @ value[:, part]
        attended = tokens + context @ output_weight + output_bias
        attended = layer_norm(attended, attention_gamma, attention_beta, 1e-12)
        ffn = gelu(attended @ up_weight + up_bias) @ down_weight + down_bias
        out[sentence] = layer_norm(attended + ffn, ffn_gamma, ffn_beta, 1e-12)
    return (out,)


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
    content, gate = np.split(x @ expand_weight + expand_bias, 2, axis=-1)
    glu = content * sigmoid(gate)
    taps, frames = len(depthwise_weight), x.shape[1]
    padded = np.pad(glu, ((0, 0), (taps // 2, taps // 2), (0, 0)))
    mixed = sum(padded[:, tap : tap + frames] * depthwise_weight[tap, 0] for tap in range(taps)) + depthwise_bias
    return (x + silu(layer_norm(mixed, gamma, beta, 1e-5)) @ project_weight + project_bias,)


LAYERS = (bert_layer, asr_conv_module)
