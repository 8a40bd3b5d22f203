"""Bad ONNX models: exit code 3 and the node by its name, no traceback, in bounded time and memory."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")

import onnx
from onnx import TensorProto, helper

from fstc.frontends.artefact import ImportOptions
from fstc.frontends.onnx import importer
from fstc.frontends.onnx.run import read
from fstc.support.diagnostics import FstcError
from tests.frontends.onnx_models import model, node, save, value

LONG = TensorProto.INT64
BOOL = TensorProto.BOOL
SECONDS = 60.0  # of a busy machine; each takes a few


def refused(path: Path, **binds: int) -> tuple[str, str]:
    """Code and message of an import."""
    start = perf_counter()
    with pytest.raises(FstcError) as caught:
        read(path, ImportOptions(binds), "model.safetensors")
    assert perf_counter() - start < SECONDS
    assert caught.value.exit_code == 3
    found = caught.value.diagnostics[0]
    return found.code, found.message


def small(operator: str, inputs: str = "x", shapes: Any = ((2, 3),), opset: int = 17, **more: Any) -> onnx.ModelProto:
    """One node named ``node_y`` over f32 inputs of these shapes; arrays in ``weights`` are constants."""
    weights = more.pop("weights", {})
    names = [n for n in dict.fromkeys(inputs.split()) if n != "_" and n not in weights]
    given = [value(n, list(s)) for n, s in zip(names, shapes, strict=True)]
    return model([node(operator, inputs, "y", **more)], given, [value("y", None)], weights, opset)


# -- files -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"\x00" * 64, b"ir_version: 8\ngraph {}", bytes(range(256)) * 4])
def test_no_protobuf(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    assert refused(path)[0] == "FST0802"


def test_cut_off_at_any_place(tmp_path: Path) -> None:
    made = small("Gemm", "x w", ((2, 3),), weights={"w": np.ones((3, 4), np.float32)})
    del made.opset_import[1:]
    whole = made.SerializeToString()
    path = tmp_path / "model.onnx"
    for length in range(0, len(whole) - 1, 7):
        path.write_bytes(whole[:length])
        try:
            read(path, ImportOptions(), "model.safetensors")
        except FstcError as error:
            assert error.exit_code == 3
        else:
            pytest.fail(f"{length} of {len(whole)} bytes were taken for a model")


def test_names_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(small("Relu").SerializeToString().replace(b"node_y", b"n\xff\xfe_y\xff"))
    assert refused(path)[0] == "FST0802"


def test_missing_file(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.onnx")[0] == "FST0802"


@pytest.mark.parametrize("opset", [1, 12, 99])
def test_unknown_opset(tmp_path: Path, opset: int) -> None:
    code, message = refused(save(small("Relu", opset=opset), tmp_path))
    assert code == "FST0802"
    assert str(opset) in message


def test_larger_than_protobuf_allows(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.touch()
    os.truncate(path, 1 << 31)  # sparse: takes no room
    assert refused(path)[0] == "FST0808"


# -- graphs ------------------------------------------------------------------------------------------------------------


def chain(*nodes: onnx.NodeProto, outputs: str = "y") -> onnx.ModelProto:
    return model(nodes, [value("x", [2, 3])], [value(o, None) for o in outputs.split()])


GRAPHS = {
    "nothing makes it": (chain(node("Relu", "none", "y")), "node_y", "'none', which nothing makes"),
    "no output": (chain(node("Relu", "x", "z")), "output 'y'", "which nothing makes"),
    "cycle": (chain(node("Add", "x b", "a"), node("Relu", "a", "b"), outputs="b"), "node_a", "a cycle"),
    "own input": (chain(node("Add", "x y", "y")), "node_y", "a cycle"),
    "order": (chain(node("Relu", "a", "y"), node("Exp", "x", "a")), "node_y", "not in order"),
    "twice": (chain(node("Relu", "x", "y"), node("Exp", "x", "y")), "node_y", "there already"),
    "input again": (chain(node("Relu", "x", "x"), outputs="x"), "node_x", "there already"),
    "domain": (chain(node("Relu", "x", "y", domain="strange")), "node_y", "has no version"),
    "arity": (chain(node("Add", "x", "y")), "node_y", "1 inputs"),
    "outputs": (chain(node("Relu", "x", "y z")), "node_y", "2 outputs"),
    "attribute": (chain(node("Relu", "x", "y", alpha=1.0)), "node_y", "no attribute 'alpha'"),
    "no attribute": (chain(node("Concat", "x x", "y")), "node_y", "`axis` is missing"),
    "attribute's type": (chain(node("Softmax", "x", "y", axis=1.0)), "node_y", "of type FLOAT"),
    "element types": (chain(node("Cast", "x", "i", to=LONG), node("Add", "x i", "y")), "node_y", "i64"),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_wrong_graph(tmp_path: Path, name: str) -> None:
    made, where, why = GRAPHS[name]
    code, message = refused(save(made, tmp_path))
    assert code == "FST0804"
    assert where in message
    assert why in message


ONES = np.ones((2, 3), np.float32)
NODES: dict[str, Callable[[], onnx.ModelProto]] = {
    "axis": lambda: small("Softmax", axis=7),
    "perm": lambda: small("Transpose", perm=[0, 0]),
    "broadcast": lambda: small("Add", "x w", weights={"w": np.ones((4, 5), np.float32)}),
    "matmul": lambda: small("MatMul", "x w", weights={"w": np.ones((4, 5), np.float32)}),
    "concat": lambda: small("Concat", "x w", weights={"w": np.ones((4, 5), np.float32)}, axis=0),
    "reshape": lambda: small("Reshape", "x s", weights={"s": np.array([4, 5])}),
    "reshape twice": lambda: small("Reshape", "x s", weights={"s": np.array([-1, -1])}),
    "squeeze": lambda: small("Squeeze", "x a", weights={"a": np.array([0])}),
    "unsqueeze": lambda: small("Unsqueeze", "x a", weights={"a": np.array([0, 0])}),
    "slice": lambda: small("Slice", "x s e a t", weights={
        "s": np.array([0]), "e": np.array([1]), "a": np.array([0]), "t": np.array([0])}),
    "split": lambda: small("Split", "x s", weights={"s": np.array([5])}),
    "expand": lambda: small("Expand", "x s", weights={"s": np.array([5, 5])}),
    "gather": lambda: small("Gather", "x i", weights={"i": np.array([9])}),
    "conv": lambda: small("Conv", "x w", ((1, 3, 8, 8),), weights={"w": np.ones((4, 2, 3, 3), np.float32)}),
    "conv strides": lambda: small("Conv", "x w", ((1, 3, 8, 8),), strides=[0, 1], weights={
        "w": np.ones((4, 3, 3, 3), np.float32)}),
    "conv group": lambda: small("Conv", "x w", ((1, 3, 8, 8),), group=-1, weights={
        "w": np.ones((4, 3, 3, 3), np.float32)}),
    "pool": lambda: small("MaxPool", "x", ((1, 1, 4, 4),), kernel_shape=[9, 9]),
    "pad": lambda: small("Pad", "x p", weights={"p": np.array([1, 1, 1])}),
    "top_k": lambda: small("TopK", "x k", weights={"k": np.array([9])}),
    "einsum": lambda: small("Einsum", equation="abc->a"),
    "lstm": lambda: small("LSTM", "x w r", ((4, 2, 3),), hidden_size=5, weights={
        "w": np.ones((1, 20, 4), np.float32), "r": np.ones((1, 20, 5), np.float32)}),
    "depth": lambda: small("DepthToSpace", "x", ((1, 3, 4, 4),), blocksize=2),
    "scatter": lambda: small("ScatterND", "x i w", weights={
        "i": np.array([[0], [1]]), "w": np.ones((5, 3), np.float32)}),
    "one_hot": lambda: small("OneHot", "i d v", (), weights={
        "i": np.array([0]), "d": np.array(-3), "v": np.array([0.0, 1.0], np.float32)}),
    "normalisation": lambda: small("LayerNormalization", "x w", weights={"w": np.ones(4, np.float32)}),
    "huge": lambda: small("Expand", "x s", weights={"s": np.array([2**62, 2, 3])}),
    "huge constant": lambda: small("ConstantOfShape", "s", (), weights={"s": np.array([2**40, 2**40])}),
    "huge range": lambda: small("Range", "a b c", (), weights={
        "a": np.array(0), "b": np.array(2**62), "c": np.array(1)}),
    "no step": lambda: small("Range", "a b c", (), weights={"a": np.array(0), "b": np.array(4), "c": np.array(0)}),
}  # fmt: skip


@pytest.mark.parametrize("name", NODES)
def test_wrong_node(tmp_path: Path, name: str) -> None:
    code, message = refused(save(NODES[name](), tmp_path))
    assert code == "FST0804"
    assert "node_y" in message


@pytest.mark.parametrize("where", ["output", "value_info"])
@pytest.mark.parametrize("stated", [value("y", [2, 4]), value("y", [2, 3, 1]), value("y", [2, 3], LONG)])
def test_the_model_states_another_type(tmp_path: Path, where: str, stated: onnx.ValueInfoProto) -> None:
    made = chain(node("Relu", "x", "y"), node("Exp", "y", "z"), outputs="y z" if where == "output" else "z")
    if where == "output":
        made.graph.output[0].CopyFrom(stated)
    else:
        made.graph.value_info.append(stated)
    code, message = refused(save(made, tmp_path))
    assert code == "FST0804"
    assert "node_y" in message


def test_negative_extent(tmp_path: Path) -> None:
    code, message = refused(save(small("Relu", shapes=((-2, 3),)), tmp_path))
    assert (code, "'x'" in message) == ("FST0804", True)


def test_symbolic_extents(tmp_path: Path) -> None:
    path = save(small("Relu", shapes=(("N", "past + 1"),)), tmp_path)
    code, message = refused(path)
    assert code == "FST0805"
    assert "N (of x)" in message
    assert refused(path, N=2)[0] == "FST0805"
    assert refused(path, N=2, past=3, M=4) == ("FST0805", "no input has a dimension M")
    graph = read(path, ImportOptions({"N": 2, "past": 3}), "m.safetensors").graph
    assert str(graph.type(graph.inputs[0])) == "f32[2,4]"


# -- stored tensors ----------------------------------------------------------------------------------------------------


def weighted(tensor: onnx.TensorProto) -> onnx.ModelProto:
    made = small("Add", "x w", weights={"w": ONES})
    made.graph.initializer[0].CopyFrom(tensor)
    return made


def test_tensor_of_another_size(tmp_path: Path) -> None:
    for tensor in (
        TensorProto(name="w", dims=[2, 3], data_type=1, raw_data=b"1234"),
        TensorProto(name="w", dims=[2, 3], data_type=1, float_data=[1.0]),
        TensorProto(name="w", dims=[-2, 3], data_type=1, raw_data=b""),
        TensorProto(name="w", dims=[2**40, 2**40], data_type=1, raw_data=b""),
        TensorProto(name="w", dims=[2, 3], data_type=77, raw_data=b""),
    ):
        code, message = refused(save(weighted(tensor), tmp_path))
        assert code == "FST0804"
        assert "'w'" in message


def external(**entries: str) -> onnx.ModelProto:
    tensor = TensorProto(name="w", dims=[2, 3], data_type=1, data_location=TensorProto.EXTERNAL)
    for key, text in entries.items():
        tensor.external_data.add(key=key, value=text)
    return weighted(tensor)


@pytest.mark.parametrize(
    "entries",
    [
        {"location": "none.bin"}, {"location": "../outside.bin"}, {"location": "/etc/hostname"}, {"location": "link"},
        {"location": "folder"}, {"location": ""}, {"location": "a\0b"}, {"location": "short.bin"}, {"location": "pipe"},
        {"location": "w.bin", "offset": "8"}, {"location": "w.bin", "offset": "-4"},
        {"location": "w.bin", "offset": "x"},
        {"location": "w.bin", "length": "8"}, {"location": "w.bin", "offset": "9" * 30}, {"location": "loop"},
        {"location": "sub/../../outside.bin"}, {},
    ],
)  # fmt: skip
def test_external_data_that_may_not_be_read(tmp_path: Path, entries: dict[str, str]) -> None:
    folder = tmp_path / "model"
    (folder / "folder").mkdir(parents=True)
    (tmp_path / "outside.bin").write_bytes(bytes(24))
    (folder / "short.bin").write_bytes(bytes(20))
    (folder / "w.bin").write_bytes(bytes(24))
    (folder / "link").symlink_to(tmp_path / "outside.bin")
    (folder / "loop").symlink_to(folder / "loop")
    os.mkfifo(folder / "pipe")
    code, message = refused(save(external(**entries), folder))
    assert code == "FST0807"
    assert "'w'" in message


def test_external_data_is_mapped(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(bytes(8) + np.arange(6, dtype=np.float32).tobytes())
    imported = read(
        save(external(location="w.bin", offset="8", length="24"), tmp_path), ImportOptions(), "m.safetensors"
    )
    (constant,) = [n for n in imported.graph.nodes if n.attr("value") is not None]
    assert constant.attr("value") == ((0.0, 1.0, 2.0), (3.0, 4.0, 5.0))


# -- what cannot be mapped, and what would never end -------------------------------------------------------------------


def test_unknown_operators_are_all_reported(tmp_path: Path) -> None:
    made = chain(node("Strange", "x", "a", "com.microsoft"), node("Odd", "x", "b"), node("Add", "a b", "y"))
    code, message = refused(save(made, tmp_path))
    assert code == "FST0803"
    assert "com.microsoft:Strange" in message
    assert "Odd" in message


def test_unknown_operator_with_a_stated_type_is_a_call(tmp_path: Path) -> None:
    made = chain(node("Strange", "x", "a", "com.microsoft"), node("Relu", "a", "y"))
    made.graph.value_info.append(value("a", [2, 3]))
    imported = read(save(made, tmp_path), ImportOptions(), "m.safetensors")
    assert [n.op.name for n in imported.graph.nodes if n.attr("call_target_name")] == ["custom_call"]
    assert imported.coverage.refused[0].refused == {
        "no operator of fstc: onnx does not know it either": ["node_a"]
    }  # fmt: skip


def test_shape_that_depends_on_data(tmp_path: Path) -> None:
    code, message = refused(save(small("NonZero"), tmp_path))
    assert (code, "NonZero" in message) == ("FST0806", True)


def loop(trips: int, *nodes: onnx.NodeProto) -> onnx.ModelProto:
    body = helper.make_graph(
        [node("Identity", "go", "go_on"), *nodes], "body",
        [value("i", [], LONG), value("go", [], BOOL), value("s", None)], [value("go_on", [], BOOL), value("t", None)],
    )  # fmt: skip
    return model(
        [node("Loop", "m go x", "y", body=body)], [value("x", [2])], [value("y", None)],
        {"m": np.array(trips), "go": np.array(True)},
    )  # fmt: skip


def test_long_loop(tmp_path: Path) -> None:
    code, message = refused(save(loop(2**62, node("Exp", "s", "t")), tmp_path))
    assert (code, "node_y" in message or "node_t" in message) == ("FST0808", True)


def test_rank(tmp_path: Path) -> None:
    code, message = refused(save(small("Reshape", "x s", weights={"s": np.array([2, 3, *[1] * 9])}), tmp_path))
    assert (code, "node_y" in message) == ("FST0808", True)


def test_growing_loop(tmp_path: Path) -> None:
    code, message = refused(save(loop(200, node("Concat", "s s", "t", axis=0)), tmp_path))
    assert (code, "node_t" in message) == ("FST0804", True)


def function(name: str, nodes: list[onnx.NodeProto]) -> onnx.FunctionProto:
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    return helper.make_function("own", name, ["a"], ["z"], nodes, opsets)


def calling(functions: list[onnx.FunctionProto], first: str) -> onnx.ModelProto:
    made = model([node(first, "x", "y", "own")], [value("x", [2])], [value("y", None)], functions=functions)
    made.opset_import.append(helper.make_opsetid("own", 1))
    return made


def test_recursive_functions(tmp_path: Path) -> None:
    made = calling(
        [function("A", [node("B", "a", "z", "own")]), function("B", [node("A", "a", "z", "own")])], "A"
    )  # fmt: skip
    assert refused(save(made, tmp_path))[0] == "FST0808"


def test_functions_that_multiply(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirty functions, each of which calls the one below twice."""
    monkeypatch.setattr(importer, "MOST_NODES", 20_000)
    bomb = [function("F0", [node("Identity", "a", "z")])]
    bomb += [
        function(f"F{i}", [node(f"F{i - 1}", "a", "b", "own"), node(f"F{i - 1}", "b", "z", "own")])
        for i in range(1, 30)
    ]
    assert refused(save(calling(bomb, "F29"), tmp_path))[0] == "FST0808"


