"""LSTM, GRU and RNN, unrolled step by step.

Example: a bidirectional ``LSTM`` is two walks over the sequence whose outputs are joined along the direction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from fstc.frontends.artefact import Unsupported
from fstc.frontends.builder import Builder, Val
from fstc.frontends.composed import activations, recurrent
from fstc.frontends.composed.recurrent import Activation, Walk, Weights
from fstc.frontends.onnx.node import Handler, Node
from fstc.frontends.onnx.problems import Beyond, wrong

DIRECTIONS = ("forward", "reverse", "bidirectional")
MOST_STEPS = 1 << 14
# Activation names in small letters: a function of (alpha, beta), and what those are when nothing is said.
Parametric = Callable[[float, float], Activation]
ACTIVATIONS: Mapping[str, tuple[Parametric, float, float]] = {
    "relu": (lambda alpha, beta: recurrent.relu, 0.0, 0.0),
    "tanh": (lambda alpha, beta: recurrent.tanh, 0.0, 0.0),
    "sigmoid": (lambda alpha, beta: recurrent.sigmoid, 0.0, 0.0),
    "softsign": (lambda alpha, beta: activations.softsign, 0.0, 0.0),
    "softplus": (lambda alpha, beta: activations.softplus, 0.0, 0.0),
    "affine": (lambda alpha, beta: lambda b, x: b.ew("add", b.ew("mul", x, alpha), beta), 1.0, 0.0),
    "leakyrelu": (lambda alpha, beta: lambda b, x: activations.leaky_relu(b, x, alpha), 0.01, 0.0),
    "thresholdedrelu": (lambda alpha, beta: lambda b, x: activations.threshold(b, x, alpha, 0.0), 1.0, 0.0),
    "scaledtanh": (lambda alpha, beta: lambda b, x: b.ew("mul", b.ew("tanh", b.ew("mul", x, beta)), alpha), 1.0, 1.0),
    "hardsigmoid": (lambda alpha, beta: lambda b, x: activations.hard_sigmoid(b, x, alpha, beta), 0.2, 0.5),
    "elu": (lambda alpha, beta: lambda b, x: activations.elu(b, x, alpha), 1.0, 0.0),
}
TAKES_ALPHA = ("affine", "leakyrelu", "thresholdedrelu", "scaledtanh", "hardsigmoid", "elu")
TAKES_BETA = ("affine", "scaledtanh", "hardsigmoid")


@dataclass(frozen=True)
class Layer:
    """The inputs of one direction; ``state`` and ``cell`` are [N, H]."""

    x: Val
    weights: Weights
    walk: Walk
    state: Val | None
    cell: Val | None
    peepholes: Sequence[Val] | None
    functions: Sequence[Activation]


def layers(n: Node, gates: int, functions: Sequence[str]) -> list[Layer]:
    """Per direction what it reads. ``functions`` are those that the operator has when nothing is said."""
    b = n.b
    directions = {"forward": [False], "reverse": [True], "bidirectional": [False, True]}
    reverse = directions[n.choice("direction", "forward", DIRECTIONS)]
    count, first = len(reverse), n.integer("layout", 0)
    x = b.transpose(n[0], (1, 0, 2)) if first and n[0].rank == 3 else n[0]
    w, r = n[1], n[2]
    hidden = n.integer("hidden_size", None) or (r.shape[-1] if r.rank else 0)
    if x.rank != 3 or w.shape != (count, gates * hidden, x.shape[2]) or r.shape != (count, gates * hidden, hidden):
        raise wrong(f"input {n[0].type}, W {w.type} and R {r.type} in {count} directions, hidden size {hidden}")
    steps, batch, _ = x.shape
    if steps > MOST_STEPS:
        raise Beyond(f"a sequence of {steps:,} steps")
    lengths, clip = n.get(4), n.number("clip", None)
    if lengths is not None and lengths.shape != (batch,):
        raise wrong(f"sequence lengths {lengths.type} for a batch of {batch}")
    if lengths is not None and lengths.known is not None and bool((lengths.known == steps).all()):
        lengths = None
    chosen = _functions(n, functions, count)
    bias = _checked(n, 3, (count, 2 * gates * hidden))
    states = [_state(n, i, count, batch, hidden, bool(first)) for i in (5, 6)]
    peepholes = _checked(n, 7, (count, 3 * hidden)) if gates == 4 else None
    found = []
    for d in range(count):
        both, holes = _of(b, bias, d), _of(b, peepholes, d)
        halves = (None, None) if both is None else _parts(b, both, 2)
        holes_of = None if holes is None else _parts(b, holes, 3)
        weights = Weights(_one(b, w, d), _one(b, r, d), halves[0], halves[1])
        state, cell = (_of(b, s, d) for s in states)
        found.append(Layer(x, weights, Walk(lengths, reverse[d], clip), state, cell, holes_of, chosen[d]))
    return found


def _one(b: Builder, v: Val, direction: int) -> Val:
    return b.squeeze(b.slice_axis(v, 0, direction, direction + 1), [0])


def _of(b: Builder, v: Val | None, direction: int) -> Val | None:
    return None if v is None else _one(b, v, direction)


def _parts(b: Builder, v: Val, count: int) -> tuple[Val, ...]:
    size = v.shape[0] // count
    return tuple(b.slice_axis(v, 0, i * size, (i + 1) * size) for i in range(count))


def _checked(n: Node, index: int, shape: tuple[int, ...]) -> Val | None:
    found = n.get(index)
    if found is not None and found.shape != shape:
        raise wrong(f"input {index} is {found.type}, expected {list(shape)}")
    return found


def _state(n: Node, index: int, count: int, batch: int, hidden: int, first: bool) -> Val | None:
    if n.operator != "LSTM" and index == 6:
        return None
    shape = (batch, count, hidden) if first else (count, batch, hidden)
    found = _checked(n, index, shape)
    return n.b.transpose(found, (1, 0, 2)) if found is not None and first else found


def _functions(n: Node, default: Sequence[str], count: int) -> list[list[Activation]]:
    names = [name.lower() for name in n.texts("activations")] or list(default) * count
    if len(names) != len(default) * count:
        raise wrong(f"{len(names)} activations, expected {len(default) * count}")
    alphas, betas = iter(n.numbers("activation_alpha")), iter(n.numbers("activation_beta"))
    made = []
    for name in names:
        if name not in ACTIVATIONS:
            raise Unsupported(f"activation {name!r}")
        function, alpha, beta = ACTIVATIONS[name]
        alpha = next(alphas, alpha) if name in TAKES_ALPHA else alpha
        beta = next(betas, beta) if name in TAKES_BETA else beta
        made.append(function(alpha, beta))
    size = len(default)
    return [made[d * size : (d + 1) * size] for d in range(count)]


def joined(n: Node, outputs: Sequence[Val], lasts: Sequence[Sequence[Val]]) -> list[Val]:
    """Y [T, D, N, H] and the last states [D, N, H] of all directions; batch first where the node wants that."""
    b = n.b
    y = b.concat([b.expand(o, [1]) for o in outputs], 1)
    ends = [b.concat([b.expand(v, [0]) for v in state], 0) for state in lasts]
    if n.integer("layout", 0):
        return [b.transpose(y, (2, 0, 1, 3)), *(b.transpose(e, (1, 0, 2)) for e in ends)]
    return [y, *ends]


def lstm(n: Node) -> list[Val]:
    found = [
        recurrent.lstm(
            n.b, a.x, a.weights, a.state, a.cell, a.walk, gates="iofg", activations=a.functions,
            peepholes=a.peepholes, coupled=bool(n.integer("input_forget", 0)),
        )
        for a in layers(n, 4, ("sigmoid", "tanh", "tanh"))
    ]  # fmt: skip
    y, h, c = zip(*found, strict=True)
    return joined(n, y, [h, c])


def gru(n: Node) -> list[Val]:
    after = bool(n.integer("linear_before_reset", 0))
    found = [
        recurrent.gru(n.b, a.x, a.weights, a.state, a.walk, gates="zrn", activations=a.functions, reset_after=after)
        for a in layers(n, 3, ("sigmoid", "tanh"))
    ]
    y, h = zip(*found, strict=True)
    return joined(n, y, [h])


def rnn(n: Node) -> list[Val]:
    found = [
        recurrent.rnn(n.b, a.x, a.weights, a.state, a.walk, activation=a.functions[0])
        for a in layers(n, 1, ("tanh",))
    ]  # fmt: skip
    y, h = zip(*found, strict=True)
    return joined(n, y, [h])


RECURRENT: Mapping[str, Handler] = {"LSTM": lstm, "GRU": gru, "RNN": rnn}
