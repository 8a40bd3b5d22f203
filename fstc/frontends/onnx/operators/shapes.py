"""Operators that make tensors of shapes or numbers: what they give is known while importing.

Example: ``Gather(Shape(x), 0)`` leaves no op behind.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, isfinite
from typing import Any

from fstc.frontends.artefact import Unsupported
from fstc.frontends.builder import Val
from fstc.frontends.onnx.node import MOST_KNOWN, Handler, Node
from fstc.frontends.onnx.problems import wrong
from fstc.frontends.onnx.tensors import MOST_ELEMENTS
from fstc.ir.types import BOOL, F32, F64, I64

MOST_RANGE = 1 << 40


def shape(n: Node) -> Val:
    extents = n[0].shape
    rank = len(extents)
    start, end = n.integer("start", 0), n.integer("end", rank)
    return n.b.ints(extents[slice(*slice(start, end).indices(rank))], I64)


def size(n: Node) -> Val:
    return n.b.full(n[0].type.elements, I64, ())


def constant(n: Node) -> Val:
    import numpy as np

    given = [name for name in n.attributes if name in CONSTANTS]
    if len(given) != 1:
        raise wrong(f"a constant has one value, {len(given)} are given")
    attribute = n.attributes[given[0]]
    if given[0] == "value":
        return n.b.constant(n.tensors.array(attribute.t), n.outputs[0])
    if given[0] == "sparse_value":
        return n.b.constant(n.tensors.sparse(attribute.sparse_tensor), n.outputs[0])
    if given[0] in ("value_string", "value_strings"):
        raise Unsupported("a constant of strings")
    dtype = np.int64 if "int" in given[0] else np.float32
    values: Any = {
        "value_float": attribute.f, "value_int": attribute.i,
        "value_floats": list(attribute.floats), "value_ints": list(attribute.ints),
    }[given[0]]  # fmt: skip
    return n.b.constant(np.asarray(values, dtype))


CONSTANTS = (
    "value", "sparse_value", "value_float", "value_floats", "value_int", "value_ints", "value_string", "value_strings",
)  # fmt: skip


def constant_of_shape(n: Node) -> Val:
    extents = n.known_ints(0, "input") or []
    if any(e < 0 for e in extents):
        raise wrong(f"the shape is {extents}")
    elements = 1
    for e in extents:
        elements *= e
    if elements > MOST_ELEMENTS:
        raise wrong(f"the shape {extents} has more elements than can be counted")
    value = n.attributes.get("value")
    if value is None:
        return n.b.full(0.0, F32, extents)
    found = n.tensors.array(value.t)
    if found.size != 1:
        raise wrong(f"`value` has {found.size} elements, expected 1")
    return n.b.broadcast(n.b.constant(found.reshape(())), extents)


def range_(n: Node) -> Val:
    b, (start, limit, delta) = n.b, (n[i] for i in range(3))
    if not start.dtype == limit.dtype == delta.dtype or start.type.elements != 1:
        raise wrong(f"start is {start.type}, limit {limit.type}, delta {delta.type}")
    first, last, step = (n.scalar(i, what, 0) for i, what in enumerate(("start", "limit", "delta")))
    if not step or not all(isfinite(v) for v in (first, last, step)):
        raise wrong(f"a range from {first} to {last} in steps of {step}")
    import numpy as np

    whole = start.dtype.is_integer
    count = max(0, -(-(int(last) - int(first)) // int(step)) if whole else ceil((last - first) / step))
    if count > MOST_RANGE:
        raise wrong(f"a range of {count:,} elements")
    if count <= MOST_KNOWN:  # shape arithmetic goes on with it
        numbers = np.arange(count) * (int(step) if whole else step) + (int(first) if whole else first)
        return b.constant(numbers.astype(start.dtype.numpy()))
    places = b.iota(start.dtype if whole else F64 if start.dtype == F64 else F32, (count,), 0)
    if not first and step == 1:
        return b.convert(places, start.dtype)
    wide = b.ew("add", b.ew("mul", places, step), first)
    return b.convert(wide, start.dtype)


def eye_like(n: Node) -> Val:
    b, x, k = n.b, n[0], n.integer("k", 0)
    if x.rank != 2:
        raise wrong(f"{x.type} is no matrix")
    rows, columns = b.iota(I64, x.shape, 0), b.iota(I64, x.shape, 1)
    hot = b.compare("EQ", columns, b.ew("add", rows, k))
    dtype = n.dtype("dtype", x.dtype)
    return hot if dtype == BOOL else b.convert(hot, dtype)


def window(coefficients: tuple[float, ...]) -> Handler:
    """A sum of cosines over a period; ``periodic`` windows leave the last sample out."""

    def handler(n: Node) -> Val:
        import numpy as np

        count = int(n.scalar(0, "size", 0))
        if not 0 <= count <= 1 << 20:
            raise wrong(f"a window of {count} samples")
        length = count if n.integer("periodic", 1) else count - 1
        turn = 2 * np.pi * np.arange(count) / max(length, 1)
        made = sum((c * np.cos(k * turn) for k, c in enumerate(coefficients)), np.zeros(count))
        return n.b.convert(n.b.constant(np.asarray(made, np.float64)), n.dtype("output_datatype", F32))

    return handler


def mel_weights(n: Node) -> Val:
    """Triangles that are equally wide on the mel scale."""
    import numpy as np

    bins, length, rate = (int(n.scalar(i, w, 0)) for i, w in enumerate(("num_mel_bins", "dft_length", "sample_rate")))
    lower, upper = float(n.scalar(3, "lower_edge_hertz", 0.0)), float(n.scalar(4, "upper_edge_hertz", 0.0))
    if not (0 < bins <= 1 << 12 and 0 < length <= (1 << 24) // bins and rate > 0):
        raise wrong(f"{bins} mel bins of a DFT of {length} samples at {rate} Hz")
    low, high = (2595 * np.log10(1 + edge / 700) for edge in (lower, upper))
    edges = 700 * (np.power(10, (low + (high - low) / (bins + 2) * np.arange(bins + 2)) / 2595) - 1)
    at = ((length + 1) * edges // rate).astype(np.int64)
    if at.min() < 0 or at.max() > length // 2:
        raise wrong(f"the edges {lower} and {upper} Hz lie outside of what {rate} samples a second hold")
    found = np.zeros((length // 2 + 1, bins), np.float64)
    for i in range(bins):
        left, middle, right = at[i], at[i + 1], at[i + 2]
        if left == middle:
            found[middle, i] = 1
        for j in range(left, middle + 1):
            if left != middle:
                found[j, i] = (j - left) / (middle - left)
        for j in range(middle, right):
            found[j, i] = (right - j) / (right - middle)
    return n.b.convert(n.b.constant(found), n.dtype("output_datatype", F32))


SHAPES: Mapping[str, Handler] = {
    "Shape": shape, "Size": size, "Constant": constant, "ConstantOfShape": constant_of_shape, "Range": range_,
    "EyeLike": eye_like, "HannWindow": window((0.5, -0.5)), "HammingWindow": window((25 / 46, -21 / 46)),
    "BlackmanWindow": window((0.42, -0.5, 0.08)), "MelWeightMatrix": mel_weights,
}  # fmt: skip
