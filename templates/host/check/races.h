// races.h - the rules for one access to one cell.
//
// A cell remembers its last write and its readers since. Readers that are ordered one after another are
// stood for by the last; unordered ones are merged into "several of this warp", "of this block" or "of
// several blocks".
#pragma once

#include "shadow.h"

namespace fst_host {

enum class Conflict : uint8_t { none, write, read, uninitialised };

struct Access {
    unsigned thread;
    Stamp stamp;
    bool write, atomic;
};

static bool readers_before(const Ordering& order, Stamp readers, const Access& access) {
    switch (readers.kind()) {
        case Stamp::kOne: return order.before(readers, access.thread);
        case Stamp::kWarp: return order.warp_before(readers, access.thread);
        // A thread number that nobody has keeps "it was myself" and "it is my warp" out.
        case Stamp::kBlock: return readers.block() != access.stamp.block() ? order.before(readers, access.thread)
                                                                           : readers.epoch() < access.stamp.epoch();
        // Which blocks is not known any more; one that synchronised with others gets the benefit of the doubt.
        default: return order.has_acquired(access.thread);
    }
}

static Stamp merge_readers(const Ordering& order, Stamp old, const Access& access) {
    const Stamp mine = access.stamp;
    if (!old || (old.kind() == Stamp::kOne && old.same_thread(mine))) return mine;
    if (old.kind() == Stamp::kSeveral) return old;
    if (old.block() != mine.block()) return order.before(old, access.thread) ? mine : mine.with(Stamp::kSeveral);
    if (old.epoch() < mine.epoch()) return mine;
    const bool same_warp = old.thread() / kWarp == mine.thread() / kWarp;
    if (old.kind() == Stamp::kBlock || !same_warp) return mine.with(Stamp::kBlock);
    if (old.kind() == Stamp::kOne && order.before(old, access.thread)) return mine;
    return (old.clock() > mine.clock() ? old : mine).with(Stamp::kWarp);
}

// Checks and records the access; `other` is the stamp on the other side of a conflict.
static Conflict touch(Cell& cell, const Ordering& order, const Region& region, const Access& access, Stamp& other) {
    if (region.shared()) {  // another block's shared memory is no longer there
        if (cell.write && cell.write.block() != access.stamp.block()) cell.write = {};
        if (cell.read && cell.read.block() != access.stamp.block()) cell.read = {};
    }
    const bool last_was_atomic = cell.write.kind() == Stamp::kSeveral;
    Conflict conflict = Conflict::none;
    if (cell.write && !(access.atomic && last_was_atomic) && !order.before(cell.write, access.thread)) {
        other = cell.write;
        conflict = Conflict::write;
    } else if (access.write && cell.read && !readers_before(order, cell.read, access)) {
        other = cell.read;
        conflict = Conflict::read;
    } else if ((!access.write || access.atomic) && !cell.write && !region.initialised) {
        conflict = Conflict::uninitialised;
    }
    if (access.write) {
        cell.write = access.atomic ? access.stamp.with(Stamp::kSeveral) : access.stamp;
        cell.read = {};
    } else {
        cell.read = merge_readers(order, cell.read, access);
    }
    return conflict;
}

}  // namespace fst_host
