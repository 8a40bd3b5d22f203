"""Scaled dot-product attention with two library calls and a softmax between them.

Example: ``attention(b, Heads(q, 1, 2), Heads(k, 1, 2), Heads(v, 1, 2), scale=0.125)`` for q, k, v of [N, L, H, E]: the
products read the heads where they lie, so that nothing is transposed before them. Heads of k and v may be fewer than
those of q: each then serves a group.
"""

from __future__ import annotations

from dataclasses import dataclass

from fstc.frontends.builder import Builder, Val
from fstc.frontends.composed.normalize import softmax
from fstc.frontends.composed.precision import wide
from fstc.ir.ops.opdef import OpError
from fstc.ir.types import BOOL, I64


@dataclass(frozen=True)
class Heads:
    """A tensor of rank 4 whose dimension 0 is the batch; ``steps`` and ``heads`` name two others, the last is E."""

    val: Val
    steps: int
    heads: int

    @property
    def length(self) -> int:
        return self.val.shape[self.steps]

    @property
    def count(self) -> int:
        return self.val.shape[self.heads]


def attention(
    b: Builder,
    q: Heads,
    k: Heads,
    v: Heads,
    *,
    scale: float,
    mask: Val | None = None,
    causal: bool = False,
    softcap: float = 0.0,
) -> Val:
    """[N, H, L, E of v]. ``mask`` broadcasts to [N, H, L, S]: bool (false: not seen), or numbers that are added."""
    groups, uneven = divmod(q.count, max(k.count, 1))
    if uneven or k.count != v.count or k.length != v.length:
        raise OpError(f"attention of {q.count} heads to {k.count} and {v.count}, {k.length} and {v.length} steps")
    left, heads, steps = q.val, q.heads, q.steps
    if groups > 1:
        shape = list(left.shape)
        shape[heads : heads + 1] = [k.count, groups]
        left, steps = b.reshape(left, shape), steps + (steps > heads)
    scores = b.op(
        "dot_general", [left, k.val], lhs_batch=[0, heads], rhs_batch=[0, k.heads],
        lhs_contract=[left.rank - 1], rhs_contract=[3],
    )[0]  # fmt: skip
    if groups > 1 and steps < heads:  # [N, Hk, L, G, S]: the steps stood before the heads
        scores = b.transpose(scores, (0, 1, 3, 2, 4))
    batch, length = q.val.shape[0], q.length
    scores = b.reshape(scores, (batch, q.count, length, k.length))
    seen = wide(b, scores)
    seen = seen if scale == 1.0 else b.ew("mul", seen, scale)
    if softcap:
        seen = b.ew("mul", b.ew("tanh", b.ew("div", seen, softcap)), softcap)
    if mask is not None:
        seen = (
            b.select(mask, seen, float("-inf"))
            if mask.dtype == BOOL
            else b.ew("add", seen, b.convert(mask, seen.dtype))
        )
    if causal:
        rows, columns = (b.iota(I64, (length, k.length), d) for d in range(2))
        seen = b.select(b.compare("LE", columns, rows), seen, float("-inf"))
    weights = b.convert(softmax(b, seen, 3), v.val.dtype)
    if groups > 1:
        weights = b.reshape(weights, (batch, k.count, groups, length, k.length))
    found = b.op(
        "dot_general", [weights, v.val], lhs_batch=[0, 1], rhs_batch=[0, v.heads],
        lhs_contract=[weights.rank - 1], rhs_contract=[v.steps],
    )[0]  # fmt: skip
    return b.reshape(found, (batch, q.count, length, v.val.shape[3]))
