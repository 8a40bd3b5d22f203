"""Constants, and ops that move elements; those with shapes as operands need them known while importing.

Example: ``dynamic_reshape %x, %shape`` is `reshape` where the shape is a constant, or follows from constants.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fstc.frontends.artefact import Unsupported
from fstc.frontends.builder import Builder, Val
from fstc.frontends.stablehlo.program import Foreign
from fstc.frontends.stablehlo.stacked import filled, part
from fstc.frontends.stablehlo.walk import Entry, Site
from fstc.ir.types import TensorType


def known(x: Val, what: str) -> list[int]:
    """The integers of a value that must be known."""
    if x.known is None:
        raise Unsupported(f"{what} depends on data: fstc compiles static shapes")
    return [int(n) for n in x.known.reshape(-1)]


def constant(s: Site) -> Val:
    value = s.attr("value")
    if isinstance(value, Foreign) or not hasattr(value, "dtype"):
        raise Unsupported(value.reason if isinstance(value, Foreign) else "a constant that cannot be read")
    return s.b.constant(value)


def iota(s: Site) -> Val:
    return counted(s, s.type(), s.attr("iota_dimension"))


def counted(s: Site, type: TensorType, axis: int) -> Val:
    """An iota, remembered for argmax and argmin."""
    found = s.b.iota(type.dtype, type.shape, axis)
    s.walk.facts[found] = ("iota", axis)
    return found


def dynamic_iota(s: Site, shape: Val) -> Val:
    return counted(s, TensorType(s.dtype(), tuple(known(shape, "the shape"))), s.attr("iota_dimension"))


def broadcast_in_dim(s: Site, x: Val) -> Val:
    return _broadcast(s.b, x, s.type().shape, s.ints("broadcast_dimensions"))


def dynamic_broadcast_in_dim(s: Site, x: Val, shape: Val) -> Val:
    return _broadcast(s.b, x, known(shape, "the shape"), s.ints("broadcast_dimensions"))


def _broadcast(b: Builder, x: Val, shape: Sequence[int], dims: Sequence[int]) -> Val:
    same = tuple(shape) == x.shape and list(dims) == list(range(x.rank))
    return x if same else b.broadcast_in_dim(x, shape, dims)


def broadcast(s: Site, x: Val) -> Val:
    """New dimensions in front."""
    sizes = s.ints("broadcast_sizes")
    return s.b.broadcast(x, (*sizes, *x.shape))


def reshape(s: Site, x: Val) -> Val:
    return s.b.reshape(x, s.type().shape)


def dynamic_reshape(s: Site, x: Val, shape: Val) -> Val:
    return s.b.reshape(x, known(shape, "the shape"))


def transpose(s: Site, x: Val) -> Val:
    return s.b.transpose(x, s.ints("permutation"))


def reverse(s: Site, x: Val) -> Val:
    return s.b.reverse(x, s.ints("dimensions"))


def slice_(s: Site, x: Val) -> Val:
    return s.b.slice(x, s.ints("start_indices"), s.ints("limit_indices"), s.ints("strides"))


def real_dynamic_slice(s: Site, x: Val, start: Val, limit: Val, strides: Val) -> Val:
    return s.b.slice(x, known(start, "the start"), known(limit, "the limit"), known(strides, "the stride"))


def concatenate(s: Site, *xs: Val) -> Val:
    return s.b.concat(xs, s.attr("dimension"))


def pad(s: Site, x: Val, value: Val) -> Val:
    low, high, interior = s.ints("edge_padding_low"), s.ints("edge_padding_high"), s.ints("interior_padding")
    return s.b.pad(x, value, low, high, interior)


def dynamic_pad(s: Site, x: Val, value: Val, low: Val, high: Val, interior: Val) -> Val:
    return s.b.pad(x, value, *(known(v, "the padding") for v in (low, high, interior)))


def dynamic_slice(s: Site, x: Val, *starts: Val) -> Val:
    sizes = s.ints("slice_sizes")
    at = _static_starts(x, sizes, starts)
    if at is None:
        return s.b.op("dynamic_slice", [x, *starts], sizes=sizes)[0]
    whole = part(s.walk, x, at, sizes)
    return whole or s.b.slice(x, at, [a + n for a, n in zip(at, sizes, strict=True)])


def dynamic_update_slice(s: Site, x: Val, update: Val, *starts: Val) -> Val:
    at = _static_starts(x, update.shape, starts)
    if at is not None:
        if update.shape == x.shape:
            return update
        found = filled(s.walk, x, update, at)
        if found is not None:
            return found
    return s.b.op("dynamic_update_slice", [x, update, *starts])[0]


def _static_starts(x: Val, sizes: Sequence[int], starts: Sequence[Val]) -> list[int] | None:
    """Where the window lies once it is clamped, if that is known; a window of the whole extent is at 0."""
    found = []
    for extent, size, start in zip(x.shape, sizes, starts, strict=True):
        if extent == size:
            found.append(0)
        elif start.known is None:
            return None
        else:
            found.append(min(max(int(start.known), 0), extent - size))
    return found


def get_dimension_size(s: Site, x: Val) -> Val:
    return s.b.scalar(x.shape[s.attr("dimension")], s.dtype())


def set_dimension_size(s: Site, x: Val, size: Val) -> Val:
    if known(size, "an extent") != [x.shape[s.attr("dimension")]]:
        raise Unsupported("an extent smaller than the tensor: fstc compiles static shapes")
    return x


LAYOUT: Mapping[str, Entry] = {
    "stablehlo.constant": Entry(constant, "`constant`"),
    "stablehlo.iota": Entry(iota, "`iota`"),
    "stablehlo.dynamic_iota": Entry(dynamic_iota, "`iota` of a known shape"),
    "stablehlo.broadcast_in_dim": Entry(broadcast_in_dim, "`broadcast_in_dim`"),
    "stablehlo.broadcast": Entry(broadcast, "`broadcast_in_dim`"),
    "stablehlo.dynamic_broadcast_in_dim": Entry(dynamic_broadcast_in_dim, "`broadcast_in_dim` to a known shape"),
    "stablehlo.reshape": Entry(reshape, "`reshape`"),
    "stablehlo.dynamic_reshape": Entry(dynamic_reshape, "`reshape` to a known shape"),
    "stablehlo.transpose": Entry(transpose, "`transpose`"),
    "stablehlo.reverse": Entry(reverse, "`reverse`"),
    "stablehlo.slice": Entry(slice_, "`slice`"),
    "stablehlo.real_dynamic_slice": Entry(real_dynamic_slice, "`slice` with known bounds"),
    "stablehlo.concatenate": Entry(concatenate, "`concatenate`"),
    "stablehlo.pad": Entry(pad, "`pad`"),
    "stablehlo.dynamic_pad": Entry(dynamic_pad, "`pad` with known amounts"),
    "stablehlo.dynamic_slice": Entry(dynamic_slice, "`slice` where the start is known, else `dynamic_slice`"),
    "stablehlo.dynamic_update_slice": Entry(
        dynamic_update_slice, "`dynamic_update_slice`; updates of a loop that fill the tensor: one `concatenate`"
    ),
    "stablehlo.get_dimension_size": Entry(get_dimension_size, "folded"),
    "stablehlo.set_dimension_size": Entry(set_dimension_size, "folded where it changes nothing, else refused"),
}
