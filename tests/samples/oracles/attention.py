"""Oracles of attention's parts: masked softmax, its gradient, rotary embedding, DIEN's pooling.

Example: ``softmax_mask(scores=scores, mask=mask)``.
"""

from __future__ import annotations

import numpy as np

from tests.samples.oracles.formulas import Array, rms_norm, sigmoid, softmax

HEAD = 64  # width of a head in BERT and in the speech model


def softmax_mask(scores: Array, mask: Array) -> tuple[Array, ...]:
    return (softmax(scores / np.sqrt(HEAD) + mask[:, None, None, :]),)


def softmax_bwd(y: Array, dy: Array) -> tuple[Array, ...]:
    # rows of the Jacobian diag(y) - y y^T
    return ((y * dy - y * np.einsum("bhqk,bhqk->bhq", y, dy)[..., None]) / np.sqrt(HEAD),)


def asr_masked_softmax(scores: Array, length: Array) -> tuple[Array, ...]:
    out = np.zeros_like(scores)
    for utterance, frames in enumerate(length):
        out[utterance, ..., :frames] = softmax(scores[utterance, ..., :frames] / np.sqrt(HEAD))
    return (out,)


def qk_norm_rope(
    query: Array, key: Array, query_weight: Array, key_weight: Array, cos: Array, sin: Array
) -> tuple[Array, ...]:
    angle = (cos + 1j * sin)[:, None, :]

    def rotate(x: Array) -> Array:
        first, second = np.split(x, 2, axis=-1)
        turned = (first + 1j * second) * angle
        return np.concatenate([turned.real, turned.imag], axis=-1)

    return rotate(rms_norm(query, query_weight, 1e-6)), rotate(rms_norm(key, key_weight, 1e-6))


def dien_attention(
    z: Array, alpha: Array, score_weight: Array, score_bias: Array, length: Array, history: Array
) -> tuple[Array, ...]:
    users, steps, _ = history.shape
    p = sigmoid((z - z.mean(0)) / np.sqrt(z.var(0) + 1e-9))
    dice = (p + (1 - p) * alpha) * z
    score = (dice @ score_weight + score_bias).reshape(users, steps)
    attention = np.zeros_like(score)
    for user, steps_of_user in enumerate(length):
        attention[user, :steps_of_user] = softmax(score[user, :steps_of_user])
    return np.einsum("bt,btd->bd", attention, history), attention


ATTENTION = (softmax_mask, softmax_bwd, asr_masked_softmax, qk_norm_rope, dien_attention)
