// machine.h - the state of the simulated GPU: one block of fibers, run at a time, and the first fault.
//
// One machine per library. Python holds a lock around a launch, so nothing here is shared between threads.
#pragma once

#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <dlfcn.h>
#include <vector>

#define FST_HOST_STATE
#include "interface.h"
#define FST_HOST_API extern "C" __attribute__((visibility("default")))

uint3 fst_host_thread_idx, fst_host_block_idx;
dim3 fst_host_block_dim, fst_host_grid_dim;
unsigned char* fst_host_shared;

// Static __shared__ arrays; the linker makes the bounds, or leaves them null when no kernel has any.
extern "C" {
extern unsigned char __start_fst_shared[] __attribute__((weak)) FST_HOST_HIDDEN;
extern unsigned char __stop_fst_shared[] __attribute__((weak)) FST_HOST_HIDDEN;
}

namespace fst_host {

constexpr unsigned kWarp = 32;
constexpr unsigned kFrames = 16;

enum FaultKind : int32_t {  // mirrored by fstc/build/host_library.py
    kNoFault,
    kDeadlock,
    kDivergentBarrier,
    kBadMask,
    kRace,
    kOutOfBounds,
    kUninitialised,
    kMisaligned,
    kStackOverflow,
    kCrash,
    kTimeout,
    kTrap,
};

// The first fault of a launch, as Python reads it.
struct Fault {
    int32_t kind;
    uint32_t block, thread;
    int32_t buffer;         // index of the buffer, -1 when none, -2 dynamic and -3 static shared memory
    int64_t offset;         // bytes from the buffer's start; negative before it
    uint32_t bytes;         // size of the access
    int32_t other_thread;   // the other side of a race: thread and block, -1 when several or none
    int64_t other_block;
    uint32_t frames;        // return addresses, innermost first
    uintptr_t frame[kFrames];
    uintptr_t other_frame;  // where another group of threads waits, 0 when nowhere
    char message[1024];
};

enum class Wait : uint8_t { nothing, barrier, warp, done };

struct Fiber {
    void* context;         // what fiber.h needs to resume it
    unsigned char* stack;  // lowest address
    Wait wait;
    unsigned char lane;
    unsigned index;  // thread in the block
    uintptr_t site;  // return address of the call it waits in
    // at a barrier
    const char* file;
    unsigned line;
    // in a warp operation
    unsigned op, mask, operand, width;
    uint64_t value, result;
};

struct Warp {
    unsigned live = 0;     // lanes that exist and have not returned
    unsigned waiting = 0;  // lanes in a warp operation
};

struct Machine {
    std::vector<Fiber> fibers;
    std::vector<Warp> warps;
    Fiber* current = nullptr;  // null while the scheduler runs
    volatile int in_kernel = 0;  // kernel code runs: a signal handler may leave it for good
    volatile int expired = 0;    // the launch took too long
    unsigned threads = 0, blocks = 0, block = 0;
    unsigned live = 0, arrived = 0;
    int predicates = 0, barrier_result = 0;
    size_t shared_bytes = 0;
    void (*kernel)(void**) = nullptr;
    void** arguments = nullptr;
    Fault fault = {};
};
static Machine machine;

[[noreturn]] void abandon();       // leave the current fiber for good (fiber.h)
void capture_frames(Fault& fault);  // the current fiber's callers (fiber.h)

// Records the first fault; later ones are consequences.
__attribute__((format(printf, 2, 3))) static Fault& fail(FaultKind kind, const char* format, ...) {
    static Fault ignored;
    Fault& fault = machine.fault.kind == kNoFault ? machine.fault : ignored;
    fault = Fault{};
    fault.kind = kind;
    fault.block = machine.block;
    fault.thread = machine.current ? machine.current->index : 0;
    fault.buffer = fault.other_thread = -1;
    fault.other_block = -1;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(fault.message, sizeof fault.message, format, arguments);
    va_end(arguments);
    return fault;
}

}  // namespace fst_host

// Where the library is loaded, so that code addresses become offsets in its file.
FST_HOST_API uintptr_t fst_host_base() {
    Dl_info info = {};
    dladdr(reinterpret_cast<void*>(&fst_host_base), &info);
    return reinterpret_cast<uintptr_t>(info.dli_fbase);
}
