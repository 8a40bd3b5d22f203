// checker.h - watches every memory access of a checked library.
//
// Kernels are compiled with -fsanitize=thread, but libtsan is not linked: the compiler calls the functions
// in hooks.h before each access, and they call Checker::access. One launch, in any thread order, finds
// races, because it asks what is ordered rather than what happened.
#pragma once

#include "../observer.h"
#include "races.h"
#include "traffic.h"

#include <dlfcn.h>
#include <link.h>

namespace fst_host {

class Checker {
public:
    // Buffer i lies in slot i + 1.
    bool begin(size_t count, const uint64_t* bytes, const uint32_t* cell_bytes, const uint8_t* initialised,
               size_t shared, uint64_t* addresses) {
        size_t largest = shared;
        for (size_t i = 0; i < count; ++i) largest = std::max(largest, size_t(bytes[i]));
        if (!arena_.reserve(count, largest)) return false;
        for (size_t i = 0; i < count; ++i) {
            const Region* region = arena_.place(i + 1, int(i), bytes[i], cell_bytes[i], initialised[i]);
            if (!region) return false;
            addresses[i] = reinterpret_cast<uint64_t>(region->start);
        }
        if (!arena_.place(arena_.shared_slot(), kDynamicShared, shared, 4, false)) return false;
        place_statics();
        find_library();
        traffic_.begin_launch(count);
        return true;
    }
    void end() { arena_.release(); }
    bool active() const { return arena_.active(); }

    unsigned char* shared_memory() { return arena_.slot(arena_.shared_slot()).start; }
    const Traffic& traffic() const { return traffic_; }

    void begin_launch() {
        order_.begin_launch();
        suspicion_ = Fault{};
    }
    void begin_block() {
        order_.begin_block(machine.block, machine.threads);
        traffic_.begin_block(machine.block, machine.threads);
    }
    void end_block() {
        if (!machine.fault.kind) settle_all();
        traffic_.forget_logs();
        if (suspicion_.buffer < 0) confirm_suspicion();  // shared memory: no later block can write it
    }
    void end_launch() { confirm_suspicion(); }

    void barrier() {
        settle_all();
        order_.barrier();
    }
    void warp_meets(unsigned first, unsigned lanes, bool orders_memory) {
        const unsigned count = std::min(kWarp, machine.threads - first);
        if (unsigned(__builtin_popcount(lanes)) == count) traffic_.settle(first, count, arena_);
        if (orders_memory) order_.sync_warp(first, lanes);
    }
    void fence(unsigned scope) {
        if (active() && scope == FST_FENCE_DEVICE) order_.fence(machine.current->index);
    }

    void access(const void* address, unsigned bytes, bool write, bool atomic, uintptr_t pc) {
        machine.in_kernel = 0;
        if (machine.expired) {
            capture_frames(fail(kTimeout, "thread %u still runs: the launch took too long", machine.current->index));
            abandon();
        }
        Seen seen = {static_cast<const unsigned char*>(address), bytes, write, atomic, pc, nullptr};
        seen.region = arena_.find(seen.p);
        if (active() && (seen.region || !private_memory(seen))) check(seen);
        machine.in_kernel = 1;
    }

private:
    struct Seen {  // one access
        const unsigned char* p;
        unsigned bytes;
        bool write, atomic;
        uintptr_t pc;
        Region* region;
    };

    // Stack of the fiber, constants of the library: no business of the checker. Static shared memory is.
    bool private_memory(Seen& seen) {
        const Fiber& fiber = *machine.current;
        if (size_t(seen.p - fiber.stack) < kStackStride) return true;
        if (statics_.start && size_t(seen.p - statics_.start) < statics_.bytes) {
            seen.region = &statics_;
            return false;
        }
        return !seen.write && seen.p >= library_first_ && seen.p < library_last_;
    }

    void check(const Seen& seen) {
        Region* region = seen.region;
        const unsigned bytes = seen.bytes;
        const size_t offset = region ? size_t(seen.p - region->start) : 0;
        if (!region || !region->start || offset + bytes > region->bytes) report(kOutOfBounds, "out of bounds", seen);
        if (offset % (bytes & -bytes)) report(kMisaligned, "misaligned", seen);
        const unsigned thread = machine.current->index;
        const auto pc = uint32_t(seen.pc - reinterpret_cast<uintptr_t>(library_first_));
        traffic_.add(thread, {offset, pc, int16_t(region->number), uint8_t(bytes), seen.write});
        const unsigned width = unsigned(__builtin_ctz(bytes));
        if (__builtin_expect(width < region->granule, 0)) region->refine(width);
        if (seen.atomic) order_.atomic(thread, reinterpret_cast<uintptr_t>(seen.p));
        const Access access = {thread, order_.stamp(thread), seen.write, seen.atomic};
        const size_t first = offset >> region->granule, last = (offset + bytes - 1) >> region->granule;
        for (size_t i = first; i <= last; ++i) {
            Stamp other;
            const Conflict conflict = touch(region->cells[i], order_, *region, access, other);
            if (__builtin_expect(conflict == Conflict::none, 1)) continue;
            Seen part = seen;  // of a vector the element that is wrong
            part.p = std::max(seen.p, static_cast<const unsigned char*>(region->start + (i << region->granule)));
            if (conflict == Conflict::uninitialised) suspect(part);
            else report_race(part, other, conflict == Conflict::write);
        }
    }

