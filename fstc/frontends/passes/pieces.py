"""Rules of slice, concatenate, and the dynamic slices whose starts are known.

Example: ``slice(slice(%x)[2:8])[1:3]`` is ``%x[3:5]``; two slices of ``%x`` that touch are one when they are put
together again. A slice says its bounds in one way: the last index that it takes ends it, and strides of 1 are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from fstc.frontends.passes.rewriter import Rewriter, Rule
from fstc.ir.graph import Node
from fstc.ir.types import Shape


class Bounds(NamedTuple):
    start: Shape
    limit: Shape
    strides: Shape


def bounds_of(node: Node) -> Bounds:
    start = node.attr("start")
    return Bounds(start, node.attr("limit"), node.attr("strides") or (1,) * len(start))


def make_slice(rw: Rewriter, x: int, start: Sequence[int], shape: Shape, strides: Sequence[int]) -> int:
    """``shape`` elements from ``start`` on, said in the one way; ``x`` itself where that is all of it."""
    if 0 in shape:
        start, strides = [0 if n == 0 else s for s, n in zip(start, shape, strict=True)], strides
    steps = [1 if n < 2 else step for n, step in zip(shape, strides, strict=True)]
    limit = [s + (n - 1) * step + 1 if n else s for s, n, step in zip(start, shape, steps, strict=True)]
    if shape == rw.shape(x):
        return x
    kept = tuple(steps) if any(step > 1 for step in steps) else ()
    return rw.op("slice", [x], start=tuple(start), limit=tuple(limit), strides=kept)


def plain_slice(rw: Rewriter, node: Node) -> int | None:
    """All of it, or bounds that can be said more simply."""
    b, result = bounds_of(node), rw.shape(node.outputs[0])
    if result == rw.shape(node.inputs[0]):
        return node.inputs[0]
    steps = [1 if n < 2 else step for n, step in zip(result, b.strides, strict=True)]
    start = tuple(s if n else 0 for s, n in zip(b.start, result, strict=True))
    limit = tuple(s + (n - 1) * k + 1 if n else s for s, n, k in zip(start, result, steps, strict=True))
    kept = tuple(steps) if any(k > 1 for k in steps) else ()
    if (start, limit, kept) == (b.start, b.limit, node.attr("strides") or ()):
        return None
    return make_slice(rw, node.inputs[0], start, result, steps)


def slice_sliced(rw: Rewriter, node: Node) -> int | None:
    made = rw.maker(node.inputs[0], "slice")
    if not made:
        return None
    outer, inner = bounds_of(node), bounds_of(made)
    start = [s + o * k for s, o, k in zip(inner.start, outer.start, inner.strides, strict=True)]
    strides = [a * b for a, b in zip(inner.strides, outer.strides, strict=True)]
    return make_slice(rw, made.inputs[0], start, rw.shape(node.outputs[0]), strides)


def slice_broadcast(rw: Rewriter, node: Node) -> int | None:
    """A part of a broadcast is a smaller broadcast of a part."""
    made, result = rw.maker(node.inputs[0], "broadcast_in_dim"), rw.shape(node.outputs[0])
    if not made:
        return None
    (x,), dims, b = made.inputs, made.attr("dims"), bounds_of(node)
    shape = rw.shape(x)
    whole = [n == 1 for n in shape]
    start = [0 if one else b.start[d] for one, d in zip(whole, dims, strict=True)]
    strides = [1 if one else b.strides[d] for one, d in zip(whole, dims, strict=True)]
    part = tuple(1 if one else result[d] for one, d in zip(whole, dims, strict=True))
    return rw.broadcast(make_slice(rw, x, start, part, strides), result, dims)


def slice_concatenated(rw: Rewriter, node: Node) -> int | None:
    """A part of one of the tensors that were put together is a part of that tensor."""
    made, result = rw.maker(node.inputs[0], "concatenate"), rw.shape(node.outputs[0])
    if not made or 0 in result:
        return None
    along, b = made.attr("dimension"), bounds_of(node)
    first, last = b.start[along], b.start[along] + (result[along] - 1) * b.strides[along]
    begin = 0
    for x in made.inputs:
        end = begin + rw.shape(x)[along]
        if begin <= first and last < end:
            start = [s - begin if d == along else s for d, s in enumerate(b.start)]
            return make_slice(rw, x, start, result, b.strides)
        begin = end
    return None


def concatenate_one(rw: Rewriter, node: Node) -> int | None:
    """One tensor alone is what it is, and tensors without elements add nothing."""
    along = node.attr("dimension")
    left = [x for x in node.inputs if rw.shape(x)[along]]
    if len(left) == len(node.inputs) and len(left) > 1:
        return None
    left = left or list(node.inputs[:1])
    return left[0] if len(left) == 1 else rw.again(node, left)


def concatenate_nested(rw: Rewriter, node: Node) -> int | None:
    """Tensors put together along one dimension in two steps, the first read only here."""
    parts: list[int] = []
    for x in node.inputs:
        made = rw.maker(x, "concatenate")
        flat = made is not None and made.attr("dimension") == node.attr("dimension") and rw.reads[x] <= 1
        parts += made.inputs if made and flat else [x]
    return rw.again(node, parts) if len(parts) > len(node.inputs) else None


def concatenate_touching(rw: Rewriter, node: Node) -> int | None:
    """Slices of one tensor, the next beginning where the last ended, are one slice."""
    along = node.attr("dimension")
    parts: list[int] = []
    for x in node.inputs:
        joined = _joined(rw, parts[-1], x, along) if parts else None
        if joined is None:
            parts.append(x)
        else:
            parts[-1] = joined
    if len(parts) == len(node.inputs):
        return None
    return parts[0] if len(parts) == 1 else rw.again(node, parts)


def _joined(rw: Rewriter, one: int, other: int, along: int) -> int | None:
    first, second = rw.maker(one, "slice"), rw.maker(other, "slice")
    if not first or not second or first.inputs != second.inputs:
        return None
    a, b = bounds_of(first), bounds_of(second)
    if a.strides != b.strides or a.strides[along] != 1 or a.limit[along] != b.start[along]:
        return None
    if any(x != y for d, x in enumerate(zip(a.start, a.limit, strict=True))
           for y in [(b.start[d], b.limit[d])] if d != along):  # fmt: skip
        return None
    shape = tuple(n + rw.shape(other)[d] if d == along else n for d, n in enumerate(rw.shape(one)))
    return make_slice(rw, first.inputs[0], a.start, shape, a.strides)


def known_starts(rw: Rewriter, node: Node) -> int | None:
    """Starts that are constants, or windows as wide as the tensor: starts are clamped so that the window fits."""
    x, *starts = node.inputs
    start = _clamped(rw, starts, rw.shape(x), node.attr("sizes"))
    if start is None:
        return None
    return make_slice(rw, x, start, node.attr("sizes"), (1,) * len(start))


def update_all(rw: Rewriter, node: Node) -> int | None:
    """An update as large as the tensor replaces it."""
    x, update = node.inputs[:2]
    if rw.shape(x) == rw.shape(update):
        return update
    return x if 0 in rw.shape(update) else None


def _clamped(rw: Rewriter, starts: Sequence[int], shape: Shape, sizes: Shape) -> list[int] | None:
    found = []
    for value, extent, size in zip(starts, shape, sizes, strict=True):
        number = rw.number(value)
        if number is None and extent != size:
            return None
        found.append(0 if number is None else min(max(int(number), 0), extent - size))
    return found


PIECES: dict[str, tuple[Rule, ...]] = {
    "slice": (plain_slice, slice_sliced, slice_broadcast, slice_concatenated),
    "concatenate": (concatenate_one, concatenate_nested, concatenate_touching),
    "dynamic_slice": (known_starts,),
    "dynamic_update_slice": (update_all,),
}
