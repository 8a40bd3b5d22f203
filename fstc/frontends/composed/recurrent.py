"""LSTM, GRU and plain RNN layers, unrolled: one product for the inputs of all steps, one for the state of each.

Example: ``y, h, c = lstm(b, x, Weights(w, r, bias), h0, c0)`` for x of [T, N, I]; y is [T, N, H]. What lies between
the products of two steps is element-wise, so that it is stitched. A bidirectional layer is two calls, the second with
``reverse``. Gates lie one after another in the rows of the weights, in the order that ``gates`` names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from fstc.frontends.builder import Builder, Val
from fstc.ir.types import I64

Activation = Callable[[Builder, Val], Val]


def sigmoid(b: Builder, x: Val) -> Val:
    return b.ew("logistic", x)


def tanh(b: Builder, x: Val) -> Val:
    return b.ew("tanh", x)


def relu(b: Builder, x: Val) -> Val:
    return b.ew("max", x, 0.0)


@dataclass(frozen=True)
class Weights:
    """Of one direction: ``w`` [gates * H, I] and ``r`` [gates * H, H] for inputs and state, biases [gates * H]."""

    w: Val
    r: Val
    wb: Val | None = None
    rb: Val | None = None


@dataclass(frozen=True)
class Walk:
    """How a sequence is walked: ``lengths`` [N] of its rows (all T where None), backwards, gate inputs clipped."""

    lengths: Val | None = None
    reverse: bool = False
    clip: float | None = None


FORWARD = Walk()


def lstm(
    b: Builder,
    x: Val,
    weights: Weights,
    h: Val | None = None,
    c: Val | None = None,
    walk: Walk = FORWARD,
    *,
    gates: str = "ifgo",
    activations: Sequence[Activation] = (sigmoid, tanh, tanh),
    peepholes: Sequence[Val] | None = None,
    coupled: bool = False,
    projection: Val | None = None,
) -> tuple[Val, Val, Val]:
    """All outputs, the last h and the last c. ``peepholes`` [H] of i, o, f; ``coupled``: the forget gate is 1 - i.

    ``projection`` [P, H] makes h of what the output gate lets through; ``r`` is [gates * H, P] then, and c is given.
    """
    steps, h, inputs = _begin(b, x, weights, h, (weights.wb, weights.rb))
    c = c if c is not None else _zeros(b, h)
    gate, squash, last = activations
    found: dict[int, Val] = {}
    for t, keep in _times(b, steps, h, walk):
        total = b.ew("add", inputs(t), _product(b, h, weights.r))
        part = dict(zip(gates, _split(b, total, len(gates)), strict=True))
        if peepholes:
            part["i"] = b.ew("add", part["i"], b.ew("mul", c, peepholes[0]))
            part["f"] = b.ew("add", part["f"], b.ew("mul", c, peepholes[2]))
        i = gate(b, _clipped(b, part["i"], walk))
        f = b.ew("sub", 1.0, i) if coupled else gate(b, _clipped(b, part["f"], walk))
        fresh = b.ew("add", b.ew("mul", f, c), b.ew("mul", i, squash(b, _clipped(b, part["g"], walk))))
        if peepholes:
            part["o"] = b.ew("add", part["o"], b.ew("mul", fresh, peepholes[1]))
        made = b.ew("mul", gate(b, _clipped(b, part["o"], walk)), last(b, fresh))
        made = made if projection is None else _product(b, made, projection)
        found[t], h = _kept(b, keep, made, h)
        c = fresh if keep is None else b.select(keep, fresh, c)
    return _stacked(b, found, h, steps), h, c


def gru(
    b: Builder,
    x: Val,
    weights: Weights,
    h: Val | None = None,
    walk: Walk = FORWARD,
    *,
    gates: str = "rzn",
    activations: Sequence[Activation] = (sigmoid, tanh),
    reset_after: bool = True,
) -> tuple[Val, Val]:
    """All outputs and the last h. ``reset_after``: the reset gate scales the product with the state, not the state."""
    hidden, at = weights.r.shape[1], gates.index("n")
    gate, squash = activations
    wb, rb = weights.wb, weights.rb
    apart = None  # the state's bias of n, which the reset gate scales
    if rb is not None and reset_after:
        apart = b.slice_axis(rb, 0, at * hidden, (at + 1) * hidden)
        rest = [b.slice_axis(rb, 0, k * hidden, (k + 1) * hidden) for k in range(3)]
        rest[at] = b.full(0.0, rb.dtype, (hidden,))
        rb = b.concat(rest, 0)
    steps, h, inputs = _begin(b, x, weights, h, (wb, rb))
    rows = [b.slice_axis(weights.r, 0, k * hidden, (k + 1) * hidden) for k in range(3)]
    others = [k for k in range(3) if k != at]
    found: dict[int, Val] = {}
    for t, keep in _times(b, steps, h, walk):
        given = dict(zip(gates, _split(b, inputs(t), 3), strict=True))
        if reset_after:
            state = dict(zip(gates, _split(b, _product(b, h, weights.r), 3), strict=True))
        else:
            pair = _split(b, _product(b, h, b.concat([rows[k] for k in others], 0)), 2)
            state = {gates[k]: part for k, part in zip(others, pair, strict=True)}
        r = gate(b, _clipped(b, b.ew("add", given["r"], state["r"]), walk))
        z = gate(b, _clipped(b, b.ew("add", given["z"], state["z"]), walk))
        if reset_after:
            inner = state["n"] if apart is None else b.ew("add", state["n"], apart)
            inner = b.ew("mul", r, inner)
        else:
            inner = _product(b, b.ew("mul", r, h), rows[at])
        n = squash(b, _clipped(b, b.ew("add", given["n"], inner), walk))
        made = b.ew("add", b.ew("mul", b.ew("sub", 1.0, z), n), b.ew("mul", z, h))
        found[t], h = _kept(b, keep, made, h)
    return _stacked(b, found, h, steps), h


def rnn(
    b: Builder,
    x: Val,
    weights: Weights,
    h: Val | None = None,
    walk: Walk = FORWARD,
    *,
    activation: Activation = tanh,
) -> tuple[Val, Val]:
    """All outputs and the last h."""
    steps, h, inputs = _begin(b, x, weights, h, (weights.wb, weights.rb))
    found: dict[int, Val] = {}
    for t, keep in _times(b, steps, h, walk):
        total = b.ew("add", inputs(t), _product(b, h, weights.r))
        found[t], h = _kept(b, keep, activation(b, _clipped(b, total, walk)), h)
    return _stacked(b, found, h, steps), h


def _begin(
    b: Builder, x: Val, weights: Weights, h: Val | None, biases: Sequence[Val | None]
) -> tuple[int, Val, Callable[[int], Val]]:
    """Steps, the first state, and a function from a step to its inputs' share of the gates [N, gates * H]."""
    steps, batch, _ = x.shape
    first = h if h is not None else b.full(0.0, x.dtype, (batch, weights.r.shape[1]))
    product = b.op("dot_general", [x, weights.w], lhs_contract=[2], rhs_contract=[1])[0]
    bias: Val | None = None
    for term in biases:
        bias = term if bias is None else bias if term is None else b.ew("add", bias, term)
    shares = product if bias is None else b.ew("add", product, bias)
    return steps, first, lambda t: b.squeeze(b.slice_axis(shares, 0, t, t + 1), [0])


