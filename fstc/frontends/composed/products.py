"""Matrix products, linear layers and convolutions as one library call each wherever that is possible.

Example: ``matmul(b, Factor(q), Factor(k, (0, 1, 3, 2)))``: batches broadcast as in NumPy, and the transpose is read by
the call instead of being made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fstc.frontends.builder import Builder, Val
from fstc.ir.ops.opdef import OpError
from fstc.ir.types import DType, Shape, TensorType


@dataclass(frozen=True)
class Factor:
    """A tensor under a permutation that is not carried out: dimension i is dimension ``order[i]`` of ``val``."""

    val: Val
    order: tuple[int, ...] = ()

    @property
    def shape(self) -> Shape:
        return tuple(self.val.shape[d] for d in self.order) if self.order else self.val.shape

    def dim(self, i: int) -> int:
        return self.order[i] if self.order else i


def dot(
    b: Builder,
    x: Factor,
    y: Factor,
    batch: Sequence[tuple[int, int]] = (),
    contract: Sequence[tuple[int, int]] = (),
    dtype: DType | None = None,
) -> Val:
    """Products summed over ``contract``, pairs of dimensions; [batch..., rest of x..., rest of y...].

    ``dtype``: the result's element type, where it is not that of the operands.
    """
    x = _straight(b, x, [i for i, _ in (*batch, *contract)])
    y = _straight(b, y, [j for _, j in (*batch, *contract)])
    declared = [] if dtype is None else [TensorType(dtype, (1,))]  # its shape follows from the operands
    return b.op(
        "dot_general",
        [x.val, y.val],
        *declared,
        lhs_batch=[x.dim(i) for i, _ in batch],
        rhs_batch=[y.dim(j) for _, j in batch],
        lhs_contract=[x.dim(i) for i, _ in contract],
        rhs_contract=[y.dim(j) for _, j in contract],
    )[0]


def _straight(b: Builder, f: Factor, used: Sequence[int]) -> Factor:
    """A call keeps the other dimensions in the order that they have in memory: if that is wrong, transpose."""
    rest = [f.dim(i) for i in range(f.val.rank) if i not in used]
    return f if rest == sorted(rest) else Factor(b.transpose(f.val, f.order))


def matmul(b: Builder, x: Val | Factor, y: Val | Factor, dtype: DType | None = None) -> Val:
    """NumPy's matmul: vectors, matrices, and batches of them that broadcast.

    A batch dimension of one side alone is one more row (or column) dimension of the call, so that nothing is repeated.
    """
    x, y = (f if isinstance(f, Factor) else Factor(f) for f in (x, y))
    rows, columns = len(x.shape) > 1, len(y.shape) > 1
    if not x.shape or not y.shape or x.shape[-1] != y.shape[-2 if columns else 0]:
        raise OpError(f"matmul of {list(x.shape)} and {list(y.shape)}")
    wide_x, wide_y = x.shape[: -2 if rows else -1], y.shape[: -2 if columns else -1]
    rank = max(len(wide_x), len(wide_y))
    left = (1,) * (rank - len(wide_x)) + wide_x
    right = (1,) * (rank - len(wide_y)) + wide_y
    if any(m != n and 1 not in (m, n) for m, n in zip(left, right, strict=True)):
        raise OpError(f"batches {list(wide_x)} and {list(wide_y)} of a matmul do not broadcast")
    both = [d for d in range(rank) if left[d] == right[d] != 1]
    x, of_x = _without_ones(b, x, len(wide_x), rank)
    y, of_y = _without_ones(b, y, len(wide_y), rank)
    x_only, y_only = [d for d in of_x if d not in both], [d for d in of_y if d not in both]
    batch = [(of_x.index(d), of_y.index(d)) for d in both]
    depth = (len(of_x) + rows, len(of_y))
    found = dot(b, x, y, batch, [depth], dtype)
    # [both, batches of x, rows, batches of y, columns] to [batches..., rows, columns]
    made = [*both, *x_only, *([rank] if rows else []), *y_only, *([rank + 1] if columns else [])]
    found = b.transpose(found, [made.index(d) for d in sorted(made)])
    batches = [max(m, n) if 0 not in (m, n) else 0 for m, n in zip(left, right, strict=True)]
    return b.reshape(found, [*batches, *found.shape[len(both) + len(x_only) + len(y_only) :]])


def _without_ones(b: Builder, f: Factor, batches: int, rank: int) -> tuple[Factor, list[int]]:
    """The factor without batch dimensions of extent 1, and the dimensions of the result that its batches are."""
    shape = f.shape
    kept = [i for i in range(batches) if shape[i] != 1]
    if len(kept) < batches:
        gone = {f.dim(i) for i in range(batches) if i not in kept}
        left = [d for d in range(f.val.rank) if d not in gone]
        order = [left.index(f.dim(i)) for i in range(f.val.rank) if f.dim(i) not in gone]
        f = Factor(b.reshape(f.val, [f.val.shape[d] for d in left]), tuple(order))
    return f, [i + rank - batches for i in kept]


def linear(b: Builder, x: Val, weight: Val, bias: Val | None = None) -> Val:
    """x @ weight^T + bias; ``weight`` is [out, in], or [in] for one output that is dropped."""
    found = dot(b, Factor(x), Factor(weight), contract=[(x.rank - 1, weight.rank - 1)])
    return found if bias is None else b.ew("add", found, bias)


def convolution(
    b: Builder,
    x: Val,
    weight: Val,
    bias: Val | None,
    strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    dilations: Sequence[int],
    groups: int = 1,
) -> Val:
    """``x`` is [batch, channels, space...], ``weight`` [out, channels / groups, space...]."""
    found = b.op(
        "convolution",
        [x, weight],
        window_strides=tuple(strides),
        padding=tuple(padding),
        rhs_dilation=tuple(dilations),
        feature_group_count=groups,
    )[0]
    return _biased(b, found, bias)


def convolution_transposed(
    b: Builder,
    x: Val,
    weight: Val,
    bias: Val | None,
    strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    output_padding: Sequence[int],
    dilations: Sequence[int],
    groups: int = 1,
) -> Val:
    """The gradient of a convolution as a layer of its own; ``weight`` is [channels, out / groups, space...].

    ``padding`` is cut from the result, ``output_padding`` added to its end.
    """
    channels, out, *window = weight.shape
    kernel = b.reverse(weight, range(2, weight.rank))
    if groups > 1:
        kernel = b.reshape(kernel, (groups, channels // groups, out, *window))
        kernel = b.transpose(kernel, (1, 0, 2, *range(3, kernel.rank)))
        kernel = b.reshape(kernel, (channels // groups, groups * out, *window))
    spread = [(n - 1) * d for n, d in zip(window, dilations, strict=True)]
    padded = [
        (reach - low, reach - high + extra)
        for reach, (low, high), extra in zip(spread, padding, output_padding, strict=True)
    ]
    found = b.op(
        "convolution",
        [x, kernel],
        kernel_input_feature_dimension=0,
        kernel_output_feature_dimension=1,
        window_strides=(1,) * len(window),
        padding=padded,
        lhs_dilation=tuple(strides),
        rhs_dilation=tuple(dilations),
        feature_group_count=groups,
    )[0]
    return _biased(b, found, bias)


def _biased(b: Builder, found: Val, bias: Val | None) -> Val:
    return found if bias is None else b.ew("add", found, b.reshape(bias, (*bias.shape, *(1,) * (found.rank - 2))))
