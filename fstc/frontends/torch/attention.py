"""Attention: softmax(q k^T * scale + mask) v between two products, and its gradient.

Example: ``ATTENTION["aten.scaled_dot_product_attention"](cx, q, k, v)`` for q, k, v of [..., steps, features]. Narrow
floats stay in f32 between the products.
"""

from __future__ import annotations

import math

from fstc.frontends.artefact import Unsupported
from fstc.frontends.builder import Val
from fstc.frontends.composed import normalize, products
from fstc.frontends.composed.precision import wide
from fstc.frontends.composed.products import Factor
from fstc.frontends.torch.context import Context, Handler, aten
from fstc.ir.types import BOOL, I32


def attention(
    cx: Context, q: Val, k: Val, v: Val, mask: Val | None = None, dropout: float = 0.0, is_causal: bool = False,
    scale: float | None = None, enable_gqa: bool = False,
) -> Val:  # fmt: skip
    if enable_gqa and q.shape[-3] != k.shape[-3]:
        k, v = _repeated_heads(cx, k, q.shape[-3]), _repeated_heads(cx, v, q.shape[-3])
    scores, masked = _scores(cx, q, k, mask, dropout, is_causal, scale)
    return products.matmul(cx.b, cx.b.convert(_weights(cx, scores, masked), q.dtype), v)


def fused(
    cx: Context, q: Val, k: Val, v: Val, dropout: float = 0.0, is_causal: bool = False, mask: Val | None = None,
    scale: float | None = None,
) -> list[Val]:  # fmt: skip
    """The kernel that torch has for it, with what its gradient reads: the log of the sums of exponentials."""
    b = cx.b
    scores, masked = _scores(cx, q, k, mask, dropout, is_causal, scale)
    sums = normalize.logsumexp(b, scores, (scores.rank - 1,))
    found = products.matmul(b, b.convert(_weights(cx, scores, masked), q.dtype), v)
    return [found, cx.result(sums, 1)]


def fused_backward(
    cx: Context, grad: Val, q: Val, k: Val, v: Val, out: Val, sums: Val, dropout: float, is_causal: bool,
    mask: Val | None = None, scale: float | None = None,
) -> list[Val]:  # fmt: skip
    """Of q, k and v. The weights are made again; the mean of their gradients in a row is that of ``grad * out``."""
    b = cx.b
    scores, masked = _scores(cx, q, k, mask, dropout, is_causal, scale)
    weights = _weights(cx, scores, masked)
    of_weights = wide(b, products.matmul(b, grad, _turned(v)))
    mean = b.reduce("sum", b.ew("mul", wide(b, grad), wide(b, out)), [grad.rank - 1], keep=True)
    of_scores = b.ew("mul", weights, b.ew("sub", of_weights, mean))
    of_scores = b.convert(b.ew("mul", of_scores, _scale(q, scale)), q.dtype)
    narrow = b.convert(weights, q.dtype)
    return [
        products.matmul(b, of_scores, k),
        products.matmul(b, _turned(of_scores), q),
        products.matmul(b, _turned(narrow), grad),
    ]


def _scores(
    cx: Context, q: Val, k: Val, mask: Val | None, dropout: float, is_causal: bool, scale: float | None
) -> tuple[Val, bool]:
    """Masked scores, and whether a row may see nothing: of a causal mask it sees its own place at least."""
    b = cx.b
    if dropout:
        raise Unsupported("dropout: random numbers differ from framework to framework")
    scores = b.ew("mul", wide(b, products.matmul(b, q, _turned(k))), _scale(q, scale))
    if is_causal:
        shape = scores.shape[-2:]
        mask = b.compare("GE", b.iota(I32, shape, 0), b.iota(I32, shape, 1))
    if mask is None or (mask.dtype == BOOL and mask.known is not None and bool(mask.known.all())):
        return scores, False
    if mask.dtype == BOOL:
        return b.select(b.broadcast(mask, scores.shape), scores, -math.inf), not is_causal
    return b.ew("add", scores, b.convert(mask, scores.dtype)), not is_causal


def _weights(cx: Context, scores: Val, masked: bool) -> Val:
    """In torch, a row that sees nothing gives zeros."""
    soft = normalize.safe_softmax if masked else normalize.softmax
    return soft(cx.b, scores, scores.rank - 1)


def _scale(q: Val, scale: float | None) -> float:
    return 1.0 / math.sqrt(q.shape[-1]) if scale is None else scale


def _turned(x: Val) -> Factor:
    """The last two dimensions swapped."""
    return Factor(x, (*range(x.rank - 2), x.rank - 1, x.rank - 2))


def _repeated_heads(cx: Context, x: Val, heads: int) -> Val:
    """Each head of keys or values for as many heads of queries as share it."""
    *batch, own, rows, columns = x.shape
    wider = cx.b.expand(x, [x.rank - 2])
    wider = cx.b.broadcast(wider, (*batch, own, heads // own, rows, columns))
    return cx.b.reshape(wider, (*batch, heads, rows, columns))


ATTENTION: dict[str, Handler] = aten({
    "scaled_dot_product_attention": attention, "_scaled_dot_product_flash_attention_for_cpu": fused,
    "_scaled_dot_product_flash_attention_for_cpu_backward": fused_backward,
})  # fmt: skip
