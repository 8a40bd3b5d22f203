"""Modules written by hand, with what JAX does not write: the results are XLA's. What is refused, with the reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

jax = pytest.importorskip("jax")

from fstc.frontends.artefact import Imported, ImportOptions  # noqa: E402
from fstc.frontends.stablehlo.peer import run_peer  # noqa: E402
from fstc.frontends.stablehlo.run import read  # noqa: E402
from tests.frontends.jax_imports import assert_close, results  # noqa: E402

X = "tensor<4x6xf32>"
I = "tensor<4x6xi32>"  # noqa: E741
B = "tensor<i1>"


def module(arguments: str, result: str, body: str, more: str = "") -> str:
    return f"module {{\n  func.func @main({arguments}) -> ({result}) {{\n{body}\n  }}\n{more}\n}}\n"


def model(folder: Path, text: str) -> tuple[Path, Imported]:
    path = folder / "model.mlir"
    path.write_text(text)
    return path, read(path, ImportOptions(), "model.safetensors")


def unary(result: str, body: str, operand: str = X) -> str:
    return module(f"%x: {operand}", result, f"{body}\n    return %r : {result}")


def reduced(body: str, init: str = "0.0") -> str:
    """A reduction with a body of its own."""
    return unary("tensor<4xf32>", f"""
    %i = stablehlo.constant dense<{init}> : tensor<f32>
    %r = stablehlo.reduce(%x init: %i) across dimensions = [1] : ({X}, tensor<f32>) -> tensor<4xf32>
     reducer(%a: tensor<f32>, %b: tensor<f32>) {{
      {body}
      stablehlo.return %c : tensor<f32>
    }}""")  # fmt: skip


def sorted_by(body: str) -> str:
    return unary(X, f"""
    %r = "stablehlo.sort"(%x) <{{dimension = 0 : i64, is_stable = true}}> ({{
    ^bb0(%a: tensor<f32>, %b: tensor<f32>):
      {body}
      stablehlo.return %c : {B}
    }}) : ({X}) -> {X}""")  # fmt: skip


def windowed(init: str, op: str) -> str:
    return unary("tensor<4x3xf32>", f"""
    %i = stablehlo.constant dense<{init}> : tensor<f32>
    %r = "stablehlo.reduce_window"(%x, %i) <{{window_dimensions = array<i64: 1, 2>,
      window_strides = array<i64: 1, 2>}}> ({{
    ^bb0(%a: tensor<f32>, %b: tensor<f32>):
      %c = stablehlo.{op} %a, %b : tensor<f32>
      stablehlo.return %c : tensor<f32>
    }}) : ({X}, tensor<f32>) -> tensor<4x3xf32>""")  # fmt: skip


SAME = {
    "sum-from-one": reduced("%c = stablehlo.add %a, %b : tensor<f32>", "1.0"),
    "max-from-zero": reduced("%c = stablehlo.maximum %b, %a : tensor<f32>"),
    "min-from-zero": reduced("%c = stablehlo.minimum %a, %b : tensor<f32>"),
    "product-from-two": reduced("%c = stablehlo.multiply %a, %b : tensor<f32>", "2.0"),
    "own-body": reduced(
        "%m = stablehlo.abs %b : tensor<f32> %c = stablehlo.maximum %a, %m : tensor<f32>"
    ),
    "window-sum-from-one": windowed("1.0", "add"),
    "window-max-from-zero": windowed("0.0", "maximum"),
    "window-product": windowed("1.0", "multiply"),
    "sort-up": sorted_by(f"%c = stablehlo.compare LT, %a, %b, FLOAT : (tensor<f32>, tensor<f32>) -> {B}"),
    "sort-down": sorted_by(f"%c = stablehlo.compare GT, %a, %b, TOTALORDER : (tensor<f32>, tensor<f32>) -> {B}"),
    "sort-mirrored": sorted_by(f"%c = stablehlo.compare GT, %b, %a : (tensor<f32>, tensor<f32>) -> {B}"),
    "sort-by-magnitude": sorted_by(f"""%m = stablehlo.abs %a : tensor<f32> %n = stablehlo.abs %b : tensor<f32>
      %c = stablehlo.compare LT, %m, %n : (tensor<f32>, tensor<f32>) -> {B}"""),
    "total-order": unary("tensor<4x6xi1>", f"""
    %z = stablehlo.negate %x : {X}
    %r = stablehlo.compare LT, %x, %z, TOTALORDER : ({X}, {X}) -> tensor<4x6xi1>"""),
    "map": unary(X, f"""
    %r = "stablehlo.map"(%x, %x) <{{dimensions = array<i64: 0, 1>}}> ({{
    ^bb0(%a: tensor<f32>, %b: tensor<f32>):
      %two = stablehlo.constant dense<2.0> : tensor<f32>
      %m = stablehlo.multiply %a, %b : tensor<f32>
      %c = stablehlo.add %m, %two : tensor<f32>
      stablehlo.return %c : tensor<f32>
    }}) : ({X}, {X}) -> {X}"""),
    "dot": unary("tensor<4x4xf32>", f"""
    %t = stablehlo.transpose %x, dims = [1, 0] : ({X}) -> tensor<6x4xf32>
    %r = stablehlo.dot %x, %t : ({X}, tensor<6x4xf32>) -> tensor<4x4xf32>"""),
    "dynamic-shapes": unary("tensor<6x4xf32>", f"""
    %s = stablehlo.constant dense<[6, 4]> : tensor<2xi32>
    %a = stablehlo.dynamic_reshape %x, %s : ({X}, tensor<2xi32>) -> tensor<?x?xf32>
    %i = stablehlo.dynamic_iota %s, dim = 0 : (tensor<2xi32>) -> tensor<6x4xf32>
    %b = stablehlo.dynamic_reshape %a, %s : (tensor<?x?xf32>, tensor<2xi32>) -> tensor<6x4xf32>
    %o = stablehlo.constant dense<2.0> : tensor<f32>
    %w = stablehlo.dynamic_broadcast_in_dim %o, %s, dims = [] : (tensor<f32>, tensor<2xi32>) -> tensor<6x4xf32>
    %m = stablehlo.multiply %b, %w : tensor<6x4xf32>
    %r = stablehlo.add %m, %i : tensor<6x4xf32>"""),
    "tuples": unary(X, f"""
    %t = stablehlo.tuple %x, %x : tuple<{X}, {X}>
    %r = stablehlo.get_tuple_element %t[1] : (tuple<{X}, {X}>) -> {X}"""),
    "case-out-of-range": unary(X, f"""
    %i = stablehlo.constant dense<7> : tensor<i32>
    %r = "stablehlo.case"(%i) ({{
      %n = stablehlo.negate %x : {X}
      stablehlo.return %n : {X}
    }}, {{
      %e = stablehlo.exponential %x : {X}
      stablehlo.return %e : {X}
    }}) : (tensor<i32>) -> {X}"""),
    "convolution-reversed": module(
        "%x: tensor<2x6x3xf32>, %w: tensor<3x3x4xf32>", "tensor<2x6x4xf32>", """
    %r = stablehlo.convolution(%x, %w) dim_numbers = [b, 0, f]x[0, i, o]->[b, 0, f],
      window = {stride = [1], pad = [[1, 1]], reverse = [true]} {batch_group_count = 1 : i64,
      feature_group_count = 1 : i64} : (tensor<2x6x3xf32>, tensor<3x3x4xf32>) -> tensor<2x6x4xf32>
    return %r : tensor<2x6x4xf32>"""),
    "batch-norm": module(
        f"%x: {X}, %s: tensor<6xf32>, %o: tensor<6xf32>", f"{X}, tensor<6xf32>, tensor<6xf32>", f"""
    %r:3 = "stablehlo.batch_norm_training"(%x, %s, %o) <{{epsilon = 1.0e-3 : f32, feature_index = 1 : i64}}> :
      ({X}, tensor<6xf32>, tensor<6xf32>) -> ({X}, tensor<6xf32>, tensor<6xf32>)
    return %r#0, %r#1, %r#2 : {X}, tensor<6xf32>, tensor<6xf32>"""),
    "batch-norm-inference": module(
        f"%x: {X}, %s: tensor<6xf32>, %o: tensor<6xf32>, %m: tensor<6xf32>", X, f"""
    %v = stablehlo.multiply %s, %s : tensor<6xf32>
    %r = "stablehlo.batch_norm_inference"(%x, %s, %o, %m, %v) <{{epsilon = 1.0e-3 : f32, feature_index = 1 : i64}}> :
      ({X}, tensor<6xf32>, tensor<6xf32>, tensor<6xf32>, tensor<6xf32>) -> {X}
    return %r : {X}"""),
    "select-and-scatter-overlapping": module(f"%x: {X}, %s: tensor<2x3xf32>", X, f"""
    %i = stablehlo.constant dense<0.5> : tensor<f32>
    %r = "stablehlo.select_and_scatter"(%x, %s, %i) <{{window_dimensions = array<i64: 3, 2>,
      window_strides = array<i64: 2, 2>, padding = dense<[[0, 1], [0, 0]]> : tensor<2x2xi64>}}> ({{
    ^bb0(%a: tensor<f32>, %b: tensor<f32>):
      %c = stablehlo.compare GE, %a, %b : (tensor<f32>, tensor<f32>) -> {B}
      stablehlo.return %c : {B}
    }}, {{
    ^bb0(%a: tensor<f32>, %b: tensor<f32>):
      %c = stablehlo.add %a, %b : tensor<f32>
      stablehlo.return %c : tensor<f32>
    }}) : ({X}, tensor<2x3xf32>, tensor<f32>) -> {X}
    return %r : {X}"""),
    "chlo": unary(X, f"""
    %c = "chlo.constant_like"(%x) {{value = 0.25 : f32}} : ({X}) -> {X}
    %b = chlo.broadcast_multiply %x, %c : ({X}, {X}) -> {X}
    %r = chlo.square %b : {X} -> {X}"""),
    "argmax-of-tensorflow": module(f"%x: {I}", "tensor<4xi32>", f"""
    %i = stablehlo.iota dim = 1 : {I}
    %low = stablehlo.constant dense<-2147483648> : tensor<i32>
    %zero = stablehlo.constant dense<0> : tensor<i32>
    %r:2 = stablehlo.reduce(%x init: %low), (%i init: %zero) across dimensions = [1] :
      ({I}, {I}, tensor<i32>, tensor<i32>) -> (tensor<4xi32>, tensor<4xi32>)
     reducer(%a: tensor<i32>, %b: tensor<i32>) (%j: tensor<i32>, %k: tensor<i32>) {{
      %g = stablehlo.compare GE, %a, %b : (tensor<i32>, tensor<i32>) -> {B}
      %v = stablehlo.select %g, %a, %b : {B}, tensor<i32>
      %e = stablehlo.compare EQ, %a, %b : (tensor<i32>, tensor<i32>) -> {B}
      %m = stablehlo.minimum %j, %k : tensor<i32>
      %n = stablehlo.select %g, %j, %k : {B}, tensor<i32>
      %w = stablehlo.select %e, %m, %n : {B}, tensor<i32>
      stablehlo.return %v, %w : tensor<i32>, tensor<i32>
    }}
    return %r#1 : tensor<4xi32>"""),
}  # fmt: skip


