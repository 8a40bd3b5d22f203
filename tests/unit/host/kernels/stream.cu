// Access patterns over global memory: coalesced, strided, and 16-byte vectors from a shifted start.
#include "fstc.cuh"
#define SHIFT 4
extern "C" __global__ void __launch_bounds__(64)
    stream(const float* __restrict__ x, const float* __restrict__ wide, float* __restrict__ y) {
    const int i = int(blockIdx.x * blockDim.x + threadIdx.x);
    const float plain = x[i];             // @coalesced
    const float strided = x[(i * 8) % 512];  // @strided
    const fst::vec<float, 4> v = fst::load_vec<4>(wide + 4 * i + SHIFT);  // @vector
    y[i] = plain + strided + v.v[0] + v.v[3];  // @store
}
