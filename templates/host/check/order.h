// order.h - happens-before between CUDA threads, as the PTX memory model has it.
//
// Within a block: program order; __syncthreads orders everything; __syncwarp orders the lanes of its mask.
// Shuffles and votes order nothing (CUDA's guide: they "do not imply a memory barrier").
//
// Between blocks: a write is visible after  write, fence, atomic on M  in one block and  atomic on M, fence,
// read  in another, whose atomic came later. Barriers may stand between the steps of either side: "all write,
// barrier, thread 0 fences" and "all write, all fence, barrier" both release.
#pragma once

#include "stamp.h"

#include <array>
#include <map>
#include <memory>
#include <unordered_map>

namespace fst_host {

using Clocks = std::array<uint16_t, kWarp>;  // per lane: accesses with a smaller clock are known

struct SyncVariable;

// For each atomic variable, how much of its log has been seen.
using Knowledge = std::map<const SyncVariable*, unsigned>;

static void learn(Knowledge& into, const Knowledge& from) {
    for (const auto& [variable, length] : from) {
        unsigned& known = into[variable];
        if (known < length) known = length;
    }
}

// What one block had made visible when its thread did an atomic.
struct Release {
    unsigned block;                                   // a block_number
    unsigned epoch;                                   // everything of earlier epochs is covered
    unsigned thread, fences, thread_epoch;            // the thread's own accesses before its last fence
    Clocks lanes;                                     // its warp's accesses that it knew at that fence
    std::shared_ptr<const std::vector<uint8_t>> all;  // per thread: fences passed at the last barrier
    std::shared_ptr<const Knowledge> known;           // what this release and the earlier ones pass on

    bool covers(Stamp s) const {
        if (s.saturated() || s.epoch() < epoch) return true;
        if (s.thread() == thread && s.fences() < fences) return true;
        if (all && s.fences() < (*all)[s.thread()]) return true;
        if (s.thread() / kWarp != thread / kWarp || s.epoch() != thread_epoch) return false;
        return s.clock() < lanes[s.thread() % kWarp];
    }
};

struct SyncVariable {
    std::vector<Release> log;
    std::unordered_map<unsigned, std::vector<unsigned>> of_block;  // block_number -> positions in the log
};

struct ThreadOrder {
    unsigned clock = 0, fences = 0;
    int fence_epoch = -1;     // of the last fence
    Clocks known = {};        // of the lanes of its warp, this epoch
    Clocks known_at_fence = {};
    Knowledge pending;   // read by an atomic, not yet by a fence
    Knowledge acquired;  // visible to this thread
};

class Ordering {
public:
    void begin_launch() {
        variables_.clear();
        fences_seen_ = false;
    }

    void begin_block(unsigned block, unsigned threads) {
        block_ = block;
        block_number_ = Stamp::block_number(block);
        epoch_ = 0;
        fence_epoch_ = -1;
        counts_.reset();
        pending_.clear();
        acquired_.clear();
        warps_moved_ = fenced_now_ = learned_ = false;
        threads_.assign(threads, ThreadOrder{});
    }

    Stamp stamp(unsigned thread) const {
        const ThreadOrder& t = threads_[thread];
        return Stamp::make(block_, thread, epoch_, t.fences, t.clock);
    }
    unsigned block_number() const { return block_number_; }

    void barrier() {
        if (fenced_now_) {
            fence_epoch_ = int(epoch_);
            auto counts = std::make_shared<std::vector<uint8_t>>(threads_.size());
            for (size_t i = 0; i < threads_.size(); ++i) (*counts)[i] = uint8_t(threads_[i].fences);
            counts_ = counts;
            fenced_now_ = false;
        }
        if (learned_) {
            for (ThreadOrder& t : threads_) {
                learn(pending_, t.pending);
                learn(acquired_, t.acquired);
            }
            learned_ = false;
        }
        ++epoch_;
        if (warps_moved_) {
            for (ThreadOrder& t : threads_) t.clock = 0, t.known = {};
            warps_moved_ = false;
        }
    }

    void sync_warp(unsigned first, unsigned lanes) {
        warps_moved_ = true;
        Clocks joined = {};
        for (unsigned rest = lanes; rest; rest &= rest - 1) {
            const unsigned lane = unsigned(__builtin_ctz(rest));
            ThreadOrder& t = threads_[first + lane];
            for (unsigned i = 0; i < kWarp; ++i) joined[i] = joined[i] > t.known[i] ? joined[i] : t.known[i];
        }
        for (unsigned rest = lanes; rest; rest &= rest - 1) {
            const unsigned lane = unsigned(__builtin_ctz(rest));
            unsigned& clock = threads_[first + lane].clock;
            if (clock < Stamp::kMaxClock) ++clock;
            joined[lane] = uint16_t(clock);
        }
        for (unsigned rest = lanes; rest; rest &= rest - 1)
            threads_[first + unsigned(__builtin_ctz(rest))].known = joined;
        if (learned_) share_knowledge(first, lanes);
    }

