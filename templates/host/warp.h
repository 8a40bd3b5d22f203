// warp.h - warp collectives: lanes wait until all that the mask names have come, the last one computes.
#pragma once

#include "fiber.h"
#include "observer.h"

namespace fst_host {

static Fiber* warp_of(const Fiber& fiber) { return &machine.fibers[fiber.index - fiber.lane]; }

static void begin_warps() {
    machine.warps.resize((machine.threads + kWarp - 1) / kWarp);
    for (size_t i = 0; i < machine.warps.size(); ++i) {
        const unsigned lanes = machine.threads - unsigned(i) * kWarp;
        machine.warps[i] = {lanes < kWarp ? (1u << lanes) - 1 : ~0u, 0};
    }
}

// The lane whose value a shuffle hands to `lane`; out of the segment means its own.
static unsigned shuffle_source(const Fiber& fiber, unsigned lane) {
    const unsigned first = lane & ~(fiber.width - 1), last = first + fiber.width - 1;
    const unsigned operand = fiber.operand;
    switch (fiber.op) {
        case FST_WARP_SHFL: return first + (operand & (fiber.width - 1));
        case FST_WARP_SHFL_UP: return lane - first >= operand ? lane - operand : lane;
        case FST_WARP_SHFL_DOWN: return operand <= last - lane ? lane + operand : lane;
        default: return (lane ^ operand) <= last ? lane ^ operand : lane;
    }
}

static uint64_t combine(const Fiber* warp, unsigned op, unsigned lanes) {
    uint64_t result = 0;
    bool first = true;
    for (unsigned rest = lanes; rest; rest &= rest - 1) {
        const unsigned lane = unsigned(__builtin_ctz(rest));
        const uint64_t v = warp[lane].value;
        switch (op) {
            case FST_WARP_BALLOT: result |= v << lane; break;
            case FST_WARP_ADD: result += v; break;
            case FST_WARP_MIN: result = first || v < result ? v : result; break;
            case FST_WARP_MAX: result = first || v > result ? v : result; break;
            case FST_WARP_AND: result = first ? v : result & v; break;
            case FST_WARP_OR: result |= v; break;
            case FST_WARP_XOR: result ^= v; break;
        }
        first = false;
    }
    return result;
}

// Carries the operation out when all lanes of the mask that still live have arrived, with the same mask: only
// they are waited for, as in CUDA.
static bool complete(Fiber& fiber) {
    Warp& state = machine.warps[fiber.index / kWarp];
    const unsigned op = fiber.op, mask = fiber.mask, lanes = mask & state.live;
    if (lanes & ~state.waiting) return false;
    Fiber* warp = warp_of(fiber);
    for (unsigned rest = lanes; rest; rest &= rest - 1) {
        const Fiber& other = warp[__builtin_ctz(rest)];
        if (other.op != op || other.mask != mask) return false;
    }
    const bool shuffles = op >= FST_WARP_SHFL && op <= FST_WARP_SHFL_XOR;
    const uint64_t combined = op >= FST_WARP_BALLOT ? combine(warp, op, lanes) : 0;
    for (unsigned rest = lanes; rest; rest &= rest - 1) {
        const unsigned lane = unsigned(__builtin_ctz(rest));
        Fiber& other = warp[lane];
        other.result = combined;
        if (!shuffles) continue;
        const unsigned source = shuffle_source(other, lane);
        if (!(lanes >> source & 1)) {
            Fault& fault = fail(kBadMask, "thread %u reads lane %u in a shuffle, which %s", other.index, source,
                                mask >> source & 1 ? "has exited or does not exist" : "the mask leaves out");
            fault.thread = other.index;
            fault.frames = 1;
            fault.frame[0] = other.site;
            return true;
        }
        other.result = warp[source].value;
    }
    state.waiting &= ~lanes;
    for (unsigned rest = lanes; rest; rest &= rest - 1) warp[__builtin_ctz(rest)].wait = Wait::nothing;
    observe_warp(warp, lanes, op);
    return true;
}

// A lane that returns may be the last one that others of its warp waited for.
static void leave_warp(const Fiber& gone) {
    Warp& state = machine.warps[gone.index / kWarp];
    state.live &= ~(1u << gone.lane);
    Fiber* warp = warp_of(gone);
    for (unsigned rest = state.waiting; rest; rest &= rest - 1) {
        Fiber& waiting = warp[__builtin_ctz(rest)];
        if (waiting.wait == Wait::warp) complete(waiting);  // an earlier one may have set it free
    }
}

}  // namespace fst_host

unsigned long fst_host_warp(unsigned op, unsigned mask, unsigned long value, unsigned operand, unsigned width) {
    using namespace fst_host;
    Fiber& fiber = *machine.current;
    fiber.site = reinterpret_cast<uintptr_t>(__builtin_return_address(0));
    fiber.op = op;
    fiber.mask = mask;
    fiber.value = value;
    fiber.operand = operand;
    fiber.width = width;
    if (!(mask >> fiber.lane & 1)) {
        capture_frames(fail(kBadMask, "thread %u (lane %u) calls a warp operation whose mask 0x%08x leaves it out",
                            fiber.index, fiber.lane, mask));
        abandon();
    }
    if (width == 0 || width > kWarp || (width & (width - 1))) {
        capture_frames(fail(kBadMask, "a shuffle of width %u: it must be a power of two up to 32", width));
        abandon();
    }
    fiber.wait = Wait::warp;
    machine.warps[fiber.index / kWarp].waiting |= 1u << fiber.lane;
    if (!complete(fiber) || machine.fault.kind) give_way();
    return fiber.result;
}
