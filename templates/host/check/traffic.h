// traffic.h - exact memory traffic: sectors of every buffer, and per instruction requests and bank conflicts.
//
// Each lane logs its accesses between two points where the warp meets. There the logs are merged into warp
// requests, the way hardware issues them when diverged lanes reconverge as early as they can.
#pragma once

#include "shadow.h"

#include <algorithm>

namespace fst_host {

constexpr unsigned kSector = 32, kBanks = 32, kBankBytes = 4;

struct Logged {
    uint64_t offset;
    uint32_t pc;  // from where the library is loaded
    int16_t buffer;
    uint8_t bytes, write;

    bool together(const Logged& other) const { return pc == other.pc && buffer == other.buffer; }
};

// Mirrored by fstc/build/host_check.py.
struct BufferTraffic {
    uint64_t read_sectors, write_sectors;              // distinct, of the launch
    uint64_t block_read_sectors, block_write_sectors;  // distinct in each block, summed
    uint64_t read_requests, write_requests;            // warp instructions
    uint64_t read_request_sectors, write_request_sectors;
};
struct SiteTraffic {
    uint32_t pc;
    int32_t buffer;
    uint32_t write, bytes;  // bytes of one lane's access
    uint64_t requests, lanes;
    uint64_t sectors;               // of global memory, distinct in each request
    uint64_t wavefronts, conflicts;  // of shared memory; conflicts: wavefronts beyond the fewest possible
};

class Traffic {
public:
    void begin_launch(size_t buffers) {
        buffers_.assign(buffers, BufferTraffic{});
        sites_.clear();
        index_.clear();
    }
    void begin_block(unsigned block, unsigned threads) {
        block_ = block + 1;
        if (logs_.size() < threads) logs_.resize(threads);
    }
    void add(unsigned thread, const Logged& access) { logs_[thread].push_back(access); }

    // Merges and forgets the logs of a warp, whose lanes start at thread `first`.
    void settle(unsigned first, unsigned lanes, Arena& arena) {
        Cursor cursors[kWarp];
        for (unsigned lane = 0; lane < lanes; ++lane) {
            const auto& log = logs_[first + lane];
            cursors[lane] = {log.data(), log.data() + log.size()};
        }
        const Logged* request[kWarp];
        while (const Logged* chosen = choose(cursors, lanes)) {
            unsigned size = 0;
            for (Cursor* c = cursors; c != cursors + lanes; ++c)
                if (c->left() && c->next->together(*chosen)) request[size++] = c->next++;
            account(request, size, arena);
        }
        for (unsigned lane = 0; lane < lanes; ++lane) logs_[first + lane].clear();
    }

    void forget_logs() {
        for (auto& log : logs_) log.clear();
    }

    const std::vector<BufferTraffic>& buffers() const { return buffers_; }
    const std::vector<SiteTraffic>& sites() const { return sites_; }

private:
    struct Cursor {
        const Logged *next = nullptr, *end = nullptr;
        bool left() const { return next != end; }
        // Whether the lane comes to the access soon, but not now.
        bool meets(const Logged& access) const {
            constexpr long kAhead = 64;
            const Logged* last = end - next > kAhead ? next + kAhead : end;
            for (const Logged* p = next; p != last; ++p)
                if (p->together(access)) return p != next;
            return false;
        }
    };

    // The access to issue next; null at the end. Lanes that agree go on together. Of diverged ones first
    // those whose access no other lane will join; where each could be joined, the lowest address goes first,
    // as lanes that are behind in a loop or a branch have to catch up.
    static const Logged* choose(const Cursor* cursors, unsigned lanes) {
        const Logged* lowest = nullptr;
        bool diverged = false;
        for (unsigned lane = 0; lane < lanes; ++lane) {
            if (!cursors[lane].left()) continue;
            const Logged* next = cursors[lane].next;
            diverged |= lowest && !next->together(*lowest);
            if (!lowest || next->pc < lowest->pc) lowest = next;
        }
        if (!diverged) return lowest;
        const Logged* refused = nullptr;
        for (unsigned lane = 0; lane < lanes; ++lane) {
            const Logged* candidate = cursors[lane].next;
            if (!cursors[lane].left() || (refused && candidate->together(*refused))) continue;
            bool joined = false;
            for (unsigned other = 0; other < lanes && !joined; ++other) joined = cursors[other].meets(*candidate);
            if (!joined) return candidate;
            refused = candidate;
        }
        return lowest;
    }

