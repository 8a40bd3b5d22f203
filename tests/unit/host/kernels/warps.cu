// One row of 32 shared words a warp, handed round by __syncwarp alone; a static shared array for the result.
extern "C" __global__ void __launch_bounds__(64) warps(const int* __restrict__ x, int* __restrict__ y) {
    FST_SHARED(arena);
    __shared__ int sums[2];
    int* row = reinterpret_cast<int*>(arena) + threadIdx.x / 32 * 32;
    const unsigned lane = threadIdx.x % 32;
    row[lane] = x[blockIdx.x * 64 + threadIdx.x];  // @put
    __syncwarp();  // @after-put
    const int neighbour = row[(lane + 1) % 32];  // @take
    __syncwarp();  // @before-reuse
    row[lane] = neighbour;  // @reuse
    const int sum = __reduce_add_sync(0xffffffffu, neighbour);
    const unsigned odd = __ballot_sync(0xffffffffu, neighbour & 1);
    const int biggest = __reduce_max_sync(0xffffffffu, neighbour);
    const int last = __shfl_sync(0xffffffffu, neighbour, 31);
    const int before = __shfl_up_sync(0xffffffffu, neighbour, 1);
    const int half = __shfl_down_sync(0xffffffffu, neighbour, 8, 16);
    if (lane == 0) sums[threadIdx.x / 32] = sum;  // @sums
    __syncthreads();  // @after-sums
    const int odd_threads = __syncthreads_count(neighbour & 1);
    const int whole = sums[0] + sums[1];  // @whole
    int* out = y + (blockIdx.x * 64 + threadIdx.x) * 8;
    out[0] = whole, out[1] = int(odd), out[2] = biggest, out[3] = last;
    out[4] = before, out[5] = half, out[6] = odd_threads, out[7] = __any_sync(0xffffffffu, neighbour < 0);
}
