"""Oracles of element-wise models: GELU, SwiGLU, recurrent cells, embedding products, Adam.

Example: ``bias_gelu(x=x, bias=bias)``.
"""

from __future__ import annotations

import numpy as np

from tests.samples.bindings import ADAM_TENSORS
from tests.samples.oracles.formulas import Array, gelu, normal_cdf, normal_pdf, sigmoid, silu


def bias_gelu(x: Array, bias: Array) -> tuple[Array, ...]:
    return (gelu(x + bias),)


def bias_gelu_bwd(dy: Array, x: Array, bias: Array) -> tuple[Array, ...]:
    z = x + bias
    dx = dy * (normal_cdf(z) + z * normal_pdf(z))
    return dx, dx.sum(0)


def swiglu(gate: Array, up: Array) -> tuple[Array, ...]:
    return (silu(gate) * up,)


def dien_augru_cell(
    gates: Array,
    gate_bias: Array,
    candidate_x: Array,
    candidate_h: Array,
    candidate_bias: Array,
    attention: Array,
    h: Array,
) -> tuple[Array, ...]:
    reset, update = np.split(sigmoid(gates + gate_bias), 2, axis=1)
    candidate = np.tanh(candidate_x + candidate_bias + reset * candidate_h)
    update = (1 - attention) * update
    return (candidate + update * (h - candidate),)


def _lstm_cell(gates: Array, c: Array) -> tuple[Array, Array]:
    i, f, g, o = np.split(gates, 4, axis=1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return c, sigmoid(o) * np.tanh(c)


def crnn_lstm_cells(
    forward_gates_x: Array,
    forward_gates_h: Array,
    forward_c: Array,
    backward_gates_x: Array,
    backward_gates_h: Array,
    backward_c: Array,
) -> tuple[Array, ...]:
    forward = _lstm_cell(forward_gates_x + forward_gates_h, forward_c)
    return *forward, *_lstm_cell(backward_gates_x + backward_gates_h, backward_c)


def dien_row_reduce(item: Array, context: Array) -> tuple[Array, ...]:
    return (np.einsum("nd,nd->n", item, context),)


def adam(step_size: Array, rsqrt_correction: Array, **tensors: Array) -> tuple[Array, ...]:
    out: list[Array] = []
    for name in (t.lower() for t in ADAM_TENSORS):
        g = tensors[f"{name}_g"]
        m = tensors[f"{name}_m"] + (1 - 0.9) * (g - tensors[f"{name}_m"])
        v = tensors[f"{name}_v"] + (1 - 0.999) * (g**2 - tensors[f"{name}_v"])
        p = tensors[f"{name}_p"] - step_size * m / (np.sqrt(v) * rsqrt_correction + 1e-8)
        out += (p, m, v)
    return tuple(out)


ACTIVATIONS = (bias_gelu, bias_gelu_bwd, swiglu, dien_augru_cell, crnn_lstm_cells, dien_row_reduce, adam)
