"""Passes over imported graphs: goldens, each rule seen at work, stored tensors, size and time."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pytest

from fstc.frontends.artefact import Coverage, Imported
from fstc.frontends.builder import Builder
from fstc.frontends.passes.canonical import RULES, STEPS, canonicalise
from fstc.frontends.passes.dead import drop_dead
from fstc.frontends.passes.fold import fold_constants
from fstc.frontends.passes.merge import merge_equal
from fstc.frontends.passes.rewriter import Rewriter, Rule, Tensors, rewrite
from fstc.frontends.passes.run import PASSES, ROUNDS, run_passes, simplify
from fstc.ir.graph import Graph, Node
from fstc.ir.parser import parse_file, parse_text
from fstc.ir.printer import print_graph
from fstc.ir.types import BF16, F32, TensorType
from fstc.ir.verify import verify
from tests.conftest import Golden
from tests.property.bits import same_results

CASES = sorted((Path(__file__).parents[2] / "golden" / "simplify").iterdir())
by_case = pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
NONE = Tensors("m.safetensors", {})


@by_case
def test_golden(case: Path, golden: Golden) -> None:
    graph, _ = run_passes(parse_file(case / "in.fir"), NONE)
    verify(graph)
    golden(case / "out.fir", print_graph(graph))


@by_case
def test_golden_means_the_same(case: Path) -> None:
    before = parse_file(case / "in.fir")
    if any(node.attr("call_target_name") for node in before.nodes):
        return  # only a framework can run it
    after, tensors = run_passes(before, NONE)
    for seed in (0, 1):
        assert same_results(before, after, tensors, seed) == []


def test_a_second_run_changes_nothing() -> None:
    for case in CASES:
        graph, tensors = run_passes(parse_file(case / "in.fir"), NONE)
        assert run_passes(graph, tensors)[0] is graph, case.name


def test_every_rule_is_seen_at_work() -> None:
    """A rule that no golden shows is not tested."""
    fired: set[Rule] = set()

    def watched(rw: Rewriter, node: Node) -> int | None:
        found = None
        for _ in range(STEPS):
            for rule in RULES.get(node.op.name, ()):
                made = rule(rw, node)
                if made is not None:
                    fired.add(rule)
                    break
            else:
                break
            found = made
            maker = rw.producer(made)
            if maker is None or maker.id >= 0:
                break
            node = maker
        return found

    def watching(graph: Graph, tensors: Tensors) -> tuple[Graph, Tensors]:
        return rewrite(graph, tensors, watched)

    passes = tuple(watching if p is canonicalise else p for p in PASSES)
    for case in CASES:
        run_passes(parse_file(case / "in.fir"), NONE, passes)
    unseen = [(op, rule.__qualname__) for op, rules in RULES.items() for rule in rules if rule not in fired]
    assert not unseen


def imported(graph: Graph, tensors: Any) -> Imported:
    return Imported(graph, tensors, "m.safetensors", Coverage(), "onnx")


def test_the_order_keeps_transposed_weights_in_the_product() -> None:
    """canonicalise stands before fold_constants: the other way round the transposed weight is stored anew."""
    b = Builder()
    x = b.input("x", TensorType(F32, (8, 300)))
    w = b.constant(np.arange(90_000, dtype=np.float32).reshape(300, 300), "w")
    b.output("y", b.op("dot_general", [x, b.transpose(w, (1, 0))], lhs_contract=(1,), rhs_contract=(0,))[0])
    made = b.finish("m.safetensors")
    simple = simplify(imported(made.graph, made.tensors))
    assert list(simple.tensors) == ["w"]
    swapped = (drop_dead, fold_constants, canonicalise, merge_equal)
    assert list(run_passes(made.graph, Tensors("m.safetensors", made.tensors), swapped)[1].arrays) != ["w"]


def large(name: str, b: Builder, dtype: type = np.float32) -> Any:
    return b.constant(np.arange(90_000).astype(dtype).reshape(300, 300), name)


def test_large_weights_are_folded_where_they_do_not_grow() -> None:
    b = Builder()
    x = b.input("x", TensorType(F32, (300, 300)))
    with b.at("layer", "model.py:7"):
        scaled = b.ew("mul", large("w", b), 0.5)
        narrow = b.convert(large("v", b), BF16)
        wide = b.convert(
            b.constant(np.arange(90_000, dtype=np.float32).clip(0, 60_000).astype(np.float16).reshape(300, 300), "h"),
            F32,
        )
        both = b.concat([large("p", b), large("q", b)], 0)
    b.output("a", b.ew("add", x, scaled))
    b.output("b", b.ew("add", b.convert(x, BF16), narrow))
    b.output("c", b.ew("add", x, wide))
    b.output("d", b.ew("mul", b.concat([x, x], 0), both))
    made = b.finish("m.safetensors")
    simple = simplify(imported(made.graph, made.tensors))
    sizes = sorted((a.dtype.name, a.shape) for a in simple.tensors.values())
    assert sizes == [
        ("bfloat16", (300, 300)), ("float16", (300, 300)), ("float32", (300, 300)), ("float32", (600, 300)),
    ]  # fmt: skip
    assert [n.op.name for n in simple.graph.nodes].count("convert") == 2  # of x, and of h, which would double


def test_a_weight_that_others_read_is_not_stored_twice() -> None:
    b = Builder()
    x, w = b.input("x", TensorType(F32, (300, 300))), large("w", b)
    b.output("a", b.ew("add", x, w))
    b.output("b", b.ew("mul", x, b.ew("exp", w)))
    made = b.finish("m.safetensors")
    assert list(simplify(imported(made.graph, made.tensors)).tensors) == ["w"]


def test_equal_tensors_are_stored_once_and_unread_ones_not_at_all() -> None:
    b = Builder()
    x = b.input("x", TensorType(F32, (300, 300)))
    for name in ("u", "v", "w"):
        other = large(name, b) if name != "w" else b.constant(np.tile(np.arange(300, dtype=np.float32), (300, 1)), "w")
        x = b.ew("add", x, other)
    b.output("y", x)
    made = b.finish("m.safetensors")
    simple = simplify(imported(made.graph, dict(made.tensors) | {"unread": np.zeros(1 << 20, np.float32)}))
    assert sorted(simple.tensors) == ["u", "w"]


def test_a_stored_number_is_written() -> None:
    b = Builder()
    x = b.input("x", TensorType(F32, (64,)))
    b.output("y", b.ew("add", x, b.constant(np.arange(64, dtype=np.float32), "w")))
    made = b.finish("m.safetensors")
    simple = simplify(imported(made.graph, {"w": np.full(64, 0.5, np.float32)}))
    assert not simple.tensors and simple.graph.nodes[0].attr("value") == 0.5


def test_signature_stays() -> None:
    text = """func @f(%x: f32[4] {low = 1.0}, %unread: i32[2]) -> (f32[4], f32[4], f32[4]) {
      %one = constant {value = 1.0} : f32[4] %y = mul %x, %one : f32[4] return %y, %x, %y }"""
    graph, _ = run_passes(parse_text(text), NONE)
    assert not graph.nodes and graph.outputs == (0, 0, 0)
    assert [(v.name, v.attrs) for v in graph.values] == [("x", (("low", 1.0),)), ("unread", ())]


@pytest.mark.parametrize("kind", ["chain", "undone", "kept"])
def test_time_is_linear(kind: str) -> None:
    """30,000 ops in seconds: what can be undone, what cannot, and one long chain that collapses."""
    b = Builder()
    x = b.input("x", TensorType(F32, (6, 4)))
    y = x
    for n in range(30_000):
        if kind == "chain":
            y = b.op("transpose", [y], permutation=(1, 0))[0]
        elif kind == "undone":
            y = b.ew("mul", y, 1.0) if n % 2 else b.ew("neg", y)
        else:
            y = b.ew("add", y, x)
    b.output("y", y)
    made = b.finish("m.safetensors")
    began = perf_counter()
    graph, _ = run_passes(made.graph, NONE)
    assert perf_counter() - began < 20
    assert len(graph.nodes) == (0 if kind != "kept" else 30_000)


def test_rounds_end() -> None:
    """Rules that undo one another would stop after so many rounds, and say nothing wrong."""
    graph = parse_text("func @f(%x: f32[4]) -> (f32[4]) { %y = exp %x : f32[4] %z = neg %y : f32[4] return %z }")
    calls = []

    def restless(graph: Graph, tensors: Tensors) -> tuple[Graph, Tensors]:
        calls.append(graph)
        return rewrite(graph, tensors, lambda rw, n: rw.again(n, n.inputs))

    made, _ = run_passes(graph, NONE, (restless,))
    assert len(calls) == ROUNDS and made == graph
