"""Torch's own result for a model that was imported: what ``fstc verify --against torch`` compares with.

Example: ``run_peer(Path("model.pt2"), "", {"x": array}, {})``. Outputs come in the importer's order: the user's
tensors, then what the program writes into buffers and into inputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fstc.frontends.artefact import Unsupported
from fstc.frontends.torch.decompose import words
from fstc.frontends.torch.program import output_names
from fstc.frontends.torch.run import export, load, silent
from fstc.frontends.torch.tensors import array_of, tensor_of
from fstc.support.diagnostics import Diagnostic, FstcError


def run_peer(
    model: Path | None, factory: str, feeds: Mapping[str, Any], binds: Mapping[str, int] | None = None
) -> list[Any]:
    """The outputs for inputs by name. ``binds`` need no attention: the arrays have their extents."""
    program = load(model) if model is not None else export(factory)
    return run_program(program, feeds)


def run_program(program: Any, feeds: Mapping[str, Any]) -> list[Any]:
    """The program functional, node by node in torch, so that what it mutates comes out as results."""
    import torch

    try:
        with silent("torch"):
            functional = program.run_decompositions({})
    except Exception as error:
        raise FstcError(Diagnostic("FST0810", f"torch cannot make the model functional: {words(error)}")) from None
    placeholders = [n for n in functional.graph.nodes if n.op == "placeholder"]
    values = [
        _value(functional, node, spec, feeds)
        for node, spec in zip(placeholders, functional.graph_signature.input_specs, strict=True)
    ]
    try:
        with torch.no_grad():
            found = torch.fx.Interpreter(functional.graph_module).run(*values, enable_io_processing=False)
    except Exception as error:
        raise FstcError(Diagnostic("FST0810", f"torch cannot run the model: {words(error)}")) from None
    user, written = [], []
    names = iter(output_names(functional))
    for spec, value in zip(functional.graph_signature.output_specs, found, strict=True):
        if spec.kind.name in ("USER_OUTPUT", "LOSS_OUTPUT"):
            if next(names):
                user.append(value)
        elif isinstance(value, torch.Tensor):
            written.append(value)
    try:
        return [array_of(value.contiguous()) for value in (*user, *written)]
    except Unsupported as error:
        raise FstcError(Diagnostic("FST0810", f"torch's result has {error}")) from None


def _value(program: Any, node: Any, spec: Any, feeds: Mapping[str, Any]) -> Any:
    kind = spec.kind.name
    if kind == "USER_INPUT":
        if hasattr(spec.arg, "value"):
            return spec.arg.value
        if node.name not in feeds:
            raise FstcError(Diagnostic("FST0810", f"the model has an input {node.name} that is not given"))
        return tensor_of(feeds[node.name])
    found = program.state_dict.get(spec.target)
    return (program.constants[spec.target] if found is None else found).detach().clone()
