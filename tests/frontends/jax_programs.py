"""JAX programs of real widths: a BERT layer, a ResNet block with GroupNorm, their gradients, AdamW, a GRU by scan.

Example: ``function, args = PROGRAMS["bert_layer"](SMALL)``. ``REAL`` has the widths of the models, ``WIDE`` the same
widths for a small batch; ``SMALL`` is the same programs at extents that the reference evaluates in a moment.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax, nn

Program = tuple[Callable[..., Any], tuple[Any, ...]]


@dataclass(frozen=True)
class Sizes:
    batch: int
    sequence: int
    hidden: int
    heads: int
    inner: int
    vocabulary: int
    channels: int
    groups: int
    image: int
    steps: int


REAL = Sizes(8, 128, 768, 12, 3072, 30522, 256, 32, 28, 32)
WIDE = Sizes(2, 32, 768, 12, 3072, 2000, 256, 32, 14, 8)
SMALL = Sizes(2, 6, 16, 2, 24, 50, 8, 4, 6, 5)


class _Drawn:
    """Parameters and inputs: normal, of a fan-in scale, always the same."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)

    def weight(self, *shape: int) -> Any:
        return np.asarray(self.rng.standard_normal(shape) / np.sqrt(shape[0]), np.float32)

    def near(self, mean: float, *shape: int) -> Any:
        return np.asarray(mean + 0.1 * self.rng.standard_normal(shape), np.float32)

    def data(self, *shape: int) -> Any:
        return np.asarray(self.rng.standard_normal(shape), np.float32)


def layer_norm(x: Any, scale: Any, bias: Any) -> Any:
    centred = x - jnp.mean(x, -1, keepdims=True)
    return centred * lax.rsqrt(jnp.mean(jnp.square(centred), -1, keepdims=True) + 1e-12) * scale + bias


