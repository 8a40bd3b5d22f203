"""Activation functions.

Example: ``Gelu`` with ``approximate = "tanh"`` is the polynomial form.
"""

from __future__ import annotations

from collections.abc import Mapping

from fstc.frontends.builder import Val
from fstc.frontends.composed import activations, normalize
from fstc.frontends.composed.precision import rounded_once
from fstc.frontends.onnx.node import Handler, Node
from fstc.frontends.onnx.operators.elementwise import composed
from fstc.frontends.onnx.problems import wrong
from fstc.ir.types import F64


def leaky_relu(n: Node) -> Val:
    return activations.leaky_relu(n.b, n[0], n.number("alpha", 0.01))


def prelu(n: Node) -> Val:
    """The slope broadcasts one way."""
    b, x, slope = n.b, n[0], n.b.broadcast(n[1], n[0].shape)
    if x.dtype.is_float:
        return activations.prelu(b, x, slope)
    return b.select(b.compare("LT", x, 0), b.ew("mul", x, slope), x)


def relu(n: Node) -> Val:
    return n.b.ew("max", n[0], 0)


def elu(n: Node) -> Val:
    return activations.elu(n.b, n[0], n.number("alpha", 1.0))


def selu(n: Node) -> Val:
    return activations.selu(
        n.b, n[0], n.number("alpha", 1.67326319217681884765625), n.number("gamma", 1.05070102214813232421875)
    )


def celu(n: Node) -> Val:
    alpha = n.number("alpha", 1.0)
    if not alpha:
        raise wrong("`alpha` is 0: x is divided by it")
    return activations.celu(n.b, n[0], alpha)


def gelu(n: Node) -> Val:
    return activations.gelu(n.b, n[0], n.choice("approximate", "none", ("none", "tanh")))


def swish(n: Node) -> Val:
    return activations.silu(n.b, n[0], n.number("alpha", 1.0))


def hard_sigmoid(n: Node) -> Val:
    return activations.hard_sigmoid(n.b, n[0], n.number("alpha", 0.2), n.number("beta", 0.5))


def thresholded_relu(n: Node) -> Val:
    return activations.threshold(n.b, n[0], n.number("alpha", 1.0), 0.0)


def shrink(n: Node) -> Val:
    b, x, bias, limit = n.b, n[0], n.number("bias", 0.0), n.number("lambd", 0.5)

    def of(x: Val) -> Val:
        below = b.select(b.compare("LT", x, -limit), b.ew("add", x, bias), 0.0)
        return b.select(b.compare("GT", x, limit), b.ew("sub", x, bias), below)

    if x.dtype.is_float:
        return rounded_once(b, of, x)
    return b.convert(of(b.convert(x, F64)), x.dtype)


def softmax(n: Node) -> Val:
    return normalize.softmax(n.b, n[0], n.axis(n.integer("axis", -1), n[0].rank))


def log_softmax(n: Node) -> Val:
    return normalize.log_softmax(n.b, n[0], n.axis(n.integer("axis", -1), n[0].rank))


def hardmax(n: Node) -> Val:
    """1 at the first largest element along the axis, else 0."""
    b, x = n.b, n[0]
    axis = n.axis(n.integer("axis", -1), x.rank)
    _, where = b.op("argmax", [x], axis=axis)
    hot = b.compare("EQ", b.expand(where, [axis]), b.iota(where.dtype, x.shape, axis))
    return b.convert(hot, x.dtype)


ACTIVATIONS: Mapping[str, Handler] = {
    "LeakyRelu": leaky_relu, "PRelu": prelu, "Relu": relu, "Elu": elu, "Selu": selu, "Celu": celu, "Gelu": gelu,
    "Swish": swish, "HardSigmoid": hard_sigmoid, "ThresholdedRelu": thresholded_relu, "Shrink": shrink,
    "Softmax": softmax, "LogSoftmax": log_softmax, "Hardmax": hardmax, "HardSwish": composed(activations.hard_swish),
    "Mish": composed(activations.mish), "Softplus": composed(activations.softplus),
    "Softsign": composed(activations.softsign),
}  # fmt: skip
