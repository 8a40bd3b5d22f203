"""Rules of gather with indices that are known: what it takes is a slice.

Example: ``gather %x, [2, 3, 4]`` of whole rows is ``slice %x[2:5]``; so is one with an iota for its indices.
"""

from __future__ import annotations

from fstc.frontends.emitter import Array
from fstc.frontends.passes.pieces import make_slice
from fstc.frontends.passes.rewriter import Rewriter, Rule
from fstc.ir.graph import Node
from fstc.ir.ops.addressing import Addressing, gather_addressing
from fstc.ir.ops.opdef import Infer

MOST, MOST_GRID = 1 << 12, 1 << 20  # indices that are looked at


def gather_steps(rw: Rewriter, node: Node) -> int | None:
    """Indices of one dimension in equal steps upwards, all others taken whole: slice, transpose, reshape."""
    types = tuple(rw.type(v) for v in node.inputs)
    a = gather_addressing(Infer(types, dict(node.attrs), (), (rw.type(node.outputs[0]),)))
    if len(a.index_map) != 1 or a.batching or not rw.type(node.outputs[0]).elements:
        return None
    along = a.index_map[0]
    if any(size != n for d, (size, n) in enumerate(zip(a.sizes, a.operand, strict=True)) if d != along):
        return None
    steps = _steps(rw, node.inputs[1], a, a.operand[along] - a.sizes[along])
    if steps is None or (a.sizes[along] != 1 and len(steps) > 1):
        return None
    shape = tuple(max(len(steps), a.sizes[along]) if d == along else n for d, n in enumerate(a.operand))
    start = [steps.start if d == along else 0 for d in range(len(shape))]
    part = make_slice(rw, node.inputs[0], start, shape, [steps.step if d == along else 1 for d in range(len(shape))])
    # what is taken, as [index, window...], then with the batch's own shape, then in the result's order
    rest = [d for d in range(len(shape)) if d != along]
    if len(steps) > 1 or a.sizes[along] == 1:
        part = rw.transpose(part, [along, *rest])
    extents = (*a.batch, *(a.sizes[d] for d in a.kept))
    return rw.transpose(rw.reshape(part, extents), a.order())


def gather_grid(rw: Rewriter, node: Node) -> int | None:
    """Single elements at indices that walk each dimension along one of the result's: slice and broadcast.

    ``mask[rows[:, None], columns]`` of two counted indices, as attention masks are read, is ``mask``.
    """
    types = tuple(rw.type(v) for v in node.inputs)
    a = gather_addressing(Infer(types, dict(node.attrs), (), (rw.type(node.outputs[0]),)))
    known = rw.known(node.inputs[1]) if types[1].elements <= MOST_GRID else None
    whole = len(a.index_map) == len(a.operand) > 1 and not a.kept and not a.batching
    if known is None or not whole or not rw.type(node.outputs[0]).elements:
        return None
    starts = a.starts(known)
    walks = [_walk(starts[d].clip(0, n - 1)) for d, n in enumerate(a.operand)]
    found = [walk for walk in walks if walk is not None]
    along = [axis for axis, _, _ in found if axis >= 0]
    if len(found) < len(walks) or len(set(along)) < len(along):
        return None
    shape = tuple(count for _, _, count in found)
    part = make_slice(rw, node.inputs[0], [first for _, first, _ in found], shape, (1,) * len(shape))
    part = rw.reshape(part, tuple(count for axis, _, count in found if axis >= 0))
    return rw.broadcast(part, a.batch, along)


def _walk(indices: Array) -> tuple[int, int, int] | None:
    """(dimension, first index, count) of what counts up by 1 along a dimension; dimension -1: always the same index."""
    import numpy as np

    first = int(indices.reshape(-1)[0])
    if (indices == first).all():
        return -1, first, 1
    for axis, count in enumerate(indices.shape):
        line = np.arange(first, first + count).reshape([count if d == axis else 1 for d in range(indices.ndim)])
        if (indices == line).all():
            return axis, first, count
    return None


def _steps(rw: Rewriter, indices: int, a: Addressing, last: int) -> range | None:
    """The clamped indices as a range upwards; None where they are unknown or no range."""
    count = rw.type(indices).elements
    made = rw.maker(indices, "iota")
    if made:
        shape = rw.shape(indices)
        steps = range(shape[made.attr("dimension")])
        alone = count == len(steps) and len(steps) - 1 <= min(last, 127)  # 127: no index type wraps there
        whole = count == len(steps) and len(steps) - 1 <= last and rw.dtype(indices).size >= 4
        return steps if alone or whole else None
    known = rw.known(indices) if count <= MOST else None
    if known is None:
        return None
    found = [min(max(int(i), 0), last) for i in known.reshape(-1)]
    step = found[1] - found[0] if len(found) > 1 else 1
    if step <= 0:
        return None
    steps = range(found[0], found[0] + step * len(found), step)
    return steps if list(steps) == found else None


GATHERS: dict[str, tuple[Rule, ...]] = {"gather": (gather_steps, gather_grid)}
