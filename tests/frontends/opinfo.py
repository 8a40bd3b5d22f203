"""PyTorch's OpInfo database as an oracle: each sample exported, imported, run by the reference, compared with torch.

Example: ``outcomes(operator("softmax"), "float32")``. Samples are the first few that torch's own tests draw.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import re
import sys
import types
import unittest
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

if not importlib.util.find_spec("expecttest"):  # torch's test helpers derive from its TestCase, which no sample needs
    stub: Any = types.ModuleType("expecttest")
    stub.TestCase = unittest.TestCase
    sys.modules["expecttest"] = stub

from torch.testing._internal.common_methods_invocations import op_db as op_db
from torch.testing._internal.opinfo.core import DecorateInfo
from torch.utils import _pytree as pytree

from fstc.frontends.torch.program import import_program
from fstc.frontends.torch.tensors import array_of
from fstc.ir.reference import evaluate
from fstc.support.diagnostics import FstcError
from tests.stored import stored

Operator = Any  # torch.testing's OpInfo
DTYPES = ("float32", "float16", "bfloat16", "int64", "bool")
PASSED, FAILED, REFUSED, SKIPPED = "passed", "failed", "refused", "skipped"
# Of equal elements torch promises no order: which index comes out is not compared, the values are.
TIED = ("sort", "topk", "kthvalue", "median", "nanmedian", "mode")
UNDEFINED = ("empty", "empty_like", "empty_permuted", "empty_strided", "new_empty", "new_empty_strided")
# torch.testing.assert_close's own, for results of each type
TOLERANCES = {"float64": (1e-7, 1e-7), "float32": (1.3e-6, 1e-5), "float16": (1e-3, 1e-5), "bfloat16": (1.6e-2, 1e-5)}

NARROW = (torch.float16, torch.bfloat16)


@dataclass(frozen=True)
class Outcome:
    what: str  # PASSED, FAILED, REFUSED, SKIPPED
    reason: str = ""


class Calls(torch.nn.Module):  # type: ignore[misc]
    """Samples as a module: their tensors are the inputs, everything else is fixed."""

    def __init__(self, function: Any, given: list[Any]) -> None:
        super().__init__()
        self.function = function
        self.given = [pytree.tree_flatten(((s.input, *s.args), s.kwargs)) for s in given]

    def tensors(self) -> list[Any]:
        return [x.detach() for leaves, _ in self.given for x in leaves if isinstance(x, torch.Tensor)]

    def forward(self, *tensors: Any) -> Any:
        rest = iter(tensors)
        found = []
        for leaves, spec in self.given:
            leaves = [next(rest) if isinstance(leaf, torch.Tensor) else leaf for leaf in leaves]
            args, kwargs = pytree.tree_unflatten(leaves, spec)
            results = pytree.tree_leaves(self.function(*args, **kwargs))
            found.append(tuple(x for x in results if isinstance(x, torch.Tensor)))
        return tuple(found)


def label(op: Any) -> str:
    return f"{op.name}.{op.variant_test_name}" if op.variant_test_name else str(op.name)


def operator(name: str) -> Any:
    return next(op for op in op_db if label(op) == name)


def samples(op: Any, dtype: str, most: int) -> Iterator[Any]:
    kind = getattr(torch, dtype)
    if kind not in op.supported_dtypes("cpu"):
        return
    torch.manual_seed(0)
    np.random.seed(0)
    for n, sample in enumerate(op.sample_inputs("cpu", kind, requires_grad=False)):
        if n == most:
            return
        yield sample


def outcomes(op: Any, dtype: str, most: int = 8) -> list[Outcome]:
    """Of the first samples; all are exported in one program, and one by one only where that does not pass."""
    with quiet():
        given = list(samples(op, dtype, most))
        if len(given) > 1 and judged(op, given).what == PASSED:
            return [Outcome(PASSED)] * len(given)
        return [judged(op, [sample]) for sample in given]


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)


def judged(op: Any, given: list[Any]) -> Outcome:
    if op.name in UNDEFINED:
        return Outcome(SKIPPED, "its content is not defined")
    calls = Calls(op.get_op(), given)
    tensors = calls.tensors()
    try:
        with torch.no_grad():
            results = calls(*(x.clone() for x in tensors))
            want = [x for result in results for x in result]
            ties = [op.name in TIED and i == 1 for result in results for i in range(len(result))]
            program = torch.export.export(calls, tuple(x.clone() for x in tensors))
    except Exception as error:
        return Outcome(SKIPPED, f"torch cannot export it: {first_line(error)}")
    if not want or any(x.is_sparse or x.is_quantized or x.is_nested for x in (*want, *tensors)):
        return Outcome(SKIPPED, "no dense tensors")
    try:
        imported = import_program(program, "sample.safetensors")
    except FstcError as error:
        return Outcome(REFUSED, error.diagnostics[0].message)
    refused = imported.coverage.refused
    if refused:
        row = refused[0]
        return Outcome(REFUSED, f"{row.operator}: {next(iter(row.refused))}")
    return compared(op, imported, calls, tensors, want, ties)


def compared(op: Any, imported: Any, calls: Calls, tensors: list[Any], want: list[Any], ties: list[bool]) -> Outcome:
    graph = imported.graph
    feeds = {i: array_of(x.contiguous()) for i, x in zip(graph.inputs, tensors, strict=True)}
    found = evaluate(graph, feeds, stored(imported.tensors))
    if len(graph.outputs) < len(want):
        return Outcome(FAILED, f"{len(graph.outputs)} outputs for {len(want)}")
    results = [found[i] for i in graph.outputs[: len(want)]]
    problems = [
        "" if tie and ours.shape == tuple(theirs.shape) else difference(op, ours, theirs)
        for ours, theirs, tie in zip(results, want, ties, strict=True)
    ]
    if not any(problems):
        return Outcome(PASSED)
    truth = exact(calls, tensors) if all(t in NARROW for t in {x.dtype for x in want if x.is_floating_point()}) else []
    for n, problem in enumerate(problems):
        if problem and not (truth and is_nearer(results[n], want[n], truth[n])):
            return Outcome(FAILED, problem)
    return Outcome(PASSED)


def exact(calls: Calls, tensors: list[Any]) -> list[Any]:
    """Torch's results in float64; none where it does not take that."""
    try:
        with torch.no_grad():
            wide = calls(*(x.double() if x.is_floating_point() else x.clone() for x in tensors))
    except Exception:
        return []
    return [x for result in wide for x in result]


