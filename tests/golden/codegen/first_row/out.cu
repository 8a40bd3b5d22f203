#include "fstc.cuh"

extern "C" __global__ void __launch_bounds__(128) kernel_0(
    const float* __restrict__ p0,  // %x f32[32,2048]
    float* __restrict__ q0,  // %y f32[32,2048]
    float* __restrict__ q1)  // %flat f32[2048]
{
    const int lane = threadIdx.x & 31;
    const int warp = threadIdx.x >> 5;
    const int block = blockIdx.x;
    const int a0 = block % 32;  // axis a0, extent 32
    const int a1 = lane * 4 + warp * 128 + (block / 32) * 512;  // axis a1, extent 2048
    {
        const auto t0 = fst::load_vec<4>(p0 + a0 * 2048 + a1);  // %x
        fst::vec<float, 4> o0;  // %y
        #pragma unroll
        for (int ea1 = 0; ea1 < 4; ++ea1) {
            const float v0 = fst::exp(t0[ea1]);  // %y = exp
            o0[ea1] = v0;  // %y
        }
        fst::store_vec(q0 + a0 * 2048 + a1, o0);
    }
    if (block % 32 == 0) {
        const auto t1 = fst::load_vec<4>(p0 + a1);  // %x
        fst::vec<float, 4> o1;  // %flat
        #pragma unroll
        for (int ea1 = 0; ea1 < 4; ++ea1) {
            const float v1 = fst::exp(t1[ea1]);  // %y = exp
            o1[ea1] = v1;  // %flat
        }
        fst::store_vec(q1 + a1, o1);
    }
}