    // A read of what nobody wrote is perhaps half of a race: then the write is still to come, and says more.
    void suspect(const Seen& seen) {
        if (suspicion_.kind) return;
        const Fault before = machine.fault;
        describe(kUninitialised, "of memory that nobody wrote", seen);
        suspicion_ = machine.fault;
        machine.fault = before;
    }

    [[noreturn]] void report_race(const Seen& seen, Stamp other, bool after_write) {
        const Stamp::Kind kind = after_write ? Stamp::kOne : other.kind();
        const unsigned thread = other.thread();
        char who[96], block[32] = "this block";
        if (other.block() != order_.block_number()) snprintf(block, sizeof block, "block %u", other.block() - 1);
        if (kind == Stamp::kSeveral) snprintf(who, sizeof who, "reads by several blocks");
        else if (kind == Stamp::kBlock) snprintf(who, sizeof who, "reads by several threads of %s", block);
        else snprintf(who, sizeof who, "a %s by thread %u of %s", after_write ? "write" : "read", thread, block);
        char what[128];
        snprintf(what, sizeof what, "races with %s", who);
        Fault& fault = describe(kRace, what, seen);
        fault.other_thread = kind <= Stamp::kWarp ? int32_t(thread) : -1;
        fault.other_block = kind < Stamp::kSeveral ? int64_t(other.block()) - 1 : -1;
        abandon();
    }

    [[noreturn]] void report(FaultKind kind, const char* what, const Seen& seen) {
        describe(kind, what, seen);
        abandon();
    }

    Fault& describe(FaultKind kind, const char* what, const Seen& seen) {
        const Region* region = seen.region;
        const bool inside = region && region->start && size_t(seen.p - region->start) < region->bytes;
        const Region* named = inside ? region : arena_.nearest(seen.p);
        const char* access = seen.atomic ? "an atomic" : seen.write ? "a write" : "a read";
        Fault& fault = fail(kind, "%s of %u bytes %s", access, seen.bytes, what);
        fault.bytes = seen.bytes;
        if (named) {
            fault.buffer = named->number;
            fault.offset = int64_t(seen.p - named->start);
        }
        capture_frames(fault);
        return fault;
    }

    void settle_all() {
        for (unsigned first = 0; first < machine.threads; first += kWarp)
            traffic_.settle(first, std::min(kWarp, machine.threads - first), arena_);
    }

    // A read of what nobody wrote is the cause of whatever else went wrong after it, except a race, which
    // is its cause.
    void confirm_suspicion() {
        if (suspicion_.kind && machine.fault.kind != kRace) machine.fault = suspicion_;
    }

    void place_statics() {
        if (!__start_fst_shared) return;
        statics_.start = __start_fst_shared;
        statics_.bytes = size_t(__stop_fst_shared - __start_fst_shared);
        statics_.number = kStaticShared;
        statics_.granule = 2;
        statics_.cells = LazyArray<Cell>((statics_.bytes >> 2) + 1);
    }

    // The memory that the library is loaded to.
    void find_library() {
        Dl_info info = {};
        dladdr(reinterpret_cast<void*>(&fst_host_base), &info);
        library_first_ = static_cast<unsigned char*>(info.dli_fbase);
        dl_iterate_phdr(
            [](dl_phdr_info* object, size_t, void* self) {
                auto* checker = static_cast<Checker*>(self);
                auto* base = reinterpret_cast<unsigned char*>(object->dlpi_addr);
                if (base != checker->library_first_) return 0;
                for (int i = 0; i < object->dlpi_phnum; ++i) {
                    const ElfW(Phdr)& header = object->dlpi_phdr[i];
                    unsigned char* last = base + header.p_vaddr + header.p_memsz;
                    if (header.p_type == PT_LOAD) checker->library_last_ = std::max(checker->library_last_, last);
                }
                return 1;
            },
            this);
    }

    Arena arena_;
    Region statics_;
    Ordering order_;
    Traffic traffic_;
    Fault suspicion_ = {};  // the first read of memory that nobody wrote
    unsigned char *library_first_ = nullptr, *library_last_ = nullptr;
};

static Checker checker;

}  // namespace fst_host