    void account(const Logged* const* request, unsigned size, Arena& arena) {
        const Logged& first = *request[0];
        SiteTraffic& site = site_of(first);
        ++site.requests;
        site.lanes += size;
        if (first.buffer >= 0) account_global(request, size, arena.slot(size_t(first.buffer) + 1), site);
        else account_shared(request, size, site);
    }

    void account_global(const Logged* const* request, unsigned size, Region& region, SiteTraffic& site) {
        uint64_t sectors[kWarp];
        unsigned distinct = 0;
        bool sorted = true;
        for (unsigned i = 0; i < size; ++i) {
            const uint64_t sector = request[i]->offset / kSector;
            if (distinct && sectors[distinct - 1] == sector) continue;
            if (distinct && sectors[distinct - 1] > sector) sorted = false;
            sectors[distinct++] = sector;
        }
        if (!sorted) {
            std::sort(sectors, sectors + distinct);
            distinct = unsigned(std::unique(sectors, sectors + distinct) - sectors);
        }
        site.sectors += distinct;
        const bool write = request[0]->write;
        BufferTraffic& total = buffers_[size_t(request[0]->buffer)];
        ++(write ? total.write_requests : total.read_requests);
        (write ? total.write_request_sectors : total.read_request_sectors) += distinct;
        LazyArray<uint32_t>& last = write ? region.writers : region.readers;
        for (unsigned i = 0; i < distinct; ++i) {
            uint32_t& block = last[sectors[i]];
            if (block == block_) continue;
            if (block == 0) ++(write ? total.write_sectors : total.read_sectors);
            ++(write ? total.block_write_sectors : total.block_read_sectors);
            block = block_;
        }
    }

    // Accesses of 8 and 16 bytes are served for half and for a quarter of the warp at a time. A wavefront
    // moves one 4-byte word of every bank; lanes that want the same word share it.
    static void account_shared(const Logged* const* request, unsigned size, SiteTraffic& site) {
        const unsigned bytes = request[0]->bytes;
        const unsigned at_once = bytes <= 4 ? kWarp : bytes == 8 ? kWarp / 2 : kWarp / 4;
        for (unsigned first = 0; first < size; first += at_once) {
            uint64_t words[kBanks][kWarp];
            unsigned degree[kBanks] = {}, most = 0;
            const unsigned last = std::min(size, first + at_once);
            for (unsigned i = first; i < last; ++i) {
                const uint64_t from = request[i]->offset / kBankBytes;
                const uint64_t to = (request[i]->offset + bytes - 1) / kBankBytes;
                for (uint64_t word = from; word <= to; ++word) {
                    const unsigned bank = unsigned(word % kBanks);
                    const uint64_t* known = words[bank] + degree[bank];
                    if (std::find(static_cast<const uint64_t*>(words[bank]), known, word) != known) continue;
                    words[bank][degree[bank]++] = word;
                    most = std::max(most, degree[bank]);
                }
            }
            site.wavefronts += most;
            site.conflicts += most - 1;
        }
    }

    SiteTraffic& site_of(const Logged& access) {
        const uint64_t key = uint64_t(access.pc) << 16 | uint16_t(access.buffer);
        const auto [found, added] = index_.try_emplace(key, sites_.size());
        if (added) sites_.push_back({access.pc, access.buffer, access.write, access.bytes, 0, 0, 0, 0, 0});
        return sites_[found->second];
    }

    std::vector<std::vector<Logged>> logs_;  // per thread
    std::vector<BufferTraffic> buffers_;
    std::vector<SiteTraffic> sites_;
    std::unordered_map<uint64_t, size_t> index_;
    uint32_t block_ = 0;
};

}  // namespace fst_host
