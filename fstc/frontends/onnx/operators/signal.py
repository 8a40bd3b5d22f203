"""Fourier transforms as products with known matrices, and sums of overlapping windows.

Example: ``DFT`` of 400 samples is one ``dot_general`` with a matrix of sines and cosines.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

from fstc.frontends.artefact import Unsupported
from fstc.frontends.builder import Builder, Val
from fstc.frontends.composed import products
from fstc.frontends.composed.indexing import scatter_nd, take
from fstc.frontends.composed.precision import rounded_once
from fstc.frontends.composed.products import Factor
from fstc.frontends.onnx.node import Handler, Node
from fstc.frontends.onnx.problems import wrong
from fstc.ir.types import I64

Array = Any
LARGEST = 1 << 24  # elements of a transform's matrix
MOST_POSITIONS = 1024


def _matrix(length: int, parts: int, inverse: bool, onesided: bool) -> Array:
    """[length, parts, frequencies, 2] of a transform of real (1 part) or complex (2) samples; f64."""
    import numpy as np

    columns: list[Any]
    if length * length * 4 > LARGEST:
        raise Unsupported(f"a Fourier transform of {length} samples: a product with its matrix would be too large")
    if inverse and onesided:
        half = length // 2 + 1
        columns = [np.fft.irfft(np.eye(half) * unit, n=length, axis=1) for unit in ((1, 1j) if parts == 2 else (1,))]
        return np.stack(columns, 1)[..., None]
    transform = np.fft.ifft if inverse else np.fft.fft
    columns = [transform(np.eye(length) * unit, axis=1) for unit in ((1, 1j) if parts == 2 else (1,))]
    whole = np.stack(columns, 1)
    if onesided:
        whole = whole[..., : length // 2 + 1]
    return np.stack([whole.real, whole.imag], -1)


def _transformed(b: Builder, x: Val, axis: int, matrix: Array) -> Val:
    """Along an axis of [..., samples, ..., parts]."""

    def of(x: Val) -> Val:
        m = b.convert(b.constant(matrix), x.dtype)
        found = products.dot(b, Factor(x), Factor(m), contract=[(axis, 0), (x.rank - 1, 1)])
        rest = list(range(x.rank - 2))
        return b.transpose(found, [*rest[:axis], x.rank - 2, *rest[axis:], x.rank - 1])

    return rounded_once(b, of, x)


def dft(n: Node) -> Val:
    b, x = n.b, n[0]
    if n.opset >= 20:
        axis = n.axis(int(n.scalar(2, "axis", -2)), x.rank)
    else:
        axis = n.axis(n.integer("axis", 1), x.rank)
    inverse, onesided = bool(n.integer("inverse", 0)), bool(n.integer("onesided", 0))
    if x.rank < 2 or axis == x.rank - 1 or x.shape[-1] not in (1, 2):
        raise wrong(f"axis {axis} of {x.type}: the last one holds real and imaginary parts")
    back = inverse and onesided
    length = int(n.scalar(1, "dft_length", 2 * (x.shape[axis] - 1) if back else x.shape[axis]))
    if length < 1:
        raise wrong(f"a transform of {length} samples")
    matrix = _matrix(length, x.shape[-1], inverse, onesided)
    return _transformed(b, _fitted(b, x, axis, length // 2 + 1 if back else length), axis, matrix)


def _fitted(b: Builder, x: Val, axis: int, length: int) -> Val:
    """Cut off or followed by zeros."""
    high = [length - x.shape[axis] if d == axis else 0 for d in range(x.rank)]
    return b.pad(x, 0.0, [0] * x.rank, high)


def stft(n: Node) -> Val:
    b, x, window = n.b, n[0], n.get(2)
    x = b.expand(x, [2]) if x.rank == 2 else x
    step = int(n.scalar(1, "frame_step", 0))
    length = int(n.scalar(3, "frame_length", window.shape[0] if window is not None else x.shape[1]))
    if step < 1 or not 1 <= length <= x.shape[1] or x.rank != 3 or x.shape[2] not in (1, 2):
        raise wrong(f"frames of {length} samples every {step} of {x.type}")
    if window is not None and window.shape != (length,):
        raise wrong(f"a window {window.type} for frames of {length} samples")
    count = 1 + (x.shape[1] - length) // step
    starts, offsets = b.iota(I64, (count, length), 0), b.iota(I64, (count, length), 1)
    frames = take(b, x, b.ew("add", b.ew("mul", starts, step), offsets), 1)  # [batch, frames, samples, parts]
    if window is not None:
        frames = b.ew("mul", frames, b.reshape(window, (length, 1)))
    return _transformed(b, frames, 2, _matrix(length, x.shape[2], False, bool(n.integer("onesided", 1))))


def col2im(n: Node) -> Val:
    """Blocks added where they overlap: a sum of one spread and padded tensor for each place in a block."""
    b, x = n.b, n[0]
    image, block = n.known_ints(1, "image_shape") or [], n.known_ints(2, "block_shape") or []
    rank = len(block)
    dilations, strides = n.integers("dilations", [1] * rank), n.integers("strides", [1] * rank)
    pads = n.integers("pads", [0] * (2 * rank))
    positions = 1
    for k in block:
        positions *= k
    if not (rank and len(image) == len(dilations) == len(strides) == rank and len(pads) == 2 * rank):
        raise wrong(f"blocks of {block} in an image of {image}")
    if min([*block, *dilations, *strides, *image]) < 1 or min(pads) < 0:
        raise wrong(f"blocks of {block}, dilations {dilations}, strides {strides}, pads {pads}")
    padded = [image[d] + pads[d] + pads[rank + d] for d in range(rank)]
    counts = [(padded[d] - (block[d] - 1) * dilations[d] - 1) // strides[d] + 1 for d in range(rank)]
    blocks = 1
    for c in counts:
        blocks *= max(c, 0)
    if x.rank != 3 or x.shape[1] % positions or x.shape[2] != blocks:
        raise wrong(f"{x.type} for blocks of {block} in an image of {image}")
    if positions > MOST_POSITIONS:
        raise Unsupported(f"blocks of {positions} elements")
    parts = b.reshape(x, (x.shape[0], x.shape[1] // positions, positions, *counts))
    found: Val | None = None
    for number, place in enumerate(product(*map(range, block))):
        part = b.squeeze(b.slice_axis(parts, 2, number, number + 1), [2])
        low = [place[d] * dilations[d] - pads[d] for d in range(rank)]
        spread = [(counts[d] - 1) * strides[d] + 1 for d in range(rank)]
        high = [image[d] - low[d] - spread[d] for d in range(rank)]
        term = b.pad(part, 0, [0, 0, *low], [0, 0, *high], [0, 0, *(s - 1 for s in strides)])
        found = term if found is None else b.ew("add", found, term)
    assert found is not None
    return found


def max_unpool(n: Node) -> Val:
    """Elements put where a MaxPool had found them; zeros elsewhere."""
    b, x, places = n.b, n[0], n[1]
    window = n.integers("kernel_shape")
    rank = len(window)
    strides, pads = n.integers("strides", [1] * rank), n.integers("pads", [0] * (2 * rank))
    if x.rank != rank + 2 or places.shape != x.shape or len(strides) != rank or len(pads) != 2 * rank:
        raise wrong(f"a window of {window} for {x.type} and places {places.type}")
    inner = [(x.shape[d + 2] - 1) * strides[d] - pads[d] - pads[rank + d] + window[d] for d in range(rank)]
    if min(inner) < 0:
        raise wrong(f"a result of {inner}")
    shape = (*x.shape[:2], *inner)
    elements = 1
    for e in shape:
        elements *= e
    flat = scatter_nd(b, b.full(0, x.dtype, (elements,)), b.reshape(places, (-1, 1)), b.reshape(x, (-1,)))
    found = b.reshape(flat, shape)
    wanted = n.known_ints(2, "output_shape")
    if wanted is None:
        return found
    if len(wanted) != x.rank:
        raise wrong(f"`output_shape` is {wanted} for {x.type}")
    return b.pad(found, 0, [0] * x.rank, [w - e for w, e in zip(wanted, shape, strict=True)])


SIGNAL: Mapping[str, Handler] = {"DFT": dft, "STFT": stft, "Col2Im": col2im, "MaxUnpool": max_unpool}
