#include "fstc.cuh"

extern "C" __global__ void __launch_bounds__(128, 16) kernel_0(
    const float* __restrict__ p0,  // %x f32[512,64]
    float* __restrict__ q0)  // %y f32[512,64]
{
    const int lane = threadIdx.x & 31;
    const int warp = threadIdx.x >> 5;
    const int block = blockIdx.x;
    const int a0 = lane / 16 + warp * 2 + block * 8;  // axis a0, extent 512
    const int a1 = (lane % 16) * 4;  // axis a1, extent 64
    float h0[4];  // %x, kept in register
    float h4[4];  // %e, kept in register
    float r1 = -fst::inf<float>();  // %max = reduce_max
    {
        const auto t0 = fst::load_vec<4>(p0 + a0 * 64 + a1);  // %x
        #pragma unroll
        for (int ea1 = 0; ea1 < 4; ++ea1) {
            h0[ea1] = t0[ea1];
            r1 = fst::op_max(r1, t0[ea1]);  // %max = reduce_max
        }
    }
    r1 = fst::op_max(r1, fst::shfl_xor(r1, 8));  // %max = reduce_max
    r1 = fst::op_max(r1, fst::shfl_xor(r1, 4));  // %max = reduce_max
    r1 = fst::op_max(r1, fst::shfl_xor(r1, 2));  // %max = reduce_max
    r1 = fst::op_max(r1, fst::shfl_xor(r1, 1));  // %max = reduce_max
    float r5 = 0.0f;  // %sum = reduce_sum
    {
        #pragma unroll
        for (int ea1 = 0; ea1 < 4; ++ea1) {
            const float v0 = h0[ea1] - r1;  // %d = sub
            const float v1 = fst::exp(v0);  // %e = exp
            h4[ea1] = v1;
            r5 = fst::op_add(r5, v1);  // %sum = reduce_sum
        }
    }
    r5 = fst::op_add(r5, fst::shfl_xor(r5, 8));  // %sum = reduce_sum
    r5 = fst::op_add(r5, fst::shfl_xor(r5, 4));  // %sum = reduce_sum
    r5 = fst::op_add(r5, fst::shfl_xor(r5, 2));  // %sum = reduce_sum
    r5 = fst::op_add(r5, fst::shfl_xor(r5, 1));  // %sum = reduce_sum
    {
        fst::vec<float, 4> o0;  // %y
        #pragma unroll
        for (int ea1 = 0; ea1 < 4; ++ea1) {
            const float v2 = h4[ea1] / r5;  // %y = div
            o0[ea1] = v2;  // %y
        }
        fst::store_vec(q0 + a0 * 64 + a1, o0);
    }
}
