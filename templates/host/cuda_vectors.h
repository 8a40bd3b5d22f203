// cuda_vectors.h - the vector types that NVRTC has built in, with CUDA's alignments.
#pragma once

#define FST_HOST_VECTORS(name, T)                                                          \
    struct __align__(2 * sizeof(T)) name##2 {                                              \
        T x, y;                                                                            \
    };                                                                                     \
    struct __align__(sizeof(T) < 4 ? 4 * sizeof(T) : 16) name##4 {                         \
        T x, y, z, w;                                                                      \
    };                                                                                     \
    __forceinline__ name##2 make_##name##2(T x, T y) { return name##2{x, y}; }             \
    __forceinline__ name##4 make_##name##4(T x, T y, T z, T w) { return name##4{x, y, z, w}; }
FST_HOST_VECTORS(char, signed char)
FST_HOST_VECTORS(uchar, unsigned char)
FST_HOST_VECTORS(short, short)
FST_HOST_VECTORS(ushort, unsigned short)
FST_HOST_VECTORS(int, int)
FST_HOST_VECTORS(uint, unsigned)
FST_HOST_VECTORS(float, float)
FST_HOST_VECTORS(double, double)
FST_HOST_VECTORS(longlong, long long)
FST_HOST_VECTORS(ulonglong, unsigned long long)
#undef FST_HOST_VECTORS
