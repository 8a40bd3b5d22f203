// Philox 4x32 with ten rounds (Salmon et al., 2011), as StableHLO's rng_bit_generator uses it.
//
// One call makes one block of four words. Word k of an op's bits is philox(key, state + k / 4).v[k % 4], where
// the 128-bit counter starts at the state. The NumPy twin is fstc/ir/ops/philox.py.
#pragma once

#include "types.cuh"

namespace fst {

struct philox_block {
    u32 v[4];
};

FST_FN philox_block philox(u64 key, u64 counter_lo, u64 counter_hi) {
    u32 c0 = u32(counter_lo), c1 = u32(counter_lo >> 32), c2 = u32(counter_hi), c3 = u32(counter_hi >> 32);
    u32 k0 = u32(key), k1 = u32(key >> 32);
#pragma unroll
    for (int round = 0; round < 10; ++round) {
        const u64 a = u64(0xd2511f53u) * c0;
        const u64 b = u64(0xcd9e8d57u) * c2;
        c0 = u32(b >> 32) ^ c1 ^ k0;
        c1 = u32(b);
        c2 = u32(a >> 32) ^ c3 ^ k1;
        c3 = u32(a);
        k0 += 0x9e3779b9u;
        k1 += 0xbb67ae85u;
    }
    return {{c0, c1, c2, c3}};
}

}  // namespace fst
