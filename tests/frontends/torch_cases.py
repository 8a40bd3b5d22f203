"""Running a torch function or module through the importer and in torch, for the tests of the importer.

Example: ``check(lambda x: x.t().add_(1), torch.ones(2, 3))`` fails where the two results differ.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch

from fstc.frontends.artefact import Imported
from fstc.frontends.torch.peer import run_program
from fstc.frontends.torch.program import import_program
from fstc.frontends.torch.tensors import array_of
from fstc.ir.reference import evaluate
from tests.stored import stored


class Function(torch.nn.Module):
    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)


def exported(function: Any, *args: Any, **kwargs: Any) -> Any:
    module = function if isinstance(function, torch.nn.Module) else Function(function)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        return torch.export.export(module, args, kwargs)


def check(function: Any, *args: Any, rtol: float = 1e-5, atol: float = 1e-5, **kwargs: Any) -> Imported:
    """Import and compare all outputs, mutated buffers and inputs among them, with torch's own run."""
    program = exported(function, *args, **kwargs)
    imported = import_program(program, "m.safetensors")
    assert not imported.coverage.refused, imported.coverage.refused
    graph = imported.graph
    tensors = [x for x in torch.utils._pytree.tree_leaves((args, kwargs)) if isinstance(x, torch.Tensor)]
    arrays = [np.ascontiguousarray(array_of(x)).reshape(x.shape) for x in tensors]
    feeds = dict(zip(graph.inputs, arrays, strict=True))
    found = evaluate(graph, feeds, stored(imported.tensors))
    names = {graph.values[i].name: x for i, x in feeds.items()}
    wanted = run_program(program, names)
    assert len(wanted) == len(graph.outputs)
    for i, want in zip(graph.outputs, wanted, strict=True):
        assert found[i].dtype == want.dtype and found[i].shape == want.shape
        np.testing.assert_allclose(found[i].astype(np.float64), want.astype(np.float64), rtol=rtol, atol=atol)
    return imported


def ops(imported: Imported) -> list[str]:
    return [node.op.name for node in imported.graph.nodes]


def outputs(imported: Imported) -> list[str]:
    return [imported.graph.values[i].name for i in imported.graph.outputs]
