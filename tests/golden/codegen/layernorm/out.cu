#include "fstc.cuh"

extern "C" __global__ void __launch_bounds__(1024, 2) kernel_0(
    const fst::bf16* __restrict__ p0,  // %x bf16[64,1001]
    const fst::bf16* __restrict__ p1,  // %gamma bf16[1001]
    fst::bf16* __restrict__ q0)  // %y bf16[64,1001]
{
    const int lane = threadIdx.x & 31;
    const int warp = threadIdx.x >> 5;
    FST_SHARED(arena);
    const int block = blockIdx.x;
    const int a0 = block;  // axis a0, extent 64
    const int a1 = lane + warp * 32;  // axis a1, extent 1001
    fst::bf16 h0;  // %x, kept in register
    float r4 = 0.0f;  // %sum = reduce_sum
    if (a1 < 1001) {
        const fst::bf16 v0 = p0[a0 * 1001 + a1];  // %x
        const float v1 = fst::up(v0);  // %x
        h0 = v0;
        const float v2 = v1 * v1;  // %squares = mul
        r4 = fst::op_add(r4, v2);  // %sum = reduce_sum
    }
    r4 = fst::op_add(r4, fst::shfl_xor(r4, 16));  // %sum = reduce_sum
    r4 = fst::op_add(r4, fst::shfl_xor(r4, 8));  // %sum = reduce_sum
    r4 = fst::op_add(r4, fst::shfl_xor(r4, 4));  // %sum = reduce_sum
    r4 = fst::op_add(r4, fst::shfl_xor(r4, 2));  // %sum = reduce_sum
    r4 = fst::op_add(r4, fst::shfl_xor(r4, 1));  // %sum = reduce_sum
    float* m4 = reinterpret_cast<float*>(arena);  // %sum = reduce_sum
    if (lane == 0) {
        m4[warp] = r4;  // %sum = reduce_sum
    }
    __syncthreads();
    r4 = 0.0f;
    #pragma unroll
    for (int j0 = 0; j0 < 32; ++j0) {
        r4 = fst::op_add(r4, m4[j0]);  // %sum = reduce_sum
    }
    if (a1 < 1001) {
        const float v3 = fst::up(h0);
        const float v4 = fst::rsqrt(r4);  // %scale = rsqrt
        const float v5 = v3 * v4;  // %n = mul
        const float v6 = fst::up(p1[a1]);  // %gamma
        const float v7 = v5 * v6;  // %scaled = mul
        const fst::bf16 n0 = fst::down<fst::bf16>(v7);  // %y = convert
        q0[a0 * 1001 + a1] = n0;  // %y
    }
}
