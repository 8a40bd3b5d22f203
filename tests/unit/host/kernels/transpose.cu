// Transpose of a 64 x 64 matrix, a 32 x 32 tile a block.
#include "fstc.cuh"
#define PITCH 33
extern "C" __global__ void __launch_bounds__(256) transpose(const float* __restrict__ x, float* __restrict__ y) {
    FST_SHARED(arena);
    float* tile = reinterpret_cast<float*>(arena);
    const int column = int(threadIdx.x) % 32, row = int(threadIdx.x) / 32;
    const int across = int(blockIdx.x) % 2 * 32, down = int(blockIdx.x) / 2 * 32;
    for (int r = row; r < 32; r += 8) tile[r * PITCH + column] = x[(down + r) * 64 + across + column];  // @fill
    __syncthreads();  // @after-fill
    for (int r = row; r < 32; r += 8) y[(across + r) * 64 + down + column] = tile[column * PITCH + r];  // @drain
}
