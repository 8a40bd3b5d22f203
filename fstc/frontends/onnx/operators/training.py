"""Optimiser steps of the domain ai.onnx.preview.training, decomposed: one stitched kernel for each tensor.

Example: ``Adam`` of two tensors takes a rate, a step count, and two each of weights, gradients, first and second
moments.
"""

from __future__ import annotations

from collections.abc import Mapping

from fstc.frontends.builder import Val
from fstc.frontends.onnx.node import Handler, Node
from fstc.frontends.onnx.problems import wrong


def _parts(n: Node, kinds: int) -> tuple[Val, Val, list[list[Val]]]:
    """Rate and step count as scalars, and the tensors by kind: weights, gradients, states."""
    rate, count = n[0], n[1]
    if rate.type.elements != 1 or count.type.elements != 1:
        raise wrong(f"the rate is {rate.type}, the step count {count.type}")
    tensors = n.all()[2:]
    each, odd = divmod(len(tensors), kinds)
    if odd or not each:
        raise wrong(f"{len(tensors)} tensors for {kinds} kinds of them")
    grouped = [tensors[k * each : (k + 1) * each] for k in range(kinds)]
    for group in zip(*grouped, strict=True):
        if len({v.type for v in group}) > 1:
            raise wrong(f"a weight {group[0].type} with a gradient or state of another type")
    return n.b.reshape(rate, ()), n.b.reshape(count, ()), grouped


def _gradient(n: Node, x: Val, g: Val) -> Val:
    """With the weight's own share (L2 regularisation)."""
    share = n.number("norm_coefficient", 0.0)
    return g if not share else n.b.ew("add", n.b.ew("mul", x, share), g)


def adagrad(n: Node) -> list[Val]:
    b = n.b
    rate, count, (xs, gs, hs) = _parts(n, 3)
    slowed = b.ew("add", b.ew("mul", b.convert(count, rate.dtype), n.number("decay_factor", 0.0)), 1.0)
    rate = b.ew("div", rate, slowed)
    weights, sums = list[Val](), list[Val]()
    for x, g, h in zip(xs, gs, hs, strict=True):
        g = _gradient(n, x, g)
        h = b.ew("add", h, b.ew("mul", g, g))
        step = b.ew("div", b.ew("mul", g, b.convert(rate, x.dtype)), _root(n, h, 0.0))
        weights.append(b.ew("sub", x, step))
        sums.append(h)
    return [*weights, *sums]


def adam(n: Node) -> list[Val]:
    b, alpha, beta = n.b, n.number("alpha", 0.9), n.number("beta", 0.999)
    rate, count, (xs, gs, vs, hs) = _parts(n, 4)
    steps = b.convert(count, rate.dtype)
    first, second = (b.ew("sub", 1.0, b.ew("pow", b.scalar(base, rate.dtype), steps)) for base in (alpha, beta))
    adjusted = b.ew("div", b.ew("mul", rate, b.ew("sqrt", second)), first)
    rate = b.select(b.compare("GT", steps, 0.0), adjusted, rate)
    shrunk = 1.0 - n.number("norm_coefficient_post", 0.0)
    weights, means, squares = list[Val](), list[Val](), list[Val]()
    for x, g, v, h in zip(xs, gs, vs, hs, strict=True):
        g = _gradient(n, x, g)
        v = b.ew("add", b.ew("mul", v, alpha), b.ew("mul", g, 1.0 - alpha))
        h = b.ew("add", b.ew("mul", h, beta), b.ew("mul", b.ew("mul", g, g), 1.0 - beta))
        step = b.ew("div", b.ew("mul", v, b.convert(rate, x.dtype)), _root(n, h, 1e-6))
        made = b.ew("sub", x, step)
        weights.append(made if shrunk == 1.0 else b.ew("mul", made, shrunk))
        means.append(v)
        squares.append(h)
    return [*weights, *means, *squares]


def momentum(n: Node) -> list[Val]:
    b, alpha, beta = n.b, n.number("alpha"), n.number("beta")
    nesterov = n.choice("mode", "standard", ("standard", "nesterov")) == "nesterov"
    rate, count, (xs, gs, vs) = _parts(n, 3)
    weights, states = list[Val](), list[Val]()
    for x, g, v in zip(xs, gs, vs, strict=True):
        g = _gradient(n, x, g)
        share = b.select(b.compare("GT", count, 0), b.scalar(beta, x.dtype), b.scalar(1.0, x.dtype))
        v = b.ew("add", b.ew("mul", v, alpha), b.ew("mul", g, share))
        step = b.ew("add", g, b.ew("mul", v, alpha)) if nesterov else v
        weights.append(b.ew("sub", x, b.ew("mul", step, b.convert(rate, x.dtype))))
        states.append(v)
    return [*weights, *states]


def _root(n: Node, h: Val, epsilon: float) -> Val:
    return n.b.ew("add", n.b.ew("sqrt", h), n.number("epsilon", epsilon))


DOMAIN = "ai.onnx.preview.training"
TRAINING: Mapping[str, Handler] = {
    f"{DOMAIN}:Adagrad": adagrad, f"{DOMAIN}:Adam": adam, f"{DOMAIN}:Momentum": momentum,
}  # fmt: skip
