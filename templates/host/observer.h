// observer.h - what the scheduler tells the checker; nothing in the plain build.
#pragma once

#include "machine.h"

namespace fst_host {

static unsigned char* place_plain_shared(size_t bytes) {
    static std::vector<unsigned char> memory;
    constexpr size_t alignment = 256;
    memory.resize(bytes + alignment);
    const auto address = (reinterpret_cast<uintptr_t>(memory.data()) + alignment - 1) & ~uintptr_t(alignment - 1);
    return reinterpret_cast<unsigned char*>(address);
}

#ifdef FST_HOST_CHECKED
void observe_launch();
void observe_launch_end();
void observe_block();      // a block is about to start
void observe_block_end();  // all its threads have returned, or one failed
void observe_barrier();    // its threads have all arrived
void observe_warp(const Fiber* warp, unsigned lanes, unsigned op);  // lanes have carried out an operation
unsigned char* place_shared(size_t bytes);                          // where the dynamic shared memory lies
#else
static inline void observe_launch() {}
static inline void observe_launch_end() {}
static inline void observe_block() {}
static inline void observe_block_end() {}
static inline void observe_barrier() {}
static inline void observe_warp(const Fiber*, unsigned, unsigned) {}
static inline unsigned char* place_shared(size_t bytes) { return place_plain_shared(bytes); }
#endif

}  // namespace fst_host
