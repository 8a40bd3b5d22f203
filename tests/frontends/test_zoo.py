"""Model families at tiny extents: each imported, run by the reference, judged with torch's own float64, planned."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch.utils import _pytree as pytree  # noqa: E402

from fstc.analysis.run import analyze  # noqa: E402
from fstc.device.device import load_device  # noqa: E402
from fstc.frontends.passes.run import simplify  # noqa: E402
from fstc.frontends.torch.program import import_program  # noqa: E402
from fstc.frontends.torch.tensors import array_of  # noqa: E402
from fstc.ir.reference import evaluate  # noqa: E402
from fstc.plan.run import make_plan  # noqa: E402
from tests.frontends.models import zoo, zoo_plain, zoo_recommendation, zoo_training  # noqa: E402
from tests.stored import stored  # noqa: E402

MODULES = (zoo, zoo_plain, zoo_recommendation, zoo_training)
FAMILIES: dict[str, Callable[[], Any]] = {name: make for module in MODULES for name, make in module.FAMILIES.items()}
QUICK = (
    "albert",
    "din",
    "lstm_projected",
    "autocast",
    "graph_attention",
    "unet_bilinear",
    "losses",
    "attention_gradients",
)
# Of its magnitude, how far from float64 a result may be that is further than torch's: rounding once, 16 times over.
STEP = {"float32": 2.0**-19, "float16": 2.0**-7, "bfloat16": 2.0**-4}


def tensors_of(x: Any) -> list[Any]:
    return [leaf for leaf in pytree.tree_leaves(x) if isinstance(leaf, torch.Tensor)]


def through(make: Callable[[], Any]) -> None:
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module, args, kwargs = (*make(), {})[:3]
        program = torch.export.export(module, tuple(args), dict(kwargs))
        imported = simplify(import_program(program, "zoo.safetensors"))
        assert not imported.coverage.refused, imported.coverage.refused
        want = tensors_of(module(*args, **kwargs))
        try:
            truth = tensors_of(in_float64(module, args, kwargs))
        except RuntimeError:  # torch's grouped products of experts take no float64
            truth = want
    graph = imported.graph
    given = dict(zip(program.graph_signature.user_inputs, tensors_of((args, kwargs)), strict=True))
    feeds = {i: array_of(given[graph.values[i].name].contiguous()) for i in graph.inputs}
    found = evaluate(graph, feeds, stored(imported.tensors))
    assert len(graph.outputs) >= len(want)
    for output, theirs, exact in zip(graph.outputs, want, truth, strict=False):
        judge(found[output], array_of(theirs.detach().contiguous()), array_of(exact.detach().contiguous()))
    plan = make_plan(graph, analyze(graph), load_device("h200"))
    assert plan.summary.bytes <= plan.summary.bytes_unfused


def in_float64(module: Any, args: Any, kwargs: Any) -> Any:
    def wide(x: Any) -> Any:
        return x.double() if isinstance(x, torch.Tensor) and x.is_floating_point() else x

    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # of what the model makes itself
    try:
        return module.double()(*pytree.tree_map(wide, tuple(args)), **pytree.tree_map(wide, dict(kwargs)))
    finally:
        torch.set_default_dtype(before)


def judge(ours: Any, theirs: Any, truth: Any) -> None:
    """No further from float64 than four times torch's own result, or than rounding explains; no NaN but torch's."""
    assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
    if ours.dtype.name not in STEP:
        np.testing.assert_array_equal(ours, theirs)
        return
    x, y, exact = (v.astype(np.float64) for v in (ours, theirs, truth))
    finite = np.isfinite(y)
    np.testing.assert_array_equal(x[~finite], y[~finite])
    if not np.isfinite(exact[finite]).all():  # NaN in float64 alone: torch's own result is what counts
        exact = y
    scale = np.abs(exact[finite]).max(initial=0)
    own, other = (np.abs(v[finite] - exact[finite]).max(initial=0) for v in (x, y))
    assert own <= 4 * other + STEP[ours.dtype.name] * scale, (own, other, scale)


def test_the_judge_can_fail() -> None:
    exact = np.linspace(1, 2, 5)
    theirs = exact.astype(np.float32)
    judge(theirs, theirs, exact)
    with pytest.raises(AssertionError):
        judge(theirs * np.float32(1.0001), theirs, exact)


@pytest.mark.parametrize("name", QUICK)
def test_family(name: str) -> None:
    if name in zoo.FAMILIES:
        pytest.importorskip("transformers")
    through(FAMILIES[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in FAMILIES if n not in QUICK])
def test_other_family(name: str) -> None:
    if name in zoo.FAMILIES:
        pytest.importorskip("transformers")
    through(FAMILIES[name])
