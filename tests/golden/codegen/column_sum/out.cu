#include "fstc.cuh"

extern "C" __global__ void __launch_bounds__(768, 2) kernel_0(
    const float* __restrict__ p0,  // %x f32[96,256]
    float* __restrict__ q0)  // %y f32[256]
{
    const int lane = threadIdx.x & 31;
    const int warp = threadIdx.x >> 5;
    FST_SHARED(arena);
    const int block = blockIdx.x;
    const int a0 = lane / 8 + warp * 4;  // axis a0, extent 96
    const int a1 = lane % 8 + block * 8;  // axis a1, extent 256
    float r1 = 0.0f;  // %y = reduce_sum
    {
        const float v0 = p0[a0 * 256 + a1];  // %x
        r1 = fst::op_add(r1, v0);  // %y = reduce_sum
    }
    r1 = fst::op_add(r1, fst::shfl_xor(r1, 16));  // %y = reduce_sum
    r1 = fst::op_add(r1, fst::shfl_xor(r1, 8));  // %y = reduce_sum
    float* m1 = reinterpret_cast<float*>(arena);  // %y = reduce_sum
    if (lane / 8 == 0) {
        m1[warp * 8 + lane % 8] = r1;  // %y = reduce_sum
    }
    __syncthreads();
    r1 = 0.0f;
    #pragma unroll
    for (int j0 = 0; j0 < 24; ++j0) {
        r1 = fst::op_add(r1, m1[j0 * 8 + lane % 8]);  // %y = reduce_sum
    }
    {
        if (lane / 8 == 0 && warp == 0) {
            q0[a1] = r1;  // %y
        }
    }
}
