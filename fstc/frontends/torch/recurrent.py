"""LSTM, GRU and RNN layers: every layer and direction unrolled, with the products of all steps' inputs in one call.

Example: ``RECURRENT["aten.gru.input"](cx, x, h0, params, True, 2, 0.0, False, True, False)`` is two layers, both ways.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fstc.frontends.artefact import Unsupported
from fstc.frontends.builder import Val
from fstc.frontends.composed import recurrent
from fstc.frontends.composed.recurrent import Walk, Weights
from fstc.frontends.torch.context import Context, Handler, aten

# One direction of one layer: outputs of all steps and the last states. Behind the weights: an LSTM's projection.
Cell = Callable[[Val, Weights, Sequence[Val], Sequence[Val], Walk], tuple[Val, ...]]


def _layers(
    cx: Context, cell: Cell, x: Val, states: Sequence[Val], params: Sequence[Val], biases: bool, count: int,
    ways: int, batch_first: bool,
) -> list[Val]:  # fmt: skip
    """Outputs of the last layer, and each state of all layers and directions stacked, as torch has them."""
    b, each = cx.b, len(params) // (count * ways)
    x = b.transpose(x, (1, 0, 2)) if batch_first else x
    last: list[list[Val]] = [[] for _ in states]
    for layer in range(count):
        outputs = []
        for way in range(ways):
            at = layer * ways + way
            first = [b.squeeze(b.slice_axis(s, 0, at, at + 1), [0]) for s in states]
            own = params[at * each : (at + 1) * each]
            weights = Weights(*own[: 4 if biases else 2])
            y, *after = cell(x, weights, own[4 if biases else 2 :], first, Walk(reverse=way == 1))
            outputs.append(y)
            for kept, state in zip(last, after, strict=True):
                kept.append(b.expand(state, [0]))
        x = b.concat(outputs, 2)
    y = b.transpose(x, (1, 0, 2)) if batch_first else x
    return [y, *(b.concat(kept, 0) for kept in last)]


def _refuse_dropout(dropout: float, train: bool, layers: int) -> None:
    if train and dropout and layers > 1:
        raise Unsupported("dropout between layers: random numbers differ from framework to framework")


def lstm(
    cx: Context, x: Val, states: Sequence[Val], params: Sequence[Val], biases: bool, layers: int, dropout: float,
    train: bool, bidirectional: bool, batch_first: bool,
) -> list[Val]:  # fmt: skip
    _refuse_dropout(dropout, train, layers)

    def cell(x: Val, w: Weights, more: Sequence[Val], first: Sequence[Val], walk: Walk) -> tuple[Val, ...]:
        return recurrent.lstm(cx.b, x, w, first[0], first[1], walk, projection=more[0] if more else None)

    return _layers(cx, cell, x, states, params, biases, layers, 1 + bidirectional, batch_first)


def _one_state(cell_of: Callable[[Context], Cell]) -> Handler:
    def handler(
        cx: Context, x: Val, state: Val, params: Sequence[Val], biases: bool, layers: int, dropout: float, train: bool,
        bidirectional: bool, batch_first: bool,
    ) -> list[Val]:  # fmt: skip
        _refuse_dropout(dropout, train, layers)
        return _layers(cx, cell_of(cx), x, [state], params, biases, layers, 1 + bidirectional, batch_first)

    return handler


def _gru(cx: Context) -> Cell:
    return lambda x, w, more, first, walk: recurrent.gru(cx.b, x, w, first[0], walk)


def _rnn(activation: recurrent.Activation) -> Callable[[Context], Cell]:
    return lambda cx: lambda x, w, more, first, walk: recurrent.rnn(cx.b, x, w, first[0], walk, activation=activation)


RECURRENT: dict[str, Handler] = aten({
    "lstm.input": lstm, "gru.input": _one_state(_gru), "rnn_tanh.input": _one_state(_rnn(recurrent.tanh)),
    "rnn_relu.input": _one_state(_rnn(recurrent.relu)),
})  # fmt: skip
