"""Matrix products, convolutions and Einsum, as library calls.

Example: ``Gemm`` with ``transB = 1`` is one ``dot_general`` that reads B as it lies, and a sum.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fstc.frontends.artefact import Unsupported
from fstc.frontends.builder import Builder, Val
from fstc.frontends.composed import products
from fstc.frontends.composed.products import Factor
from fstc.frontends.onnx.node import Handler, Node
from fstc.frontends.onnx.operators.elementwise import same_types
from fstc.frontends.onnx.problems import wrong
from fstc.ir.types import I64

MOST_DIAGONAL = 1 << 16
AUTO_PADS = ("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")


def matmul(n: Node) -> Val:
    x, y = same_types(n, 2)
    return products.matmul(n.b, x, y)


def gemm(n: Node) -> Val:
    b, x, y = n.b, *same_types(n, 2)
    if x.rank != 2 or y.rank != 2:
        raise wrong(f"{x.type} and {y.type} are no matrices")
    left = Factor(x, (1, 0)) if n.integer("transA", 0) else Factor(x)
    right = Factor(y, (1, 0)) if n.integer("transB", 0) else Factor(y)
    found = products.dot(b, left, right, contract=[(1, 0)])
    alpha, beta, c = n.number("alpha", 1.0), n.number("beta", 1.0), n.get(2)
    found = found if alpha == 1.0 else b.ew("mul", found, _number(alpha, found))
    if c is None:
        return found
    term = b.broadcast(c, found.shape)
    return b.ew("add", found, term if beta == 1.0 else b.ew("mul", term, _number(beta, term)))


def _number(value: float, like: Val) -> float | int:
    return value if like.dtype.is_float else int(value)


def spatial(n: Node, window: Sequence[int], extents: Sequence[int]) -> tuple[list[int], list[int]]:
    """Strides and dilations, checked."""
    rank = len(window)
    strides, dilations = n.integers("strides", [1] * rank), n.integers("dilations", [1] * rank)
    if len(strides) != rank or len(dilations) != rank or len(extents) != rank:
        raise wrong(f"a window of {rank} dimensions with strides {strides} and dilations {dilations}")
    if min([*strides, *dilations, *window], default=1) < 1:
        raise wrong(f"window {list(window)}, strides {strides}, dilations {dilations}: each is at least 1")
    return strides, dilations


def padding(
    n: Node, window: Sequence[int], extents: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> list[tuple[int, int]]:
    """(low, high) of each spatial dimension, from ``pads`` or ``auto_pad``."""
    rank, auto = len(window), n.choice("auto_pad", "NOTSET", AUTO_PADS)
    if auto == "NOTSET":
        pads = n.integers("pads", [0] * (2 * rank))
        if len(pads) != 2 * rank or min(pads, default=0) < 0:
            raise wrong(f"`pads` is {pads} for {rank} spatial dimensions")
        return list(zip(pads[:rank], pads[rank:], strict=True))
    if auto == "VALID":
        return [(0, 0)] * rank
    found = []
    for size, extent, stride, dilation in zip(window, extents, strides, dilations, strict=True):
        total = max(0, (-(-extent // stride) - 1) * stride + (size - 1) * dilation + 1 - extent)
        half = total // 2
        found.append((half, total - half) if auto == "SAME_UPPER" else (total - half, half))
    return found


def fitting(
    window: Sequence[int], extents: Sequence[int], dilations: Sequence[int], pads: Sequence[tuple[int, int]]
) -> None:
    """The window lies within the padded input."""
    for size, extent, dilation, (low, high) in zip(window, extents, dilations, pads, strict=True):
        if extent + low + high < (size - 1) * dilation + 1:
            raise wrong(f"a window of {list(window)}, dilated by {list(dilations)}, does not fit into {list(extents)}")


def _kernel(n: Node, w: Val) -> tuple[int, ...]:
    window = w.shape[2:]
    stated = n.integers("kernel_shape", None)
    if stated is not None and tuple(stated) != window:
        raise wrong(f"`kernel_shape` is {stated}, the weights are {w.type}")
    return window


def convolution(n: Node) -> Val:
    x, w = same_types(n, 2)
    if x.rank < 3 or x.rank != w.rank:
        raise wrong(f"a convolution of {x.type} with {w.type}")
    window, extents = _kernel(n, w), x.shape[2:]
    strides, dilations = spatial(n, window, extents)
    pads = padding(n, window, extents, strides, dilations)
    fitting(window, extents, dilations, pads)
    return products.convolution(n.b, x, w, n.get(2), strides, pads, dilations, n.integer("group", 1))


def convolution_transposed(n: Node) -> Val:
    x, w = same_types(n, 2)
    if x.rank < 3 or x.rank != w.rank or w.shape[0] != x.shape[1]:
        raise wrong(f"a transposed convolution of {x.type} with {w.type}")
    window, extents = _kernel(n, w), x.shape[2:]
    rank, groups = len(window), n.integer("group", 1)
    if groups < 1 or x.shape[1] % groups:
        raise wrong(f"{x.shape[1]} channels in {groups} groups")
    strides, dilations = spatial(n, window, extents)
    extra, stated = n.integers("output_padding", [0] * rank), n.integers("output_shape", None)
    if len(extra) != rank or min(extra, default=0) < 0 or (stated is not None and len(stated) not in (rank, rank + 2)):
        raise wrong(f"`output_padding` is {extra}, `output_shape` {stated}")
    auto = n.choice("auto_pad", "NOTSET", AUTO_PADS)
    reach = [(k - 1) * d + 1 for k, d in zip(window, dilations, strict=True)]
    if stated is not None or auto.startswith("SAME"):
        wanted = stated[-rank:] if stated is not None else [e * s for e, s in zip(extents, strides, strict=True)]
        pads = []
        for i in range(rank):
            total = strides[i] * (extents[i] - 1) + extra[i] + reach[i] - wanted[i]
            half = total // 2
            pads.append((half, total - half) if auto == "SAME_UPPER" else (total - half, half))
    else:
        pads = padding(n, window, extents, strides, dilations)
    return products.convolution_transposed(n.b, x, w, n.get(2), strides, pads, extra, dilations, groups)


def einsum(n: Node) -> Val:
    values = same_types(n, len(n.inputs))
    left, arrow, right = n.text("equation").replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(values):
        raise wrong(f"the equation has {len(terms)} terms for {len(values)} inputs")
    terms = [_spelled(t, v, values) for t, v in zip(terms, values, strict=True)]
    letters = "".join(terms)
    dots = sorted({c for c in letters if not c.isalpha()})
    if arrow:
        result = right.replace("...", "".join(dots))
    else:
        result = "".join(dots) + "".join(sorted(c for c in set(letters) if c.isalpha() and letters.count(c) == 1))
    _check_result(result, terms)
    found, labels = _diagonal(n.b, values[0], terms[0])
    for index, (v, t) in enumerate(zip(values[1:], terms[1:], strict=True), 1):
        other, names = _diagonal(n.b, v, t)
        later = set(result).union(*terms[index + 1 :])
        found, labels = _pair(n.b, found, labels, other, names, later)
    gone = [d for d, c in enumerate(labels) if c not in result]
    found = n.b.reduce("sum", found, gone) if gone else found
    labels = "".join(c for c in labels if c in result)
    return n.b.transpose(found, [labels.index(c) for c in result])


def _spelled(term: str, v: Val, values: Sequence[Val]) -> str:
    """The term with letters only; those of the ellipsis are control characters, the last dimension's the highest."""
    head, dots, tail = term.partition("...")
    named = len(head) + len(tail)
    if not all(c.isalpha() for c in head + tail) or named > v.rank or (not dots and named != v.rank):
        raise wrong(f"the term {term!r} for {v.type}")
    most = max(w.rank for w in values)
    inner = v.rank - named
    return head + "".join(chr(most - inner + i + 1) for i in range(inner)) + tail