def _bert_layer(params: Any, x: Any, mask: Any, heads: int) -> Any:
    """Post-norm, as BERT has it: attention, add and norm, GELU MLP, add and norm."""
    batch, length, width = x.shape

    def split(y: Any) -> Any:
        return y.reshape(batch, length, heads, width // heads)

    with jax.named_scope("attention"):
        q, k, v = (split(x @ params[n]["w"] + params[n]["b"]) for n in ("query", "key", "value"))
        scores = jnp.einsum("bqhd,bkhd->bhqk", q, k) / np.sqrt(width // heads).astype(np.float32)
        weights = nn.softmax(jnp.where(mask[:, None, None, :], scores, -1e9), -1)
        context = jnp.einsum("bhqk,bkhd->bqhd", weights, v).reshape(batch, length, width)
        x = layer_norm(x + context @ params["out"]["w"] + params["out"]["b"], **params["norm1"])
    with jax.named_scope("mlp"):
        inner = nn.gelu(x @ params["up"]["w"] + params["up"]["b"], approximate=False)
        return layer_norm(x + inner @ params["down"]["w"] + params["down"]["b"], **params["norm2"])


def _bert_arguments(s: Sizes) -> tuple[Any, ...]:
    d = _Drawn()
    h, i = s.hidden, s.inner
    params = {n: {"w": d.weight(h, h), "b": d.near(0, h)} for n in ("query", "key", "value", "out")}
    params["up"] = {"w": d.weight(h, i), "b": d.near(0, i)}
    params["down"] = {"w": d.weight(i, h), "b": d.near(0, h)}
    for n in ("norm1", "norm2"):
        params[n] = {"scale": d.near(1, h), "bias": d.near(0, h)}
    lengths = d.rng.integers(2, s.sequence + 1, s.batch)
    mask = np.arange(s.sequence) < lengths[:, None]
    return params, d.data(s.batch, s.sequence, h), mask


def bert_layer(s: Sizes) -> Program:
    return lambda params, x, mask: _bert_layer(params, x, mask, s.heads), _bert_arguments(s)


def bert_layer_grad(s: Sizes) -> Program:
    """Of the mean squared distance from a target, with respect to parameters and input."""
    params, x, mask = _bert_arguments(s)

    def loss(params: Any, x: Any, mask: Any, target: Any) -> Any:
        return jnp.mean(jnp.square(_bert_layer(params, x, mask, s.heads) - target))

    return jax.grad(loss, argnums=(0, 1)), (params, x, mask, _Drawn().data(*x.shape))


def group_norm(x: Any, scale: Any, bias: Any, groups: int) -> Any:
    """Over (height, width, channels of a group) of an NHWC tensor."""
    batch, height, width, channels = x.shape
    g = x.reshape(batch, height, width, groups, channels // groups)
    centred = g - jnp.mean(g, (1, 2, 4), keepdims=True)
    normed = centred * lax.rsqrt(jnp.mean(jnp.square(centred), (1, 2, 4), keepdims=True) + 1e-5)
    return normed.reshape(x.shape) * scale + bias


def _convolved(x: Any, w: Any, stride: int = 1) -> Any:
    return lax.conv_general_dilated(x, w, (stride, stride), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def _resnet_block(params: Any, x: Any, groups: int) -> Any:
    """Bottleneck with a projected shortcut and stride 2."""
    y = nn.relu(group_norm(_convolved(x, params["conv1"]), **params["norm1"], groups=groups))
    y = nn.relu(group_norm(_convolved(y, params["conv2"], 2), **params["norm2"], groups=groups))
    y = group_norm(_convolved(y, params["conv3"]), **params["norm3"], groups=groups)
    shortcut = group_norm(_convolved(x, params["project"], 2), **params["norm4"], groups=groups)
    return nn.relu(y + shortcut)


def _resnet_arguments(s: Sizes) -> tuple[Any, ...]:
    d = _Drawn()
    wide, narrow = s.channels, s.channels // 2

    def kernel(size: int, ins: int, outs: int) -> Any:
        return np.asarray(d.data(size, size, ins, outs) / np.sqrt(size * size * ins), np.float32)

    params: dict[str, Any] = {
        "conv1": kernel(1, wide, narrow),
        "conv2": kernel(3, narrow, narrow),
        "conv3": kernel(1, narrow, wide),
        "project": kernel(1, wide, wide),
    }
    for n, c in (("norm1", narrow), ("norm2", narrow), ("norm3", wide), ("norm4", wide)):
        params[n] = {"scale": d.near(1, c), "bias": d.near(0, c)}
    return params, d.data(s.batch, s.image, s.image, wide)


def resnet_block(s: Sizes) -> Program:
    return lambda params, x: _resnet_block(params, x, s.groups), _resnet_arguments(s)


def resnet_block_grad(s: Sizes) -> Program:
    params, x = _resnet_arguments(s)

    def loss(params: Any, x: Any, share: Any) -> Any:
        return jnp.sum(_resnet_block(params, x, s.groups) * share)

    half = -(-s.image // 2)
    return jax.grad(loss, argnums=(0, 1)), (params, x, _Drawn().data(s.batch, half, half, s.channels))


def adamw_step(s: Sizes) -> Program:
    """One step over a tree of parameters, with the norm of all gradients clipped to 1; bf16 copies come out too."""
    shapes = {"w": (s.hidden, s.inner), "b": (s.inner,), "embedding": (s.vocabulary, s.hidden)}
    d = _Drawn()
    trees = [{n: scale * d.data(*shape) for n, shape in shapes.items()} for scale in (1.0, 0.1, 0.01)]
    second = {n: np.square(0.1 * d.data(*shape)) for n, shape in shapes.items()}
    beta1, beta2, epsilon, decay = 0.9, 0.999, 1e-8, 0.01

    def step(params: Any, grads: Any, mean: Any, square: Any, count: Any, rate: Any) -> Any:
        norm = jnp.sqrt(sum(jnp.sum(jnp.square(g)) for g in jax.tree.leaves(grads)))
        grads = jax.tree.map(lambda g: g * jnp.minimum(1.0, 1.0 / (norm + 1e-6)), grads)
        count = count + 1
        mean = jax.tree.map(lambda m, g: beta1 * m + (1 - beta1) * g, mean, grads)
        square = jax.tree.map(lambda v, g: beta2 * v + (1 - beta2) * g * g, square, grads)
        c1, c2 = 1 - beta1 ** count.astype(jnp.float32), 1 - beta2 ** count.astype(jnp.float32)

        def update(p: Any, m: Any, v: Any) -> Any:
            return p - rate * (m / c1 / (jnp.sqrt(v / c2) + epsilon) + decay * p)

        params = jax.tree.map(update, params, mean, square)
        return params, mean, square, count, jax.tree.map(lambda p: p.astype(jnp.bfloat16), params)

    params, grads, mean = trees
    return step, (params, grads, mean, second, np.int32(3), np.float32(1e-3))


def gru_scan(s: Sizes) -> Program:
    """torch's GRU equations over time, by lax.scan; inputs are projected in one product before it."""
    d = _Drawn()
    h = s.hidden
    params = {"wi": d.weight(h, 3 * h), "wh": d.weight(h, 3 * h), "bi": d.near(0, 3 * h), "bh": d.near(0, 3 * h)}

    def run(params: Any, x: Any, h0: Any) -> Any:
        def cell(h: Any, gates: Any) -> Any:
            r, z, n = jnp.split(gates, 3, -1)
            hr, hz, hn = jnp.split(h @ params["wh"] + params["bh"], 3, -1)
            z = nn.sigmoid(z + hz)
            n = jnp.tanh(n + nn.sigmoid(r + hr) * hn)
            h = (1 - z) * n + z * h
            return h, h

        return lax.scan(cell, h0, x @ params["wi"] + params["bi"])

    return run, (params, d.data(s.steps, s.batch, h), d.data(s.batch, h))


def gru_scan_grad(s: Sizes) -> Program:
    run, args = gru_scan(s)

    def loss(params: Any, x: Any, h0: Any) -> Any:
        last, hs = run(params, x, h0)
        return jnp.sum(jnp.square(last)) + jnp.mean(jnp.square(hs))

    return jax.grad(loss, argnums=(0, 1, 2)), args


PROGRAMS: dict[str, Callable[[Sizes], Program]] = {
    "bert_layer": bert_layer,
    "bert_layer_grad": bert_layer_grad,
    "resnet_block": resnet_block,
    "resnet_block_grad": resnet_block_grad,
    "adamw_step": adamw_step,
    "gru_scan": gru_scan,
    "gru_scan_grad": gru_scan_grad,
}
