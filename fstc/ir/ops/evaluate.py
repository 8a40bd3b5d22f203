"""One node in NumPy, and regions on whole arrays: what the references of ops with a body need.

Example: ``run_region(region, (acc, x), wide=False)`` applies a scalar body to arrays, element by element.

``wide`` is the oracle's way: f32 is carried as float64 (rounded to f32 only where its exponent range
ends), so that the oracle's own error does not count against a kernel. References do not know of it:
they see the type f64 where the graph says f32.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fstc.ir.ops.numerics import cast, quiet
from fstc.ir.ops.opdef import Form
from fstc.ir.types import F32, F64, DType, TensorType

if TYPE_CHECKING:
    from fstc.ir.graph import Graph, Node, Region

Arrays = tuple[Any, ...]
F32_NORMAL = 2.0**-126
F32_OVERFLOW = 2.0**128 - 2.0**103  # the least that rounds to infinity
PIECE = 1 << 15


def run_op(graph: Graph, node: Node, operands: Sequence[Any], wide: bool = False) -> Arrays:
    """The results of a node in the dtypes that values have (see :func:`carried`)."""
    infer = graph.infer_args(node)
    types = infer.declared
    if not wide:
        return _settle(node.op.reference(operands, infer), types, wide)
    if node.op.bits or node.op.form is Form.CONSTANT:  # the stored bits count
        stored = [cast(x, t.dtype) for x, t in zip(operands, infer.operands, strict=True)]
        return _settle(node.op.reference(stored, infer), types, wide)
    infer = replace(infer, operands=_widen(infer.operands), declared=_widen(types), wide=True)
    return _settle(node.op.reference(operands, infer), types, wide)


def run_region(region: Region, operands: Sequence[Any], wide: bool) -> Arrays:
    """The results of a scalar body for every element of the operands, which broadcast."""
    graph = region.graph
    values: dict[int, Any] = dict(zip(graph.inputs, operands, strict=True))
    for node in graph.nodes:
        infer = graph.infer_args(node)
        if wide and not node.op.bits and node.op.form is not Form.CONSTANT:
            infer = replace(infer, operands=_widen(infer.operands), declared=_widen(infer.declared), wide=True)
        found = node.op.reference([values[i] for i in node.inputs], infer)
        values.update(zip(node.outputs, found, strict=True))
    return tuple(values[i] for i in graph.outputs)


def carried(dtype: DType, wide: bool) -> Any:
    """The NumPy dtype in which values of ``dtype`` are carried."""
    return F64.numpy() if wide and dtype == F32 else dtype.numpy()


def carry(array: Any, dtype: DType, wide: bool) -> Any:
    """``array`` rounded to the precision in which values of ``dtype`` are carried.

    A wide f32 keeps float64's digits, but overflows, underflows and loses digits among the
    subnormals where f32 does: log(exp(-200)) is -inf in f32, and must be in its oracle.
    """
    import numpy as np

    if not (wide and dtype == F32):
        return cast(array, dtype)
    array = np.asarray(array, dtype=np.float64)
    flat = array.reshape(-1)
    # in pieces that stay in the cache: usually nothing is found, and a value may have ten million elements
    pieces = range(0, flat.size, PIECE)
    if not any(_beyond_f32(flat[i : i + PIECE]).any() for i in pieces):
        return array
    out = flat.copy()
    for i in pieces:
        piece = out[i : i + PIECE]
        beyond = _beyond_f32(piece)
        with quiet():
            piece[beyond] = piece[beyond].astype(np.float32)
    return out.reshape(array.shape)


def _beyond_f32(x: Any) -> Any:
    """Where f32 is subnormal or overflows (zero, which it holds exactly, is not)."""
    import numpy as np

    size = np.abs(x)
    return ((size < F32_NORMAL) & (size > 0)) | ((size >= F32_OVERFLOW) & (size < np.inf))


def _settle(found: Sequence[Any], types: Sequence[TensorType], wide: bool) -> Arrays:
    out = tuple(carry(x, t.dtype, wide) for x, t in zip(found, types, strict=True))
    for x, t in zip(out, types, strict=True):
        assert x.shape == t.shape, f"the reference gave shape {x.shape}, the type is {t}"
    return out


def _widen(types: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
    return tuple(TensorType(F64, t.shape) if t.dtype == F32 else t for t in types)
