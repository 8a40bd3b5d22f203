"""Torch's own decompositions, down to the operators of the table.

Example: ``decomposed(program).graph``. What the table maps itself is kept whole (a linear layer, attention, a layer
norm); everything else is taken apart by torch as far as it can. The program comes out functional: writes into tensors
and views became values.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from fstc.frontends.torch.table import COMPLEX, HIGHER_ORDER, OPERATORS
from fstc.support.diagnostics import Diagnostic, FstcError


def is_mapped(operator: Any) -> bool:
    name = str(operator)
    return any(key in table for key in (name, name.rpartition(".")[0]) for table in (OPERATORS, COMPLEX))


# Views of a kept operator could alias its input, which torch does not allow: these are always taken apart.
_ALIASING = (
    "aten.reshape.default aten.flatten.using_ints aten.contiguous.default aten.to.dtype aten.chunk.default "
    "aten.dropout.default aten.conj.default aten.unflatten.int aten.clip.default aten.clip.Tensor "
    "aten.detach_.default aten.expand_as.default aten.view_as.default aten.reshape_as.default aten.type_as.default "
    "aten.to.dtype_layout aten.to.device aten.to.other aten.movedim.int aten.movedim.intlist aten.moveaxis.int "
    "aten.moveaxis.intlist aten.narrow.default aten.batch_norm.default "
    "aten.resolve_conj.default aten.resolve_neg.default aten.swapaxes.default aten.numpy_T.default"
)
ALIASING = frozenset(_ALIASING.split())


# By the schema these write into nothing, but they do when this argument says that they train.
WRITES = {"aten.batch_norm.default": 5, "aten.instance_norm.default": 5}
HARMLESS = ("aten.detach_.default",)
AUTOCAST = "wrap_with_autocast"  # its conversions stand nowhere before torch has traced the region
LONGEST = 400  # characters of the framework's own words


@cache
def decompositions() -> dict[Any, Any]:
    """By operator: torch's core set, and beyond it what torch can take apart and the table lacks."""
    import torch
    from torch._decomp import global_decomposition_table

    found = dict(torch.export.default_decompositions())
    for operator, function in global_decomposition_table["post_autograd"].items():
        if isinstance(operator, torch._ops.OpOverload) and not is_mapped(operator):
            found.setdefault(operator, function)
    found = {op: f for op, f in found.items() if not is_mapped(op) or str(op) in ALIASING}
    found[torch.ops.aten.view.default] = _viewed
    return found


def _viewed(x: Any, shape: Any) -> Any:
    """A view, or the copy that it is where a decomposition has left other strides than the traced operator."""
    import torch

    try:
        with torch._C._DisableTorchDispatch():
            x.view(shape)
    except RuntimeError:
        return torch.ops.aten._unsafe_view.default(x.contiguous(), shape)
    return NotImplemented


def decomposed(program: Any) -> Any:
    """The program itself where it is functional already and all its operators are mapped: tracing takes long."""
    import warnings

    if not any(needs_work(node) for node in _nodes(program.graph_module)):
        return program
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return program.run_decompositions(decompositions())
    except Exception as error:  # an operator that torch lacks for a type, or one that was not made to be traced
        raise FstcError(Diagnostic("FST0804", f"torch cannot take the program apart: {words(error)}")) from None


def words(error: Exception) -> str:
    """What a framework says, on one line and not longer than a message should be."""
    text = " ".join(line.strip() for line in str(error).splitlines() if line.strip()) or type(error).__name__
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} ..."


def needs_work(node: Any) -> bool:
    """Does the node write into a tensor, or call what the table lacks?"""
    if getattr(node.target, "__name__", "") == AUTOCAST:
        return True
    if not hasattr(node.target, "_schema"):
        return hasattr(node.target, "_ophandle") or (str(node.target).startswith("torch.ops.") and not _is_graph(node))
    name = str(node.target)
    if name in WRITES and node.args[WRITES[name]]:
        return True
    return not is_mapped(node.target) or (bool(node.target._schema.is_mutable) and name not in HARMLESS)


def _is_graph(node: Any) -> bool:
    return str(getattr(node.target, "__name__", "")) in HIGHER_ORDER


def _nodes(module: Any) -> Iterator[Any]:
    """The calls of a graph and of the graphs in it."""
    for node in module.graph.nodes:
        if node.op == "call_function":
            yield node
    for _, child in module.named_children():
        if hasattr(child, "graph"):
            yield from _nodes(child)
