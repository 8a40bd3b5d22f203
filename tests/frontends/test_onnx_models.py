"""Models of several operators: what is imported gives what onnxruntime gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper

from tests.frontends.onnx_models import compare, model, node, ops_of, value

RNG = np.random.default_rng(0)
LONG = TensorProto.INT64


def drawn(*shape: int, scale: float = 1.0) -> Any:
    return (RNG.standard_normal(shape) * scale).astype(np.float32)


def test_convolutional_net(tmp_path: Path) -> None:
    weights = {
        "w1": drawn(8, 3, 3, 3), "b1": drawn(8), "s": drawn(8), "t": drawn(8), "m": drawn(8),
        "v": np.abs(drawn(8)) + 0.5, "w2": drawn(8, 2, 3, 3), "w3": drawn(10, 8), "b3": drawn(10),
        "wt": drawn(8, 4, 2, 2),
    }  # fmt: skip
    nodes = [
        node("Conv", "x w1 b1", "c1", pads=[1, 1, 1, 1]),
        node("BatchNormalization", "c1 s t m v", "n1"),
        node("Relu", "n1", "r1"),
        node("MaxPool", "r1", "p1", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
        node("Conv", "p1 w2", "c2", group=4, auto_pad="SAME_UPPER", strides=[2, 2]),
        node("HardSwish", "c2", "h2"),
        node("ConvTranspose", "h2 wt", "u", strides=[2, 2]),
        node("GlobalAveragePool", "h2", "g"),
        node("Flatten", "g", "f"),
        node("Gemm", "f w3 b3", "y", transB=1),
        node("Softmax", "y", "z"),
    ]
    made = model(nodes, [value("x", ["N", 3, 16, 16])], [value("z", ["N", 10]), value("u", None)], weights)
    imported = compare(made, {"x": drawn(2, 3, 16, 16)}, tmp_path, {"N": 2}, atol=1e-5)
    assert ops_of(imported)["convolution"] == 3
    assert ops_of(imported)["dot_general"] == 1


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("lengths", [False, True])
def test_lstm(tmp_path: Path, direction: str, lengths: bool) -> None:
    d, steps, batch, size, hidden = (2 if direction == "bidirectional" else 1), 5, 3, 4, 6
    weights = {"w": drawn(d, 4 * hidden, size), "r": drawn(d, 4 * hidden, hidden), "b": drawn(d, 8 * hidden),
               "p": drawn(d, 3 * hidden)}  # fmt: skip
    if lengths:
        weights["n"] = np.array([5, 2, 4], np.int32)
    inputs = f"x w r b {'n' if lengths else '_'} h c p"
    made = model(
        [node("LSTM", inputs, "y yh yc", hidden_size=hidden, direction=direction, clip=3.0)],
        [value("x", [steps, batch, size]), value("h", [d, batch, hidden]), value("c", [d, batch, hidden])],
        [value(name, None) for name in ("y", "yh", "yc")],
        weights,
    )
    feeds = {"x": drawn(steps, batch, size), "h": drawn(d, batch, hidden), "c": drawn(d, batch, hidden)}
    imported = compare(made, feeds, tmp_path)
    # one product for the inputs of a direction, one for its state at each step
    assert ops_of(imported)["dot_general"] == d * (1 + steps)


@pytest.mark.parametrize("after", [0, 1])
def test_gru(tmp_path: Path, after: int) -> None:
    steps, batch, size, hidden = 4, 2, 3, 5
    weights = {"w": drawn(2, 3 * hidden, size), "r": drawn(2, 3 * hidden, hidden), "b": drawn(2, 6 * hidden),
               "n": np.array([4, 1], np.int32)}  # fmt: skip
    made = model(
        [node("GRU", "x w r b n", "y yh", hidden_size=hidden, direction="bidirectional", linear_before_reset=after,
              activations=["HardSigmoid", "Tanh", "Sigmoid", "Softsign"])],
        [value("x", [steps, batch, size])], [value("y", None), value("yh", None)], weights,
    )  # fmt: skip
    imported = compare(made, {"x": drawn(steps, batch, size)}, tmp_path)
    assert ops_of(imported)["dot_general"] == 2 * (1 + steps * (1 if after else 2))


def test_rnn_batch_first_is_the_reference_of_onnx(tmp_path: Path) -> None:
    """onnxruntime has no layout 1, so the transposed model is what it runs."""
    steps, batch, size, hidden = 3, 2, 4, 5
    weights = {"w": drawn(1, hidden, size), "r": drawn(1, hidden, hidden)}
    made = model(
        [node("Transpose", "x", "xt", perm=[1, 0, 2]), node("RNN", "xt w r", "y yh", hidden_size=hidden)],
        [value("x", [batch, steps, size])], [value("y", None), value("yh", None)], weights,
    )  # fmt: skip
    compare(made, {"x": drawn(batch, steps, size)}, tmp_path)


def attention_nodes() -> list[Any]:
    """Batch and heads by Shape, Gather and Concat, as exporters write it."""
    split = [
        node("Shape", "x", "sx"), node("Gather", "sx zero", "n"), node("Gather", "sx one", "l"),
        node("Unsqueeze", "n zeros", "n1"), node("Unsqueeze", "l zeros", "l1"),
        node("Concat", "n1 l1 heads size", "split", axis=0), node("Concat", "n1 l1 minus", "join", axis=0),
    ]  # fmt: skip
    for name in "qkv":
        split += [
            node("MatMul", f"x w{name}", f"{name}0"), node("Reshape", f"{name}0 split", f"{name}1"),
            node("Transpose", f"{name}1", name, perm=[0, 2, 3, 1] if name == "k" else [0, 2, 1, 3]),
        ]  # fmt: skip
    return [
        *split,
        node("MatMul", "q k", "s0"), node("Div", "s0 root", "s1"), node("Add", "s1 mask", "s2"),
        node("Softmax", "s2", "p", axis=-1), node("MatMul", "p v", "o0"),
        node("Transpose", "o0", "o1", perm=[0, 2, 1, 3]), node("Reshape", "o1 join", "o2"),
        node("Add", "o2 x", "o3"), node("LayerNormalization", "o3 g b", "y"),
    ]  # fmt: skip


def test_transformer_layer(tmp_path: Path) -> None:
    weights = {
        "zero": np.array(0), "one": np.array(1), "zeros": np.array([0]), "heads": np.array([2]), "size": np.array([8]),
        "minus": np.array([-1]), "root": np.array(np.sqrt(8), np.float32), "g": drawn(16), "b": drawn(16),
        **{f"w{name}": drawn(16, 16, scale=0.25) for name in "qkv"},
    }  # fmt: skip
    made = model(
        attention_nodes(), [value("x", ["N", "L", 16]), value("mask", ["N", 1, 1, "L"])], [value("y", None)], weights
    )
    feeds = {"x": drawn(2, 6, 16), "mask": np.where(RNG.random((2, 1, 1, 6)) < 0.3, -1e4, 0).astype(np.float32)}
    imported = compare(made, feeds, tmp_path, {"N": 2, "L": 6})
    assert imported.coverage.rows["Concat"].how == {"folded": 2}
    assert imported.coverage.rows["Shape"].how == {"folded": 1}
    assert ops_of(imported)["dot_general"] == 5


def test_quantised(tmp_path: Path) -> None:
    weights = {
        "xs": np.array(0.05, np.float32), "xz": np.array(3, np.uint8), "ws": np.abs(drawn(5)) * 0.05 + 0.01,
        "wz": np.zeros(5, np.int8), "w": RNG.integers(-100, 100, (8, 5)).astype(np.int8),
        "w8": RNG.integers(0, 255, (5, 4)).astype(np.uint8), "z8": np.array(120, np.uint8),
    }  # fmt: skip
    nodes = [
        node("QuantizeLinear", "x xs xz", "q"), node("DequantizeLinear", "q xs xz", "d"),
        node("DequantizeLinear", "w ws wz", "dw", axis=1), node("MatMul", "d dw", "m"),
        node("DynamicQuantizeLinear", "m", "mq ms mz"), node("MatMulInteger", "mq w8 mz z8", "i"),
        node("Cast", "i", "f", to=TensorProto.FLOAT), node("Mul", "f ms", "y"),
    ]  # fmt: skip
    made = model(nodes, [value("x", [6, 8])], [value("y", None), value("i", None, TensorProto.INT32)], weights)
    compare(made, {"x": drawn(6, 8)}, tmp_path)


def test_control_flow_with_known_conditions(tmp_path: Path) -> None:
    body = helper.make_graph(
        [
            node("Identity", "go", "go_on"), node("Mul", "state factor", "next"), node("Add", "next x", "row"),
        ],
        "body",
        [value("i", [], LONG), value("go", [], TensorProto.BOOL), value("state", [2, 3])],
        [value("go_on", [], TensorProto.BOOL), value("next", [2, 3]), value("row", [2, 3])],
    )  # fmt: skip
    wide = helper.make_graph([node("Add", "last x", "then")], "wide", [], [value("then", [2, 3])])
    small = helper.make_graph([node("ReduceSum", "last", "other", keepdims=0)], "small", [], [value("other", [])])
    nodes = [
        node("Shape", "x", "shape"), node("Gather", "shape zero", "rows"), node("Mul", "rows two", "trips"),
        node("Loop", "trips true x", "last stack", body=body),
        node("Greater", "rows one", "many"), node("If", "many", "y", then_branch=wide, else_branch=small),
    ]  # fmt: skip
    weights = {"zero": np.array(0), "one": np.array(1), "two": np.array(2), "true": np.array(True),
               "factor": np.array(0.5, np.float32)}  # fmt: skip
    made = model(nodes, [value("x", [2, 3])], [value("y", [2, 3]), value("stack", [4, 2, 3])], weights)
    imported = compare(made, {"x": drawn(2, 3)}, tmp_path)
    assert ops_of(imported)["mul"] == 4


def test_if_on_data_is_a_select(tmp_path: Path) -> None:
    branches = {
        "then_branch": helper.make_graph([node("Neg", "x", "a")], "a", [], [value("a", [4])]),
        "else_branch": helper.make_graph([node("Exp", "x", "b")], "b", [], [value("b", [4])]),
    }
    nodes = [node("ReduceSum", "x", "s", keepdims=0), node("Greater", "s zero", "p"), node("If", "p", "y", **branches)]
    made = model(nodes, [value("x", [4])], [value("y", [4])], {"zero": np.array(0, np.float32)})
    for sign in (1.0, -1.0):
        compare(made, {"x": np.full(4, sign, np.float32)}, tmp_path)


def test_functions_of_the_model(tmp_path: Path) -> None:
    """A function with an attribute of its own, called twice."""
    inner = helper.make_node("LeakyRelu", ["a"], ["t"])
    attribute = inner.attribute.add()
    attribute.name, attribute.ref_attr_name, attribute.type = "alpha", "slope", 1
    function = helper.make_function(
        "own", "Twice", ["a"], ["c"], [inner, helper.make_node("Add", ["t", "t"], ["c"])],
        [helper.make_opsetid("", 17)], ["slope"],
    )  # fmt: skip
    nodes = [node("Twice", "x", "u", "own", slope=0.3), node("Twice", "u", "y", "own", slope=0.1)]
    made = model(nodes, [value("x", [4])], [value("y", [4])], functions=[function])
    made.opset_import.append(helper.make_opsetid("own", 1))
    compare(made, {"x": drawn(4)}, tmp_path)


CONTRIBUTED = {
    "gelu": [node("Gelu", "x", "y", "com.microsoft")],
    "fast_gelu": [node("FastGelu", "x b", "y", "com.microsoft")],
    "bias_gelu": [node("BiasGelu", "x b", "y", "com.microsoft")],
    "quick_gelu": [node("QuickGelu", "x", "y", "com.microsoft", alpha=1.5)],
    "skip": [node("SkipLayerNormalization", "x x2 g b b2", "y", "com.microsoft", epsilon=1e-5)],
    "skip_simplified": [node("SkipSimplifiedLayerNormalization", "x x2 g", "y _ _ s", "com.microsoft", epsilon=1e-5)],
    "matmul": [node("FusedMatMul", "x x2", "y", "com.microsoft", transB=1, alpha=0.5)],
    "multi_head": [node("MultiHeadAttention", "x x2 x", "y", "com.microsoft", num_heads=2)],
    "attention": [node("Attention", "x w3 b3 keys", "y", "com.microsoft", num_heads=2)],
    "rotary": [node("RotaryEmbedding", "x at cos sin", "y", "com.microsoft", num_heads=2)],
    "rotary_pairs": [node("RotaryEmbedding", "x at cos sin", "y", "com.microsoft", num_heads=2, interleaved=1)],
}


@pytest.mark.parametrize("name", CONTRIBUTED)
def test_operators_of_onnxruntime(tmp_path: Path, name: str) -> None:
    angles = np.outer(np.arange(10), 0.3 ** np.arange(2)).astype(np.float32)
    weights = {
        "b": drawn(8), "b2": drawn(8), "g": drawn(8), "w3": drawn(8, 24), "b3": drawn(24), "cos": np.cos(angles),
        "sin": np.sin(angles), "at": np.array([[0, 1, 2], [4, 5, 6]]),
        "keys": np.array([[1, 1, 0], [1, 1, 1]], np.int32),
    }  # fmt: skip
    nodes = CONTRIBUTED[name]
    outputs = [value(o, None) for o in nodes[0].output if o]
    used = {k: w for k, w in weights.items() if k in nodes[0].input}
    inputs = [value(i, [2, 3, 8]) for i in ("x", "x2") if i in nodes[0].input]
    feeds = {i.name: drawn(2, 3, 8) for i in inputs}
    compare(model(nodes, inputs, outputs, used), feeds, tmp_path, rtol=1e-4, atol=1e-5)
