"""Small JAX functions: imported and evaluated on the reference, the results are JAX's. Their gradients too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

jax = pytest.importorskip("jax")

import jax.numpy as jnp  # noqa: E402
from jax import lax, nn  # noqa: E402

from tests.frontends.jax_cases import CASES, Case  # noqa: E402
from tests.frontends.jax_imports import assert_close, imported, results  # noqa: E402

GRADIENTS = [case for case in CASES if case.grad]
SAMPLED = 7  # `make test` runs every seventh; each costs a compilation by XLA


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


SPECIAL = np.array([[np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0], [-1.0, 1e30, -1e30, 0.5, np.nan, 2.0]], np.float32)
EXACT: dict[str, Any] = {
    "sort": lambda x: jnp.sort(x, 1),
    "argsort": lambda x: jnp.argsort(x, 1),
    "argmax": lambda x: jnp.argmax(x, 1),
    "argmin": lambda x: jnp.argmin(x, 1),
    "argmax-of-rest": lambda x: jnp.argmax(x[:, 1:4], 1),
    "max": lambda x: jnp.max(x, 1),
    "min": lambda x: jnp.min(x[:, 1:4], 1),
    "cummax": lambda x: lax.cummax(x, 1),
    "sign": jnp.sign,
    "floor": jnp.floor,
    "round": jnp.round,
    "to-i32": lambda x: x.astype(jnp.int32),
    "to-u8": lambda x: lax.convert_element_type(x, jnp.int8),
    "to-bool": lambda x: x.astype(bool),
    "isnan": jnp.isnan,
    "isinf": jnp.isinf,
    "isfinite": jnp.isfinite,
    "compare": lambda x: (x < x.T.reshape(x.shape), x == x, x != x),
    "clamp": lambda x: lax.clamp(-1.0, x, 1.0),
    "maximum": lambda x: jnp.maximum(x, -x),
    "nan_to_num": jnp.nan_to_num,
    "sort-down": lambda x: jnp.sort(x, 1, descending=True),
    "lexsort": lambda x: lax.sort((x, -x), num_keys=2),
    "abs": jnp.abs,
    "square": jnp.square,
    "unique-max-pool": lambda x: lax.reduce_window(x, -jnp.inf, lax.max, (1, 2), (1, 2), "VALID"),
    "top_k": lambda x: lax.top_k(x[:, 1:4], 2),
    "reduce_precision": lambda x: lax.reduce_precision(x, 5, 10),
    "to-bf16": lambda x: x.astype(jnp.bfloat16),
    "to-f16": lambda x: x.astype(jnp.float16),
    "to-f8": lambda x: x.astype(jnp.float8_e4m3fn),
}
ROUNDED: dict[str, Any] = {
    "exp": jnp.exp,
    "expm1": jnp.expm1,
    "log": jnp.log,
    "log1p": jnp.log1p,
    "tanh": jnp.tanh,
    "sigmoid": nn.sigmoid,
    "sqrt": jnp.sqrt,
    "rsqrt": lax.rsqrt,
    "cbrt": jnp.cbrt,
    "erf": lax.erf,
    "erfc": lax.erfc,
    "erf_inv": lax.erf_inv,
    "atan": jnp.arctan,
    "asin": jnp.arcsin,
    "acos": jnp.arccos,
    "asinh": jnp.arcsinh,
    "acosh": jnp.arccosh,
    "atanh": jnp.arctanh,
    "sinh": jnp.sinh,
    "cosh": jnp.cosh,
    "pow": lambda x: x**2.5,
    "pow-by": lambda x: jnp.power(2.0, x),
    "div": lambda x: 1 / x,
    "softmax": lambda x: nn.softmax(x[:, 2:4]),
    "logsumexp": lambda x: jax.nn.logsumexp(x[:, 1:4], 1),
    "rem": lambda x: lax.rem(x, jnp.float32(3)),
    "atan2": lambda x: jnp.arctan2(x, x.T.reshape(x.shape)),
    "logaddexp": lambda x: jnp.logaddexp(x, x.T.reshape(x.shape)),
    "sum": lambda x: jnp.sum(x[:, 3:], 1),
}


@pytest.mark.parametrize("name", [*EXACT, *ROUNDED])
def test_special_values(name: str, tmp_path: Path) -> None:
    """NaN, infinities and zeros of both signs; the sign of a zero counts."""
    function = (EXACT | ROUNDED)[name]
    ours = results(imported(function, (SPECIAL,), tmp_path), (SPECIAL,))
    theirs = jax.tree.leaves(jax.jit(function)(SPECIAL))
    for found, wanted in zip(ours, theirs, strict=True):
        assert_close(found, np.asarray(wanted), 0.0 if name in EXACT else 64.0)
        if name in EXACT and found.dtype.kind not in "iub":
            zeros = np.asarray(wanted) == 0
            assert (np.signbit(found)[zeros] == np.signbit(np.asarray(wanted))[zeros]).all()
