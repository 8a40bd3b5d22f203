// cuda_sync.h - barriers, fences and warp collectives.
//
// The operands of a warp collective travel as 64 bits; any trivially copyable type of at most 8 bytes fits.
#pragma once

template <class T>
__forceinline__ unsigned long fst_host_pack(T value) {
    static_assert(sizeof(T) <= 8, "a warp collective moves at most 8 bytes");
    unsigned long bits = 0;
    __builtin_memcpy(&bits, &value, sizeof(T));
    return bits;
}

template <class T>
__forceinline__ T fst_host_unpack(unsigned long bits) {
    T value;
    __builtin_memcpy(&value, &bits, sizeof(T));
    return value;
}

// ---- the block. The defaults are evaluated where the barrier is written.
__forceinline__ void __syncthreads(const char* file = __builtin_FILE(), unsigned line = __builtin_LINE()) {
    fst_host_barrier(0, file, line);
}
__forceinline__ int __syncthreads_count(int p, const char* file = __builtin_FILE(),
                                        unsigned line = __builtin_LINE()) {
    return fst_host_barrier(p != 0, file, line);
}
__forceinline__ int __syncthreads_or(int p, const char* file = __builtin_FILE(),
                                     unsigned line = __builtin_LINE()) {
    return fst_host_barrier(p != 0, file, line) != 0;
}
__forceinline__ int __syncthreads_and(int p, const char* file = __builtin_FILE(),
                                      unsigned line = __builtin_LINE()) {
    return fst_host_barrier(p == 0, file, line) == 0;
}

// ---- fences. Fibers of one process need none; the checker records them.
__forceinline__ void __threadfence_block() { fst_host_fence(FST_FENCE_BLOCK); }
__forceinline__ void __threadfence() { fst_host_fence(FST_FENCE_DEVICE); }
__forceinline__ void __threadfence_system() { fst_host_fence(FST_FENCE_DEVICE); }

// ---- the warp
__forceinline__ void __syncwarp(unsigned mask = 0xffffffffu) { fst_host_warp(FST_WARP_SYNC, mask, 0, 0, 32); }

// Hardware may run a warp's lanes apart at any time, so "only this lane" is always a true answer.
__forceinline__ unsigned __activemask() { return 1u << (threadIdx.x & 31u); }

template <class T>
__forceinline__ T __shfl_sync(unsigned mask, T value, int lane, int width = 32) {
    return fst_host_unpack<T>(
        fst_host_warp(FST_WARP_SHFL, mask, fst_host_pack(value), unsigned(lane), unsigned(width)));
}
template <class T>
__forceinline__ T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32) {
    return fst_host_unpack<T>(fst_host_warp(FST_WARP_SHFL_UP, mask, fst_host_pack(value), delta, unsigned(width)));
}
template <class T>
__forceinline__ T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32) {
    return fst_host_unpack<T>(fst_host_warp(FST_WARP_SHFL_DOWN, mask, fst_host_pack(value), delta, unsigned(width)));
}
template <class T>
__forceinline__ T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32) {
    return fst_host_unpack<T>(
        fst_host_warp(FST_WARP_SHFL_XOR, mask, fst_host_pack(value), unsigned(lanes), unsigned(width)));
}

__forceinline__ unsigned __ballot_sync(unsigned mask, int p) {
    return unsigned(fst_host_warp(FST_WARP_BALLOT, mask, p != 0, 0, 32));
}
__forceinline__ int __any_sync(unsigned mask, int p) { return __ballot_sync(mask, p) != 0; }
__forceinline__ int __all_sync(unsigned mask, int p) { return __ballot_sync(mask, !p) == 0; }

__forceinline__ unsigned __reduce_add_sync(unsigned mask, unsigned v) {
    return unsigned(fst_host_warp(FST_WARP_ADD, mask, v, 0, 32));
}
__forceinline__ int __reduce_add_sync(unsigned mask, int v) {
    return int(fst_host_warp(FST_WARP_ADD, mask, unsigned(v), 0, 32));
}
// The runtime compares unsigned; flipping the sign bit maps the order of int onto it.
__forceinline__ unsigned __reduce_min_sync(unsigned mask, unsigned v) {
    return unsigned(fst_host_warp(FST_WARP_MIN, mask, v, 0, 32));
}
__forceinline__ int __reduce_min_sync(unsigned mask, int v) {
    return int(__reduce_min_sync(mask, unsigned(v) ^ 0x80000000u) ^ 0x80000000u);
}
__forceinline__ unsigned __reduce_max_sync(unsigned mask, unsigned v) {
    return unsigned(fst_host_warp(FST_WARP_MAX, mask, v, 0, 32));
}
__forceinline__ int __reduce_max_sync(unsigned mask, int v) {
    return int(__reduce_max_sync(mask, unsigned(v) ^ 0x80000000u) ^ 0x80000000u);
}
__forceinline__ unsigned __reduce_and_sync(unsigned mask, unsigned v) {
    return unsigned(fst_host_warp(FST_WARP_AND, mask, v, 0, 32));
}
__forceinline__ unsigned __reduce_or_sync(unsigned mask, unsigned v) {
    return unsigned(fst_host_warp(FST_WARP_OR, mask, v, 0, 32));
}
__forceinline__ unsigned __reduce_xor_sync(unsigned mask, unsigned v) {
    return unsigned(fst_host_warp(FST_WARP_XOR, mask, v, 0, 32));
}

__forceinline__ void __nanosleep(unsigned) {}
__forceinline__ void __trap() { fst_host_trap(); }
