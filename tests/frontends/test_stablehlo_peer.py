"""The module run by XLA gives what JAX gives, from text and bytecode, with symbolic extents bound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

jax = pytest.importorskip("jax")

import jax.numpy as jnp  # noqa: E402
from jax import export  # noqa: E402

from fstc.frontends.artefact import ImportOptions  # noqa: E402
from fstc.frontends.stablehlo.peer import run_peer  # noqa: E402
from fstc.frontends.stablehlo.run import read  # noqa: E402
from fstc.support.diagnostics import FstcError  # noqa: E402
from tests.frontends.jax_imports import assert_close, bytecode_of, results, text_of  # noqa: E402
from tests.frontends.jax_programs import PROGRAMS, SMALL  # noqa: E402


@pytest.mark.parametrize("form", ["text", "bytecode"])
def test_a_program(form: str, tmp_path: Path) -> None:
    function, args = PROGRAMS["bert_layer"](SMALL)
    path = tmp_path / "model.mlir"
    path.write_bytes(text_of(function, args).encode() if form == "text" else bytecode_of(function, args))
    (found,) = run_peer(path, jax.tree.leaves(args), {})
    assert_close(found, jax.jit(function)(*args), 8.0)


@pytest.mark.parametrize("name", ["float64", "bfloat16", "int64", "bool", "uint8"])
def test_element_types_stay(name: str, tmp_path: Path) -> None:
    with jax.enable_x64(True):
        x = jnp.asarray([[1, 0], [3, 4]], name)
        path = tmp_path / "model.mlir"
        path.write_text(text_of(lambda x: x.T, (x,)))
    (found,) = run_peer(path, [np.asarray(x)], {})
    assert found.dtype.name == name and found.tolist() == np.asarray(x).T.tolist()


def symbolic(path: Path) -> None:
    n, m = export.symbolic_shape("n, m")

    def function(x: jax.Array, w: jax.Array) -> tuple[jax.Array, ...]:
        flat = jnp.concatenate([x, x], 0).reshape(-1)
        return (
            x @ w,
            flat,
            jnp.pad(x, 1),
            x[:-1] + jnp.arange(x.shape[1]),
            jnp.broadcast_to(w[:, :1, None], (*w.shape, 2)),
        )

    shapes = [jax.ShapeDtypeStruct((n, m), "float32"), jax.ShapeDtypeStruct((m, 2 * m), "float32")]
    path.write_bytes(export.export(jax.jit(function))(*shapes).mlir_module_serialized)


def test_symbolic_extents_are_bound(tmp_path: Path) -> None:
    path = tmp_path / "model.mlirbc"
    symbolic(path)
    binds = {"n": 4, "m": 3}
    model = read(path, ImportOptions(binds), "model.safetensors")
    assert not model.coverage.refused
    rng = np.random.default_rng(0)
    feeds = [rng.standard_normal(s).astype(np.float32) for s in ((4, 3), (3, 6))]
    for ours, theirs in zip(results(model, feeds), run_peer(path, feeds, binds), strict=True):
        assert_close(ours, theirs, 8.0)


def test_symbolic_extents_must_be_bound(tmp_path: Path) -> None:
    path = tmp_path / "model.mlirbc"
    symbolic(path)
    with pytest.raises(FstcError, match=r"FST0805.*does not say m") as error:
        read(path, ImportOptions({"n": 4}), "model.safetensors")
    assert "--bind m=N" in error.value.diagnostics[0].help


def test_symbolic_extents_that_break_an_assertion(tmp_path: Path) -> None:
    path = tmp_path / "model.mlirbc"
    symbolic(path)
    with pytest.raises(FstcError, match=r"FST0804.*Expected value >= 1 for dimension variable 'm'"):
        read(path, ImportOptions({"n": 1, "m": 0}), "model.safetensors")


def test_what_xla_refuses(tmp_path: Path) -> None:
    path = tmp_path / "model.mlir"
    path.write_text(
        "func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {\n  %0 = stablehlo.custom_call @nobody(%x) : "
        "(tensor<2xf32>) -> tensor<2xf32>\n  return %0 : tensor<2xf32>\n}\n"
    )
    with pytest.raises(FstcError, match=r"FST0810"):
        run_peer(path, [np.ones(2, np.float32)], {})