@pytest.mark.parametrize("name", SAME)
def test_results_are_those_of_xla(name: str, tmp_path: Path) -> None:
    path, found = model(tmp_path, SAME[name])
    assert not found.coverage.refused
    rng = np.random.default_rng(1)
    feeds = []
    for i in found.graph.inputs:
        type = found.graph.type(i)
        drawn = rng.integers(0, 9, type.shape) if type.dtype.is_integer else rng.standard_normal(type.shape)
        feeds.append(np.asarray(drawn).astype(type.dtype.numpy()))
    for ours, theirs in zip(results(found, feeds), run_peer(path, feeds, {}), strict=True):
        assert_close(ours, theirs)


EXPECTED_OPS = {
    "sort-up": {"sort"},
    "sort-mirrored": {"sort"},
    "argmax-of-tensorflow": {"argmax"},
    "max-from-zero": {"reduce_max", "max", "constant"},
    "case-out-of-range": {"exp"},
    "tuples": set(),
}


@pytest.mark.parametrize("name", EXPECTED_OPS)
def test_bodies_are_recognised(name: str, tmp_path: Path) -> None:
    _, found = model(tmp_path, SAME[name])
    assert {node.op.name for node in found.graph.nodes} == EXPECTED_OPS[name]
    assert not any(node.regions for node in found.graph.nodes)