    void fence(unsigned thread) {
        ThreadOrder& t = threads_[thread];
        fences_seen_ = fenced_now_ = true;
        if (t.fences < Stamp::kMaxFence) ++t.fences;
        t.fence_epoch = int(epoch_);
        t.known_at_fence = t.known;
        if (t.pending.empty() && pending_.empty()) return;
        learn(t.acquired, t.pending);
        learn(t.acquired, pending_);
        learned_ = true;
    }

    // A read-modify-write: it acquires what earlier ones on the address released, and releases.
    void atomic(unsigned thread, uintptr_t address) {
        if (!fences_seen_) return;
        ThreadOrder& t = threads_[thread];
        SyncVariable& variable = variables_[address];
        if (!variable.log.empty()) {
            learn(t.pending, *variable.log.back().known);
            t.pending[&variable] = unsigned(variable.log.size());
            learned_ = true;
        }
        if (t.fence_epoch < 0 && fence_epoch_ < 0) return;
        Release release = {};
        release.block = block_number_;
        release.epoch = unsigned(t.fence_epoch > fence_epoch_ ? t.fence_epoch : fence_epoch_);
        release.thread = thread;
        release.fences = t.fences;
        release.thread_epoch = t.fence_epoch < 0 ? Stamp::kMaxEpoch : unsigned(t.fence_epoch);
        release.lanes = t.known_at_fence;
        release.all = counts_;
        release.known = pass_on(variable, t);
        variable.of_block[block_number_].push_back(unsigned(variable.log.size()));
        variable.log.push_back(std::move(release));
    }

    bool before(Stamp s, unsigned thread) const {
        if (s.block() != block_number_) return visible(s, acquired_) || visible(s, threads_[thread].acquired);
        if (s.thread() == thread || s.epoch() < epoch_ || s.saturated()) return true;
        return s.thread() / kWarp == thread / kWarp && s.clock() < threads_[thread].known[s.thread() % kWarp];
    }

    // Reads by several lanes of one warp, the latest at the stamp's clock.
    bool warp_before(Stamp s, unsigned thread) const {
        if (s.block() != block_number_ || s.thread() / kWarp != thread / kWarp) return before(s, thread);
        if (s.epoch() < epoch_ || s.saturated()) return true;
        for (uint16_t clock : threads_[thread].known)
            if (clock && s.clock() >= clock) return false;
        return threads_[thread].known[thread % kWarp] > s.clock();
    }

    // Whether the thread has synchronised with other blocks at all (see Shadow::write).
    bool has_acquired(unsigned thread) const { return !acquired_.empty() || !threads_[thread].acquired.empty(); }

private:
    // What a lane has learned of other blocks, all lanes know after __syncwarp.
    void share_knowledge(unsigned first, unsigned lanes) {
        Knowledge pending, acquired;
        for (unsigned rest = lanes; rest; rest &= rest - 1) {
            const ThreadOrder& t = threads_[first + unsigned(__builtin_ctz(rest))];
            learn(pending, t.pending);
            learn(acquired, t.acquired);
        }
        for (unsigned rest = lanes; rest; rest &= rest - 1) {
            ThreadOrder& t = threads_[first + unsigned(__builtin_ctz(rest))];
            t.pending = pending;
            t.acquired = acquired;
        }
    }

    std::shared_ptr<const Knowledge> pass_on(const SyncVariable& variable, const ThreadOrder& t) const {
        const Knowledge* earlier = variable.log.empty() ? nullptr : variable.log.back().known.get();
        if (earlier && t.acquired.empty() && acquired_.empty()) return variable.log.back().known;
        auto known = std::make_shared<Knowledge>();
        if (earlier) *known = *earlier;
        learn(*known, t.acquired);
        learn(*known, acquired_);
        return known;
    }

    static bool visible(Stamp s, const Knowledge& knowledge) {
        for (const auto& [variable, length] : knowledge) {
            const auto found = variable->of_block.find(s.block());
            if (found == variable->of_block.end()) continue;
            for (unsigned position : found->second)
                if (position < length && variable->log[position].covers(s)) return true;
        }
        return false;
    }

    std::vector<ThreadOrder> threads_;
    std::unordered_map<uintptr_t, SyncVariable> variables_;  // stable addresses: Knowledge points at them
    std::shared_ptr<const std::vector<uint8_t>> counts_;
    Knowledge pending_, acquired_;
    unsigned block_ = 0, block_number_ = 0, epoch_ = 0;
    int fence_epoch_ = -1;  // the latest completed epoch with a fence
    bool fences_seen_ = false, fenced_now_ = false, learned_ = false, warps_moved_ = false;
};

}  // namespace fst_host
