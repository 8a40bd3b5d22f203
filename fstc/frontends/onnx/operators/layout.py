"""Operators that move elements: reshapes, slices, joins, padding, and what is made of them.

Example: ``Slice`` with a negative step is a slice and a reverse.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

from fstc.frontends.artefact import Unsupported
from fstc.frontends.builder import Builder, Val, common_shape
from fstc.frontends.onnx.node import Handler, Node
from fstc.frontends.onnx.problems import wrong
from fstc.ir.types import BOOL, I64

MOST_PIECES = 4096


def reshape(n: Node) -> Val:
    shape = n.known_ints(1, "shape") or []
    found = []
    for d, extent in enumerate(shape):
        if extent < -1:
            raise wrong(f"`shape` is {shape}: {extent} is no extent")
        if extent == 0 and not n.integer("allowzero", 0):
            if d >= n[0].rank:
                raise wrong(f"`shape` is {shape}: dimension {d} is to be copied from {n[0].type}")
            extent = n[0].shape[d]
        found.append(extent)
    return reshaped(n, n[0], found)


def reshaped(n: Node, x: Val, shape: Sequence[int]) -> Val:
    """To a shape with at most one -1."""
    if list(shape).count(-1) > 1:
        raise wrong(f"`shape` is {list(shape)}: -1 stands there twice")
    rest = prod(e for e in shape if e != -1)
    if -1 in shape and not rest:
        raise wrong(f"`shape` is {list(shape)}: what -1 stands for cannot be told")
    if (-1 in shape and x.type.elements % rest) or (-1 not in shape and rest != x.type.elements):
        raise wrong(f"{x.type} cannot be reshaped to {list(shape)}")
    return n.b.reshape(x, shape)


def flatten(n: Node) -> Val:
    x, axis = n[0], n.integer("axis", 1)
    if not -x.rank <= axis <= x.rank:
        raise wrong(f"`axis` is {axis}, the rank is {x.rank}")
    axis = axis + x.rank if axis < 0 else axis
    return n.b.reshape(x, (prod(x.shape[:axis]), prod(x.shape[axis:])))


def squeeze(n: Node) -> Val:
    x, given = n[0], n.known_ints(1, "axes")
    axes = [d for d, e in enumerate(x.shape) if e == 1] if given is None else n.axes(given, x.rank)
    return n.b.squeeze(x, axes) if axes else x


def unsqueeze(n: Node) -> Val:
    axes = n.known_ints(1, "axes") or []
    return n.b.expand(n[0], n.axes(axes, n[0].rank + len(axes))) if axes else n[0]


def transpose(n: Node) -> Val:
    x = n[0]
    order = n.integers("perm", list(range(x.rank))[::-1])
    if sorted(order) != list(range(x.rank)):
        raise wrong(f"`perm` is {order}, the rank is {x.rank}")
    return n.b.transpose(x, order)


def concat(n: Node) -> Val:
    values = n.all()
    rank = values[0].rank
    axis = n.axis(n.integer("axis"), rank)
    for v in values[1:]:
        rest = [e for d, e in enumerate(v.shape) if d != axis]
        fits = v.dtype == values[0].dtype and v.rank == rank
        if not fits or rest != [e for d, e in enumerate(values[0].shape) if d != axis]:
            raise wrong(f"{v.type} does not join {values[0].type} along axis {axis}")
    return n.b.concat(values, axis)


def split(n: Node) -> list[Val]:
    x = n[0]
    axis, parts = n.axis(n.integer("axis", 0), x.rank), n.known_ints(1, "split")
    extent = x.shape[axis]
    count = n.integer("num_outputs", len(n.outputs))
    if count is None or not 1 <= count <= MOST_PIECES:
        raise wrong(f"`num_outputs` is {count}, allowed are 1 to {MOST_PIECES}")
    if parts is None:
        size = -(-extent // count)
        parts = [max(0, min(size, extent - i * size)) for i in range(count)]
    if any(p < 0 for p in parts) or sum(parts) != extent or len(parts) != len(n.outputs):
        raise wrong(f"`split` is {parts} for {len(n.outputs)} outputs, axis {axis} of {x.type} has {extent}")
    starts = [sum(parts[:i]) for i in range(len(parts) + 1)]
    return [n.b.slice_axis(x, axis, starts[i], starts[i + 1]) for i in range(len(parts))]


def slice_(n: Node) -> Val:
    x = n[0]
    starts, ends = n.known_ints(1, "starts") or [], n.known_ints(2, "ends") or []
    given = n.known_ints(3, "axes")
    axes = n.axes(given if given is not None else list(range(len(starts))), x.rank)
    steps = n.known_ints(4, "steps") or [1] * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(steps):
        raise wrong(f"{len(starts)} starts, {len(ends)} ends, {len(axes)} axes, {len(steps)} steps")
    if 0 in steps:
        raise wrong("a step is 0")
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        # Python's slices clamp as ONNX does; "before the first" for a negative step is an end of None there.
        first, last, step = slice(start, end, step).indices(x.shape[axis])
        x = n.b.slice_axis(x, axis, first, last, step)
    return x


def expand(n: Node) -> Val:
    shape = n.known_ints(1, "shape") or []
    if any(e < 0 for e in shape):
        raise wrong(f"`shape` is {shape}")
    return n.b.broadcast(n[0], common_shape([n[0].shape, tuple(shape)]))


def tile(n: Node) -> Val:
    x, repeats = n[0], n.known_ints(1, "repeats") or []
    if len(repeats) != x.rank or any(r < 0 for r in repeats):
        raise wrong(f"`repeats` is {repeats}, {x.type} has rank {x.rank}")
    return tiled(n.b, x, repeats)


def tiled(b: Builder, x: Val, repeats: Sequence[int]) -> Val:
    """``numpy.tile``; a dimension of extent 1 is a broadcast."""
    if all(r == 1 or e == 1 for r, e in zip(repeats, x.shape, strict=True)):
        return b.broadcast(x, [r * e for r, e in zip(repeats, x.shape, strict=True)])
    for axis, r in enumerate(repeats):
        if r == 1:
            continue
        lead, rest = x.shape[:axis], x.shape[axis:]
        wide = b.broadcast_in_dim(x, (*lead, r, *rest), [*range(axis), *range(axis + 1, x.rank + 1)])
        x = b.reshape(wide, (*lead, r * rest[0], *rest[1:]))
    return x


def pad(n: Node) -> Val:
    b, x = n.b, n[0]
    mode = n.choice("mode", "constant", ("constant", "reflect", "edge", "wrap"))
    pads, given = n.known_ints(1, "pads") or [], n.known_ints(3, "axes")
    axes = n.axes(given, x.rank) if given is not None else list(range(x.rank))
    if len(pads) != 2 * len(axes):
        raise wrong(f"`pads` has {len(pads)} entries for {len(axes)} axes")
    low, high = [0] * x.rank, [0] * x.rank
    for i, axis in enumerate(axes):
        low[axis], high[axis] = pads[i], pads[i + len(axes)]
    if mode == "constant":
        value = n.get(2)
        fill = b.full(0, x.dtype, ()) if value is None or not value.type.elements else b.reshape(value, ())
        if fill.dtype != x.dtype:
            raise wrong(f"the padding is {fill.dtype}, the input {x.dtype}")
        return b.pad(x, fill, low, high)
    for axis in axes:
        x = padded_along(b, x, axis, low[axis], high[axis], mode)
    return x


def padded_along(b: Builder, x: Val, axis: int, low: int, high: int, mode: str) -> Val:
    """Reflected, repeated or wrapped around along an axis; negative amounts cut."""
    if low < 0 or high < 0:
        x = b.slice_axis(x, axis, max(0, -low), x.shape[axis] + min(0, high))
        low, high = max(0, low), max(0, high)
    extent = x.shape[axis]
    if not low and not high:
        return x
    if not extent or (mode == "reflect" and extent == 1):
        raise wrong(f"axis {axis} of {x.type} has nothing to pad with")
    if mode == "edge":
        first, last = b.slice_axis(x, axis, 0, 1), b.slice_axis(x, axis, extent - 1, extent)
        before = b.broadcast(first, [low if d == axis else e for d, e in enumerate(x.shape)])
        after = b.broadcast(last, [high if d == axis else e for d, e in enumerate(x.shape)])
        return b.concat([*([before] if low else []), x, *([after] if high else [])], axis)
    period = 2 * extent - 2 if mode == "reflect" else extent
    around = [x]
    if mode == "reflect" and extent > 2:
        around.append(b.slice_axis(x, axis, extent - 2, 0, -1))
    ring = b.concat(around, axis)  # one period
    parts, at, end = list[Val](), -low, extent + high
    if (end - at) // period > MOST_PIECES:
        raise Unsupported(f"padding by {low} and {high} of an axis {extent} long")
    while at < end:
        start = at % period
        stop = min(period, start + end - at)
        parts.append(b.slice_axis(ring, axis, start, stop))
        at += stop - start
    return b.concat(parts, axis)


def depth_to_space(n: Node) -> Val:
    b, x, size = n.b, n[0], n.integer("blocksize")
    mode = n.choice("mode", "DCR", ("DCR", "CRD"))
    if x.rank != 4 or size < 1 or x.shape[1] % (size * size):
        raise wrong(f"blocks of {size} in {x.type}")
    batch, channels, height, width = x.shape
    kept = channels // (size * size)
    if mode == "DCR":
        y = b.transpose(b.reshape(x, (batch, size, size, kept, height, width)), (0, 3, 4, 1, 5, 2))
    else:
        y = b.transpose(b.reshape(x, (batch, kept, size, size, height, width)), (0, 1, 4, 2, 5, 3))
    return b.reshape(y, (batch, kept, height * size, width * size))


def space_to_depth(n: Node) -> Val:
    b, x, size = n.b, n[0], n.integer("blocksize")
    mode = n.choice("mode", "DCR", ("DCR", "CRD"))
    if x.rank != 4 or size < 1 or x.shape[2] % size or x.shape[3] % size:
        raise wrong(f"blocks of {size} in {x.type}")
    batch, channels, height, width = x.shape
    y = b.reshape(x, (batch, channels, height // size, size, width // size, size))
    y = b.transpose(y, (0, 3, 5, 1, 2, 4) if mode == "DCR" else (0, 1, 3, 5, 2, 4))
    return b.reshape(y, (batch, channels * size * size, height // size, width // size))


def trilu(n: Node) -> Val:
    """Below or above the k-th diagonal 0."""
    b, x = n.b, n[0]
    if x.rank < 2:
        raise wrong(f"{x.type} is no matrix")
    shape = x.shape[-2:]
    rows, columns = b.iota(I64, shape, 0), b.iota(I64, shape, 1)
    upper = bool(n.integer("upper", 1))
    k = b.reshape(n[1], ()) if n.get(1) is not None else b.full(0, I64, ())
    keep = b.compare("GE" if upper else "LE", columns, b.ew("add", rows, k))
    return b.select(keep, x, False if x.dtype == BOOL else 0)


def reverse_sequence(n: Node) -> Val:
    """The first ``length`` steps of each row backwards."""
    from fstc.frontends.composed.indexing import gather_elements

    b, x, lengths = n.b, n[0], n[1]
    batch, time = n.integer("batch_axis", 1), n.integer("time_axis", 0)
    if {batch, time} != {0, 1} or x.rank < 2 or lengths.shape != (x.shape[batch],):
        raise wrong(f"time axis {time}, batch axis {batch}, lengths {lengths.type} of {x.type}")
    shape = [x.shape[d] if d in (0, 1) else 1 for d in range(x.rank)]
    steps = b.iota(I64, shape, time)
    ends = b.reshape(b.convert(lengths, I64), [shape[d] if d == batch else 1 for d in range(x.rank)])
    at = b.select(b.compare("LT", steps, ends), b.ew("sub", b.ew("sub", ends, 1), steps), steps)
    return gather_elements(b, x, b.broadcast(at, x.shape), time)


def center_crop_pad(n: Node) -> Val:
    b, x, given = n.b, n[0], n.integers("axes", None)
    shape = n.known_ints(1, "shape") or []
    axes = n.axes(given, x.rank) if given is not None else list(range(x.rank))
    if len(shape) != len(axes) or any(e < 0 for e in shape):
        raise wrong(f"`shape` is {shape} for {len(axes)} axes")
    low, high = [0] * x.rank, [0] * x.rank
    for axis, extent in zip(axes, shape, strict=True):
        more = extent - x.shape[axis]
        low[axis] = more // 2 if more >= 0 else -(-more // 2)
        high[axis] = more - low[axis]
    return b.pad(x, b.full(0, x.dtype, ()), low, high)


LAYOUT: Mapping[str, Handler] = {
    "Reshape": reshape, "Flatten": flatten, "Squeeze": squeeze, "Unsqueeze": unsqueeze, "Transpose": transpose,
    "Concat": concat, "Split": split, "Slice": slice_, "Expand": expand, "Tile": tile, "Pad": pad,
    "DepthToSpace": depth_to_space, "SpaceToDepth": space_to_depth, "Trilu": trilu,
    "ReverseSequence": reverse_sequence, "CenterCropPad": center_crop_pad,
}  # fmt: skip
