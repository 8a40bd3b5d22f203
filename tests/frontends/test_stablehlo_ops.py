"""Small JAX functions: imported and evaluated on the reference, the results are JAX's. Their gradients too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

jax = pytest.importorskip("jax")

from tests.frontends.jax_cases import CASES, Case  # noqa: E402
from tests.frontends.jax_imports import assert_close, imported, results  # noqa: E402

GRADIENTS = [case for case in CASES if case.grad]
SAMPLED = 5  # `make test` runs every fifth; each costs a compilation by XLA


def sampled(cases: list[Case]) -> list[Any]:
    return [
        pytest.param(case, id=case.name, marks=[pytest.mark.slow] if i % SAMPLED else [])
        for i, case in enumerate(cases)
    ]


def check(function: Any, case: Case, folder: Path) -> None:
    with jax.enable_x64(case.wide):
        args = case.arguments()
        model = imported(function, args, folder)
        assert not model.coverage.refused
        ours = results(model, args)
        theirs = jax.tree.leaves(jax.jit(function)(*args))
    for found, wanted in zip(ours, theirs, strict=True):
        assert_close(found, np.asarray(wanted), case.factor)


@pytest.mark.parametrize("case", sampled(CASES))
def test_function(case: Case, tmp_path: Path) -> None:
    check(case.function, case, tmp_path)


@pytest.mark.parametrize("case", sampled(GRADIENTS))
def test_gradient(case: Case, tmp_path: Path) -> None:
    """Of a weighted sum of squares of all results, with respect to all arguments."""

    def loss(*args: Any) -> Any:
        found = jax.tree.leaves(case.function(*args))
        total = 0.0
        for x in found:
            weights = np.arange(1, x.size + 1, dtype=np.float32 if not case.wide else np.float64).reshape(x.shape)
            total += (weights * x.astype(weights.dtype) ** 2).sum() / x.size
        return total

    check(jax.grad(loss, argnums=tuple(range(len(case.args)))), case, tmp_path)
