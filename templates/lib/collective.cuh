// Exchange between the lanes of a warp.
#pragma once

#include "types.cuh"

namespace fst {

// The value that lane (own ^ lane_mask) holds; all 32 lanes take part. Any type of 1, 2, 4 or 8 bytes.
template <class T> FST_FN T shfl_xor(T value, int lane_mask) {
    static_assert(sizeof(T) <= 8, "at most 8 bytes");
    if constexpr (sizeof(T) == 8) {
        const u64 bits = bit_cast<u64>(value);
        const u32 low = __shfl_xor_sync(0xffffffffu, u32(bits), lane_mask);
        const u32 high = __shfl_xor_sync(0xffffffffu, u32(bits >> 32), lane_mask);
        return bit_cast<T>(u64(high) << 32 | low);
    } else if constexpr (sizeof(T) == 4) {
        return bit_cast<T>(__shfl_xor_sync(0xffffffffu, bit_cast<u32>(value), lane_mask));
    } else if constexpr (sizeof(T) == 2) {
        return bit_cast<T>(u16(__shfl_xor_sync(0xffffffffu, u32(bit_cast<u16>(value)), lane_mask)));
    } else {
        return bit_cast<T>(u8(__shfl_xor_sync(0xffffffffu, u32(bit_cast<u8>(value)), lane_mask)));
    }
}

}  // namespace fst
