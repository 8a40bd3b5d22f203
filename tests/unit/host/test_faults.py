"""Mutants of correct kernels: the checker names each bug's kind, line, thread and buffer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from fstc.build.host import HostKernel, HostLibrary
from fstc.build.host_fault import Fault
from tests.unit.host.conftest import LAUNCHES, Build, kernel, line_of

NAMES = {
    "rowsum": ["x", "y"],
    "ticket": ["x", "partial", "done", "y"],
    "transpose": ["x", "y"],
    "stream": ["x", "wide", "y"],
    "warps": ["x", "y"],
    "atomics": ["words", "sum"],
}


@dataclass(frozen=True)
class Mutant:
    """An edit of a kernel and what must be said of it; None leaves a field open."""

    name: str
    symbol: str
    old: str
    new: str
    kind: str
    mark: str
    thread: int | None = None
    buffer: str = ""
    element: int | None = None
    other: int | None = None
    block: int | None = 0

    @property
    def code(self) -> HostKernel:
        return kernel(self.symbol, (self.old, self.new), name=self.name)


MUTANTS = (
    Mutant("no_barrier_after_write", "rowsum", "__syncthreads();  // @after-put", "// @after-put", "race", "put",
           thread=0, buffer="shared memory", element=0, other=31),
    Mutant("no_barrier_before_reuse", "rowsum", "__syncthreads();  // @before-reuse", "// @before-reuse", "race", "put",
           thread=0, buffer="shared memory", element=0),
    Mutant("barrier_left_out_by_a_warp", "rowsum", "__syncthreads();  // @after-put",
           "if (t >= 32) __syncthreads();  // @after-put", "race", "put", thread=0, buffer="shared memory", element=0),
    Mutant("tile_without_barrier", "transpose", "__syncthreads();  // @after-fill", "// @after-fill", "race", "fill",
           buffer="shared memory"),
    Mutant("fill_past_the_input", "transpose", "x[(down + r) * 64", "x[(down + r + 1) * 64", "out-of-bounds", "fill",
           thread=224, buffer="x", element=4096, block=2),
    Mutant("store_past_the_output", "rowsum", "y[blockIdx.x * 2 + pass]", "y[blockIdx.x * 2 + pass + 1]",
           "out-of-bounds", "store", thread=0, buffer="y", element=6, block=2),
    Mutant("load_before_the_input", "rowsum", "x[blockIdx.x * 1000 + i]", "x[int(blockIdx.x * 1000) + i - 1]",
           "out-of-bounds", "load", thread=0, buffer="x", element=-1),
    Mutant("past_the_shared_memory", "rowsum", "partial[t / 32] =", "partial[t / 32 + 1] =", "out-of-bounds",
           "put", thread=224, buffer="shared memory", element=32),
    Mutant("shared_word_that_nobody_wrote", "rowsum", "if (t % 32 == 0)", "if (t % 32 == 0 && t < 224)",
           "uninitialised", "take", thread=0, buffer="shared memory", element=28),
    Mutant("output_read_back", "transpose", "y[(across + r) * 64 + down + column] =",
           "y[(across + r) * 64 + down + column] +=", "uninitialised", "drain", thread=0, buffer="y", element=0),
    Mutant("misaligned_vector", "stream", "SHIFT 4", "SHIFT 3", "misaligned", "vector", thread=0, buffer="wide",
           element=3),
    Mutant("one_block_writes_anothers_word", "stream", "y[i] =", "y[i / 2] =", "race", "store", thread=1, buffer="y",
           element=0, other=0),
    Mutant("all_blocks_write_one_word", "stream", "y[i] =", "y[threadIdx.x] =", "race", "store", thread=0, buffer="y",
           element=0, other=0, block=1),
    Mutant("no_release_fence", "ticket", "__threadfence();  // @release", "// @release", "race", "finish", thread=0,
           buffer="partial", element=0, other=0, block=4),
    Mutant("no_acquire_fence", "ticket", "__threadfence();  // @acquire", "// @acquire", "race", "finish", thread=0,
           buffer="partial", element=0, other=0, block=4),
    Mutant("ticket_before_the_barrier", "ticket", "__syncthreads();\n    if (t == 0) {", "if (t == 0) {", "race",
           "finish", thread=1, buffer="partial", element=1, other=1, block=4),
    Mutant("ticket_without_atomic", "ticket", "atomicAdd(done, 1u)", "(*done)++", "race", "ticket", thread=0,
           buffer="done", element=0, block=1),
    Mutant("mask_without_lane_0", "warps", "__reduce_add_sync(0xffffffffu", "__reduce_add_sync(0xfffffffeu", "bad-mask",
           "", thread=0),
    Mutant("shuffle_from_outside_the_mask", "warps", "__shfl_sync(0xffffffffu, neighbour, 31)",
           "(lane < 16 ? __shfl_sync(0xffffu, neighbour, 31) : 0)", "bad-mask", "", thread=0),
    Mutant("no_syncwarp_after_write", "warps", "__syncwarp();  // @after-put", "// @after-put", "race", "put", thread=1,
           buffer="shared memory", element=4, other=0),
    Mutant("no_syncwarp_before_reuse", "warps", "__syncwarp();  // @before-reuse", "// @before-reuse", "race", "reuse",
           buffer="shared memory"),
    Mutant("static_shared_not_written", "warps", "if (lane == 0) sums", "if (threadIdx.x == 0) sums", "uninitialised",
           "whole", buffer="static shared memory"),
    Mutant("plain_store_beside_atomics", "atomics", "atomicAdd(&words[0], 1);", "words[0] = 1;  // @plain", "race",
           "plain", thread=1, buffer="words", element=0, other=0),
)  # fmt: skip


def buffers(symbol: str) -> list[np.ndarray[Any, Any]]:
    f32 = np.float32
    made: dict[str, list[np.ndarray[Any, Any]]] = {
        "rowsum": [np.ones((3, 1000), f32), np.empty((3, 2), f32)],
        "ticket": [np.ones(5 * 256, f32), np.empty(5 * 64, f32), np.zeros(1, np.uint32), np.empty(64, f32)],
        "transpose": [np.ones((64, 64), f32), np.empty((64, 64), f32)],
        "stream": [np.ones(512, f32), np.ones(2052, f32), np.empty(512, f32)],
        "warps": [np.ones(128, np.int32), np.empty(1024, np.int32)],
        "atomics": [np.zeros(9, np.int32), np.zeros(1, f32)],
    }
    return made[symbol]


def fault_of(library: HostLibrary, name: str, symbol: str, order: str = "warp-forward") -> Fault | None:
    written = {"y", "partial"}
    names = NAMES[symbol]
    return library.check(name, buffers(symbol), names, [n not in written for n in names], order=order).fault


@pytest.fixture(scope="module")
def mutants(build: Build) -> HostLibrary:
    return build([m.code for m in MUTANTS], checked=True)


@pytest.mark.parametrize("symbol", LAUNCHES)
@pytest.mark.parametrize("order", ["forward", "warp-reverse"])
def test_correct_kernels_have_no_fault(checked: HostLibrary, symbol: str, order: str) -> None:
    assert fault_of(checked, symbol, symbol, order) is None


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.name)
def test_mutants_are_caught(mutants: HostLibrary, mutant: Mutant) -> None:
    fault = fault_of(mutants, mutant.name, mutant.symbol)
    assert fault is not None, "not caught"
    assert fault.kind == mutant.kind and fault.kernel == mutant.name, str(fault)
    if mutant.mark:
        assert fault.line == line_of(mutant.code, mutant.mark), str(fault)
    assert fault.line > 0 and fault.buffer == mutant.buffer, str(fault)
    for wanted, found in (
        (mutant.thread, fault.thread),
        (mutant.element, fault.element),
        (mutant.other, fault.other_thread),
        (mutant.block, fault.block),
    ):
        assert wanted is None or wanted == found, str(fault)
