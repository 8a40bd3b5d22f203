// shadow.h - the checker's memory: where each buffer lies, and who touched each of its cells.
//
// Buffers are copied into one reserved range, a power-of-two slot each with room that belongs to nobody
// after it: an address gives its buffer by a shift, and an index that runs out of a buffer meets no other.
// Cells are as wide as the narrowest access so far; shadow pages that nobody touches cost nothing.
#pragma once

#include "order.h"

#include <sys/mman.h>

namespace fst_host {

constexpr int kDynamicShared = -2, kStaticShared = -3;  // numbers of the regions that are no buffers

// Zeroed memory that the system provides on first touch.
template <class T>
class LazyArray {
public:
    LazyArray() = default;
    LazyArray(const LazyArray&) = delete;
    LazyArray& operator=(const LazyArray&) = delete;
    LazyArray(LazyArray&& other) noexcept { swap(other); }
    LazyArray& operator=(LazyArray&& other) noexcept {
        swap(other);
        return *this;
    }
    ~LazyArray() {
        if (data_) munmap(data_, size_ * sizeof(T));
    }
    explicit LazyArray(size_t size) : size_(size ? size : 1) {
        const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
        void* p = mmap(nullptr, size_ * sizeof(T), PROT_READ | PROT_WRITE, flags, -1, 0);
        data_ = p == MAP_FAILED ? nullptr : static_cast<T*>(p);
    }
    bool ok() const { return data_ != nullptr; }
    T& operator[](size_t i) { return data_[i]; }

private:
    void swap(LazyArray& other) {
        T* data = data_;
        const size_t size = size_;
        data_ = other.data_, size_ = other.size_;
        other.data_ = data, other.size_ = size;
    }
    T* data_ = nullptr;
    size_t size_ = 0;
};

struct Region {
    unsigned char* start = nullptr;
    size_t bytes = 0;
    int number = -1;           // of the buffer, kDynamicShared or kStaticShared
    bool initialised = false;  // before the launch
    unsigned granule = 0;      // log2 of a cell's bytes
    LazyArray<Cell> cells;
    // Per 32-byte sector the last block (plus one) that read, that wrote it; not for shared memory.
    LazyArray<uint32_t> readers, writers;

    bool shared() const { return number < 0; }

    // A narrower access than any before: each cell becomes several that know the same.
    void refine(unsigned narrower) {
        LazyArray<Cell> finer((bytes >> narrower) + 1);
        const unsigned shift = granule - narrower;
        for (size_t i = 0, n = bytes >> granule; i < n; ++i)
            if (cells[i].write || cells[i].read)
                for (size_t k = 0; k < size_t(1) << shift; ++k) finer[(i << shift) + k] = cells[i];
        cells = std::move(finer);
        granule = narrower;
    }
};

class Arena {
public:
    // One slot for each buffer, one for the dynamic shared memory, the first and the last for nobody.
    bool reserve(size_t buffers, size_t largest) {
        release();
        shift_ = 16;
        while ((size_t(1) << shift_) < largest + kGap) ++shift_;
        slots_ = buffers + 3;
        length_ = slots_ << shift_;
        void* p = mmap(nullptr, length_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (p == MAP_FAILED) return false;
        memory_ = static_cast<unsigned char*>(p);
        regions_ = std::vector<Region>(slots_);
        return true;
    }

    Region* place(size_t slot, int number, size_t bytes, unsigned cell_bytes, bool initialised) {
        Region& region = regions_[slot];
        region.start = memory_ + (slot << shift_);
        region.bytes = bytes;
        region.number = number;
        region.initialised = initialised;
        region.granule = unsigned(__builtin_ctz(cell_bytes));
        region.cells = LazyArray<Cell>((bytes >> region.granule) + 1);
        if (!region.cells.ok() || (bytes && mprotect(region.start, bytes, PROT_READ | PROT_WRITE))) return nullptr;
        if (!region.shared()) {
            region.readers = LazyArray<uint32_t>(bytes / 32 + 1);
            region.writers = LazyArray<uint32_t>(bytes / 32 + 1);
            if (!region.readers.ok() || !region.writers.ok()) return nullptr;
        }
        return &region;
    }

    void release() {
        if (memory_) munmap(memory_, length_);
        memory_ = nullptr;
        length_ = slots_ = 0;
        regions_.clear();
    }

    bool active() const { return memory_ != nullptr; }
    Region& slot(size_t i) { return regions_[i]; }
    size_t shared_slot() const { return slots_ - 2; }

    // The region of the slot that an address lies in; null outside the arena.
    Region* find(const unsigned char* p) {
        const auto distance = size_t(p - memory_);
        return distance < length_ ? &regions_[distance >> shift_] : nullptr;
    }

    // The buffer that an address outside of all buffers most likely wanted to be in.
    Region* nearest(const unsigned char* p) {
        Region* best = nullptr;
        size_t best_distance = 0;
        for (Region& region : regions_) {
            if (!region.start) continue;
            const unsigned char* end = region.start + region.bytes;
            const size_t distance = p < region.start ? size_t(region.start - p) : size_t(p - end);
            if (!best || distance < best_distance) best = &region, best_distance = distance;
        }
        return best;
    }

private:
    static constexpr size_t kGap = 1 << 16;
    unsigned char* memory_ = nullptr;
    size_t length_ = 0, slots_ = 0;
    unsigned shift_ = 0;
    std::vector<Region> regions_;
};

}  // namespace fst_host
