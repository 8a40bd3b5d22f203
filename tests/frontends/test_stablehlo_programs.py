"""Whole JAX programs, forward and backward: at small sizes the results are JAX's, at real sizes they import."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

jax = pytest.importorskip("jax")

from fstc.frontends.artefact import Imported, ImportOptions  # noqa: E402
from fstc.frontends.stablehlo.run import read  # noqa: E402
from tests.frontends.jax_imports import assert_close, imported, results  # noqa: E402
from tests.frontends.jax_programs import PROGRAMS, REAL, SMALL  # noqa: E402


@pytest.mark.parametrize("name", PROGRAMS)
def test_program(name: str, tmp_path: Path) -> None:
    function, args = PROGRAMS[name](SMALL)
    model = imported(function, args, tmp_path, bytecode=True)
    assert not model.coverage.refused
    ours = results(model, args)
    theirs = jax.tree.leaves(jax.jit(function)(*args))
    for index, found, wanted in zip(model.graph.outputs, ours, theirs, strict=True):
        if model.graph.values[index].name.endswith("key.b"):
            # A softmax does not change when a bias of the keys does: what is left are the roundings of terms near 1e-3.
            assert max(np.abs(found).max(), np.abs(wanted).max()) < 1e-8
        else:
            assert_close(found, np.asarray(wanted), 256.0)


@pytest.mark.parametrize("name", PROGRAMS)
def test_program_of_real_size_imports(name: str, tmp_path: Path) -> None:
    function, args = PROGRAMS[name](REAL)
    model = imported(function, args, tmp_path)
    assert not model.coverage.refused
    small = imported(*PROGRAMS[name](SMALL), tmp_path)
    assert ops(model) == ops(small) or name.startswith("gru"), "the ops do not depend on the sizes, but for the steps"


def ops(model: Imported) -> list[str]:
    return sorted(node.op.name for node in model.graph.nodes)


def test_names_and_places_are_kept(tmp_path: Path) -> None:
    model = imported(*PROGRAMS["bert_layer"](SMALL), tmp_path)
    names = [model.graph.values[i].name for i in model.graph.inputs]
    assert "params.query.w" in names and names[-2:] == ["x", "mask"]
    assert any(v.name.startswith("attention.dot_general") for v in model.graph.values)
    locs = {node.loc for node in model.graph.nodes if node.loc}
    assert locs and all(loc.startswith("jax_programs.py:") for loc in locs)


def test_a_scan_is_stacked_once(tmp_path: Path) -> None:
    """No update of the whole output a step: the rows are concatenated."""
    found = ops(imported(*PROGRAMS["gru_scan"](SMALL), tmp_path))
    assert found.count("concatenate") == 1 and "dynamic_update_slice" not in found and "dynamic_slice" not in found


def test_a_backward_scan_reads_what_the_forward_one_made(tmp_path: Path) -> None:
    """Without a stack in between, for the values that only the gradient needs."""
    three, five = (imported(*PROGRAMS["gru_scan_grad"](replace(SMALL, steps=n)), tmp_path) for n in (3, 5))
    assert ops(three).count("concatenate") - 2 * 3 == ops(five).count("concatenate") - 2 * 5


def test_donated_arguments_lend_their_memory(tmp_path: Path) -> None:
    path = tmp_path / "step.mlir"
    lowered = jax.jit(lambda x, y: (x + y, x * 2), donate_argnums=0).lower(np.ones(4, "f4"), np.ones(4, "f4"))
    path.write_text(lowered.as_text())
    graph = read(path, ImportOptions(), "step.safetensors").graph
    assert [dict(graph.values[i].attrs) for i in graph.inputs] == [{"alias": 0}, {}]
