#include "fstc.cuh"

extern "C" __global__ void __launch_bounds__(256, 8) kernel_0(
    const fst::f16* __restrict__ p0,  // %x f16[256,256]
    fst::f16* __restrict__ q0)  // %y f16[256,256]
{
    const int lane = threadIdx.x & 31;
    const int warp = threadIdx.x >> 5;
    const int block = blockIdx.x;
    const int a0 = lane / 8 + warp * 4 + (block % 8) * 32;  // axis a0, extent 256
    const int a1 = lane % 8 + (block / 8) * 8;  // axis a1, extent 256
    {
        const float v0 = fst::up(p0[a0 * 256 + a1]);  // %x
        const float v1 = fst::up(p0[a0 + a1 * 256]);  // %x
        const fst::f16 n0 = fst::down<fst::f16>(v0 + v1);  // %y = add
        q0[a0 * 256 + a1] = n0;  // %y
    }
}
