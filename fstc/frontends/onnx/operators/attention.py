"""Attention and rotary embeddings, of ONNX and of onnxruntime's contributed operators.

Example: ``Attention`` (opset 23) without a cache is two ``dot_general`` around a stitched softmax. Its rarer forms
(caches with causal masks, lengths, scores as an output) are imported as the function that ONNX defines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt

from fstc.frontends.artefact import Unsupported
from fstc.frontends.builder import Val
from fstc.frontends.composed.attention import Heads, attention
from fstc.frontends.composed.indexing import take
from fstc.frontends.onnx.node import AsFunction, Handler, Node
from fstc.frontends.onnx.problems import wrong
from fstc.ir.types import BOOL, I64

ATTRIBUTES = (
    "is_causal",
    "kv_num_heads",
    "q_num_heads",
    "scale",
    "softcap",
    "softmax_precision",
    "qk_matmul_output_mode",
)


def onnx_attention(n: Node) -> list[Val]:
    """[N, L, H * E] or [N, H, L, E], as the inputs are."""
    b, mask = n.b, n.get(3)
    if any(n.get(i) is not None for i in (4, 5, 6)) or any(n.wants(i) for i in (1, 2, 3)):
        raise AsFunction
    if n[0].dtype != n[2].dtype or any(name not in ATTRIBUTES for name in n.attributes):
        raise AsFunction
    flat = n[0].rank == 3
    counts = (n.integer("q_num_heads", 0), n.integer("kv_num_heads", 0), n.integer("kv_num_heads", 0))
    q, k, v = (_heads(n, i, count) for i, count in enumerate(counts))
    if mask is not None and (mask.rank > 4 or mask.shape[-1] != k.length or mask.dtype == BOOL):
        raise AsFunction
    scale = n.number("scale", None)
    if not q.val.shape[3] or not k.length:
        raise wrong(f"attention of {q.val.type} to {k.val.type}: there is nothing to attend to")
    found = attention(
        b, q, k, v, scale=1.0 / sqrt(q.val.shape[3]) if scale is None else scale, mask=mask,
        causal=bool(n.integer("is_causal", 0)), softcap=n.number("softcap", 0.0),
    )  # fmt: skip
    return [_flat(n, found) if flat else found]


def _heads(n: Node, index: int, count: int) -> Heads:
    x = n[index]
    if x.rank == 4:
        return Heads(x, steps=2, heads=1)
    if x.rank != 3 or count < 1 or x.shape[2] % count:
        raise wrong(f"input {index} is {x.type} for {count} heads")
    return Heads(n.b.reshape(x, (*x.shape[:2], count, x.shape[2] // count)), steps=1, heads=2)


def _flat(n: Node, x: Val) -> Val:
    """[N, H, L, E] as [N, L, H * E]."""
    batch, heads, steps, size = x.shape
    return n.b.reshape(n.b.transpose(x, (0, 2, 1, 3)), (batch, steps, heads * size))


def microsoft_attention(n: Node) -> list[Val]:
    """One product makes q, k and v; then attention with a mask of the keys."""
    b, x, weights, bias, mask = n.b, n[0], n[1], n.get(2), n.get(3)
    if any(n.get(i) is not None for i in range(4, len(n.inputs))) or n.wants(1) or bool(n.integer("do_rotary", 0)):
        raise Unsupported("a cache, rotary embeddings or an attention bias in com.microsoft Attention")
    heads, sizes = n.integer("num_heads"), n.integers("qkv_hidden_sizes", None)
    if x.rank != 3 or weights.rank != 2 or heads < 1:
        raise wrong(f"input {x.type}, weights {weights.type}, {heads} heads")
    sizes = sizes or [weights.shape[1] // 3] * 3
    if len(sizes) != 3 or sum(sizes) != weights.shape[1] or any(s % heads for s in sizes):
        raise wrong(f"hidden sizes {sizes} in weights {weights.type} for {heads} heads")
    both = b.op("dot_general", [x, weights], lhs_contract=[2], rhs_contract=[0])[0]
    both = both if bias is None else b.ew("add", both, bias)
    starts = [0, sizes[0], sizes[0] + sizes[1], sum(sizes)]
    parts = [b.slice_axis(both, 2, starts[i], starts[i + 1]) for i in range(3)]
    found = _multi_head(n, parts, heads, _key_mask(n, mask, x.shape[1]), bool(n.integer("unidirectional", 0)))
    return [found]


def _key_mask(n: Node, mask: Val | None, length: int) -> Val | None:
    """0 and 1 for each key [N, S], or for each pair [N, L, S], as bool of [N, 1, L or 1, S]."""
    if mask is None:
        return None
    if mask.rank not in (2, 3) or mask.shape[-1] != length:
        raise Unsupported(f"a mask {mask.type}: only 0 and 1 for each key or pair")
    seen = n.b.compare("NE", mask, 0)
    return n.b.expand(seen, [1, 2] if mask.rank == 2 else [1])


def _multi_head(n: Node, parts: Sequence[Val], heads: int, mask: Val | None, causal: bool) -> Val:
    b = n.b
    if any(p.shape[2] < heads for p in parts[:2]):
        raise wrong(f"{heads} heads of {parts[0].type}")
    q, k, v = (Heads(b.reshape(p, (*p.shape[:2], heads, p.shape[2] // heads)), 1, 2) for p in parts)
    scale = n.number("scale", 0.0) or 1.0 / sqrt(q.val.shape[3])
    bias: Val | None = None
    if mask is not None:  # a finite number: a row that sees nothing gets equal weights
        lowest = n.number("mask_filter_value", -10000.0)
        bias = b.select(mask, b.full(0.0, q.val.dtype, ()), b.full(lowest, q.val.dtype, ()))
    return _flat(n, attention(b, q, k, v, scale=scale, mask=bias, causal=causal))


def multi_head_attention(n: Node) -> list[Val]:
    b, bias, heads = n.b, n.get(3), n.integer("num_heads")
    if any(n.get(i) is not None for i in range(5, len(n.inputs))) or n.wants(1):
        raise Unsupported("a cache or an attention bias in com.microsoft MultiHeadAttention")
    if n.get(1) is None or n.get(2) is None or any(n[i].rank != 3 for i in range(3)):
        raise Unsupported("packed inputs of com.microsoft MultiHeadAttention")
    parts = [n[i] for i in range(3)]
    if heads < 1 or any(p.shape[2] % heads for p in parts):
        raise wrong(f"{heads} heads of {parts[0].type}")
    if bias is not None:
        starts = [0, parts[0].shape[2], parts[0].shape[2] + parts[1].shape[2], sum(p.shape[2] for p in parts)]
        parts = [
            b.ew("add", p, b.slice_axis(bias, 0, starts[i], starts[i + 1])) for i, p in enumerate(parts)
        ]  # fmt: skip
    mask = _key_mask(n, n.get(4), parts[1].shape[1])
    return [_multi_head(n, parts, heads, mask, bool(n.integer("unidirectional", 0)))]


def microsoft_rotary(n: Node) -> Val:
    """Pairs of elements turned by an angle that a table gives for their position."""
    b, x, positions, cosines, sines = n.b, n[0], n[1], n[2], n[3]
    heads, turned = n.integer("num_heads", 0), n.integer("rotary_embedding_dim", 0)
    if n.integer("is_packed_batching", 0) or n.number("scale", 1.0) != 1.0:
        raise Unsupported("packed batches or a scale in com.microsoft RotaryEmbedding")
    flat = x.rank == 3
    if flat:
        size = x.shape[2] // heads if heads else cosines.shape[1] * 2
        if not size or x.shape[2] % size:
            raise wrong(f"{x.type} in heads of {size}")
        x = b.reshape(x, (*x.shape[:2], x.shape[2] // size, size))
    else:
        x = b.transpose(x, (0, 2, 1, 3))
    _, steps, _, size = x.shape
    turned = turned or size
    at = b.convert(positions, I64)
    if at.type.elements == 1:
        at = b.ew("add", b.reshape(at, (1, 1)), b.iota(I64, (1, steps), 1))
    if at.rank != 2 or at.shape[1] != steps or turned % 2 or cosines.shape[1] != turned // 2:
        raise wrong(f"positions {positions.type} and tables {cosines.type} for {steps} steps, {turned} turned")
    found = rotated(n, x, take(b, cosines, at, 0), take(b, sines, at, 0), turned, bool(n.integer("interleaved", 0)))
    return b.reshape(found, n[0].shape) if flat else b.transpose(found, (0, 2, 1, 3))


def rotated(n: Node, x: Val, cosines: Val, sines: Val, turned: int, interleaved: bool) -> Val:
    """x [N, L, H, E] with tables [N, L, turned / 2]; pairs are neighbours, or half of ``turned`` apart."""
    b, half = n.b, turned // 2
    c, s = (b.expand(t, [2]) for t in (cosines, sines))
    part, rest = b.slice_axis(x, 3, 0, turned), b.slice_axis(x, 3, turned, x.shape[3])
    if interleaved:
        left, right = b.slice_axis(part, 3, 0, turned, 2), b.slice_axis(part, 3, 1, turned, 2)
    else:
        left, right = b.slice_axis(part, 3, 0, half), b.slice_axis(part, 3, half, turned)
    first = b.ew("sub", b.ew("mul", left, c), b.ew("mul", right, s))
    second = b.ew("add", b.ew("mul", right, c), b.ew("mul", left, s))
    if interleaved:
        made = b.reshape(b.concat([b.expand(first, [-1]), b.expand(second, [-1])], -1), part.shape)
    else:
        made = b.concat([first, second], 3)
    return b.concat([made, rest], 3) if turned < x.shape[3] else made


def onnx_rotary(n: Node) -> Val:
    """RotaryEmbedding of opset 23; without positions the tables are [N, L, turned / 2] themselves."""
    b, x, cosines, sines, positions = n.b, n[0], n[1], n[2], n.get(3)
    heads, turned = n.integer("num_heads", 0), n.integer("rotary_embedding_dim", 0)
    flat = x.rank == 3
    if flat:
        if heads < 1 or x.shape[2] % heads:
            raise wrong(f"{x.type} in {heads} heads")
        x = b.reshape(x, (*x.shape[:2], heads, x.shape[2] // heads))
    else:
        x = b.transpose(x, (0, 2, 1, 3))
    turned = turned or x.shape[3]
    if positions is not None:
        cosines, sines = (take(b, t, positions, 0) for t in (cosines, sines))
    if cosines.rank != 3 or cosines.shape[1] != x.shape[1] or cosines.shape[2] != turned // 2 or turned % 2:
        raise wrong(f"tables {cosines.type} for {turned} turned elements of {x.type}")
    found = rotated(n, x, cosines, sines, turned, bool(n.integer("interleaved", 0)))
    return b.reshape(found, n[0].shape) if flat else b.transpose(found, (0, 2, 1, 3))


ATTENTION: Mapping[str, Handler] = {
    "Attention": onnx_attention, "RotaryEmbedding": onnx_rotary, "com.microsoft:Attention": microsoft_attention,
    "com.microsoft:MultiHeadAttention": multi_head_attention, "com.microsoft:RotaryEmbedding": microsoft_rotary,
}  # fmt: skip
