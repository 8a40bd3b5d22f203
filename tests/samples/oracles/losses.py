"""Oracles of the losses and their gradients.

Example: ``cross_entropy(logits=logits, label=label)`` returns the loss of every row and the gradient.
"""

from __future__ import annotations

import numpy as np

from tests.samples.oracles.formulas import Array, log_softmax


def cross_entropy(logits: Array, label: Array) -> tuple[Array, ...]:
    rows = np.arange(len(label))
    logp = log_softmax(logits)
    gradient = np.exp(logp)
    gradient[rows, label] -= 1
    return -logp[rows, label], gradient


def transformer_loss(logits: Array, label: Array) -> tuple[Array, ...]:
    count, vocabulary = logits.shape
    rows = np.arange(count)
    logp = log_softmax(logits)
    loss = np.mean(-0.9 * logp[rows, label] - 0.1 * logp.mean(1))
    gradient = np.exp(logp) - 0.1 / vocabulary
    gradient[rows, label] -= 0.9
    return loss, gradient / count


LOSSES = (cross_entropy, transformer_loss)
