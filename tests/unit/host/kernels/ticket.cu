// Sum of 4 x 256 floats: a partial of each block, added up by the block that finishes last.
#include "fstc.cuh"
extern "C" __global__ void __launch_bounds__(64)
    ticket(const float* __restrict__ x, float* __restrict__ partial, unsigned* __restrict__ done, float* __restrict__ y) {
    FST_SHARED(arena);
    unsigned* last = reinterpret_cast<unsigned*>(arena);
    const int t = int(threadIdx.x);
    float sum = 0.0f;
    for (int i = 0; i < 4; ++i) sum += x[blockIdx.x * 256 + i * 64 + t];
    partial[blockIdx.x * 64 + t] = sum;  // @partial
    __syncthreads();
    if (t == 0) {
        __threadfence();  // @release
        *last = atomicAdd(done, 1u) == gridDim.x - 1;  // @ticket
        __threadfence();  // @acquire
    }
    __syncthreads();
    if (*last) {
        float total = 0.0f;
        for (unsigned b = 0; b < gridDim.x; ++b) total += partial[b * 64 + t];  // @finish
        y[t] = total;
    }
}