def field(number: int, content: bytes) -> bytes:
    """A field of bytes of a protobuf message."""
    size, length = len(content), []
    while size >= 128:
        length.append(size & 127 | 128)
        size >>= 7
    return bytes([number << 3 | 2, *length, size]) + content


def test_nested_subgraphs(tmp_path: Path) -> None:
    """An attribute with a graph (field 6) of a node (1) with an attribute (5) with a graph, and so on."""
    graph = b""
    for _ in range(10_000):
        graph = field(1, field(5, field(6, graph)))
    path = tmp_path / "model.onnx"
    path.write_bytes(small("Relu").SerializeToString() + field(7, graph))
    assert refused(path)[0] == "FST0802"


@pytest.mark.parametrize(
    ("operator", "weights"),
    [
        ("ConstantOfShape", {"s": np.array([10**12])}), ("Expand", {"o": ONES[0, 0], "s": np.array([10**12])}),
        ("Tile", {"o": ONES[0, :1], "s": np.array([10**12])}),
        ("Range", {"a": np.array(0), "b": np.array(10**12), "c": np.array(1)}),
    ],
)  # fmt: skip
def test_large_known_tensors_take_no_memory(tmp_path: Path, operator: str, weights: dict[str, Any]) -> None:
    """10^12 elements: the import succeeds at once, the graph makes them."""
    made = small(operator, " ".join(weights), (), weights=weights)
    made.graph.node.append(node("ReduceMax", "y", "z", keepdims=0))
    made.graph.output[0].CopyFrom(value("z", [], LONG if operator == "Range" else 1))
    start = perf_counter()
    imported = read(save(made, tmp_path), ImportOptions(), "m.safetensors")
    assert perf_counter() - start < 1
    assert len(imported.graph.nodes) < 8
    assert not imported.tensors


