"""What the checker takes for ordered: small kernels, each with the fault that must, or must not, be found.

All have 3 blocks of 64 threads, 256 words of shared memory ``s``, an int output ``p`` of 256 words that starts as
zeros, and the thread number ``t``, block number ``b``, lane ``l`` and warp ``w``.
"""

from __future__ import annotations

import numpy as np
import pytest

from fstc.build.host import HostKernel, HostLibrary
from tests.unit.host.conftest import Build

HEAD = "const int t = threadIdx.x, b = blockIdx.x, l = t % 32, w = t / 32; FST_SHARED(a); int* s = (int*)a; s[t] = 0;"
TICKET = "last = atomicAdd(&p[0], 1) == 2"

FINE = {
    "own_word_again": "s[t] = 1; s[t] += s[t]; p[64 + b * 64 + t] = s[t];",
    "all_read_then_one_writes": "__syncthreads(); p[64 + b * 64 + t] = s[5]; __syncthreads(); if (t == 9) s[5] = 1;",
    "warp_reads_then_a_lane_writes": """
        __syncwarp(); p[64 + b * 64 + t] = s[w * 32]; __syncwarp(); if (l == 7) s[w * 32] = 1;""",
    "half_a_warp_meets": "if (l < 16) { s[t] = 1; __syncwarp(0xffff); s[w * 32 + 15 - l] = 2; }",
    "many_epochs": "for (int i = 0; i < 300; ++i) { s[(t + i) % 64] = i; __syncthreads(); }",
    "many_warp_epochs": "for (int i = 0; i < 300; ++i) { s[w * 32 + (l + i) % 32] = i; __syncwarp(); }",
    "atomics_on_shared": """
        if (t == 0) s[200] = 0; __syncthreads(); atomicAdd(&s[200], 1); __syncthreads(); s[t] = s[200];""",
    "blocks_read_alike": "s[t] = p[7];",
    "all_fence_before_the_barrier": """
        p[64 + b * 64 + t] = 1; __threadfence(); __syncthreads(); bool last = false;
        if (t == 0) s[128] = (TICKET); __syncthreads(); __threadfence(); if (s[128]) s[t] = p[64 + (t + 1) % 64];""",
    "a_warp_takes_the_ticket": """
        if (w == 0) { bool last = false; p[64 + b * 32 + l] = 1; __syncwarp();
        if (l == 0) { __threadfence(); TICKET; __threadfence(); }
        if (__shfl_sync(~0u, last, 0)) { __syncwarp(); s[t] = p[64 + 31 - l]; } }""",
    "release_passes_through_a_middle_block": """
        if (t == 0) { if (b == 0) { p[9] = 1; __threadfence(); atomicAdd(&p[0], 1); }
        if (b == 1 && atomicAdd(&p[0], 1) == 1) { __threadfence(); atomicAdd(&p[1], 1); }
        if (b == 2 && atomicAdd(&p[1], 1) == 1) { __threadfence(); s[0] = p[9]; } }""",
    "the_last_block_overwrites_what_all_read": """
        bool last = false; s[t] = p[7]; __syncthreads();
        if (t == 0) { __threadfence(); TICKET; __threadfence(); if (last) p[7] = 1; }""",
    "static_and_dynamic": "__shared__ float f[64]; f[t] = 1; __syncthreads(); s[t] = int(f[63 - t]);",
    "bytes_of_one_word": "((unsigned char*)s)[512 + t] = 1; __syncthreads(); s[t] = ((unsigned char*)s)[512 + 63 - t];",
}

RACES = {
    "two_threads_one_word": "s[t / 2] = 1;",
    "one_reads_what_another_writes": "__syncthreads(); if (t == 40) s[3] = 1; if (t == 3) p[9] = s[3];",
    "shuffles_order_nothing": "s[t] = t; __shfl_sync(~0u, t, 0); p[64 + t] = s[t ^ 1];",
    "syncwarp_does_not_reach_the_other_warp": "s[t] = t; __syncwarp(); s[t ^ 32] = 1;",
    "syncwarp_of_the_other_half": "s[t] = t; __syncwarp(l < 16 ? 0xffffu : 0xffff0000u); s[t ^ 16] = 1;",
    "all_read_and_one_writes": "__syncthreads(); p[64 + b * 64 + t] = s[5]; if (t == 63) s[5] = 1;",
    "warp_reads_and_a_lane_writes": "__syncwarp(); p[64 + b * 64 + t] = s[w * 32]; if (l == 31) s[w * 32] = 1;",
    "neighbouring_bytes_are_apart_but_the_same_are_not": "((unsigned char*)s)[512 + t / 2] = 1;",
    "atomic_and_plain": "__syncthreads(); if (t == 0) s[9] = 1; else atomicAdd(&s[9], 1);",
    "blocks_write_alike": "p[7] = 1;",
    "one_block_reads_anothers": "if (t == 0) { if (b == 1) s[0] = p[64]; if (b == 0) p[64] = 1; }",
    "several_read_then_one_writes": "s[t] = p[7]; if (b == 2 && t == 0) p[7] = 1;",
    "atomic_without_fences": "p[64 + b] = 1; if (t == 0 && atomicAdd(&p[0], 1) == 2) s[0] = p[65];",
    "fence_of_the_block_only": """
        if (t == 0) { bool last = false; p[64 + b] = 1; __threadfence_block(); TICKET; __threadfence_block();
        if (last) s[0] = p[65]; }""",
    "fence_before_the_write": """
        if (t == 0) { bool last = false; __threadfence(); p[64 + b] = 1; TICKET; __threadfence();
        if (last) s[0] = p[65]; }""",
    "fence_by_another_thread": """
        bool last = false; if (t == 1) p[64 + b] = 1;
        if (t == 0) { __threadfence(); TICKET; __threadfence(); if (last) s[0] = p[65]; }""",
    "another_ticket": """
        if (t == 0) { p[64 + b] = 1; __threadfence(); bool last = atomicAdd(&p[b], 1) == 0; __threadfence();
        if (last) s[0] = p[65 - b % 2]; }""",
}  # fmt: skip


def small(name: str, body: str) -> HostKernel:
    text = body.replace("TICKET", TICKET)
    return HostKernel(name, f'extern "C" __global__ void {name}(int* p) {{ {HEAD}\n{text} }}\n', 3, 64, 1024, 1)


@pytest.fixture(scope="module")
def kernels(build: Build) -> HostLibrary:
    return build([small(name, body) for name, body in (FINE | RACES).items()], checked=True)


@pytest.mark.parametrize("order", ["forward", "warp-reverse"])
@pytest.mark.parametrize("name", FINE)
def test_ordered(kernels: HostLibrary, name: str, order: str) -> None:
    fault = kernels.check(name, [np.zeros(256, np.int32)], ["p"], [True], order=order).fault
    assert fault is None, str(fault)


@pytest.mark.parametrize("order", ["forward", "reverse", "warp-forward", "warp-reverse"])
@pytest.mark.parametrize("name", RACES)
def test_races(kernels: HostLibrary, name: str, order: str) -> None:
    fault = kernels.check(name, [np.zeros(256, np.int32)], ["p"], [True], order=order).fault
    assert fault is not None and fault.kind == "race", str(fault)
