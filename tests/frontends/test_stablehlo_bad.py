"""Bad modules end with exit code 3 and one message, without a traceback, within bounded time."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

pytest.importorskip("jaxlib.mlir.ir")

from fstc.cli.main import main
from fstc.frontends.artefact import ImportOptions
from fstc.frontends.stablehlo import control, walk
from fstc.frontends.stablehlo.run import read
from fstc.support.diagnostics import FstcError

F = "tensor<2xf32>"


def function(body: str, arguments: str = f"%x: {F}", result: str = F) -> str:
    return f"func.func @main({arguments}) -> {result} {{\n{body}\n}}\n"


def identity(type: str) -> str:
    return function("return %x : " + type, f"%x: {type}", type)


def calls(depth: int) -> str:
    """Each function calls the next one twice: 2^depth ops once inlined."""
    text = [function(f"%y = call @f0(%x) : ({F}) -> {F}\nreturn %y : {F}")]
    for i in range(depth):
        body = f"%y = call @f{i + 1}(%x) : ({F}) -> {F}\n%z = call @f{i + 1}(%y) : ({F}) -> {F}\nreturn %z : {F}"
        text.append(f"func.func private @f{i}(%x: {F}) -> {F} {{\n{body}\n}}\n")
    last = f"%y = stablehlo.negate %x : {F}\nreturn %y : {F}"
    return "".join(text) + f"func.func private @f{depth}(%x: {F}) -> {F} {{\n{last}\n}}\n"


ENDLESS = function(f"""
%c = stablehlo.constant dense<true> : tensor<i1>
%r:2 = stablehlo.while(%p = %c, %y = %x) : tensor<i1>, {F}
cond {{ stablehlo.return %p : tensor<i1> }}
do {{ stablehlo.return %p, %y : tensor<i1>, {F} }}
return %r#1 : {F}""")
GROWING = function(f"""
%c = stablehlo.constant dense<0> : tensor<i32>
%one = stablehlo.constant dense<1> : tensor<i32>
%n = stablehlo.constant dense<2000000000> : tensor<i32>
%r:2 = stablehlo.while(%i = %c, %y = %x) : tensor<i32>, {F}
cond {{
  %p = stablehlo.compare LT, %i, %n : (tensor<i32>, tensor<i32>) -> tensor<i1>
  stablehlo.return %p : tensor<i1>
}} do {{
  %j = stablehlo.add %i, %one : tensor<i32>
  %z = stablehlo.sine %y : {F}
  stablehlo.return %j, %z : tensor<i32>, {F}
}}
return %r#1 : {F}""")
TABLE = "tensor<256x128xi64>"
HEAVY = "\n".join([
    f"func.func @main(%x: {TABLE}) -> {TABLE} {{",
    "%s = stablehlo.constant dense<" + str([[i * j for i in range(128)] for j in range(256)]) + "> : " + TABLE,
    *(f"%v{i} = stablehlo.add %{'s' if not i else f'v{i - 1}'}, %s : {TABLE}" for i in range(20000)),
    f"%r = stablehlo.add %v19999, %x : {TABLE}",
    f"return %r : {TABLE}", "}"])  # fmt: skip

