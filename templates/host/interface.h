// interface.h - the border between kernels and the runtime that plays the GPU.
//
// Kernels see the coordinates as constants (FST_HOST_STATE is const): a CUDA thread's coordinates never
// change during its life, the compiler may keep them in registers across barriers, and the checker's
// instrumentation leaves reads of constants alone. The runtime, another translation unit, writes them
// whenever it resumes a thread.
#pragma once

#ifndef FST_HOST_STATE
#define FST_HOST_STATE const
#endif
#define FST_HOST_HIDDEN __attribute__((visibility("hidden")))

struct uint3 {
    unsigned x, y, z;
};
struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};

enum FstWarpOp : unsigned {
    FST_WARP_SYNC,
    FST_WARP_SHFL,
    FST_WARP_SHFL_UP,
    FST_WARP_SHFL_DOWN,
    FST_WARP_SHFL_XOR,
    FST_WARP_BALLOT,
    FST_WARP_ADD,
    FST_WARP_MIN,
    FST_WARP_MAX,
    FST_WARP_AND,
    FST_WARP_OR,
    FST_WARP_XOR,
};

enum FstFence : unsigned { FST_FENCE_BLOCK, FST_FENCE_DEVICE };

extern "C" {
extern FST_HOST_STATE uint3 fst_host_thread_idx FST_HOST_HIDDEN;
extern FST_HOST_STATE uint3 fst_host_block_idx FST_HOST_HIDDEN;
extern FST_HOST_STATE dim3 fst_host_block_dim FST_HOST_HIDDEN;
extern FST_HOST_STATE dim3 fst_host_grid_dim FST_HOST_HIDDEN;
extern unsigned char* FST_HOST_STATE fst_host_shared FST_HOST_HIDDEN;  // dynamic shared memory of the block

// Waits for the block; returns how many threads brought a non-zero predicate. file and line name the
// call in the source, so that one barrier that the compiler duplicated is still one barrier.
int fst_host_barrier(int predicate, const char* file, unsigned line) FST_HOST_HIDDEN;

// Waits for the lanes of mask that have not exited; returns the lane's result.
unsigned long fst_host_warp(unsigned op, unsigned mask, unsigned long value, unsigned operand,
                            unsigned width) FST_HOST_HIDDEN;
void fst_host_trap() FST_HOST_HIDDEN;

#ifdef FST_HOST_CHECKED
void fst_host_fence(unsigned scope) FST_HOST_HIDDEN;
void fst_host_atomic(void* p, unsigned bytes) FST_HOST_HIDDEN;  // before a read-modify-write
// One vector access: reported once, then copied without instrumentation.
void fst_host_load(void* value, const void* p, unsigned bytes) FST_HOST_HIDDEN;
void fst_host_store(void* p, const void* value, unsigned bytes) FST_HOST_HIDDEN;
#endif
}

#ifndef FST_HOST_CHECKED
static inline void fst_host_fence(unsigned) {}
static inline void fst_host_atomic(void*, unsigned) {}
static inline __attribute__((always_inline)) void fst_host_load(void* value, const void* p, unsigned bytes) {
    __builtin_memcpy(value, p, bytes);
}
static inline __attribute__((always_inline)) void fst_host_store(void* p, const void* value, unsigned bytes) {
    __builtin_memcpy(p, value, bytes);
}
#endif
