// Sum of each row of 1000 floats: registers, warps, then one warp over shared memory.
#include "fstc.cuh"
extern "C" __global__ void __launch_bounds__(256) rowsum(const float* __restrict__ x, float* __restrict__ y) {
    FST_SHARED(arena);
    float* partial = reinterpret_cast<float*>(arena);
    const int t = int(threadIdx.x);
    float sum = 0.0f;
    for (int i = t; i < 1000; i += 256) sum += x[blockIdx.x * 1000 + i];
    for (int mask = 16; mask > 0; mask >>= 1) sum += fst::shfl_xor(sum, mask);
    if (t % 32 == 0) partial[t / 32] = sum;
    __syncthreads();
    if (t < 32) {
        sum = t < 8 ? partial[t] : 0.0f;
        for (int mask = 16; mask > 0; mask >>= 1) sum += fst::shfl_xor(sum, mask);
        if (t == 0) y[blockIdx.x] = sum;
    }
}
