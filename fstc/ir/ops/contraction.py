"""Library calls: matrix products, convolutions and calls that only a framework can run. Sorting has a
module of its own and is joined here.

Example: ``%y = dot_general %x, %w {lhs_contract = [1], rhs_contract = [0]} : f32[1024,3072]``. The
references sum in float64 (integers wrap in the result's type); ``library`` is the fast form for running
on the host, which sums f32 as a BLAS does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fstc.ir.ops.convolution import convolution, convolution_type
from fstc.ir.ops.matmul import batched_matmul, check_product
from fstc.ir.ops.numerics import cast
from fstc.ir.ops.opdef import AttrDef, Form, Infer, Kind, OpDef, OpError
from fstc.ir.ops.shapes import axes, disjoint, drop, ranked, refuse
from fstc.ir.ops.sorting import SORTING
from fstc.ir.types import Shape, TensorType

Arrays = Sequence[Any]


def _dot_dims(infer: Infer) -> tuple[Shape, Shape, Shape, Shape]:
    """lhs_batch, rhs_batch, lhs_contract, rhs_contract."""
    lhs, rhs = infer.operands
    names = ("lhs_batch", "rhs_batch", "lhs_contract", "rhs_contract")
    ranks = (lhs.rank, rhs.rank, lhs.rank, rhs.rank)
    a, b, c, d = (axes(infer, name, rank) for name, rank in zip(names, ranks, strict=True))
    return a, b, c, d


def _dot_type(infer: Infer) -> tuple[TensorType, ...]:
    lhs, rhs = infer.operands
    result = check_product(infer)
    lhs_batch, rhs_batch, lhs_contract, rhs_contract = _dot_dims(infer)
    disjoint(lhs_batch, "lhs_batch", lhs_contract, "lhs_contract")
    disjoint(rhs_batch, "rhs_batch", rhs_contract, "rhs_contract")
    for what, left, right in (("batch", lhs_batch, rhs_batch), ("contract", lhs_contract, rhs_contract)):
        if len(left) != len(right):
            refuse(f"`lhs_{what}` has {len(left)} entries, `rhs_{what}` {len(right)}", attr=f"rhs_{what}")
        for i, j in zip(left, right, strict=True):
            if lhs.shape[i] != rhs.shape[j]:
                refuse(
                    f"dimension {i} of {lhs} has extent {lhs.shape[i]}, dimension {j} of {rhs} has {rhs.shape[j]}: "
                    f"`lhs_{what}` and `rhs_{what}` pair them",
                    operand=1,
                )
    free = drop(lhs.shape, lhs_batch + lhs_contract) + drop(rhs.shape, rhs_batch + rhs_contract)
    return (TensorType(result, ranked(tuple(lhs.shape[d] for d in lhs_batch) + free)),)


def _dot(arrays: Arrays, infer: Infer, fast: bool) -> tuple[Any, ...]:
    """Both sides as [batch, rows, depth] and [batch, depth, columns]."""
    from math import prod

    x, y = arrays
    lhs_batch, rhs_batch, lhs_contract, rhs_contract = _dot_dims(infer)
    rows = [d for d in range(x.ndim) if d not in lhs_batch + lhs_contract]
    columns = [d for d in range(y.ndim) if d not in rhs_batch + rhs_contract]
    batch = [x.shape[d] for d in lhs_batch]
    depth = prod(x.shape[d] for d in lhs_contract)
    n, m, k = prod(batch), prod(x.shape[d] for d in rows), prod(y.shape[d] for d in columns)
    left = x.transpose(*lhs_batch, *rows, *lhs_contract).reshape(n, m, depth)
    right = y.transpose(*rhs_batch, *rhs_contract, *columns).reshape(n, depth, k)
    result = infer.declared[0].dtype
    out = batched_matmul(left, right, infer.operands[0].dtype, result, fast)
    shape = [*batch, *(x.shape[d] for d in rows), *(y.shape[d] for d in columns)]
    return (cast(out, result).reshape(shape),)


def _custom_reference(arrays: Arrays, infer: Infer) -> tuple[Any, ...]:
    raise OpError(
        f"only a framework can run `{infer.attrs['call_target_name']}`",
        help="run the package inside the framework that the call comes from",
        attr="call_target_name",
    )


def _library(name: str, doc: str, arity: tuple[int, int | None], infer: Any, reference: Any, **more: Any) -> OpDef:
    return OpDef(name, Kind.LIBRARY, Form.LIBRARY, doc, arity, infer, reference, **more)


CONTRACTION: tuple[OpDef, ...] = (
    _library(
        "dot_general",
        "Products summed over paired dimensions; the result is [batch..., rows of a..., columns of b...].",
        (2, 2),
        _dot_type,
        lambda arrays, infer: _dot(arrays, infer, fast=False),
        library=lambda arrays, infer: _dot(arrays, infer, fast=True),
        attrs=(
            AttrDef("lhs_batch", "ints", required=False, default=(), doc="dimensions that both sides walk together"),
            AttrDef("rhs_batch", "ints", required=False, default=(), doc="their partners in b"),
            AttrDef(
                "lhs_contract", "ints", required=False, default=(), doc="dimensions that are multiplied and summed"
            ),
            AttrDef("rhs_contract", "ints", required=False, default=(), doc="their partners in b"),
        ),
        operands="a, b",
        dtypes="numeric",
    ),
    _library(
        "convolution",
        "Windows of the input times a kernel, summed over input features (no kernel reversal).",
        (2, 2),
        convolution_type,
        lambda arrays, infer: convolution(arrays, infer, fast=False),
        library=lambda arrays, infer: convolution(arrays, infer, fast=True),
        attrs=(
            AttrDef("input_batch_dimension", "int", required=False, default=0, doc="of x"),
            AttrDef("input_feature_dimension", "int", required=False, default=1, doc="of x"),
            AttrDef("input_spatial_dimensions", "ints", required=False, default=(), doc="empty: 2 and up"),
            AttrDef("kernel_output_feature_dimension", "int", required=False, default=0, doc="of the kernel"),
            AttrDef("kernel_input_feature_dimension", "int", required=False, default=1, doc="of the kernel"),
            AttrDef("kernel_spatial_dimensions", "ints", required=False, default=(), doc="empty: 2 and up"),
            AttrDef("output_batch_dimension", "int", required=False, default=0, doc="of the result"),
            AttrDef("output_feature_dimension", "int", required=False, default=1, doc="of the result"),
            AttrDef("output_spatial_dimensions", "ints", required=False, default=(), doc="empty: 2 and up"),
            AttrDef("window_strides", "ints", required=False, default=(), doc="step between windows; empty: 1"),
            AttrDef("padding", "pairs", required=False, default=(), doc="(low, high) of each; empty: 0"),
            AttrDef("lhs_dilation", "ints", required=False, default=(), doc="spacing of input elements; empty: 1"),
            AttrDef("rhs_dilation", "ints", required=False, default=(), doc="spacing of kernel elements; empty: 1"),
            AttrDef("feature_group_count", "int", required=False, default=1, doc="groups of input features"),
            AttrDef("batch_group_count", "int", required=False, default=1, doc="groups of the batch"),
        ),
        operands="x, kernel",
        dtypes="numeric",
    ),
    *SORTING,
    _library(
        "custom_call",
        "A call that fstc does not know, with any operands and the declared results; it marks a boundary.",
        (0, None),
        lambda infer: infer.declared,
        _custom_reference,
        operands="xs...",
        attrs=(
            AttrDef("call_target_name", "str", doc="what is called"),
            AttrDef("backend_config", "str", required=False, default="", doc="passed through"),
        ),
        results=-1,
    ),
)
