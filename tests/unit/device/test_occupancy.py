"""The occupancy calculation against NVIDIA's own header, compiled here with the C++ compiler."""

from __future__ import annotations

import ctypes
import shutil
import subprocess

import pytest
from cuda.pathfinder import find_nvidia_header_directory

from fstc.device.device import Device, device_names, load_device
from fstc.device.occupancy import blocks_per_sm

NAMES = device_names()

ORACLE = r"""
#include <cstddef>
#include <cstdint>
#include "cuda_occupancy.h"

// device: major, minor, threads/block, threads/SM, registers/block, registers/SM, shared/SM, shared/block, reserve, SMs
extern "C" int blocks(const int64_t* device, int threads, int registers, int64_t shared, unsigned* limiters) {
    cudaOccDeviceProp p;
    p.computeMajor = (int)device[0];
    p.computeMinor = (int)device[1];
    p.maxThreadsPerBlock = (int)device[2];
    p.maxThreadsPerMultiprocessor = (int)device[3];
    p.regsPerBlock = (int)device[4];
    p.regsPerMultiprocessor = (int)device[5];
    p.warpSize = 32;
    p.sharedMemPerBlock = 49152;
    p.sharedMemPerMultiprocessor = (size_t)device[6];
    p.sharedMemPerBlockOptin = (size_t)device[7];
    p.reservedSharedMemPerBlock = (size_t)device[8];
    p.numSms = (int)device[9];
    cudaOccFuncAttributes f;
    f.maxThreadsPerBlock = 1024;
    f.numRegs = registers;
    f.sharedSizeBytes = 0;
    f.partitionedGCConfig = PARTITIONED_GC_OFF;
    f.shmemLimitConfig = FUNC_SHMEM_LIMIT_OPTIN;
    f.maxDynamicSharedSizeBytes = (size_t)shared;
    f.numBlockBarriers = 1;
    cudaOccDeviceState state;
    cudaOccResult result;
    if (cudaOccMaxActiveBlocksPerMultiprocessor(&result, &p, &f, &state, threads, (size_t)shared)) return -1;
    *limiters = result.limitingFactors;
    return result.activeBlocksPerMultiprocessor;
}
"""

FLAGS = {"threads": 0x01, "registers": 0x02, "shared": 0x04, "blocks": 0x08}


@pytest.fixture(scope="session")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    include = find_nvidia_header_directory("cudart")
    compiler = shutil.which("g++") or shutil.which("c++")
    assert include and compiler, "this test needs the nvidia-cuda-runtime wheel and a C++ compiler"
    folder = tmp_path_factory.mktemp("occupancy")
    (folder / "oracle.cpp").write_text(ORACLE)
    subprocess.run(
        [compiler, "-O1", "-shared", "-fPIC", "-I", include, "-o", folder / "oracle.so", folder / "oracle.cpp"],
        check=True,
    )
    library = ctypes.CDLL(str(folder / "oracle.so"))
    library.blocks.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_void_p]
    return library


def properties(device: Device) -> ctypes.Array[ctypes.c_int64]:
    fields = (
        *device.compute_capability,
        device.max_threads_per_block,
        device.max_threads_per_sm,
        device.registers_per_block,
        device.registers_per_sm,
        device.shared_per_sm,
        device.shared_per_block_max,
        device.shared_reserved,
        device.sms,
    )
    return (ctypes.c_int64 * len(fields))(*fields)


def grid(device: Device) -> list[tuple[int, int, int]]:
    """Every edge of every unit: threads round to warps, registers to 8, shared memory to 128 or 256."""
    threads = [1, 31, 32, 33, 64, 96, 128, 160, 224, 256, 288, 384, 512, 544, 640, 768, 800, 1023, 1024, 1025]
    registers = [0, 1, 8, 16, 24, 25, 31, 32, 33, 40, 41, 48, 56, 63, 64, 65, 72, 80, 96, 128, 129, 168, 200, 254, 255]
    top = device.shared_per_block_max
    shared = [0, 1, 127, 128, 129, 1000, 1024, 4096, 6272, 8192, 10240, 16384, 24576, 32768, 37000, 48127, 48128, 48129]
    shared += [49151, 49152, 49153, 65536, 75000, 81920, 98304, top // 3, top // 2, top - 128, top - 1, top, top + 1]
    return [(t, r, s) for t in threads for r in registers for s in shared if s <= device.shared_per_sm]


@pytest.mark.parametrize("name", NAMES)
def test_agrees_with_the_header(name: str, oracle: ctypes.CDLL) -> None:
    device = load_device(name)
    props, limiters = properties(device), ctypes.c_uint()
    wrong = []
    for threads, registers, shared in grid(device):
        expected = oracle.blocks(props, threads, registers, shared, ctypes.byref(limiters))
        blocks, limiter = blocks_per_sm(device, threads, registers, shared)
        if blocks != expected or not limiters.value & FLAGS[limiter]:
            wrong.append((threads, registers, shared, blocks, limiter, expected, limiters.value))
    assert not wrong, wrong[:5]


def test_full_occupancy_names_the_threads() -> None:
    h200 = load_device("h200")
    assert blocks_per_sm(h200, 256, 32, 0) == (8, "threads")
    assert blocks_per_sm(h200, 256, 40, 0) == (6, "registers")
    assert blocks_per_sm(h200, 32, 32, 0) == (32, "blocks")
    assert blocks_per_sm(h200, 256, 32, 100_000) == (2, "shared")
    assert blocks_per_sm(h200, 256, 32, 232_449) == (0, "shared")
