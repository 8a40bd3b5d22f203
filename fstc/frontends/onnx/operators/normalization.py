"""Normalisations, decomposed: statistics of 16-bit floats in f32.

Example: ``LayerNormalization`` is two means, a root and products, which are stitched into one kernel.
"""

from __future__ import annotations

from collections.abc import Mapping

from fstc.frontends.artefact import Unsupported
from fstc.frontends.builder import Builder, Val
from fstc.frontends.composed import normalize
from fstc.frontends.composed.precision import rounded_once, wide
from fstc.frontends.onnx.node import Handler, Node
from fstc.frontends.onnx.problems import wrong
from fstc.ir.types import F32

FLOAT = 1  # stash_type


def layer_normalization(n: Node) -> list[Val]:
    b, x, scale, bias = n.b, n[0], n[1], n.get(2)
    axis = n.axis(n.integer("axis", -1), x.rank)
    axes = list(range(axis, x.rank))
    y, mean, rstd = normalize.layer_norm(b, _stashed(n, x), axes, None, None, n.number("epsilon", 1e-5))
    y = b.ew("mul", b.convert(y, x.dtype) if _rounds(n) else y, _fits(b, scale, x))
    y = y if bias is None else b.ew("add", y, _fits(b, bias, x))
    return [b.convert(y, x.dtype), mean, rstd]


def _stashed(n: Node, x: Val) -> Val:
    """Statistics are computed in ``stash_type``: f32, unless x is wider."""
    if n.integer("stash_type", FLOAT) not in (0, FLOAT, 10, 16):
        raise Unsupported(f"`stash_type` {n.integer('stash_type', FLOAT)}")
    return n.b.convert(x, F32) if x.dtype.size < 4 else x


def _rounds(n: Node) -> bool:
    """ONNX rounds to the type of x before scale and bias."""
    return n[0].dtype == n[1].dtype


def _fits(b: Builder, v: Val, x: Val) -> Val:
    """Scale and bias broadcast to x."""
    if v.rank > x.rank or b.broadcast(v, x.shape).shape != x.shape:
        raise wrong(f"{v.type} does not broadcast to {x.type}")
    return v


def rms_normalization(n: Node) -> Val:
    b, x, scale = n.b, n[0], n[1]
    axes = list(range(n.axis(n.integer("axis", -1), x.rank), x.rank))
    y = normalize.rms_norm(b, _stashed(n, x), axes, None, n.number("epsilon", 1e-5))
    y = b.convert(y, x.dtype)
    return b.convert(b.ew("mul", b.convert(y, scale.dtype), _fits(b, scale, x)), scale.dtype)


def batch_normalization(n: Node) -> list[Val]:
    b, x, scale, bias, mean, variance = n.b, *(n[i] for i in range(5))
    epsilon, momentum = n.number("epsilon", 1e-5), n.number("momentum", 0.9)
    channels = x.shape[1] if x.rank > 1 else 1
    for v in (scale, bias, mean, variance):
        if v.shape != (channels,):
            raise wrong(f"{v.type} for {channels} channels of {x.type}")
    if not n.integer("training_mode", 0):
        return [normalize.batch_norm(b, x, mean, variance, scale, bias, epsilon)]
    y, found, spread = normalize.batch_norm_training(b, x, scale, bias, epsilon)

    def running(old: Val, new: Val) -> Val:
        kept = b.ew("mul", wide(b, old), momentum)
        return b.convert(b.ew("add", kept, b.ew("mul", new, 1.0 - momentum)), old.dtype)

    return [y, running(mean, b.convert(found, wide(b, mean).dtype)),
            running(variance, b.convert(spread, wide(b, variance).dtype))]  # fmt: skip


def instance_normalization(n: Node) -> Val:
    x = n[0]
    if x.rank < 3 or n[1].shape != x.shape[1:2] or n[2].shape != x.shape[1:2]:
        raise wrong(f"scale {n[1].type} and bias {n[2].type} of {x.type}")
    return normalize.instance_norm(n.b, x, n[1], n[2], n.number("epsilon", 1e-5))


def group_normalization(n: Node) -> Val:
    """Scale and bias have one element a group before opset 21, one a channel since."""
    b, x, groups = n.b, n[0], n.integer("num_groups")
    if x.rank < 2 or groups < 1 or x.shape[1] % groups:
        raise wrong(f"{groups} groups of {x.type}")
    channels = x.shape[1]

    def spread(v: Val) -> Val:
        if v.shape not in ((groups,), (channels,)):
            raise wrong(f"{v.type} for {groups} groups of {channels} channels")
        if n.opset >= 21 or v.shape == (channels,):
            return v
        return b.reshape(b.broadcast_in_dim(v, (groups, channels // groups), (0,)), (channels,))

    return normalize.group_norm(b, x, groups, spread(n[1]), spread(n[2]), n.number("epsilon", 1e-5))[0]


def mean_variance_normalization(n: Node) -> Val:
    b, x = n.b, n[0]
    axes = n.axes(n.integers("axes", [0, 2, 3]), x.rank)
    _, variance, centred = normalize.moments(b, x, axes)
    return b.convert(b.ew("div", centred, b.ew("add", b.ew("sqrt", variance), 1e-9)), x.dtype)


def lp_normalization(n: Node) -> Val:
    b, x, p = n.b, n[0], n.integer("p", 2)
    axis = n.axis(n.integer("axis", -1), x.rank)
    if p not in (1, 2):
        raise wrong(f"`p` is {p}, allowed are 1 and 2")

    def of(x: Val) -> Val:
        size = b.reduce("sum", b.ew("abs", x) if p == 1 else b.ew("mul", x, x), [axis], keep=True)
        norm = size if p == 1 else b.ew("sqrt", size)
        return b.select(b.compare("EQ", norm, 0.0), 0.0, b.ew("div", x, norm))

    return rounded_once(b, of, x)


def local_response(n: Node) -> Val:
    """Each element by a sum of squares over neighbouring channels."""
    b, x, size = n.b, n[0], n.integer("size")
    if x.rank < 3 or size < 1:
        raise wrong(f"`size` {size} over the channels of {x.type}")
    alpha, beta, bias = n.number("alpha", 1e-4), n.number("beta", 0.75), n.number("bias", 1.0)

    def of(x: Val) -> Val:
        window, pads = [1] * x.rank, [(0, 0)] * x.rank
        window[1], pads[1] = size, ((size - 1) // 2, size // 2)
        total = b.op("window_sum", [b.ew("mul", x, x)], window_dimensions=window, padding=pads)[0]
        return b.ew("div", x, b.ew("pow", b.ew("add", b.ew("mul", total, alpha / size), bias), beta))

    return rounded_once(b, of, x)


NORMALIZATION: Mapping[str, Handler] = {
    "LayerNormalization": layer_normalization, "RMSNormalization": rms_normalization,
    "BatchNormalization": batch_normalization, "InstanceNormalization": instance_normalization,
    "GroupNormalization": group_normalization, "MeanVarianceNormalization": mean_variance_normalization,
    "LpNormalization": lp_normalization, "LRN": local_response,
}  # fmt: skip
