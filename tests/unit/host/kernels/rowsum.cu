// Sum of each row of 1000 floats, through registers, warps, and one shared word a warp; then again, doubled,
// through the same words.
#include "fstc.cuh"
extern "C" __global__ void __launch_bounds__(256) rowsum(const float* __restrict__ x, float* __restrict__ y) {
    FST_SHARED(arena);
    float* partial = reinterpret_cast<float*>(arena);
    const int t = int(threadIdx.x);
    for (int pass = 0; pass < 2; ++pass) {
        float sum = 0.0f;
        for (int i = t; i < 1000; i += 256) sum += x[blockIdx.x * 1000 + i];  // @load
        for (int lanes = 16; lanes > 0; lanes >>= 1) sum += fst::shfl_xor(sum, lanes);
        if (t % 32 == 0) partial[t / 32] = sum * float(pass + 1);  // @put
        __syncthreads();  // @after-put
        float total = 0.0f;
        for (int w = 0; w < 8; ++w) total += partial[w];  // @take
        __syncthreads();  // @before-reuse
        if (t == 0) y[blockIdx.x * 2 + pass] = total;  // @store
    }
}
