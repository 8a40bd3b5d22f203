"""Large graphs as .fir text, for measuring how the compiler scales. The same arguments give the same text.

Example: ``python bench/graphs.py training 10000 > training.fir``; ``training(18)`` has about 10,000 ops. The shapes are
those of small models: what counts here is the number of ops and how they hang together.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from fir_text import Fir, Tensor
from transformer import train

MIXED = ("tanh", "abs", "exp", "neg", "logistic", "floor", "sqrt")
PAIRED = ("add", "mul", "max", "sub", "min")


def training(layers: int, clip: bool = True) -> str:
    """A transformer encoder, forward and backward, with AdamW; ``clip``: gradients scaled by their common norm."""
    return train(layers, clip)


def chain(n: int) -> str:
    """``n`` element-wise ops, each of the one before."""
    f = Fir("chain")
    x, y = f.input("x", (64, 1024)), f.input("y", (64, 1024))
    value = x
    for i in range(n):
        if i % 3:
            value = f.unary(MIXED[i % len(MIXED)], value)
        else:
            value = f.binary(PAIRED[i // 3 % len(PAIRED)], value, y)
    return f.text([value])


def fanout(n: int) -> str:
    """One value that ``n`` others are computed from, each with an input and a result of its own."""
    f = Fir("fanout")
    root = f.unary("exp", f.input("x", (256, 64)))
    return f.text([f.binary(PAIRED[i % len(PAIRED)], root, f.input(f"y{i}", (256, 64))) for i in range(n)])


def ladder(n: int) -> str:
    """Diamonds in a row, four ops each: a value's two users meet again."""
    f = Fir("ladder")
    value = f.input("x", (64, 1024))
    for i in range(-(-n // 4)):
        left, right = f.unary(MIXED[i % len(MIXED)], value), f.unary("tanh", value)
        value = f.unary("abs", f.binary(PAIRED[i % len(PAIRED)], left, right))
    return f.text([value])


def norms(n: int) -> str:
    """Blocks of a normalisation over rows with a residual, nine ops each: reductions that wait for one another."""
    f = Fir("norms")
    value = f.input("x", (512, 256))
    for i in range(-(-n // 9)):
        square_sum = f.reduce("reduce_sum", f.binary("mul", value, value), (1,))
        scale = f.unary("rsqrt", f.binary("add", square_sum, f.splat(1e-5, (512,))))
        normed = f.binary("mul", value, f.broadcast(scale, (512, 256), (0,)))
        weighted = f.binary("mul", normed, f.broadcast(f.input(f"gamma{i}", (256,)), (512, 256), (1,)))
        value = f.binary("add", weighted, value)
    return f.text([value])


def unrolled_rnn(steps: int) -> str:
    """LSTM cells, one after another: twenty ops a step, two of them products."""
    f = Fir("unrolled_rnn")
    batch, hidden = 16, 64
    sequence = f.input("x", (steps, batch, hidden))
    weight_x, weight_h = f.input("weight_x", (hidden, 4 * hidden)), f.input("weight_h", (hidden, 4 * hidden))
    bias = f.input("bias", (4 * hidden,))
    state, cell = f.input("h", (batch, hidden)), f.input("c", (batch, hidden))
    outputs = []
    for t in range(steps):
        row = f.slice(sequence, (t, 0, 0), (t + 1, batch, hidden))
        step = f.reshape(row, (batch, hidden))
        products = f.binary("add", f.dot(step, weight_x), f.dot(state, weight_h))
        gates = f.binary("add", products, f.broadcast(bias, (batch, 4 * hidden), (1,)))
        parts = [f.slice(gates, (0, k * hidden), (batch, (k + 1) * hidden)) for k in range(4)]
        into, forget, out = (f.unary("logistic", parts[k]) for k in (0, 1, 3))
        written = f.binary("mul", into, f.unary("tanh", parts[2]))
        cell = f.binary("add", f.binary("mul", forget, cell), written)
        state = f.binary("mul", out, f.unary("tanh", cell))
        outputs.append(state)
    return f.text([*outputs, cell])


OPS_A_LAYER = {True: 540, False: 460}  # of `training`, by whether it clips; constants are not counted
BY_OPS: dict[str, Callable[[int], str]] = {
    "training": lambda n: training(max(1, round(n / OPS_A_LAYER[True]))),
    "unclipped": lambda n: training(max(1, round(n / OPS_A_LAYER[False])), clip=False),
    "chain": chain,
    "fanout": fanout,
    "ladder": ladder,
    "norms": norms,
    "rnn": lambda n: unrolled_rnn(max(1, round(n / 20))),
}
"""Every family by the number of ops that its graph shall have, about."""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("family", choices=sorted(BY_OPS))
    parser.add_argument("ops", type=int, help="how many, about")
    given = parser.parse_args(arguments)
    sys.stdout.write(BY_OPS[given.family](given.ops))


__all__ = ["BY_OPS", "Tensor", "chain", "fanout", "ladder", "norms", "training", "unrolled_rnn"]

if __name__ == "__main__":
    main()