def is_nearer(ours: Any, theirs: Any, truth: Any) -> bool:
    """Torch rounds some operators of 16 bits several times: then its result is no measure, but float64's is."""
    if not truth.is_floating_point() or ours.shape != tuple(truth.shape):
        return False
    wanted = array_of(truth.contiguous())
    own, other = (np.abs(x.astype(np.float64) - wanted) for x in (ours, array_of(theirs.contiguous())))
    step = np.abs(wanted) * TOLERANCES[ours.dtype.name][0]
    return bool((own <= np.maximum(other, step)).all())


def difference(op: Any, found: Any, expected: Any) -> str:
    """What differs, in words; empty when nothing does beyond torch's tolerance for the operator."""
    want = array_of(expected.contiguous())
    if found.dtype != want.dtype or found.shape != want.shape:
        return f"{found.dtype}{list(found.shape)} for {want.dtype}{list(want.shape)}"
    name = want.dtype.name
    if name not in TOLERANCES:
        wrong = found != want
        return f"{int(wrong.sum())} of {wrong.size} elements differ" if wrong.any() else ""
    rtol, atol = tolerance(op, expected.dtype)
    x, y = found.astype(np.float64), want.astype(np.float64)
    with np.errstate(all="ignore"):
        close = (x == y) | (np.isnan(x) & np.isnan(y)) | (np.abs(x - y) <= atol + rtol * np.abs(y))
    if close.all():
        return ""
    at = np.argwhere(~close)[0]
    return f"{int((~close).sum())} of {close.size} elements differ, first {x[tuple(at)]!r} for {y[tuple(at)]!r}"


def tolerance(op: Any, dtype: Any) -> tuple[float, float]:
    """torch.testing's, or the wider one that torch's own tests of the operator use."""
    rtol, atol = TOLERANCES[str(dtype).removeprefix("torch.")]
    for info in op.decorators:
        if isinstance(info, DecorateInfo) and info.cls_name in (None, "TestCommon", "TestDecomp"):
            for one in info.decorators:
                own = getattr(one, "d", {}).get(dtype) if type(one).__name__ == "toleranceOverride" else None
                if own is not None:
                    rtol, atol = max(rtol, own.rtol), max(atol, own.atol)
    return rtol, atol


def first_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return re.sub(r"0x[0-9a-f]+", "0x", text[0] if text else type(error).__name__)[:160]
