"""One training step of a BERT-like encoder as .fir text: forward, backward, clipping, AdamW of every weight.

Example: ``train(12, clip=True)``. Post-norm layers with self-attention and an erf GELU, as samples/bert_layer.fir has
them; the backward pass follows the samples layernorm_bwd, softmax_bwd and bias_gelu_bwd, the update adam.fir.
Values that the forward pass made are used again, not computed again, as frameworks save them.
"""

from __future__ import annotations

from typing import NamedTuple

from fir_text import Fir, Shape, Tensor

BATCH, TOKENS, WIDTH, HEADS, INNER, WORDS = 4, 32, 64, 4, 256, 512
ROWS: Shape = (BATCH, TOKENS, WIDTH)
SPLIT: Shape = (BATCH, TOKENS, HEADS, WIDTH // HEADS)
SCORES: Shape = (BATCH, HEADS, TOKENS, TOKENS)


class Norm(NamedTuple):
    """What the backward pass of a layer normalisation needs."""

    normed: Tensor
    rstd: Tensor
    gamma: Tensor


class Step:
    """Weights, their gradients, and what has been written so far."""

    def __init__(self) -> None:
        self.f = Fir("training")
        self.weights: list[Tensor] = []
        self.gradients: dict[str, Tensor] = {}

    def weight(self, name: str, shape: Shape) -> Tensor:
        made = self.f.input(name, shape, attrs=f"alias = {1 + 3 * len(self.weights)}")  # the loss is result 0
        self.weights.append(made)
        return made

    def gradient(self, weight: Tensor, gradient: Tensor) -> None:
        self.gradients[weight.name] = gradient

    def total(self, *parts: Tensor) -> Tensor:
        whole = parts[0]
        for part in parts[1:]:
            whole = self.f.binary("add", whole, part)
        return whole

    def wide(self, x: Tensor, like: Tensor) -> Tensor:
        """Row statistics or a bias, repeated to the shape of ``like``."""
        rank = len(x.shape)
        leading = x.shape == like.shape[:rank]
        dims = tuple(range(rank)) if leading else tuple(range(len(like.shape) - rank, len(like.shape)))
        return self.f.broadcast(x, like.shape, dims)

    def biased(self, product: Tensor, bias: Tensor) -> Tensor:
        return self.f.binary("add", product, self.f.broadcast(bias, product.shape, (len(product.shape) - 1,)))

    def dense(self, name: str, x: Tensor, outputs: int) -> tuple[Tensor, Tensor, Tensor]:
        weight, bias = self.weight(f"{name}_weight", (x.shape[-1], outputs)), self.weight(f"{name}_bias", (outputs,))
        return self.biased(self.f.dot(x, weight), bias), weight, bias

    def dense_back(self, dy: Tensor, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """The gradient of a dense layer's input; those of its weight and bias are kept."""
        self.gradient(weight, self.f.dot(x, dy, ((0, 1), (0, 1))))
        self.gradient(bias, self.f.reduce("reduce_sum", dy, (0, 1)))
        return self.f.dot(dy, weight, ((2,), (1,)))

    def norm(self, name: str, x: Tensor) -> tuple[Tensor, Norm, Tensor]:
        f, rows = self.f, x.shape[:-1]
        gamma, beta = self.weight(f"{name}_gamma", x.shape[-1:]), self.weight(f"{name}_beta", x.shape[-1:])
        mean = f.scaled(f.reduce("reduce_sum", x, (2,)), 1 / x.shape[-1])
        centred = f.binary("sub", x, self.wide(mean, x))
        variance = f.scaled(f.reduce("reduce_sum", f.binary("mul", centred, centred), (2,)), 1 / x.shape[-1])
        rstd = f.unary("rsqrt", f.binary("add", variance, f.splat(1e-12, rows)))
        normed = f.binary("mul", centred, self.wide(rstd, x))
        weighted = f.binary("mul", normed, f.broadcast(gamma, x.shape, (2,)))
        return self.biased(weighted, beta), Norm(normed, rstd, gamma), beta

    def norm_back(self, dy: Tensor, saved: Norm, beta: Tensor) -> Tensor:
        f, width = self.f, dy.shape[-1]
        g = f.binary("mul", dy, f.broadcast(saved.gamma, dy.shape, (2,)))
        mean = f.scaled(f.reduce("reduce_sum", g, (2,)), 1 / width)
        along = f.scaled(f.reduce("reduce_sum", f.binary("mul", g, saved.normed), (2,)), 1 / width)
        centred = f.binary("sub", g, self.wide(mean, g))
        projected = f.binary("sub", centred, f.binary("mul", saved.normed, self.wide(along, g)))
        self.gradient(saved.gamma, f.reduce("reduce_sum", f.binary("mul", dy, saved.normed), (0, 1)))
        self.gradient(beta, f.reduce("reduce_sum", dy, (0, 1)))
        return f.binary("mul", projected, self.wide(saved.rstd, g))


class Layer:
    """One encoder layer: ``forward`` writes it and keeps what ``backward`` needs."""

    def __init__(self, step: Step, number: int) -> None:
        self.s, self.f, self.scope = step, step.f, f"l{number}."

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        f, s = self.f, self.s
        f.scope, self.x = self.scope, x
        self.query, self.query_weight, self.query_bias = self._heads("query")
        self.key, self.key_weight, self.key_bias = self._heads("key")
        self.value, self.value_weight, self.value_bias = self._heads("value")
        scores = f.scaled(f.dot(self.query, self.key, ((3,), (3,)), (0, 1)), (WIDTH // HEADS) ** -0.5)
        masked = f.binary("add", scores, f.broadcast(mask, SCORES, (0, 3)))
        raised = f.unary("exp", f.binary("sub", masked, s.wide(f.reduce("reduce_max", masked, (3,)), masked)))
        self.probabilities = f.binary("div", raised, s.wide(f.reduce("reduce_sum", raised, (3,)), raised))
        context = f.dot(self.probabilities, self.value, ((3,), (2,)), (0, 1))
        self.context = f.reshape(f.transpose(context, (0, 2, 1, 3)), ROWS)
        projected, self.out_weight, self.out_bias = s.dense("out", self.context, WIDTH)
        self.attended, self.norm1, self.beta1 = s.norm("norm1", f.binary("add", projected, x))
        self.up, self.up_weight, self.up_bias = s.dense("up", self.attended, INNER)
        self.cdf = f.scaled(
            f.binary("add", f.unary("erf", f.scaled(self.up, 2**-0.5)), f.splat(1.0, self.up.shape)), 0.5
        )
        self.activated = f.binary("mul", self.up, self.cdf)
        down, self.down_weight, self.down_bias = s.dense("down", self.activated, WIDTH)
        result, self.norm2, self.beta2 = s.norm("norm2", f.binary("add", down, self.attended))
        return result

    def backward(self, dy: Tensor) -> Tensor:
        f, s = self.f, self.s
        f.scope = f"{self.scope}d"
        d_sum = s.norm_back(dy, self.norm2, self.beta2)
        d_active = s.dense_back(d_sum, self.activated, self.down_weight, self.down_bias)
        bell = f.scaled(f.unary("exp", f.scaled(f.binary("mul", self.up, self.up), -0.5)), 0.3989422804014327)
        slope = f.binary("add", self.cdf, f.binary("mul", self.up, bell))
        d_up = s.dense_back(f.binary("mul", d_active, slope), self.attended, self.up_weight, self.up_bias)
        d_sum1 = s.norm_back(s.total(d_up, d_sum), self.norm1, self.beta1)
        d_context = s.dense_back(d_sum1, self.context, self.out_weight, self.out_bias)
        d_heads = f.transpose(f.reshape(d_context, SPLIT), (0, 2, 1, 3))
        d_value = f.dot(self.probabilities, d_heads, ((2,), (2,)), (0, 1))
        d_probabilities = f.dot(d_heads, self.value, ((3,), (3,)), (0, 1))
        inner = f.reduce("reduce_sum", f.binary("mul", self.probabilities, d_probabilities), (3,))
        centred = f.binary("sub", d_probabilities, s.wide(inner, d_probabilities))
        d_scores = f.scaled(f.binary("mul", self.probabilities, centred), (WIDTH // HEADS) ** -0.5)
        d_query = f.dot(d_scores, self.key, ((3,), (2,)), (0, 1))
        d_key = f.dot(d_scores, self.query, ((2,), (2,)), (0, 1))
        return s.total(
            d_sum1,
            self._heads_back(d_query, self.query_weight, self.query_bias),
            self._heads_back(d_key, self.key_weight, self.key_bias),
            self._heads_back(d_value, self.value_weight, self.value_bias),
        )

    def _heads(self, name: str) -> tuple[Tensor, Tensor, Tensor]:
        flat, weight, bias = self.s.dense(name, self.x, WIDTH)
        return self.f.transpose(self.f.reshape(flat, SPLIT), (0, 2, 1, 3)), weight, bias

    def _heads_back(self, dy: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        flat = self.f.reshape(self.f.transpose(dy, (0, 2, 1, 3)), ROWS)
        return self.s.dense_back(flat, self.x, weight, bias)


def train(layers: int, clip: bool) -> str:
    s = Step()
    x, mask = s.f.input("hidden", ROWS), s.f.input("mask", (BATCH, TOKENS))
    labels = s.f.input("labels", (BATCH, TOKENS), "i32", f"low = 0, high = {WORDS}")
    made = [Layer(s, n) for n in range(layers)]
    for layer in made:
        x = layer.forward(x, mask)
    s.f.scope = "head."
    loss, dx = _loss(s, x, labels)
    for layer in reversed(made):
        dx = layer.backward(dx)
    s.f.scope = "update."
    scale = _clip(s) if clip else None
    return s.f.text([loss, *_adamw(s, scale), dx])


def _loss(s: Step, x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Cross entropy over words, and the gradient of ``x``."""
    f, rows = s.f, (BATCH, TOKENS)
    logits, weight, bias = s.dense("words", x, WORDS)
    shifted = f.binary("sub", logits, s.wide(f.reduce("reduce_max", logits, (2,)), logits))
    raised = f.unary("exp", shifted)
    total = f.reduce("reduce_sum", raised, (2,))
    numbers = f.op("iota", [], logits.shape, "dimension = 2", "i32")
    hit = f.op("compare", [numbers, s.wide(labels, logits)], logits.shape, 'direction = "EQ"', "bool")
    chosen = f.op("select", [hit, shifted, f.splat(0.0, logits.shape)], logits.shape)
    losses = f.binary("sub", f.unary("log", total), f.reduce("reduce_sum", chosen, (2,)))
    loss = f.scaled(f.reduce("reduce_sum", losses, (0, 1)), 1 / (BATCH * TOKENS))
    one_hot = f.op("convert", [hit], logits.shape)
    missed = f.binary("sub", f.binary("div", raised, s.wide(total, logits)), one_hot)
    assert total.shape == rows
    return loss, s.dense_back(f.scaled(missed, 1 / (BATCH * TOKENS)), x, weight, bias)


def _clip(s: Step) -> Tensor:
    """The factor that brings the norm of all gradients together down to 1."""
    f = s.f
    squares = []
    for weight in s.weights:
        gradient = s.gradients[weight.name]
        axes = tuple(range(len(gradient.shape)))
        squares.append(f.reduce("reduce_sum", f.binary("mul", gradient, gradient), axes))
    norm = f.unary("sqrt", s.total(*squares))
    return f.binary("min", f.binary("div", f.splat(1.0, ()), norm), f.splat(1.0, ()))


def _adamw(s: Step, scale: Tensor | None) -> list[Tensor]:
    """New weights and moments; the corrections and the rate come as scalars."""
    f = s.f
    rate, correction1, correction2 = (f.input(name, ()) for name in ("rate", "correction1", "correction2"))
    results: list[Tensor] = []
    for weight in s.weights:
        f.scope = f"update.{weight.name}."
        shape, number = weight.shape, len(results)
        gradient = s.gradients[weight.name]
        if scale:
            gradient = f.binary("mul", gradient, f.broadcast(scale, shape, ()))
        first = f.input("m", shape, attrs=f"alias = {number + 2}")
        second = f.input("v", shape, attrs=f"low = 0.0, high = 1.0, alias = {number + 3}")
        first = f.binary("add", f.scaled(first, 0.9), f.scaled(gradient, 0.1))
        second = f.binary("add", f.scaled(second, 0.999), f.scaled(f.binary("mul", gradient, gradient), 0.001))
        steady = f.binary("mul", first, f.broadcast(correction1, shape, ()))
        spread = f.unary("sqrt", f.binary("mul", second, f.broadcast(correction2, shape, ())))
        move = f.binary("div", steady, f.binary("add", spread, f.splat(1e-8, shape)))
        decayed = f.binary("add", move, f.scaled(weight, 0.01))
        changed = f.binary("sub", weight, f.binary("mul", decayed, f.broadcast(rate, shape, ())))
        results += [changed, first, second]
    return results
