"""Rules of reshape, transpose, broadcast_in_dim, reverse and pad. They move elements and compute nothing.

Example: ``transpose(broadcast_in_dim(%x))`` is one ``broadcast_in_dim`` into other dimensions. A broadcast reads its
operand without the dimensions of extent 1 that a reshape put there.
"""

from __future__ import annotations

from collections.abc import Sequence

from fstc.frontends.passes.rewriter import Rewriter, Rule
from fstc.ir.graph import Node
from fstc.ir.types import Shape


def same_shape(rw: Rewriter, node: Node) -> int | None:
    """A reshape to the shape that is there."""
    return node.inputs[0] if rw.shape(node.inputs[0]) == rw.shape(node.outputs[0]) else None


def reshape_reshaped(rw: Rewriter, node: Node) -> int | None:
    """Only the last of several reshapes counts."""
    made = rw.maker(node.inputs[0], "reshape")
    return rw.reshape(made.inputs[0], rw.shape(node.outputs[0])) if made else None


def reshape_iota(rw: Rewriter, node: Node) -> int | None:
    """Dimensions of extent 1 put into an iota or taken from it: an iota along where its dimension is now."""
    made, result = rw.maker(node.inputs[0], "iota"), rw.type(node.outputs[0])
    if not made:
        return None
    shape, along = rw.shape(node.inputs[0]), made.attr("dimension")
    if shape[along] == 1 or _wide(shape) != _wide(result.shape):
        return None
    place = [d for d, n in enumerate(result.shape) if n != 1][sum(n != 1 for n in shape[:along])]
    return rw.op("iota", [], result, dimension=place)


def plain_transpose(rw: Rewriter, node: Node) -> int | None:
    """One that moves only dimensions of extent 1, or nothing, is a reshape."""
    shape = rw.shape(node.inputs[0])
    wide = [d for d in node.attr("permutation") if shape[d] != 1]
    return rw.reshape(node.inputs[0], rw.shape(node.outputs[0])) if wide == sorted(wide) else None


def transpose_moved(rw: Rewriter, node: Node) -> int | None:
    """A transpose of a transpose is one; of a broadcast or an iota, that into other dimensions."""
    order, result = node.attr("permutation"), rw.type(node.outputs[0])
    if made := rw.maker(node.inputs[0], "transpose"):
        before = made.attr("permutation")
        return rw.transpose(made.inputs[0], [before[d] for d in order])
    if made := rw.maker(node.inputs[0], "broadcast_in_dim"):
        return rw.broadcast(made.inputs[0], result.shape, [order.index(d) for d in made.attr("dims")])
    made = rw.maker(node.inputs[0], "iota")
    return rw.op("iota", [], result, dimension=order.index(made.attr("dimension"))) if made else None


def plain_broadcast(rw: Rewriter, node: Node) -> int | None:
    """One that repeats nothing is a reshape, after a transpose where it changes the order of the dimensions."""
    (x,), dims, result = node.inputs, node.attr("dims"), rw.type(node.outputs[0])
    if rw.type(x).elements != result.elements or not result.elements:
        return None
    order = sorted(range(len(dims)), key=dims.__getitem__)
    return rw.reshape(rw.transpose(x, order), result.shape)


def broadcast_moved(rw: Rewriter, node: Node) -> int | None:
    """A broadcast of a broadcast or of a transpose is one; of an iota it is one along where its dimension is now."""
    (x,), dims, result = node.inputs, node.attr("dims"), rw.type(node.outputs[0])
    if made := rw.maker(x, "broadcast_in_dim"):
        return rw.broadcast(made.inputs[0], result.shape, [dims[d] for d in made.attr("dims")])
    if made := rw.maker(x, "transpose"):
        order = made.attr("permutation")
        return rw.broadcast(made.inputs[0], result.shape, [dims[order.index(d)] for d in range(len(order))])
    made = rw.maker(x, "iota")
    if made and rw.shape(x)[made.attr("dimension")] == result.shape[dims[made.attr("dimension")]]:
        return rw.op("iota", [], result, dimension=dims[made.attr("dimension")])
    return None


def broadcast_reshaped(rw: Rewriter, node: Node) -> int | None:
    """Dimensions of extent 1 that a reshape put before a broadcast are not needed there."""
    made, dims, shape = rw.maker(node.inputs[0], "reshape"), node.attr("dims"), rw.shape(node.inputs[0])
    if not made or 1 not in shape or _wide(rw.shape(made.inputs[0])) != _wide(shape):
        return None
    bare = rw.reshape(made.inputs[0], _wide(shape))
    return rw.broadcast(bare, rw.shape(node.outputs[0]), [d for d, n in zip(dims, shape, strict=True) if n != 1])


def reverse_less(rw: Rewriter, node: Node) -> int | None:
    """Reversed twice is not at all, and a dimension of one element has no order."""
    (x,), dims = node.inputs, set(node.attr("dimensions"))
    if made := rw.maker(x, "reverse"):
        x, dims = made.inputs[0], dims ^ set(made.attr("dimensions"))
    left = tuple(sorted(d for d in dims if rw.shape(x)[d] > 1))
    if x == node.inputs[0] and left == tuple(node.attr("dimensions")):
        return None
    return rw.op("reverse", [x], dimensions=left) if left else x


def pad_nothing(rw: Rewriter, node: Node) -> int | None:
    """Padding that puts nothing in is a slice, or nothing."""
    x, low, high = node.inputs[0], node.attr("low"), node.attr("high")
    shape = rw.shape(x)
    gaps = any(gap and n > 1 for gap, n in zip(node.attr("interior") or (), shape, strict=bool(node.attr("interior"))))
    if gaps or max((*low, *high), default=0) > 0 or 0 in shape:
        return None
    limit = [n + b for n, b in zip(shape, high, strict=True)]
    start = [-a for a in low]
    if start == [0] * len(shape) and limit == list(shape):
        return x
    if any(a > b for a, b in zip(start, limit, strict=True)):
        return None
    return rw.op("slice", [x], start=tuple(start), limit=tuple(limit))


def _wide(shape: Sequence[int]) -> Shape:
    """The extents that are not 1."""
    return tuple(n for n in shape if n != 1)


LAYOUT: dict[str, tuple[Rule, ...]] = {
    "reshape": (same_shape, reshape_reshaped, reshape_iota),
    "transpose": (plain_transpose, transpose_moved),
    "broadcast_in_dim": (plain_broadcast, broadcast_moved, broadcast_reshaped),
    "reverse": (reverse_less,),
    "pad": (pad_nothing,),
}
