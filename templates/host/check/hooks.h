// hooks.h - the entrances to the checker: what the scheduler reports, what the compiler calls before each
// access, and what Python asks.
#pragma once

#include "checker.h"

namespace fst_host {

void observe_launch() {
    if (checker.active()) checker.begin_launch();
}
void observe_block() {
    if (checker.active()) checker.begin_block();
}
void observe_block_end() {
    if (checker.active()) checker.end_block();
}
void observe_launch_end() {
    if (checker.active()) checker.end_launch();
}
void observe_barrier() {
    if (checker.active()) checker.barrier();
}
void observe_warp(const Fiber* warp, unsigned lanes, unsigned op) {
    if (checker.active()) checker.warp_meets(warp->index, lanes, op == FST_WARP_SYNC);
}
unsigned char* place_shared(size_t bytes) {
    return checker.active() ? checker.shared_memory() : place_plain_shared(bytes);
}

// A struct copy of any size, in pieces that are aligned where the whole is.
static void access_range(void* address, size_t bytes, bool write, uintptr_t pc) {
    auto at = reinterpret_cast<uintptr_t>(address);
    while (bytes) {
        size_t piece = 16;
        while (piece > bytes || (at % piece && piece > 1)) piece /= 2;
        checker.access(reinterpret_cast<void*>(at), unsigned(piece), write, false, pc);
        at += piece;
        bytes -= piece;
    }
}

}  // namespace fst_host

#define FST_HERE reinterpret_cast<uintptr_t>(__builtin_return_address(0))

void fst_host_fence(unsigned scope) { fst_host::checker.fence(scope); }
void fst_host_atomic(void* p, unsigned bytes) { fst_host::checker.access(p, bytes, true, true, FST_HERE); }
void fst_host_load(void* value, const void* p, unsigned bytes) {
    fst_host::checker.access(p, bytes, false, false, FST_HERE);
    memcpy(value, p, bytes);
}
void fst_host_store(void* p, const void* value, unsigned bytes) {
    fst_host::checker.access(p, bytes, true, false, FST_HERE);
    memcpy(p, value, bytes);
}

extern "C" {
#define FST_TSAN(bytes)                                                                                         \
    FST_HOST_HIDDEN void __tsan_read##bytes(void* p) { fst_host::checker.access(p, bytes, false, false, FST_HERE); } \
    FST_HOST_HIDDEN void __tsan_write##bytes(void* p) { fst_host::checker.access(p, bytes, true, false, FST_HERE); } \
    FST_HOST_HIDDEN void __tsan_unaligned_read##bytes(void* p) {                                                \
        fst_host::checker.access(p, bytes, false, false, FST_HERE);                                             \
    }                                                                                                           \
    FST_HOST_HIDDEN void __tsan_unaligned_write##bytes(void* p) {                                               \
        fst_host::checker.access(p, bytes, true, false, FST_HERE);                                              \
    }
FST_TSAN(1) FST_TSAN(2) FST_TSAN(4) FST_TSAN(8) FST_TSAN(16)
#undef FST_TSAN
FST_HOST_HIDDEN void __tsan_read_range(void* p, unsigned long n) { fst_host::access_range(p, n, false, FST_HERE); }
FST_HOST_HIDDEN void __tsan_write_range(void* p, unsigned long n) { fst_host::access_range(p, n, true, FST_HERE); }
// clang calls these where g++ calls the C library, unseen; generated kernels copy no blocks of memory.
FST_HOST_HIDDEN void* __tsan_memcpy(void* to, const void* from, unsigned long n) { return memcpy(to, from, n); }
FST_HOST_HIDDEN void* __tsan_memmove(void* to, const void* from, unsigned long n) { return memmove(to, from, n); }
FST_HOST_HIDDEN void* __tsan_memset(void* to, int value, unsigned long n) { return memset(to, value, n); }
FST_HOST_HIDDEN void __tsan_init() {}
FST_HOST_HIDDEN void __tsan_func_entry(void*) {}
FST_HOST_HIDDEN void __tsan_func_exit() {}
}
#undef FST_HERE

// ---- Python's side (fstc/build/host_check.py)

// Makes room for the buffers and says where; their contents are copied there before the launch.
FST_HOST_API int fst_check_begin(size_t count, const uint64_t* bytes, const uint32_t* cell_bytes,
                                 const uint8_t* initialised, size_t shared, uint64_t* addresses) {
    return fst_host::checker.begin(count, bytes, cell_bytes, initialised, shared, addresses);
}
FST_HOST_API void fst_check_buffers(fst_host::BufferTraffic* out) {
    const auto& buffers = fst_host::checker.traffic().buffers();
    std::copy(buffers.begin(), buffers.end(), out);
}
// The number of sites; fills as many as there is room for.
FST_HOST_API size_t fst_check_sites(fst_host::SiteTraffic* out, size_t room) {
    const auto& sites = fst_host::checker.traffic().sites();
    std::copy_n(sites.begin(), std::min(room, sites.size()), out);
    return sites.size();
}
FST_HOST_API void fst_check_end() { fst_host::checker.end(); }