def _check_result(result: str, terms: Sequence[str]) -> None:
    known = set("".join(terms))
    if len(set(result)) != len(result) or any(c not in known for c in result):
        raise wrong("the result of the equation names a letter twice, or one that no term has")


def _diagonal(b: Builder, x: Val, labels: str) -> tuple[Val, str]:
    """A letter that occurs twice in a term is its diagonal."""
    from fstc.frontends.composed.indexing import take

    for c in dict.fromkeys(labels):
        while labels.count(c) > 1:
            i = labels.index(c)
            j = labels.index(c, i + 1)
            extent = x.shape[i]
            if x.shape[j] != extent:
                raise wrong(f"the letter {c!r} has extents {extent} and {x.shape[j]}")
            if extent > MOST_DIAGONAL:
                raise Unsupported(f"a diagonal of {extent} elements")
            order = [d for d in range(x.rank) if d not in (i, j)]
            rest = [x.shape[d] for d in order]
            flat = b.reshape(b.transpose(x, [i, j, *order]), [extent * extent, *rest])
            x = take(b, flat, b.ints([k * (extent + 1) for k in range(extent)], I64), 0)
            labels = c + "".join(labels[d] for d in order)
    return x, labels


def _pair(b: Builder, x: Val, left: str, y: Val, right: str, later: set[str]) -> tuple[Val, str]:
    """Two factors as one dot_general: letters of both are batch when needed later, else summed."""
    x, left = _summed(b, x, left, set(right) | later)
    y, right = _summed(b, y, right, set(left) | later)
    for c in set(left) & set(right):  # an ellipsis broadcasts
        m, k = x.shape[left.index(c)], y.shape[right.index(c)]
        if m != k and 1 not in (m, k):
            raise wrong(f"the letter {c!r} has extents {m} and {k}")
        if m != k:
            wide_ = max(m, k)
            x = b.broadcast(x, [wide_ if d == c else e for d, e in zip(left, x.shape, strict=True)])
            y = b.broadcast(y, [wide_ if d == c else e for d, e in zip(right, y.shape, strict=True)])
    both = [c for c in left if c in right]
    batch = [(left.index(c), right.index(c)) for c in both if c in later]
    contract = [(left.index(c), right.index(c)) for c in both if c not in later]
    found = products.dot(b, Factor(x), Factor(y), batch, contract)
    kept = "".join(c for c in both if c in later)
    return found, kept + "".join(c for c in left if c not in both) + "".join(c for c in right if c not in both)


def _summed(b: Builder, x: Val, labels: str, needed: set[str]) -> tuple[Val, str]:
    gone = [d for d, c in enumerate(labels) if c not in needed]
    return (b.reduce("sum", x, gone) if gone else x), "".join(c for c in labels if c in needed)


CONTRACTIONS: Mapping[str, Handler] = {
    "MatMul": matmul, "Gemm": gemm, "Conv": convolution, "ConvTranspose": convolution_transposed, "Einsum": einsum,
}  # fmt: skip