TEXTS = {
    "empty": ("", "FST0802"),
    "garbage": ("this is no module", "FST0802"),
    "binary": ("\x00\x01\x02", "FST0802"),
    "cut": (identity(F)[:40], "FST0802"),
    "unknown dialect": (function('%y = "torch.relu"(%x) : (tensor<2xf32>) -> tensor<2xf32>\nreturn %y : tensor<2xf32>'),
        "FST0802"),
    "unknown op": (function("%y = stablehlo.relu %x : tensor<2xf32>\nreturn %y : tensor<2xf32>"), "FST0802"),
    "no main": ("module {}", "FST0802"),
    "a declaration": ("func.func private @main(tensor<2xf32>) -> tensor<2xf32>", "FST0802"),
    "branches": (function("cf.br ^bb1\n^bb1:\nreturn %x : tensor<2xf32>"), "FST0802"),
    "shapes": (function(
        "%y = stablehlo.reshape %x : (tensor<2xf32>) -> tensor<3xf32>\nreturn %x : tensor<2xf32>"), "FST0804"),
    "result": (function("return %x : tensor<2xf32>", result="tensor<3xf32>"), "FST0804"),
    "elided": (function(
        "%y = stablehlo.constant dense_resource<__elided__> : tensor<2xf32>\nreturn %y : tensor<2xf32>"),
        "FST0802"),
    "no resource": (function(
        "%y = stablehlo.constant dense_resource<w> : tensor<2xf32>\nreturn %y : tensor<2xf32>"),
        "FST0803"),
    "nested": (function("return %x : tensor<2xf32>", "%x: " + "tuple<" * 20000 + ">" * 20000), "FST0808"),
    "nested attribute": ("module attributes {a = " + "[" * 50000 + "]" * 50000 + "} {}", "FST0808"),
    "signs": ("module attributes {a = affine_map<(d0) -> (" + "-" * 100000 + "d0)>} {}", "FST0808"),
    "itself": (function(f"%y = call @main(%x) : ({F}) -> {F}\nreturn %y : {F}"), "FST0808"),
    "calls": (calls(40), "FST0808"),
    "endless": (ENDLESS, "FST0808"),
    "growing": (GROWING, "FST0808"),
    "heavy": (HEAVY, "FST0808"),
    "unknown extent": (identity("tensor<?x3xf32>"), "FST0805"),
    "unknown rank": (identity("tensor<*xf32>"), "FST0803"),
    "complex": (identity("tensor<2xcomplex<f32>>"), "FST0803"),
    "4 bits": (identity("tensor<2xi4>"), "FST0803"),
    "short float": (identity("tensor<2xf8E4M3B11FNUZ>"), "FST0803"),
    "quantised": (identity("tensor<2x!quant.uniform<i8:f32, 2.0>>"), "FST0802"),
    "rank": (identity("tensor<1x1x1x1x1x1x1x1x1xf32>"), "FST0803"),
    "loop": (function("""%r = "stablehlo.if"(%p) ({ stablehlo.return %x : tensor<2xf32> },
        { stablehlo.return %x : tensor<2xf32> }) : (tensor<i1>) -> tensor<2xf32>
        return %r : tensor<2xf32>""", "%x: tensor<2xf32>, %p: tensor<i1>"), "FST0803"),
}  # fmt: skip
Run = Callable[[bytes], None]


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """The message for a file of this content; nothing but exit code 3 and the message is let through."""
    monkeypatch.chdir(tmp_path)

    def call(data: bytes, name: str = "model.mlir") -> str:
        (tmp_path / name).write_bytes(data)
        assert main(["import", name]) == 3
        out, err = capfd.readouterr()
        assert "Traceback" not in out + err and err.count("error[") == 1 and name in err
        assert str(tmp_path) not in err and len(err) < 5000
        assert not list(tmp_path.glob("*.fir")), "no file is written"
        return err

    return call


@pytest.mark.parametrize("name", TEXTS)
def test_text(name: str, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "MOST_OPS", 20_000)  # the real limits take a minute to reach
    monkeypatch.setattr(walk, "MOST_FOLDED", 2**26)
    monkeypatch.setattr(control, "MOST_TURNS", 10_000)
    text, code = TEXTS[name]
    assert f"error[{code}]" in refused(text.encode())


def test_the_message_has_the_place(refused: Callable[..., str]) -> None:
    assert "line 2:" in refused(function("%y = stablehlo.negate %z : tensor<2xf32>").encode())
    message = refused(TEXTS["shapes"][0].encode())
    assert "number of output elements (3)" in message and "line 2:" in message


def exported() -> bytes:
    jax = pytest.importorskip("jax")
    import numpy as np
    from jax import export

    x = np.ones((3, 4), np.float32)
    return bytes(export.export(jax.jit(lambda x: (x @ x.T, jax.nn.softmax(x))))(x).mlir_module_serialized)


def test_bytecode_cut_and_damaged(refused: Callable[..., str]) -> None:
    data = exported()
    for size in (4, 5, 20, 60, len(data) // 2, len(data) - 1):
        assert "error[FST0802]" in refused(data[:size], "model.mlirbc")


@pytest.mark.parametrize("seed", [0, *(pytest.param(s, marks=pytest.mark.slow) for s in range(1, 4))])
def test_flipped_bytes(seed: int, tmp_path: Path) -> None:
    """MLIR may find a changed file valid, but neither it nor the importer takes this process with it."""
    data = exported()
    rng = random.Random(seed)
    for _ in range(12 if seed else 4):
        changed = bytearray(data)
        for _ in range(rng.randrange(1, 4)):
            changed[rng.randrange(30, len(changed))] = rng.randrange(256)
        (tmp_path / "bad.mlirbc").write_bytes(changed)
        with suppress(FstcError):
            read(tmp_path / "bad.mlirbc", ImportOptions(), "bad.safetensors")


def test_a_reader_that_crashes_is_a_damaged_file(refused: Callable[..., str]) -> None:
    """A name whose bytes are no UTF-8 ends the process inside the bindings."""
    message = refused(identity(F).replace("%x: tensor<2xf32>)", '%x: tensor<2xf32> loc("\\FF"))').encode())
    assert "error[FST0802]" in message and "falls over it" in message
