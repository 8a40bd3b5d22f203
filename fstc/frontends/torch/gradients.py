"""Gradients of pooling that torch's core set has as operators of their own.

Example: ``GRADIENTS["aten.avg_pool2d_backward"](cx, grad, x, [3, 3], [2, 2], [1, 1], False, True, None)``. All other
gradients arrive as ordinary arithmetic.
"""

from __future__ import annotations

from collections.abc import Sequence

from fstc.frontends.artefact import Unsupported
from fstc.frontends.builder import Val
from fstc.frontends.composed import pooling, products
from fstc.frontends.composed.precision import wide
from fstc.frontends.composed.products import Factor
from fstc.frontends.torch.context import Context, Handler, aten
from fstc.frontends.torch.layers import averages, windows


def avg_pool_backward(
    cx: Context, grad: Val, x: Val, size: Sequence[int], stride: Sequence[int], padding: Sequence[int], ceil: bool,
    count_padding: bool, divisor: int | None,
) -> Val:  # fmt: skip
    """Each output's share spread over its window: the shares apart by the stride, summed over windows again."""
    b, rank = cx.b, 2
    sizes, strides, edges, _ = windows(x, rank, size, stride, padding, (1,), ceil)
    share = wide(b, grad)
    lead, space, out = x.rank - rank, x.shape[-rank:], grad.shape[-rank:]
    if divisor is not None or (count_padding and not ceil):
        share = b.ew("div", share, float(divisor or sizes[0] * sizes[1]))
    elif count_padding:
        raise Unsupported("the gradient of average pooling that counts padding, rounded up")
    else:
        ones = b.full(1.0, share.dtype, (1,) * lead + space)
        share = b.ew("div", share, pooling.sum_pool(b, ones, sizes, strides, edges))
    low = [n - 1 - p for n, (p, _) in zip(sizes, edges, strict=True)]
    high = [
        m + n - 2 - (o - 1) * s - at for m, n, o, s, at in zip(space, sizes, out, strides, low, strict=True)
    ]  # fmt: skip
    none = [0] * lead
    spread = b.pad(share, 0.0, [*none, *low], [*none, *high], [*none, *(s - 1 for s in strides)])
    return cx.result(pooling.sum_pool(b, spread, sizes, (1,) * rank, [(0, 0)] * rank))


def adaptive_avg_pool_backward(cx: Context, grad: Val, x: Val) -> Val:
    """The products of the layer with the averages transposed, one a dimension."""
    b, rank = cx.b, 2
    found, lead = wide(b, grad), x.rank - rank
    for m, n in zip(x.shape[-rank:], grad.shape[-rank:], strict=True):
        weights = b.constant(averages(m, n).astype(found.dtype.numpy()))
        found = products.dot(b, Factor(found), Factor(weights), contract=[(lead, 1)])
    return cx.result(found)


GRADIENTS: dict[str, Handler] = aten({
    "avg_pool2d_backward": avg_pool_backward, "_adaptive_avg_pool2d_backward": adaptive_avg_pool_backward,
})  # fmt: skip
