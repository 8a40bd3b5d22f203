"""JAX functions lowered to files and imported, for tests that compare with JAX.

Example: ``results(imported(function, args, tmp_path), args)`` beside ``jax.jit(function)(*args)``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fstc.frontends.artefact import Imported, ImportOptions
from fstc.frontends.stablehlo.run import read
from fstc.ir.reference import evaluate
from tests.stored import stored

Function = Callable[..., Any]
EPSILON = {"float64": 2.0**-52, "float32": 2.0**-23, "bfloat16": 2.0**-7, "float16": 2.0**-10, "float8_e4m3fn": 2.0**-3}


def text_of(function: Function, args: Sequence[Any], **jit: Any) -> str:
    import jax

    return str(jax.jit(function, **jit).lower(*args).as_text(debug_info=True))


def bytecode_of(function: Function, args: Sequence[Any]) -> bytes:
    import jax
    from jax import export

    return bytes(export.export(jax.jit(function))(*args).mlir_module_serialized)


def imported(function: Function, args: Sequence[Any], folder: Path, bytecode: bool = False) -> Imported:
    """Through a file of either kind."""
    if bytecode:
        path = folder / "model.mlirbc"
        path.write_bytes(bytecode_of(function, args))
    else:
        path = folder / "model.mlir"
        path.write_text(text_of(function, args))
    return read(path, ImportOptions(), "model.safetensors")


def results(model: Imported, args: Sequence[Any]) -> list[Any]:
    """What the imported graph computes, in the reference interpreter."""
    import jax

    graph = model.graph
    leaves = jax.tree.leaves(args)
    assert len(leaves) == len(graph.inputs), "arguments that nothing reads are left out by jit"
    feeds = {i: np.asarray(x) for i, x in zip(graph.inputs, leaves, strict=True)}
    found = evaluate(graph, feeds, stored(model.tensors))
    return [found[i] for i in graph.outputs]


def assert_close(ours: Any, theirs: Any, factor: float = 64.0, label: str = "") -> None:
    """Floats within ``factor`` roundings of the largest element nearby; everything else the same."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.dtype == theirs.dtype and ours.shape == theirs.shape, (label, ours.dtype, ours.shape, theirs.shape)
    epsilon = EPSILON.get(theirs.dtype.name)
    if epsilon is None:
        np.testing.assert_array_equal(ours, theirs, err_msg=label)
        return
    wide_ours, wide = ours.astype(np.float64), theirs.astype(np.float64)
    finite = np.abs(wide[np.isfinite(wide)])
    scale = float(finite.max(initial=0.0))
    bound = factor * epsilon
    np.testing.assert_allclose(wide_ours, wide, rtol=bound, atol=bound * 0.05 * scale, err_msg=label)
