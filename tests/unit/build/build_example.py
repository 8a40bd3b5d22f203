"""Hand-written kernels and the codegen artefact around them."""

from __future__ import annotations

from fstc.build.run import DeviceBuild
from fstc.codegen.artefact import Codegen, KernelCode, Origin, Param, Step
from fstc.device.device import load_device
from fstc.plan import artefact as plan
from fstc.plan.artefact import Plan
from fstc.support.artefact import encode
from fstc.support.files import sha256

HEADERS = {"fstc.cuh": '#pragma once\n#include "inner/scale.cuh"\n', "inner/scale.cuh": "#define FST_SCALE 2.0f\n"}
PARAMETERS = "const float* __restrict__ p0, float* __restrict__ q0"


def scale_source(symbol: str, factor: float = 1.0) -> str:
    return (
        '#include "fstc.cuh"\n'
        f'extern "C" __global__ void __launch_bounds__(256) {symbol}({PARAMETERS})\n'
        "{\n"
        "    unsigned i = blockIdx.x * 256u + threadIdx.x;\n"
        f"    if (i < 1000u) q0[i] = p0[i] * FST_SCALE + {factor!r}f;  // %y = mul\n"
        "}\n"
    )


def spilling_source(symbol: str) -> str:
    """96 live values in 1,024 threads and 2 blocks: 32 registers a thread."""
    return (
        f'extern "C" __global__ void __launch_bounds__(1024, 2) {symbol}({PARAMETERS})\n'
        "{\n"
        "    float v[96];\n"
        "    #pragma unroll\n"
        "    for (int j = 0; j < 96; ++j) v[j] = p0[threadIdx.x + 1024 * j];\n"
        "    __syncthreads();\n"
        "    float s = 0.0f;\n"
        "    #pragma unroll\n"
        "    for (int j = 0; j < 96; ++j) s = s * v[95 - j] + v[j];\n"
        "    #pragma unroll\n"
        "    for (int j = 0; j < 96; ++j) q0[threadIdx.x + 1024 * j] = s * v[j];\n"
        "}\n"
    )


def kernel(symbol: str, source: str, *, block: int = 256, min_blocks: int = 0, shared: int = 0) -> KernelCode:
    return KernelCode(
        symbol=symbol,
        name=symbol,
        file=f"kernels/{symbol}.cu",
        digest=sha256(source.encode()),
        grid=4,
        block=block,
        shared=shared,
        min_blocks=min_blocks,
        params=(Param("read", "f32", 1000), Param("write", "f32", 1000)),
        origins=(Origin(5, "%y = mul"),),
    )


def plan_of(device: str, kernels: tuple[KernelCode, ...], registers: int, blocks_per_sm: int) -> Plan:
    """A plan of the same launches, one region a kernel."""
    planned = [
        plan.Kernel(
            name=k.name, parts=(), threads=k.block, shared=k.shared, registers=registers, blocks_per_sm=blocks_per_sm,
            occupancy=1.0, scheme="thread", bytes=0, bytes_min=0, l2_bytes=0, predicted_us=1.0, bound="memory",
            min_blocks=k.min_blocks, terms={},
        )
        for k in kernels
    ]  # fmt: skip
    return Plan(
        device=device,
        strategy="stitch",
        policy="strict",
        index_bits=32,
        summary=plan.Summary(
            ops=1,
            kernels=len(kernels),
            library_calls=0,
            bytes=0,
            bytes_min=0,
            bytes_unfused=0,
            l2_bytes=0,
            predicted_us=1.0,
        ),
        regions=tuple(plan.RegionPlan(hash=k.name, text=(), rewrites=(), kernels=(k,), decisions=()) for k in planned),
        steps=tuple(plan.Step(kind="kernel", region=i, kernel=0) for i in range(len(kernels))),
        scratch=(),
    )


def device_build(
    name: str,
    sources: dict[str, str],
    kernels: tuple[KernelCode, ...] = (),
    *,
    registers: int = 32,
    blocks_per_sm: int = 1,
) -> DeviceBuild:
    """A chain of the kernels, value 0 in, one value more a kernel."""
    found = kernels or tuple(kernel(symbol, text) for symbol, text in sources.items())
    steps = tuple(Step(kind="kernel", kernel=i, reads=(i,), writes=(i + 1,)) for i in range(len(found)))
    code = Codegen(device=name, kernels=found, steps=steps, scratch=())
    files = {f"kernels/{symbol}.cu": text for symbol, text in sources.items()}
    planned = plan_of(name, found, registers, blocks_per_sm)
    return DeviceBuild(load_device(name), encode(planned, device=name), encode(code, device=name), files)