LOOP = f"""
    %p = stablehlo.constant dense<0> : tensor<i32>
    %one = stablehlo.constant dense<1> : tensor<i32>
    %r:2 = stablehlo.while(%i = %p, %y = %x) : tensor<i32>, {X}
    cond {{
      %s = stablehlo.constant dense<0.0> : tensor<f32>
      %m = stablehlo.reduce(%y init: %s) applies stablehlo.add across dimensions = [0, 1] :
        ({X}, tensor<f32>) -> tensor<f32>
      %c = stablehlo.compare LT, %m, %s : (tensor<f32>, tensor<f32>) -> {B}
      stablehlo.return %c : {B}
    }} do {{
      %n = stablehlo.negate %y : {X}
      stablehlo.return %i, %n : tensor<i32>, {X}
    }}
    return %r#1 : {X}"""
REFUSED = {
    "loop": (module(f"%x: {X}", X, LOOP), "stablehlo.while", "a loop whose end depends on data"),
    "branch": (module(f"%x: {X}, %p: {B}", X, f"""
    %r = "stablehlo.if"(%p) ({{ stablehlo.return %x : {X} }}, {{ stablehlo.return %x : {X} }}) : ({B}) -> {X}
    return %r : {X}"""), "stablehlo.if", "a branch that depends on data"),
    "complex": (unary(X, f"""
    %c = stablehlo.complex %x, %x : tensor<4x6xcomplex<f32>>
    %s = stablehlo.multiply %c, %c : tensor<4x6xcomplex<f32>>
    %r = stablehlo.real %s : (tensor<4x6xcomplex<f32>>) -> {X}"""), "stablehlo.complex", "complex numbers"),
    "call": (unary(X, f"%r = stablehlo.custom_call @lapack_sgetrf(%x) : ({X}) -> {X}"),
        "stablehlo.custom_call @lapack_sgetrf", "LAPACK"),
    "collective": (unary(X, f"""
    %r = "stablehlo.all_reduce"(%x) <{{replica_groups = dense<0> : tensor<1x1xi64>}}> ({{
    ^bb0(%a: tensor<f32>, %b: tensor<f32>):
      %c = stablehlo.add %a, %b : tensor<f32>
      stablehlo.return %c : tensor<f32>
    }}) : ({X}) -> {X}"""), "stablehlo.all_reduce", "between devices"),
    "random bits": (module("%x: tensor<2xui64>", "tensor<2xui64>, tensor<5xui32>", """
    %s, %r = stablehlo.rng_bit_generator %x, algorithm = PHILOX : (tensor<2xui64>) -> (tensor<2xui64>, tensor<5xui32>)
    return %s, %r : tensor<2xui64>, tensor<5xui32>"""), "stablehlo.rng_bit_generator", "a scrambled key"),
    "i4": (unary("tensor<4x6xi8>", f"""
    %n = stablehlo.convert %x : ({X}) -> tensor<4x6xi4>
    %r = stablehlo.convert %n : (tensor<4x6xi4>) -> tensor<4x6xi8>"""), "stablehlo.convert", "fewer than 8 bits"),
    "lgamma": (unary(X, f"%r = chlo.lgamma %x : {X} -> {X}"), "chlo.lgamma", "special function"),
    "body": (reduced("%c = chlo.digamma %b : tensor<f32> -> tensor<f32>"), "stablehlo.reduce", "chlo.digamma"),
    "data-dependent shape": (module("%x: tensor<f32>, %n: tensor<1xi32>", "tensor<?xf32>", """
    %r = stablehlo.dynamic_broadcast_in_dim %x, %n, dims = [] : (tensor<f32>, tensor<1xi32>) -> tensor<?xf32>
    %z = stablehlo.constant dense<[4]> : tensor<1xi32>
    %s = stablehlo.dynamic_reshape %r, %z : (tensor<?xf32>, tensor<1xi32>) -> tensor<4xf32>
    %w = stablehlo.dynamic_reshape %s, %z : (tensor<4xf32>, tensor<1xi32>) -> tensor<?xf32>
    return %w : tensor<?xf32>"""), "stablehlo.dynamic_broadcast_in_dim", "depends on data"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_says_why_and_where(name: str, tmp_path: Path) -> None:
    text, operator, reason = REFUSED[name]
    _, found = model(tmp_path, text)
    row = found.coverage.rows[operator]
    places = [place for why, where in row.refused.items() if reason in why for place in where]
    assert places and places[0].startswith("model.mlir:")
    assert any(node.attr("call_target_name") for node in found.graph.nodes), "a call stands in its place"


def test_resources_are_read(tmp_path: Path) -> None:
    """Constants beside the text, as newer exporters write them."""
    body = "%r = stablehlo.constant dense_resource<w> : tensor<2xf32>\n    return %r : tensor<2xf32>"
    data = '{-# dialect_resources: { builtin: { w: "0x040000000000C03F00000040" } } #-}'
    _, found = model(tmp_path, module("", "tensor<2xf32>", body) + data)
    assert results(found, [])[0].tolist() == [1.5, 2.0]


def test_one_of_several_platforms(tmp_path: Path) -> None:
    """An export for several platforms takes the platform's number, which chooses the branches."""
    from jax import export

    path = tmp_path / "model.mlirbc"
    x = np.ones(3, np.float32)
    function = jax.jit(lambda x: jax.lax.platform_dependent(x, cpu=jax.numpy.sin, cuda=jax.numpy.cos))
    path.write_bytes(export.export(function, platforms=("cpu", "cuda"))(x).mlir_module_serialized)
    for number, expected in enumerate((np.sin, np.cos)):
        found = read(path, ImportOptions({"_platform_index": number}), "model.safetensors")
        assert not found.coverage.refused
        np.testing.assert_allclose(results(found, [x])[0], expected(x), rtol=1e-6)
