"""sort and top_k. NaN is the greatest value, -0 and +0 are equal, equal ones keep their order.

Example: ``%s, %p = sort %keys, %payload {dimension = 1, descending = true} : f32[8,100], i32[8,100]``, or with
a comparator of pairs ``(%a: f32[], %b: f32[], %c: i32[], %d: i32[]) { ... return %less }``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fstc.ir.ops.bodies import body
from fstc.ir.ops.evaluate import run_region
from fstc.ir.ops.monoid import exact
from fstc.ir.ops.opdef import AttrDef, Form, Infer, Kind, OpDef
from fstc.ir.ops.shapes import axis, refuse
from fstc.ir.types import BOOL, I32, TensorType

Arrays = Sequence[Any]


def _sort_type(infer: Infer) -> tuple[TensorType, ...]:
    first = infer.operands[0]
    for i, other in enumerate(infer.operands):
        if other.shape != first.shape:
            refuse(f"operand {i} is {other}, operand 0 is {first}: the shapes must be equal", operand=i)
    axis(infer, "dimension", first.rank)
    if infer.regions:
        if infer.attrs.get("descending"):
            refuse("`descending` belongs to the form without a comparator", attr="descending")
        body(infer, [t.dtype for t in infer.operands for _ in range(2)], (BOOL,))
    return infer.operands


def _sort(arrays: Arrays, infer: Infer) -> tuple[Any, ...]:
    import numpy as np

    along = infer.attrs["dimension"]
    if infer.regions:
        order = _network_order([np.moveaxis(x, along, -1) for x in arrays], infer)
        order = np.moveaxis(order, -1, along)
    else:
        order = stable_order(arrays[0], along, bool(infer.attrs.get("descending")))
    return tuple(np.take_along_axis(x, order, axis=along) for x in arrays)


def stable_order(x: Any, along: int, descending: bool) -> Any:
    """Indices that sort ``x`` along an axis; the lowest index first among equals."""
    import numpy as np

    keys = x if x.dtype.kind in "iub" else exact(x)
    if not descending:
        return np.argsort(keys, axis=along, kind="stable")
    backwards = np.argsort(np.flip(keys, along), axis=along, kind="stable")
    return keys.shape[along] - 1 - np.flip(backwards, along)


def _network_order(arrays: list[Any], infer: Infer) -> Any:
    """Bitonic sorting network over the last axis: any comparator, all rows at once.

    Positions break ties, so that the order is total and the network's result is the stable one. Slots
    that fill up to a power of two hold a position past the end and come last.
    """
    import numpy as np

    extent = arrays[0].shape[-1]
    size = 1 << max(extent - 1, 0).bit_length()
    order = np.broadcast_to(np.arange(size), (*arrays[0].shape[:-1], size)).copy()
    if 0 in arrays[0].shape:
        return order[..., :extent]

    def before(a: Any, b: Any) -> Any:
        keys = [np.take_along_axis(x, np.minimum(p, extent - 1), axis=-1) for x in arrays for p in (a, b)]
        swapped = [keys[i ^ 1] for i in range(len(keys))]
        less, more = (run_region(infer.regions[0], k, infer.wide)[0] for k in (keys, swapped))
        real = (less & ~more) | ((less == more) & (a < b))
        return np.where((a >= extent) | (b >= extent), a < b, real)

    lanes = np.arange(size)
    span = 2
    while span <= size:
        step = span // 2
        while step:
            lower = lanes[(lanes & step) == 0]
            a, b = order[..., lower], order[..., lower | step]
            keep = before(a, b) == ((lower & span) == 0)
            order[..., lower], order[..., lower | step] = np.where(keep, a, b), np.where(keep, b, a)
            step //= 2
        span *= 2
    return order[..., :extent]


def _top_k_type(infer: Infer) -> tuple[TensorType, ...]:
    operand, k = infer.operands[0], infer.attrs["k"]
    if not operand.rank:
        refuse(f"the operand is {operand}, expected a rank of at least 1", operand=0)
    if not 0 <= k <= operand.shape[-1]:
        refuse(f"`k` is {k}, the last dimension of {operand} has {operand.shape[-1]}", attr="k")
    shape = (*operand.shape[:-1], k)
    return TensorType(operand.dtype, shape), TensorType(I32, shape)


def _top_k(arrays: Arrays, infer: Infer) -> tuple[Any, ...]:
    import numpy as np

    order = stable_order(arrays[0], -1, descending=True)[..., : infer.attrs["k"]]
    return np.take_along_axis(arrays[0], order, axis=-1), order.astype(np.int32)


SORTING: tuple[OpDef, ...] = (
    OpDef(
        "sort",
        Kind.LIBRARY,
        Form.LIBRARY,
        "Sort N tensors together along a dimension by the first (NaN greatest), or by a comparator of 2N scalars.",
        (1, None),
        _sort_type,
        _sort,
        (
            AttrDef("dimension", "int", doc="the dimension that is sorted"),
            AttrDef("is_stable", "bool", required=False, default=True, doc="fstc's reference always is"),
            AttrDef("descending", "bool", required=False, default=False, doc="without a comparator: largest first"),
        ),
        operands="xs...",
        regions=1,
        regions_optional=True,
        results=-1,
    ),
    OpDef(
        "top_k",
        Kind.LIBRARY,
        Form.LIBRARY,
        "The k largest along the last dimension, descending, and their i32 indices; of equals the lowest index first.",
        (1, 1),
        _top_k_type,
        _top_k,
        (AttrDef("k", "int", doc="0 to the extent of the last dimension"),),
        results=2,
    ),
)