def _times(b: Builder, steps: int, h: Val, walk: Walk) -> Iterator[tuple[int, Val | None]]:
    """Each step in order, with bool [N, H]: is the row still within its length?"""
    for t in range(steps)[:: -1 if walk.reverse else 1]:
        if walk.lengths is None or (walk.lengths.known is not None and (walk.lengths.known > t).all()):
            yield t, None
            continue
        lengths = b.convert(walk.lengths, I64)
        yield t, b.broadcast(b.expand(b.compare("GT", lengths, t), [1]), h.shape)


def _product(b: Builder, h: Val, r: Val) -> Val:
    return b.op("dot_general", [h, r], lhs_contract=[1], rhs_contract=[1])[0]


def _split(b: Builder, x: Val, count: int) -> list[Val]:
    width = x.shape[1] // count
    return [b.slice_axis(x, 1, k * width, (k + 1) * width) for k in range(count)]


def _clipped(b: Builder, x: Val, walk: Walk) -> Val:
    if walk.clip is None:
        return x
    low, high = b.scalar(-walk.clip, x.dtype), b.scalar(walk.clip, x.dtype)
    return b.op("clamp", [low, x, high])[0]


def _kept(b: Builder, keep: Val | None, made: Val, h: Val) -> tuple[Val, Val]:
    """The step's output, 0 behind a row's end, and the state, which stays as it was there."""
    if keep is None:
        return made, made
    return b.select(keep, made, 0.0), b.select(keep, made, h)


def _stacked(b: Builder, found: dict[int, Val], h: Val, steps: int) -> Val:
    if not steps:
        return b.full(0.0, h.dtype, (0, *h.shape))
    return b.concat([b.expand(found[t], [0]) for t in range(steps)], 0)


def _zeros(b: Builder, like: Val) -> Val:
    return b.full(0.0, like.dtype, like.shape)
