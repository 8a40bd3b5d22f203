"""Operators that onnxruntime's optimiser and exporters write in the domain com.microsoft.

Example: ``com.microsoft:SkipLayerNormalization`` is a sum and a layer normalisation, as it was before it was fused.
"""

from __future__ import annotations

from collections.abc import Mapping

from fstc.frontends.artefact import Unsupported
from fstc.frontends.builder import Val
from fstc.frontends.composed import activations, normalize, products
from fstc.frontends.composed.precision import wide
from fstc.frontends.composed.products import Factor
from fstc.frontends.onnx.node import Handler, Node
from fstc.frontends.onnx.operators.elementwise import same_types


def gelu(n: Node) -> Val:
    return activations.gelu(n.b, n[0])


def bias_gelu(n: Node) -> Val:
    return activations.gelu(n.b, n.b.ew("add", n[0], n[1]))


def fast_gelu(n: Node) -> Val:
    x, bias = n[0], n.get(1)
    return activations.gelu(n.b, x if bias is None else n.b.ew("add", x, bias), "tanh")


def quick_gelu(n: Node) -> Val:
    return activations.silu(n.b, n[0], n.number("alpha", 1.702))


def fused_matmul(n: Node) -> Val:
    if n.integer("transBatchA", 0) or n.integer("transBatchB", 0):
        raise Unsupported("transBatchA and transBatchB")
    b, (x, y) = n.b, same_types(n, 2)

    def factor(v: Val, name: str) -> Factor:
        if not n.integer(name, 0) or v.rank < 2:
            return Factor(v)
        return Factor(v, (*range(v.rank - 2), v.rank - 1, v.rank - 2))

    found = products.matmul(b, factor(x, "transA"), factor(y, "transB"))
    alpha = n.number("alpha", 1.0)
    return found if alpha == 1.0 else b.ew("mul", found, alpha)


def skip_layer_normalization(n: Node) -> list[Val | None]:
    """Outputs: the normalised sum, mean, 1 / deviation, the sum."""
    b, gamma, beta, bias = n.b, n[2], n.get(3), n.get(4)
    total = b.ew("add", n[0], n[1])
    total = total if bias is None else b.ew("add", total, bias)
    y, mean, rstd = normalize.layer_norm(b, total, [total.rank - 1], gamma, beta, n.number("epsilon", 1e-12))
    return [y, mean, rstd, total]


def simplified_layer_normalization(n: Node) -> Val:
    x = n[0]
    axis = n.axis(n.integer("axis", -1), x.rank)
    return normalize.rms_norm(n.b, x, list(range(axis, x.rank)), n[1], n.number("epsilon", 1e-5))


def skip_simplified_layer_normalization(n: Node) -> list[Val | None]:
    b, bias = n.b, n.get(3)
    total = b.ew("add", n[0], n[1])
    total = total if bias is None else b.ew("add", total, bias)
    return [normalize.rms_norm(b, total, [total.rank - 1], n[2], n.number("epsilon", 1e-12)), None, None, total]


def bias_softmax(n: Node) -> Val:
    b, x = n.b, n[0]
    if n.integer("is_inner_broadcast", 1) != 1:
        raise Unsupported("a bias that is repeated for blocks of rows")
    axis = n.axis(n.integer("axis", 1), x.rank)
    total = b.ew("add", wide(b, x), wide(b, n[1]))
    flat = b.reshape(total, (*x.shape[:axis], -1)) if x.type.elements else total
    return b.reshape(b.convert(normalize.softmax(b, flat, flat.rank - 1), x.dtype), x.shape)


CONTRIBUTED: Mapping[str, Handler] = {
    "com.microsoft:Gelu": gelu, "com.microsoft:BiasGelu": bias_gelu, "com.microsoft:FastGelu": fast_gelu,
    "com.microsoft:QuickGelu": quick_gelu, "com.microsoft:FusedMatMul": fused_matmul,
    "com.microsoft:SkipLayerNormalization": skip_layer_normalization,
    "com.microsoft:SkipSimplifiedLayerNormalization": skip_simplified_layer_normalization,
    "com.microsoft:BiasSoftmax": bias_softmax, "SimplifiedLayerNormalization": simplified_layer_normalization,
}  # fmt: skip
