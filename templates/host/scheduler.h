// scheduler.h - runs the blocks of a launch, one after another, and the threads of each in a chosen order.
//
//   forward, reverse            each thread as far as it gets, in order of its index
//   warp-forward, warp-reverse  each warp as far as it gets, before the next one starts
//
// The first two show a missing barrier after a write, the others a missing barrier before a buffer's reuse.
#pragma once

#include "traps.h"
#include "warp.h"

namespace fst_host {

enum Order : uint32_t { kForward, kReverse, kWarpForward, kWarpReverse };

// Runs every runnable fiber of [first, last) once; whether any ran.
static bool pass(unsigned first, unsigned last, bool reverse) {
    bool any = false;
    for (unsigned k = first; k < last; ++k) {
        Fiber& fiber = machine.fibers[reverse ? first + last - 1 - k : k];
        if (fiber.wait != Wait::nothing) continue;
        resume(fiber);
        any = true;
        if (fiber.wait == Wait::done) {
            if (canary(fiber) != kCanary) report_overrun(fiber);
            leave_warp(fiber);
        }
        if (machine.fault.kind) return any;
    }
    return any;
}

static bool pass_over_block(Order order) {
    const unsigned n = machine.threads;
    if (order == kForward || order == kReverse) return pass(0, n, order == kReverse);
    const unsigned warps = (n + kWarp - 1) / kWarp;
    bool any = false;
    for (unsigned k = 0; k < warps && !machine.fault.kind; ++k) {
        const unsigned first = (order == kWarpReverse ? warps - 1 - k : k) * kWarp;
        const unsigned last = first + kWarp < n ? first + kWarp : n;
        while (pass(first, last, order == kWarpReverse) && !machine.fault.kind) any = true;
    }
    return any;
}

// All live threads wait at a barrier: it must be the same one.
static void release_barrier() {
    const Fiber* first = nullptr;
    for (Fiber& fiber : machine.fibers) {
        if (fiber.wait != Wait::barrier) continue;
        if (!first) first = &fiber;
        if (fiber.line != first->line || (fiber.file != first->file && strcmp(fiber.file, first->file) != 0)) {
            Fault& fault = fail(kDivergentBarrier, "thread %u and thread %u wait at different barriers",
                                fiber.index, first->index);
            fault.thread = fiber.index;
            fault.frames = 1;
            fault.frame[0] = fiber.site;
            fault.other_thread = int32_t(first->index);
            fault.other_block = machine.block;
            fault.other_frame = first->site;
            return;
        }
    }
    machine.barrier_result = machine.predicates;
    machine.predicates = 0;
    machine.arrived = 0;
    observe_barrier();
    for (Fiber& fiber : machine.fibers)
        if (fiber.wait == Wait::barrier) fiber.wait = Wait::nothing;
}

// Nobody can run: say who waits where, in runs of threads that wait alike.
static void report_deadlock() {
    static const char* const names[] = {"can run", "__syncthreads", "a warp operation", "has returned"};
    char text[768];
    size_t length = 0;
    const Fiber *stuck = nullptr, *other = nullptr;
    for (size_t i = 0, start = 0; i < machine.fibers.size(); ++i) {
        const Fiber& fiber = machine.fibers[i];
        if (fiber.wait != Wait::done) {
            if (!stuck) stuck = &fiber;
            else if (!other && fiber.site != stuck->site) other = &fiber;
        }
        const bool ends = i + 1 == machine.fibers.size() || machine.fibers[i + 1].wait != fiber.wait ||
                          machine.fibers[i + 1].site != fiber.site;
        if (!ends) continue;
        char* const end = text + length;
        const size_t room = sizeof text - length;
        const char* separator = length ? "; " : "";
        if (room < 96) break;
        length += size_t(snprintf(end, room, "%sthreads %zu to %zu: %s", separator, start, i, names[int(fiber.wait)]));
        if (fiber.wait == Wait::warp)
            length += size_t(snprintf(text + length, sizeof text - length, " (mask 0x%08x)", fiber.mask));
        start = i + 1;
    }
    Fault& fault = fail(kDeadlock, "the block cannot go on: %s", text);
    if (!stuck) return;
    fault.thread = stuck->index;
    fault.frames = 1;
    fault.frame[0] = stuck->site;
    if (other) {
        fault.other_thread = int32_t(other->index);
        fault.other_block = machine.block;
        fault.other_frame = other->site;
    }
}

static void run_block(Order order) {
    machine.live = machine.threads;
    machine.arrived = 0;
    machine.predicates = 0;
    fst_host_block_idx = {machine.block, 0, 0};
    begin_warps();
    for (Fiber& fiber : machine.fibers) fiber.wait = Wait::nothing;
    // 0xff bytes are a NaN in every float type and -1 as an index: memory that nobody wrote shows.
    memset(fst_host_shared, 0xff, machine.shared_bytes);
    if (__start_fst_shared) memset(__start_fst_shared, 0xff, size_t(__stop_fst_shared - __start_fst_shared));
    observe_block();
    while (machine.live && !machine.fault.kind) {
        const bool any = pass_over_block(order);
        if (machine.expired) fail(kTimeout, "the launch took too long");
        if (machine.fault.kind || !machine.live) break;
        if (machine.arrived && machine.arrived == machine.live) release_barrier();
        else if (!any) report_deadlock();
    }
    observe_block_end();
}

}  // namespace fst_host

int fst_host_barrier(int predicate, const char* file, unsigned line) {
    using namespace fst_host;
    Fiber& fiber = *machine.current;
    fiber.site = reinterpret_cast<uintptr_t>(__builtin_return_address(0));
    fiber.file = file;
    fiber.line = line;
    fiber.wait = Wait::barrier;
    machine.predicates += predicate;
    ++machine.arrived;
    give_way();
    return machine.barrier_result;
}

void fst_host_trap() {
    using namespace fst_host;
    capture_frames(fail(kTrap, "the kernel called __trap"));
    abandon();
}

// Returns the fault's kind, 0 when all blocks ran.
FST_HOST_API int fst_host_launch(void (*kernel)(void**), void** arguments, unsigned grid, unsigned block,
                                 size_t shared, unsigned order, double timeout) {
    using namespace fst_host;
    machine.fault = Fault{};
    machine.kernel = kernel;
    machine.arguments = arguments;
    machine.blocks = grid;
    machine.threads = block;
    machine.shared_bytes = shared;
    machine.current = nullptr;
    machine.block = 0;
    fst_host_grid_dim = dim3(grid);
    fst_host_block_dim = dim3(block);
    fst_host_thread_idx = {0, 0, 0};
    fst_host_shared = place_shared(shared);
    if (!fst_host_shared || !prepare_fibers(block)) {
        fail(kCrash, "no memory for the stacks of %u threads", block);
        return machine.fault.kind;
    }
    observe_launch();
    run_guarded(timeout, [&] {
        const bool reverse = order == kReverse || order == kWarpReverse;
        for (unsigned k = 0; k < grid && !machine.fault.kind; ++k) {
            machine.block = reverse ? grid - 1 - k : k;
            run_block(Order(order));
        }
    });
    observe_launch_end();
    return machine.fault.kind;
}

FST_HOST_API const fst_host::Fault* fst_host_fault() { return &fst_host::machine.fault; }
