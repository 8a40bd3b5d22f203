// cuda_on_cpu.h - lets g++ compile a CUDA kernel source, unmodified, for the CPU.
//
// Put before the source by `-include cuda_on_cpu.h`. Every CUDA thread becomes a fiber that the runtime
// (runtime.cpp) schedules; barriers and warp operations are the points where one gives way to another.
// No standard header is included: parsing them would cost more than compiling a kernel.
#pragma once
#define FST_HOST 1

#include "interface.h"

#define __global__ __attribute__((noinline, visibility("hidden")))
#define __device__
#define __host__
#define __constant__ static
#define __managed__ static
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __grid_constant__
#define __align__(n) __attribute__((aligned(n)))

// A static shared array lives in a section of its own, so that the runtime finds all of them, fills them
// with NaN before each block, and the checker watches them.
#define __shared__ static __attribute__((section("fst_shared")))

// The dynamic shared memory; the CUDA twin is in the prelude.
#define FST_SHARED(name) unsigned char* const name = fst_host_shared

#define threadIdx fst_host_thread_idx
#define blockIdx fst_host_block_idx
#define blockDim fst_host_block_dim
#define gridDim fst_host_grid_dim
#define warpSize 32

// The runtime hands every kernel parameter over as an untyped address.
struct FstHostPointer {
    void* address;
    template <class T>
    operator T*() const {
        return static_cast<T*>(address);
    }
};

#include "cuda_math.h"
#include "cuda_memory.h"
#include "cuda_sync.h"
#include "cuda_vectors.h"
