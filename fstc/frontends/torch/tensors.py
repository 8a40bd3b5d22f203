"""Torch tensors as NumPy arrays, without a copy where memory allows.

Example: ``array_of(torch.ones(3, dtype=torch.bfloat16)).dtype`` is ml_dtypes' bfloat16. A view keeps its strides.
"""

from __future__ import annotations

from typing import Any

from fstc.frontends.artefact import Unsupported
from fstc.frontends.torch.types import dtype_from_torch

_BITS = {1: "uint8", 2: "int16"}


def array_of(tensor: Any) -> Any:
    """The elements of a dense tensor on any device."""
    import torch

    if tensor.layout != torch.strided or tensor.is_quantized:
        raise Unsupported(f"a tensor of layout {str(tensor.layout).removeprefix('torch.')}")
    dtype = dtype_from_torch(tensor.dtype)
    plain = tensor.detach().cpu().resolve_conj().resolve_neg()
    if dtype.name in ("bf16", "f8e4m3fn", "f8e5m2"):
        return plain.view(getattr(torch, _BITS[dtype.size])).numpy().view(dtype.numpy())
    return plain.numpy()


def tensor_of(array: Any) -> Any:
    """An array, of ml_dtypes' types too, as a tensor of its own memory."""
    import numpy as np
    import torch

    from fstc.frontends.emitter import dtype_of
    from fstc.frontends.torch.types import dtype_to_torch

    dtype = dtype_of(array)
    array = np.ascontiguousarray(array).reshape(array.shape)
    if dtype.name in ("bf16", "f8e4m3fn", "f8e5m2"):
        bits = torch.from_numpy(array.view(np.dtype(_BITS[dtype.size])).copy())
        return bits.view(dtype_to_torch(dtype))
    return torch.from_numpy(array.copy())
