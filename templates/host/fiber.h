// fiber.h - fibers: stacks, and the switch between the scheduler and one CUDA thread.
//
// On x86-64 a switch saves the six callee-saved registers and the stack pointer (about 10 ns); elsewhere,
// or with FST_HOST_UCONTEXT, swapcontext does it (about 300 ns, for the signal mask's system calls).
#pragma once

#include "machine.h"

#include <sys/mman.h>

#if !defined(__x86_64__) && !defined(FST_HOST_UCONTEXT)
#define FST_HOST_UCONTEXT
#endif
#ifdef FST_HOST_UCONTEXT
#include <ucontext.h>
#endif

namespace fst_host {

// Of a stack, the kernel may use kStackUsable bytes; the rest is for the runtime, reporting that it used more.
// The distance to the next is no multiple of a large power of two: equal frames of different fibers would
// otherwise compete for the same cache sets.
constexpr size_t kStackUsable = 64 * 1024, kStackReserve = 16 * 1024;
constexpr size_t kStack = kStackUsable + kStackReserve;
constexpr size_t kStackStride = kStack + 4096 + 5 * 64;
constexpr uint64_t kCanary = 0xc0dec0dec0dec0deull;

static unsigned char* stacks;  // above kFloor bytes that nobody may touch
static size_t stacks_bytes;
constexpr size_t kFloor = 1 << 20;

#ifdef FST_HOST_UCONTEXT

static std::vector<ucontext_t> contexts;
static ucontext_t scheduler_ucontext;

static void prepare_contexts(size_t n) { contexts.resize(n); }
static void prepare(Fiber& fiber, void (*entry)()) {
    ucontext_t& context = contexts[fiber.index];
    getcontext(&context);
    context.uc_stack.ss_sp = fiber.stack;
    context.uc_stack.ss_size = kStack;
    context.uc_link = nullptr;
    makecontext(&context, entry, 0);
    fiber.context = &context;
}
static void switch_to_fiber(Fiber& fiber) {
    swapcontext(&scheduler_ucontext, static_cast<ucontext_t*>(fiber.context));
}
static void switch_to_scheduler(Fiber& fiber) {
    swapcontext(static_cast<ucontext_t*>(fiber.context), &scheduler_ucontext);
}

#else

extern "C" void fst_host_switch(void** save, void* resume) FST_HOST_HIDDEN;
asm(R"(
.text
.globl fst_host_switch
.hidden fst_host_switch
.type fst_host_switch, @function
fst_host_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size fst_host_switch, . - fst_host_switch
)");

static void* scheduler_context;
static void prepare_contexts(size_t) {}
static void prepare(Fiber& fiber, void (*entry)()) {
    auto top = reinterpret_cast<uintptr_t>(fiber.stack + kStack) & ~uintptr_t(15);
    auto** slot = reinterpret_cast<void**>(top);
    *--slot = nullptr;  // entry's return address: it never returns; keeps the stack 16-byte aligned
    *--slot = reinterpret_cast<void*>(entry);
    for (int i = 0; i < 6; ++i) *--slot = nullptr;
    fiber.context = slot;
}
static inline void switch_to_fiber(Fiber& fiber) { fst_host_switch(&scheduler_context, fiber.context); }
static inline void switch_to_scheduler(Fiber& fiber) { fst_host_switch(&fiber.context, scheduler_context); }

#endif

static uint64_t& canary(Fiber& fiber) { return *reinterpret_cast<uint64_t*>(fiber.stack); }

// There is no guard page a stack: a thousand of them for every library would use up the process's mappings.
// The compiler refuses large frames; recursion is seen here at the next barrier, or by the canary at the end.
static bool overran(Fiber& fiber) {
    auto* here = static_cast<unsigned char*>(__builtin_frame_address(0));
    return here < fiber.stack + kStackReserve;
}

static void fiber_main() {
    for (;;) {  // one turn a block: a finished fiber is resumed for the next block's thread
        machine.in_kernel = 1;
        machine.kernel(machine.arguments);
        machine.in_kernel = 0;
        machine.current->wait = Wait::done;
        --machine.live;
        switch_to_scheduler(*machine.current);
    }
}

// Fresh fibers for every launch: those of a failed one were abandoned in the middle of a kernel.
static bool prepare_fibers(unsigned n) {
    const size_t bytes = n * kStackStride;
    if (bytes > stacks_bytes) {
        if (stacks) munmap(stacks - kFloor, stacks_bytes + kFloor);
        stacks_bytes = 0;
        stacks = nullptr;
        const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
        void* p = mmap(nullptr, bytes + kFloor, PROT_READ | PROT_WRITE, flags, -1, 0);
        if (p == MAP_FAILED) return false;
        mprotect(p, kFloor, PROT_NONE);
        stacks = static_cast<unsigned char*>(p) + kFloor;
        stacks_bytes = bytes;
    }
    machine.fibers.assign(n, Fiber{});
    prepare_contexts(n);
    for (unsigned i = 0; i < n; ++i) {
        Fiber& fiber = machine.fibers[i];
        fiber.index = i;
        fiber.lane = i % kWarp;
        fiber.stack = stacks + i * kStackStride;
        canary(fiber) = kCanary;
        prepare(fiber, fiber_main);
    }
    return true;
}

// Runs the fiber until it waits, ends or fails.
static inline void resume(Fiber& fiber) {
    machine.current = &fiber;
    fst_host_thread_idx.x = fiber.index;
    switch_to_fiber(fiber);
    machine.current = nullptr;
}

static void report_overrun(Fiber& fiber) {
    fail(kStackOverflow, "thread %u overran its stack of %zu bytes", fiber.index, kStackUsable).thread = fiber.index;
}

static void give_way() {
    Fiber& fiber = *machine.current;
    machine.in_kernel = 0;
    if (__builtin_expect(overran(fiber), 0)) report_overrun(fiber);
    switch_to_scheduler(fiber);
    machine.in_kernel = 1;
}

void abandon() {
    machine.in_kernel = 0;
    switch_to_scheduler(*machine.current);
    __builtin_unreachable();
}

// Walks the frame pointers; kernels are compiled with them.
static void walk_frames(Fault& fault, void** frame) {
    const Fiber& fiber = *machine.current;
    const auto inside = [&](void** p) {
        auto* address = reinterpret_cast<unsigned char*>(p);
        return address >= fiber.stack && address + 16 <= fiber.stack + kStack;
    };
    while (fault.frames < kFrames && inside(frame) && frame[1]) {
        fault.frame[fault.frames++] = reinterpret_cast<uintptr_t>(frame[1]);
        auto** next = static_cast<void**>(frame[0]);
        if (next <= frame) break;
        frame = next;
    }
}

void capture_frames(Fault& fault) { walk_frames(fault, static_cast<void**>(__builtin_frame_address(0))); }

}  // namespace fst_host
