"""The interpreter: strict and wide values, regions, constants, what is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from fstc.ir.graph import Graph
from fstc.ir.ops.evaluate import carry
from fstc.ir.parser import parse_text
from fstc.ir.reference import ConstantStore, evaluate, run_node
from fstc.ir.types import BF16, F32, F64
from fstc.support.diagnostics import FstcError


def run(text: str, *arrays: Any, wide: bool = False, constants: ConstantStore | None = None) -> list[Any]:
    graph = parse_text(text)
    found = evaluate(graph, dict(zip(graph.inputs, arrays, strict=True)), constants, wide=wide)
    return [found[i] for i in graph.outputs]


SOFTMAX = """
func @main(%x: f32[2,5]) -> (f32[2,5]) {
  %m = reduce_max %x {axes = [1]} : f32[2]
  %mb = broadcast_in_dim %m {dims = [0]} : f32[2,5]
  %d = sub %x, %mb : f32[2,5]
  %e = exp %d : f32[2,5]
  %s = reduce_sum %e {axes = [1]} : f32[2]
  %sb = broadcast_in_dim %s {dims = [0]} : f32[2,5]
  %y = div %e, %sb : f32[2,5]
  return %y
}"""


def softmax(x: Any) -> Any:
    e = np.exp(x - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def test_softmax() -> None:
    x = np.random.default_rng(0).normal(size=(2, 5)).astype(np.float32)
    (strict,), (wide,) = run(SOFTMAX, x), run(SOFTMAX, x, wide=True)
    assert strict.dtype == np.float32 and wide.dtype == np.float64
    np.testing.assert_allclose(wide, softmax(x.astype(np.float64)), rtol=1e-14)
    np.testing.assert_allclose(strict, wide, rtol=1e-6)


def test_wide_rounds_half_types_where_they_are_defined() -> None:
    text = """func @main(%x: bf16[1], %y: bf16[1]) -> (bf16[1], f32[1]) {
      %s = add %x, %y : bf16[1]
      %f = convert %s : f32[1]
      return %s, %f }"""
    x, y = np.array([1], ml_dtypes.bfloat16), np.array([2**-9], ml_dtypes.bfloat16)
    for wide in (False, True):
        s, f = run(text, x, y, wide=wide)
        assert s.dtype == ml_dtypes.bfloat16 and float(s[0]) == 1.0 and float(f[0]) == 1.0


def test_wide_f32_has_the_range_of_f32() -> None:
    text = """func @main(%x: f32[4]) -> (f32[4], f32[4]) {
      %e = exp %x : f32[4]
      %l = log %e : f32[4]
      return %e, %l }"""
    e, back = run(text, np.array([-200, -100, 1, 200], np.float32), wide=True)
    assert e[0] == 0 and e[3] == np.inf and 0 < e[1] < 1e-40
    assert e[1] == np.exp(np.float64(-100)).astype(np.float32)  # a subnormal has no further digits
    assert e[2] == np.exp(np.float64(1))
    assert back[0] == -np.inf and back[3] == np.inf


def test_carry() -> None:
    assert carry(np.float64(0.1), F32, wide=True) == 0.1
    assert carry(np.float64(0.1), F32, wide=False) == np.float32(0.1)
    assert carry(np.float64(0.1), F64, wide=True) == 0.1
    assert carry(np.float64(0.1), BF16, wide=True).dtype == ml_dtypes.bfloat16
    assert np.signbit(carry(np.float64(-1e-60), F32, wide=True))


def test_constants_have_their_stored_value_in_both() -> None:
    text = "func @main() -> (f32[]) { %c = constant {value = 0.1} : f32[] return %c }"
    assert run(text)[0] == np.float32(0.1)
    assert run(text, wide=True)[0] == np.float64(np.float32(0.1))


def test_bit_patterns_are_those_of_storage() -> None:
    text = """func @main(%x: f32[2]) -> (i32[2], f32[2]) {
      %h = mul %x, %x : f32[2]
      %i = bitcast_convert %h : i32[2]
      %f = bitcast_convert %i : f32[2]
      return %i, %f }"""
    x = np.array([1.1, -3], np.float32)
    for wide in (False, True):
        i, f = run(text, x, wide=wide)
        np.testing.assert_array_equal(i, (x * x).view(np.int32))
        np.testing.assert_array_equal(f, x * x)


def test_regions_in_the_oracle_are_wide_too() -> None:
    text = """func @main(%x: f32[1000], %z: f32[]) -> (f32[]) {
      %r = reduce %x, %z {axes = [0]} (%a: f32[], %b: f32[]) {
        %h = constant {value = 0.1} : f32[]
        %m = mul %b, %h : f32[]
        %c = add %a, %m : f32[]
        return %c
      } : f32[]
      return %r }"""
    x = np.random.default_rng(0).normal(size=1000).astype(np.float32)
    want = (x.astype(np.float64) * np.float64(np.float32(0.1))).sum()
    assert run(text, x, np.float32(0), wide=True)[0] == pytest.approx(want, rel=1e-13)
    assert run(text, x, np.float32(0))[0] == pytest.approx(want, rel=1e-4)


def parts() -> tuple[Graph, Any]:
    return parse_text(SOFTMAX), np.random.default_rng(1).normal(size=(2, 5)).astype(np.float32)


def test_what_is_kept() -> None:
    graph, x = parts()
    feeds = {graph.inputs[0]: x}
    assert set(evaluate(graph, feeds)) == set(graph.outputs)
    assert set(evaluate(graph, feeds, keep="all")) == set(range(len(graph.values)))
    some = evaluate(graph, feeds, keep=[1, 4])
    assert list(some) == [1, 4] and some[1].shape == (2,)


def test_values_given_in_the_middle_are_taken() -> None:
    graph, _ = parts()
    names = {v.name: v.id for v in graph.values}
    e = np.ones((2, 5), np.float32)
    got = evaluate(graph, {names["e"]: e}, keep=[names["s"], names["y"]])
    assert (got[names["s"]] == 5).all() and (got[names["y"]] == np.float32(0.2)).all()


def test_what_no_kept_value_needs_does_not_run() -> None:
    graph = parse_text("""func @main(%x: f32[2]) -> (f32[2]) {
      %c = custom_call %x {call_target_name = "unknown"} : f32[2]
      %y = neg %x : f32[2]
      return %y }""")
    assert evaluate(graph, {0: np.ones(2, np.float32)})[graph.outputs[0]].tolist() == [-1, -1]


def test_a_call_that_only_a_framework_can_run_is_refused() -> None:
    graph = parse_text("""func @main(%x: f32[2]) -> (f32[2]) {
      %c = custom_call %x {call_target_name = "unknown"} : f32[2]
      return %c }""")
    x = np.ones(2, np.float32)
    for run_it in (lambda: evaluate(graph, {0: x}), lambda: run_node(graph, graph.nodes[0], (x,))):
        with pytest.raises(FstcError, match="FST0401: only a framework can run `unknown`") as caught:
            run_it()
        assert caught.value.exit_code == 3 and caught.value.diagnostics[0].label is not None


def test_given_arrays_are_checked() -> None:
    graph, x = parts()
    with pytest.raises(AssertionError, match="%x is f32"):
        evaluate(graph, {graph.inputs[0]: x[:1]})
    with pytest.raises(AssertionError, match="no value for %x"):
        evaluate(graph, {})


def test_run_node_gives_storage_types() -> None:
    graph = parse_text("""func @main(%x: bf16[2,3], %w: bf16[3,4]) -> (bf16[2,4]) {
      %y = dot_general %x, %w {lhs_contract = [1], rhs_contract = [0]} : bf16[2,4] return %y }""")
    x, w = np.ones((2, 3), ml_dtypes.bfloat16), np.ones((3, 4), ml_dtypes.bfloat16)
    (y,) = run_node(graph, graph.nodes[0], (x, w))
    assert y.dtype == ml_dtypes.bfloat16 and (y.astype(np.float32) == 3).all()


def test_constants_from_a_file(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    w = np.arange(6, dtype=np.float32).reshape(2, 3)
    save_file({"enc:w": w, "e": np.zeros((0, 2), np.int8)}, tmp_path / "w.safetensors")
    text = """func @main() -> (f32[2,3], i8[0,2]) {
      %w = constant {data = "w.safetensors:enc:w"} : f32[2,3]
      %e = constant {data = "w.safetensors:e"} : i8[0,2]
      return %w, %e }"""
    store = ConstantStore(tmp_path)
    for wide in (False, True):
        got, empty = run(text, constants=store, wide=wide)
        np.testing.assert_array_equal(got, w)
        assert got.dtype == (np.float64 if wide else np.float32) and empty.shape == (0, 2)
