// stamp.h - who touched a cell, and when, in 64 bits.
//
//   kind 2 | block + 1: 22 | thread 10 | barrier epoch 14 | fences 6 | warp clock 10
//
// An all-zero stamp means nobody. Counters that run out saturate, and whatever is saturated counts as
// ordered: the checker then misses a race, but never invents one.
#pragma once

#include "../machine.h"

namespace fst_host {

struct Stamp {
    uint64_t bits = 0;

    static constexpr unsigned kClockBits = 10, kFenceBits = 6, kEpochBits = 14, kThreadBits = 10, kBlockBits = 22;
    static constexpr unsigned kFenceAt = kClockBits, kEpochAt = kFenceAt + kFenceBits,
                              kThreadAt = kEpochAt + kEpochBits, kBlockAt = kThreadAt + kThreadBits, kKindAt = kBlockAt + kBlockBits;
    static constexpr unsigned kMaxClock = (1u << kClockBits) - 1, kMaxFence = (1u << kFenceBits) - 1,
                              kMaxEpoch = (1u << kEpochBits) - 1, kMaxBlock = (1u << kBlockBits) - 1;

    // Of a read: how many threads it stands for. Of a write: kSeveral means that it was atomic.
    enum Kind : unsigned { kOne, kWarp, kBlock, kSeveral };

    static unsigned block_number(unsigned block) { return block % kMaxBlock + 1; }
    static Stamp make(unsigned block, unsigned thread, unsigned epoch, unsigned fences, unsigned clock) {
        const uint64_t e = epoch < kMaxEpoch ? epoch : kMaxEpoch;
        const uint64_t f = fences < kMaxFence ? fences : kMaxFence;
        const uint64_t c = clock < kMaxClock ? clock : kMaxClock;
        return {uint64_t(block_number(block)) << kBlockAt | uint64_t(thread) << kThreadAt | e << kEpochAt |
                f << kFenceAt | c};
    }

    explicit operator bool() const { return bits != 0; }
    unsigned field(unsigned at, unsigned width) const { return unsigned(bits >> at & ((uint64_t(1) << width) - 1)); }
    unsigned clock() const { return field(0, kClockBits); }
    unsigned fences() const { return field(kFenceAt, kFenceBits); }
    unsigned epoch() const { return field(kEpochAt, kEpochBits); }
    unsigned thread() const { return field(kThreadAt, kThreadBits); }
    unsigned block() const { return field(kBlockAt, kBlockBits); }  // a block_number
    Kind kind() const { return Kind(bits >> kKindAt); }
    Stamp with(Kind kind) const { return {(bits & ~(uint64_t(3) << kKindAt)) | uint64_t(kind) << kKindAt}; }
    bool same_thread(Stamp other) const {
        return (bits ^ other.bits) >> kThreadAt == 0;
    }
    bool saturated() const { return epoch() == kMaxEpoch || clock() == kMaxClock || fences() == kMaxFence; }
};

struct Cell {
    Stamp write, read;
};

}  // namespace fst_host
