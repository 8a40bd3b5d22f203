#include "fstc.cuh"

extern "C" __global__ void __launch_bounds__(128, 16) kernel_0(
    const float* __restrict__ p0,  // %x f32[33,10]
    const float* __restrict__ p1,  // %fill f32[]
    float* __restrict__ q0)  // %y f32[36,12]
{
    const int lane = threadIdx.x & 31;
    const int warp = threadIdx.x >> 5;
    const int block = blockIdx.x;
    const int a3 = lane / 16 + warp * 2 + block * 8;  // axis a3, extent 36
    const int a4 = lane % 16;  // axis a4, extent 12
    if (a3 < 36 && a4 < 12) {
        float c0;  // %y = pad
        if (a3 - 1 >= 0 && a3 - 1 < 33 && a4 < 10) {
            float c1;  // %r = concatenate
            if (a4 < 5) {
                const float v0 = p0[a3 * 10 + a4 - 5];  // %x
                const float v1 = -v0;  // %turned = neg
                c1 = v1;
            }
            else {
                const float v2 = p0[a3 * 10 + a4 - 15];  // %x
                c1 = v2;
            }
            c0 = c1;
        }
        else {
            const float v3 = p1[0];  // %fill
            c0 = v3;
        }
        q0[a3 * 12 + a4] = c0;  // %y
    }
}
