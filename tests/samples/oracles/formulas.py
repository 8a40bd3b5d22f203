"""Building blocks of the oracles: softmax, statistics and special functions as textbooks define them.

Example: ``softmax(scores)`` over the last axis. Nothing of fstc.
"""

from __future__ import annotations

import math
from typing import Any

import ml_dtypes
import numpy as np

Array = Any

_erfc = np.frompyfunc(math.erfc, 1, 1)


def normal_cdf(z: Array) -> Array:
    """Distribution function of the standard normal; erfc keeps its lower tail exact."""
    return 0.5 * _erfc(-z / math.sqrt(2)).astype(np.float64)


def normal_pdf(z: Array) -> Array:
    return np.exp(-z * z / 2) / math.sqrt(2 * math.pi)


def gelu(z: Array) -> Array:
    return z * normal_cdf(z)


def sigmoid(z: Array) -> Array:
    return 0.5 * (1 + np.tanh(z / 2))


def silu(z: Array) -> Array:
    return z * sigmoid(z)


def kept_in_bf16(x: Array) -> Array:
    """What a model stores in bf16 and reads again: rounding that belongs to the model, not to its arithmetic."""
    return x.astype(ml_dtypes.bfloat16).astype(np.float64)


def log_softmax(scores: Array) -> Array:
    """Over the last axis: scores - log(sum(exp(scores)))."""
    return scores - np.logaddexp.reduce(scores, axis=-1, keepdims=True)


def softmax(scores: Array) -> Array:
    return np.exp(log_softmax(scores))


def layer_norm(x: Array, gamma: Array, beta: Array, epsilon: float) -> Array:
    """Over the last axis."""
    return gamma * (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + epsilon) + beta


def rms_norm(x: Array, weight: Array, epsilon: float) -> Array:
    """Over the last axis."""
    return weight * x / np.sqrt(np.mean(x * x, -1, keepdims=True) + epsilon)


__all__ = [
    "Array",
    "gelu",
    "kept_in_bf16",
    "layer_norm",
    "log_softmax",
    "normal_cdf",
    "normal_pdf",
    "rms_norm",
    "sigmoid",
    "silu",
    "softmax",
]
