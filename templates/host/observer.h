// observer.h - what the scheduler tells the checker; nothing in the plain build.
#pragma once

#include "machine.h"

namespace fst_host {

#ifdef FST_HOST_CHECKED
void observe_launch();
void observe_block();                                          // a block is about to start
void observe_block_end();                                      // all its threads have returned
void observe_barrier();                                        // its barrier is complete
void observe_warp(Fiber* warp, unsigned lanes, unsigned op);  // a warp operation is complete
void observe_exit(Fiber& fiber);                               // a thread has returned
unsigned char* place_shared(size_t bytes);                     // where the dynamic shared memory lies
#else
static inline void observe_launch() {}
static inline void observe_block() {}
static inline void observe_block_end() {}
static inline void observe_barrier() {}
static inline void observe_warp(Fiber*, unsigned, unsigned) {}
static inline void observe_exit(Fiber&) {}
static unsigned char* place_shared(size_t bytes) {
    static std::vector<unsigned char> memory;
    constexpr size_t alignment = 256;
    memory.resize(bytes + alignment);
    const auto address = (reinterpret_cast<uintptr_t>(memory.data()) + alignment - 1) & ~uintptr_t(alignment - 1);
    return reinterpret_cast<unsigned char*>(address);
}
#endif

}  // namespace fst_host
