// Every atomic, by all 96 threads of 4 blocks, on words that start at 0 (minimum: at 1000).
extern "C" __global__ void __launch_bounds__(96) atomics(int* __restrict__ words, float* __restrict__ sum) {
    const int i = int(blockIdx.x * blockDim.x + threadIdx.x);
    atomicAdd(&words[0], 1);
    atomicMax(&words[1], i);
    atomicMin(&words[2], i);
    atomicOr(&words[3], 1 << (i % 8));
    atomicXor(&words[4], 1 << (i % 8));
    atomicInc(reinterpret_cast<unsigned*>(&words[5]), 9);
    if (atomicCAS(&words[6], 0, i + 1) == 0) atomicExch(&words[7], i + 1);
    atomicSub(&words[8], 2);
    atomicAdd(sum, 0.5f);
}
