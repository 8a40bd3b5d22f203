"""Torch's own decompositions, down to the operators of the table.

Example: ``decomposed(program).graph``. What the table maps itself is kept whole (a linear layer, attention, a layer
norm); everything else is taken apart by torch as far as it can. The program comes out functional: writes into tensors
and views became values.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from fstc.frontends.torch.table import OPERATORS


def is_mapped(operator: Any) -> bool:
    name = str(operator)
    return name in OPERATORS or name.rpartition(".")[0] in OPERATORS


# Views of a kept operator could alias its input, which torch does not allow: these are always taken apart.
_ALIASING = (
    "aten.reshape.default aten.flatten.using_ints aten.contiguous.default aten.to.dtype aten.chunk.default "
    "aten.dropout.default aten.conj.default aten.unflatten.int aten.clip.default aten.clip.Tensor "
    "aten.resolve_conj.default aten.resolve_neg.default aten.swapaxes.default aten.numpy_T.default"
)
ALIASING = frozenset(_ALIASING.split())


@cache
def decompositions() -> dict[Any, Any]:
    """By operator: torch's core set, and beyond it what torch can take apart and the table lacks."""
    import torch
    from torch._decomp import global_decomposition_table

    found = dict(torch.export.default_decompositions())
    for operator, function in global_decomposition_table["post_autograd"].items():
        if isinstance(operator, torch._ops.OpOverload) and not is_mapped(operator):
            found.setdefault(operator, function)
    return {op: f for op, f in found.items() if not is_mapped(op) or str(op) in ALIASING}


def decomposed(program: Any) -> Any:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return program.run_decompositions(decompositions())