def test_large_known_indices(tmp_path: Path) -> None:
    """10^12 equal indices are one to look at; so are as many windows, or parts of a sequence."""
    made = small("ConstantOfShape", "s", (), weights={"s": np.array([10**12])})
    zero = onnx.numpy_helper.from_array(np.array([0]))
    made.graph.node[0].attribute.append(helper.make_attribute("value", zero))
    made.graph.input.append(value("x", [4]))
    made.graph.node.append(node("Gather", "x y", "z"))
    made.graph.node.append(node("ReduceMax", "z", "m", keepdims=0))
    made.graph.output[0].CopyFrom(value("m", []))
    assert read(save(made, tmp_path), ImportOptions(), "m.safetensors").graph.nodes
    pool = small("AveragePool", "x", ((1, 1, 10**12),), kernel_shape=[3], pads=[1, 1])
    assert refused(save(pool, tmp_path))[0] == "FST0808"
    split = small("SplitToSequence", "x", ((10**12,),))
    assert refused(save(split, tmp_path))[0] == "FST0808"


def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from fstc.cli.main import main

    monkeypatch.chdir(tmp_path)
    path = save(chain(node("Softmax", "x", "y", axis=7)), tmp_path)
    assert main(["import", str(path)]) == 3
    printed = capsys.readouterr().err
    assert "FST0804" in printed
    assert "node_y" in printed
    assert not list(tmp_path.glob("*.fir"))
