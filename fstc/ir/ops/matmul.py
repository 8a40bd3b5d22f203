"""The one matrix product that dot_general and convolution share, and its rule of element types.

Example: ``batched_matmul(a, b, F32, F32, fast=False)`` sums ``[n,m,k] @ [n,k,p]`` in float64.
"""

from __future__ import annotations

from typing import Any

from fstc.ir.ops.numerics import quiet, wide
from fstc.ir.ops.opdef import Infer
from fstc.ir.ops.shapes import refuse
from fstc.ir.types import DType


def check_product(infer: Infer) -> DType:
    """The result's element type: the declared one, or that of the operands."""
    lhs, rhs = (t.dtype for t in infer.operands)
    if lhs.kind == "b":
        refuse("the operands are bool, expected a numeric type", help="convert them first", operand=0)
    if lhs != rhs and not (lhs.is_float and rhs.is_float and lhs.size == rhs.size == 1):
        refuse(f"the operands are {lhs} and {rhs}; only 8-bit floats may differ", operand=1)
    result = infer.declared[0].dtype if infer.declared else lhs
    if result.is_float != lhs.is_float or result.kind == "b":
        refuse(f"a product of {lhs} cannot give {result}")
    return result


def batched_matmul(left: Any, right: Any, operand: DType, result: DType, fast: bool) -> Any:
    """``[n,m,k] @ [n,k,p]``: floats summed in float64 (f32 when ``fast``), integers in the result's type."""
    import numpy as np

    with quiet():
        if operand.is_float:
            if fast and operand.size <= 4 and result.size <= 4:
                return np.matmul(left.astype(np.float32, copy=False), right.astype(np.float32, copy=False))
            return np.matmul(wide(left), wide(right))
        # below 2^53 float64 is exact, and a BLAS is a hundred times faster than NumPy's integer product
        if operand.size <= 2 and left.shape[2] < 2**20:
            return np.matmul(wide(left), wide(right)).astype(np.int64).astype(result.numpy())
        return np.matmul(left.astype(result.numpy()), right.astype(result.numpy()))
