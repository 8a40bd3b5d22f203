"""What an import keeps of a model: names, locations, stored tensors once, a table of its operators."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")

import onnx
from onnx import TensorProto, numpy_helper

from fstc.frontends.artefact import FOLDED, LIBRARY, OP, Imported, ImportOptions
from fstc.frontends.onnx.operators import FAMILIES, OPERATORS
from fstc.frontends.onnx.run import read
from tests.frontends.onnx_models import model, node, ops_of, save, value

LONG = TensorProto.INT64


def taken(made: onnx.ModelProto, folder: Path, **binds: int) -> Imported:
    return read(save(made, folder), ImportOptions(binds), "model.safetensors")


def names(imported: Imported) -> list[str]:
    return [v.name for v in imported.graph.values]


def test_names_and_locations(tmp_path: Path) -> None:
    weight = np.arange(512, dtype=np.float32).reshape(8, 64)
    inner = "/layer.0/MatMul_output_0"
    nodes = [node("MatMul", "input weight", inner), node("Relu", inner, "result")]
    made = model(nodes, [value("input", [4, 8])], [value("result", [4, 64])], {"weight": weight})
    imported = taken(made, tmp_path)
    assert {"input", "weight", "/layer.0/MatMul_output_0", "result"} <= set(names(imported))
    assert [n.loc for n in imported.graph.nodes if n.loc] == ["node_/layer.0/MatMul_output_0", "node_result"]
    assert list(imported.tensors) == ["weight"]
    rows = imported.coverage.rows
    assert rows["MatMul"].how == {LIBRARY: 1}
    assert rows["Relu"].into == {"max": 1}


def test_a_weight_with_a_default_is_no_input(tmp_path: Path) -> None:
    """Models of before 2019 list every initializer among the inputs."""
    made = model(
        [node("Add", "x w", "y")], [value("x", [3]), value("w", [3])], [value("y", [3])],
        {"w": np.array([1, 2, 3], np.float32)},
    )  # fmt: skip
    imported = taken(made, tmp_path)
    assert [imported.graph.values[i].name for i in imported.graph.inputs] == ["x"]


def test_a_weight_of_two_readers_is_stored_once(tmp_path: Path) -> None:
    made = model(
        [node("MatMul", "x w", "a"), node("MatMul", "a w", "y")], [value("x", [2, 8])], [value("y", [2, 8])],
        {"w": np.arange(64, dtype=np.float32).reshape(8, 8)},
    )  # fmt: skip
    imported = taken(made, tmp_path)
    assert list(imported.tensors) == ["w"]
    assert ops_of(imported)["constant"] == 1


def test_outputs_that_are_inputs_or_constants(tmp_path: Path) -> None:
    made = model(
        [node("Identity", "x", "y"), node("Shape", "x", "s"), node("Identity", "y", "z")],
        [value("x", [2, 3])], [value("y", [2, 3]), value("s", [2], LONG), value("z", [2, 3])],
    )  # fmt: skip
    imported = taken(made, tmp_path)
    graph = imported.graph
    assert [graph.values[o].name for o in graph.outputs] == ["x", "s", "x"]
    assert ops_of(imported) == {"constant": 1}


def test_shape_arithmetic_leaves_nothing(tmp_path: Path) -> None:
    nodes = [
        node("Shape", "x", "s"), node("Slice", "s zero one", "n"), node("ReduceProd", "s", "all", keepdims=1),
        node("Div", "all n", "rest"), node("Concat", "n rest", "shape", axis=0), node("Reshape", "x shape", "y"),
        node("ConstantOfShape", "shape", "c"), node("Add", "y c", "z"), node("NonZero", "n", "unused"),
    ]  # fmt: skip
    made = model(
        nodes[:-1], [value("x", ["N", 3, 5])], [value("z", None)], {"zero": np.array([0]), "one": np.array([1])}
    )
    imported = taken(made, tmp_path, N=4)
    assert ops_of(imported) == {"reshape": 1, "constant": 1, "add": 1}
    folded = [name for name, row in imported.coverage.rows.items() if set(row.how) == {FOLDED}]
    assert sorted(folded) == ["Concat", "ConstantOfShape", "Div", "ReduceProd", "Shape", "Slice"]
    assert imported.coverage.rows["Reshape"].how == {OP: 1}


def test_an_operator_that_is_a_function_counts_once(tmp_path: Path) -> None:
    made = model(
        [node("NegativeLogLikelihoodLoss", "x t", "y")], [value("x", [3, 5]), value("t", [3], LONG)], [value("y", [])]
    )
    assert list(taken(made, tmp_path).coverage.rows) == ["NegativeLogLikelihoodLoss"]


@pytest.mark.parametrize(("operator", "gates"), [("LSTM", 4), ("GRU", 3), ("RNN", 1)])
def test_unrolling_is_linear(tmp_path: Path, operator: str, gates: int) -> None:
    def ops(steps: int) -> int:
        rng = np.random.default_rng(0)
        weights: dict[str, Any] = {
            "w": rng.standard_normal((1, gates * 8, 4)).astype(np.float32),
            "r": rng.standard_normal((1, gates * 8, 8)).astype(np.float32),
        }
        made = model(
            [node(operator, "x w r", "y", hidden_size=8)], [value("x", [steps, 2, 4])], [value("y", None)], weights
        )
        return len(taken(made, tmp_path).graph.nodes)

    assert ops(40) - ops(20) == ops(60) - ops(40)


def test_attributes_that_became_inputs(tmp_path: Path) -> None:
    """ReduceMean takes its axes as an attribute before opset 18 and as an input since."""
    old = model([node("ReduceMean", "x", "y", axes=[1])], [value("x", [2, 3])], [value("y", [2, 1])], opset=17)
    new = model(
        [node("ReduceMean", "x a", "y")], [value("x", [2, 3])], [value("y", [2, 1])], {"a": np.array([1])}, opset=18
    )
    assert ops_of(taken(old, tmp_path)) == ops_of(taken(new, tmp_path))


def test_values_of_16_bits_in_raw_data(tmp_path: Path) -> None:
    import ml_dtypes

    stored = np.arange(4).astype(ml_dtypes.bfloat16)
    made = model([node("Add", "x w", "y")], [value("x", [4], 16)], [value("y", [4], 16)])
    made.graph.initializer.append(numpy_helper.from_array(stored, "w"))
    imported = taken(made, tmp_path)
    assert str(imported.graph.type(imported.graph.outputs[0])) == "bf16[4]"


def test_every_operator_has_one_handler() -> None:
    assert sum(len(family) for _, family in FAMILIES) == len(OPERATORS)
    from onnx import defs

    known = {s.name for s in defs.get_all_schemas() if not s.domain}
    own = {name for name in OPERATORS if ":" not in name} - {"SimplifiedLayerNormalization"}
    assert own <= known, "a handler of an operator that ONNX does not have"
