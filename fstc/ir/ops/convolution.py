"""convolution: StableHLO's, with dimension numbers as integer attributes (NCHW and OIHW by default).

Example: ``%y = convolution %x, %w {padding = [[1, 1], [1, 1]]} : f32[8,64,56,56]``. The result is one
matrix product a kernel position, summed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

from fstc.ir.ops.matmul import batched_matmul, check_product
from fstc.ir.ops.numerics import cast, quiet
from fstc.ir.ops.opdef import Infer
from fstc.ir.ops.shapes import at_least, in_range, ints, refuse, window_extent
from fstc.ir.ops.window import pairs
from fstc.ir.types import Shape, TensorType


@dataclass(frozen=True)
class Conv:
    """The attributes, filled in. Each order lists batch (kernel: output feature), feature, spatial dimensions."""

    input: Shape
    kernel: Shape
    output: Shape
    strides: Shape
    padding: tuple[tuple[int, int], ...]
    lhs_dilation: Shape
    rhs_dilation: Shape
    feature_groups: int
    batch_groups: int


def conv_of(infer: Infer) -> Conv:
    x, w = infer.operands
    if x.rank < 2 or x.rank != w.rank:
        refuse(f"the input is {x} and the kernel {w}: they need one rank of at least 2", operand=1)
    spatial = x.rank - 2
    orders = []
    for side, first, second in (
        ("input", "batch", "feature"),
        ("kernel", "output_feature", "input_feature"),
        ("output", "batch", "feature"),
    ):
        names = (f"{side}_{first}_dimension", f"{side}_{second}_dimension")
        place = f"{side}_spatial_dimensions"
        tail = tuple(infer.attrs.get(place) or range(2, x.rank))
        order = (infer.attrs[names[0]], infer.attrs[names[1]], *tail)
        for name, dims in ((names[0], order[:1]), (names[1], order[1:2]), (place, tail)):
            in_range(dims, x.rank, name)
        if len(tail) != spatial or len(set(order)) != x.rank:
            refuse(
                f"the dimension numbers of the {side} name {sorted(order)}, expected each of its {x.rank}", attr=place
            )
        orders.append(order)
    each = "spatial dimension"
    strides, lhs, rhs = (
        ints(infer, n, spatial, each, default=1) for n in ("window_strides", "lhs_dilation", "rhs_dilation")
    )
    for name, values in (("window_strides", strides), ("lhs_dilation", lhs), ("rhs_dilation", rhs)):
        at_least(values, 1, name)
    padding = pairs(infer, "padding", spatial, each)
    feature_groups, batch_groups = infer.attrs["feature_group_count"], infer.attrs["batch_group_count"]
    return Conv(orders[0], orders[1], orders[2], strides, padding, lhs, rhs, feature_groups, batch_groups)


def convolution_type(infer: Infer) -> tuple[TensorType, ...]:
    x, w = infer.operands
    dtype, c = check_product(infer), conv_of(infer)
    batch, features, *space = (x.shape[d] for d in c.input)
    outs, ins, *window = (w.shape[d] for d in c.kernel)
    if 0 in window:
        refuse(f"the kernel {w} has no position: its spatial extents are at least 1", operand=1)
    for name, groups in (("feature_group_count", c.feature_groups), ("batch_group_count", c.batch_groups)):
        if groups < 1:
            refuse(f"`{name}` is {groups}, expected 1 or more", attr=name)
        if outs % groups:
            refuse(f"`{name}` is {groups}, which does not divide the kernel's {outs} output features", attr=name)
    if c.feature_groups > 1 and c.batch_groups > 1:
        refuse("`feature_group_count` and `batch_group_count` are both above 1", attr="batch_group_count")
    if batch % c.batch_groups:
        refuse(f"`batch_group_count` is {c.batch_groups}, the batch is {batch}", attr="batch_group_count")
    if features != ins * c.feature_groups:
        refuse(f"the input has {features} features, the kernel takes {ins} in {c.feature_groups} groups", operand=1)
    extents = tuple(
        window_extent(n, k, s, d, b, p)
        for n, k, s, d, b, p in zip(space, window, c.strides, c.rhs_dilation, c.lhs_dilation, c.padding, strict=True)
    )
    shape = dict(zip(c.output, (batch // c.batch_groups, outs, *extents), strict=True))
    return (TensorType(dtype, tuple(shape[d] for d in range(x.rank))),)


def convolution(arrays: Sequence[Any], infer: Infer, fast: bool) -> tuple[Any, ...]:
    import numpy as np

    from fstc.ir.ops.layout import pad

    c, result = conv_of(infer), infer.declared[0]
    x, w = arrays[0].transpose(c.input), arrays[1].transpose(c.kernel)
    low, high = zip(*c.padding, strict=True) if c.padding else ((), ())
    x = pad(x, x.dtype.type(0), (0, 0, *low), (0, 0, *high), (0, 0, *(b - 1 for b in c.lhs_dilation)))
    shape = tuple(result.shape[d] for d in c.output)
    groups = c.feature_groups * c.batch_groups
    outs, space = shape[1] // groups, shape[2:]
    # [groups, batch of a group, features of a group, space...] and [groups, outs, ins, window...]
    if c.batch_groups > 1:
        x = x.reshape(groups, shape[0], *x.shape[1:])
    else:
        x = np.moveaxis(x.reshape(x.shape[0], groups, w.shape[1], *x.shape[2:]), 1, 0)
    w = w.reshape(groups, outs, *w.shape[1:])
    count = shape[0] * prod(space)
    total: Any = 0
    for position in product(*map(range, w.shape[3:])):
        columns = zip(position, c.rhs_dilation, space, c.strides, strict=True)
        seen = x[(..., *(slice(p * d, p * d + (n - 1) * s + 1 if n else p * d, s) for p, d, n, s in columns))]
        rows = np.moveaxis(seen, 2, -1).reshape(groups, count, w.shape[2])
        weights = w[(..., *position)].transpose(0, 2, 1)
        with quiet():
            total = total + batched_matmul(rows, weights, infer.operands[0].dtype, result.dtype, fast)
    out = np.moveaxis(total.reshape(groups, shape[0], *space, outs), (0, -1), (1, 2)).reshape(shape)
    return (cast(np.asarray(out.transpose(np.argsort(c.output)), order="C"), result.dtype),)
