"""The prelude's inline PTX against its CPU twins, bit for bit: conversions to narrow floats and back, max and min."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fstc.build.nvrtc import compile_cubin, prelude
from fstc.device.device import device_names, load_device
from fstc.ir.types import BF16, F8E4M3FN, F8E5M2, F16, DType
from fstc.runtime.cuda_driver import Arguments, Session
from tests.unit.prelude.host_library import Library, build

NARROW = (F16, BF16, F8E4M3FN, F8E5M2)
each = pytest.mark.parametrize("dtype", NARROW, ids=str)
THREADS = 256
Arrays = tuple[Any, ...]

# Per function: its text over elements (pairs go through the two-at-once instructions), elements a thread.
UP, DOWN, PAIR, MAX, MIN = "up", "down", "pair", "larger", "smaller"
BODIES = {
    UP: ("const {s}* x, float* y", "y[i] = fst::up(x[i]);", 1),
    DOWN: ("const float* x, {s}* y", "y[i] = fst::down<{s}>(x[i]);", 1),
    PAIR: (
        "const float* x, {s}* y",
        "fst::store_vec(y + i, fst::down_vec<{s}>(fst::load_vec<2>(x + i)));",
        2,
    ),
    MAX: ("const float* x, const float* z, float* y", "y[i] = fst::op_max(x[i], z[i]);", 1),
    MIN: ("const float* x, const float* z, float* y", "y[i] = fst::op_min(x[i], z[i]);", 1),
}


def host_text(name: str, storage: str) -> str:
    parameters, body, step = BODIES[name]
    loop = f"for (int i = 0; i < n; i += {step})"
    return f"ENTRY {name}({parameters}, int n) {{ {loop} {body} }}\n".replace("{s}", storage)


def device_text(name: str, storage: str, elements: int) -> str:
    parameters, body, step = BODIES[name]
    index = f"const int i = (blockIdx.x * {THREADS} + threadIdx.x) * {step};"
    text = f'extern "C" __global__ void {name}({parameters}) {{\n  {index}\n  if (i < {elements}) {{ {body} }}\n}}\n'
    return '#include "fstc.cuh"\n' + text.replace("{s}", storage)


def floats() -> Any:
    """Sign, exponent and 11 bits of mantissa in full; the rest all the sides of a tie. And random bits."""
    high = np.arange(1 << 20, dtype=np.uint32)[:, None] << np.uint32(12)
    low = np.array([0, 1, 0x7FF, 0x800, 0x801, 0xFFF], np.uint32)
    noise = np.random.default_rng(7).integers(0, 1 << 32, 1 << 20, dtype=np.uint32)
    return np.concatenate([(high | low).reshape(-1), noise]).view(np.float32)


def on_device(session: Session, name: str, storage: str, inputs: Arrays, out: Any) -> Any:
    step = BODIES[name][2]
    text = device_text(name, storage, out.size)
    function = session.load(compile_cubin(text, f"{name}.cu", session.arch, prelude()).cubin, name)
    pointers = [session.allocate(a.nbytes) for a in (*inputs, out)]
    for pointer, array in zip(pointers, inputs, strict=False):
        session.upload(pointer, array)
    blocks = -(-out.size // (THREADS * step))
    session.launch(function, blocks, THREADS, 0, Arguments(pointers))
    got = np.empty_like(out)
    session.download(got, pointers[-1])
    return got


def differing(library: Library, name: str, storage: str, inputs: Arrays, out: Any) -> Any:
    """Where the GPU and the CPU twin give other bits."""
    library.call(name, *inputs, out, out.size)
    with Session() as session:
        got = on_device(session, name, storage, inputs, out)
    bits = f"u{out.itemsize}"
    return np.flatnonzero(got.view(bits) != out.view(bits))[:5]


@pytest.mark.nvrtc
@each
@pytest.mark.parametrize("name", BODIES)
def test_the_kernels_compile(name: str, dtype: DType) -> None:
    for arch in sorted({load_device(d).arch for d in device_names()} & {"sm_80", "sm_90", "sm_100"}):
        compile_cubin(device_text(name, dtype.storage, 1000), f"{name}.cu", arch, prelude())


@pytest.mark.gpu
@each
@pytest.mark.parametrize("name", [DOWN, PAIR])
def test_floats_round_alike(name: str, dtype: DType, tmp_path: Any) -> None:
    x = floats()
    library = build(tmp_path, host_text(name, dtype.storage))
    at = differing(library, name, dtype.storage, (x,), np.zeros(x.shape, dtype.numpy()))
    assert not at.size, [hex(v) for v in x[at].view(np.uint32)]


@pytest.mark.gpu
@each
def test_every_value_goes_up_alike(dtype: DType, tmp_path: Any) -> None:
    x = np.arange(1 << 8 * dtype.size, dtype=f"u{dtype.size}").view(dtype.numpy())
    y = np.zeros(x.shape, np.float32)
    library = build(tmp_path, host_text(UP, dtype.storage))
    library.call(UP, x, y, x.size)
    with Session() as session:
        got = on_device(session, UP, dtype.storage, (x,), y)
    # a NaN's payload is nobody's business once it is wide
    assert ((got.view(np.uint32) == y.view(np.uint32)) | (np.isnan(got) & np.isnan(y))).all()


@pytest.mark.gpu
@pytest.mark.parametrize("name", [MAX, MIN])
def test_extremes_are_alike(name: str, tmp_path: Any) -> None:
    x = floats()[::7].copy()
    special = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-45, -1e-45], np.float32)
    x = np.concatenate([x, np.repeat(special, special.size)])
    z = np.concatenate([np.roll(x[: -(special.size**2)], 12345), np.tile(special, special.size)])
    y = np.zeros_like(x)
    library = build(tmp_path, host_text(name, "float"))
    library.call(name, x, z, y, x.size)
    with Session() as session:
        got = on_device(session, name, "float", (x, z), y)
    assert ((got.view(np.uint32) == y.view(np.uint32)) | (np.isnan(got) & np.isnan(y))).all()
