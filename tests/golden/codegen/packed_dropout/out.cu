#include "fstc.cuh"

extern "C" __global__ void __launch_bounds__(128) kernel_0(
    const fst::u64* __restrict__ p0,  // %state u64[2]
    const float* __restrict__ p1,  // %x f32[4096]
    const float* __restrict__ p2,  // %w f32[100]
    const float* __restrict__ p3,  // %v f32[100]
    fst::u64* __restrict__ q0,  // %next u64[2]
    float* __restrict__ q1,  // %y f32[4096]
    float* __restrict__ q2)  // %z f32[100]
{
    const int lane = threadIdx.x & 31;
    const int warp = threadIdx.x >> 5;
    if (blockIdx.x < 32) {
        const int block = blockIdx.x;
        const int a1 = lane + warp * 32 + block * 128;  // axis a1, extent 4096
        {
            const fst::u64 v0 = p0[0];  // %state
            const fst::u64 v1 = p0[1];  // %state
            const fst::u64 v3 = fst::u64(a1);  // %next = rng_bit_generator
            const fst::philox_block v4 = fst::philox(v0, v1 + v3 / 4, 0);  // %next = rng_bit_generator
            const fst::u32 v5 = fst::u32(v4.v[v3 % 4]);  // %next = rng_bit_generator
            const bool v6 = v5 < 2147483648u;  // %keep = compare
            const float v7 = p1[a1];  // %x
            const float v8 = v6 ? v7 : 0.0f;  // %y = select
            #pragma unroll 8
            for (int sa2 = 0; sa2 < 2; ++sa2) {
                const fst::u64 v2 = sa2 == 0 ? v0 : v1 + 1024ull;  // %next = rng_bit_generator
                if (lane == 0 && warp == 0 && block == 0) {
                    q0[sa2] = v2;  // %next
                }
            }
            q1[a1] = v8;  // %y
        }
    }
    else {
        const int a0 = lane + warp * 32;  // axis a0, extent 100
        if (a0 < 100) {
            const float v0 = p2[a0];  // %w
            const float v1 = p3[a0];  // %v
            const float v2 = fst::max(v0, v1);  // %z = max
            q2[a0] = v2;  // %z
        }
    }
}
