// Vector access to global memory and dynamic shared memory.
//
// A scalar access is plain `p[i]`. load_vec and store_vec are one access of up to 16 bytes on the device;
// on the host they are one report to the checker and an uninstrumented copy (GCC would report each member).
#pragma once

#include "convert.cuh"

namespace fst {

// ---- vec --------------------------------------------------------------------------------------------------

template <class T, int N> struct alignas(sizeof(T) * N < 16 ? sizeof(T) * N : 16) vec {
    static_assert((N & (N - 1)) == 0, "a vector has a power of two of elements");
    T v[N];
    FST_FN T& operator[](int i) { return v[i]; }
    FST_FN const T& operator[](int i) const { return v[i]; }
};

// ---- memory -----------------------------------------------------------------------------------------------

// The builtin type that one instruction moves; a struct of bytes would be moved in pieces.
template <int Bytes> struct word;
template <> struct word<1> {
    using type = u8;
};
template <> struct word<2> {
    using type = u16;
};
template <> struct word<4> {
    using type = u32;
};
template <> struct word<8> {
    using type = uint2;
};
template <> struct word<16> {
    using type = uint4;
};
template <class Vec> using word_t = typename word<sizeof(Vec)>::type;

// On the host these are inlined too, so that the checker's report carries the kernel's line; fst_host_load
// and fst_host_store report and copy.
template <int N, class T> FST_FN vec<T, N> load_vec(const T* p) {
    using Word = word_t<vec<T, N>>;
#if defined(FST_HOST)
    Word x;
    fst_host_load(&x, p, unsigned(sizeof x));
    return bit_cast<vec<T, N>>(x);
#else
    return bit_cast<vec<T, N>>(*reinterpret_cast<const Word*>(p));
#endif
}

template <class T, int N> FST_FN void store_vec(T* p, vec<T, N> x) {
    using Word = word_t<vec<T, N>>;
#if defined(FST_HOST)
    const Word bits = bit_cast<Word>(x);
    fst_host_store(p, &bits, unsigned(sizeof bits));
#else
    *reinterpret_cast<Word*>(p) = bit_cast<Word>(x);
#endif
}

// ---- vectors between storage and compute types ------------------------------------------------------------

template <class S, int N> FST_FN vec<compute_t<S>, N> up_vec(vec<S, N> x) {
    vec<compute_t<S>, N> y;
#pragma unroll
    for (int i = 0; i < N; ++i) y.v[i] = up(x.v[i]);
    return y;
}

// Two at a time where one instruction rounds a pair; the low half is the first element.
template <class S> struct pair_rounder {
    static FST_FN vec<S, 2> from(compute_t<S> a, compute_t<S> b) { return {{down<S>(a), down<S>(b)}}; }
};
#if !defined(FST_HOST) && __CUDA_ARCH__ >= 800
template <> struct pair_rounder<f16> {
    static FST_FN vec<f16, 2> from(float a, float b) {
        u32 pair;
        asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(b), "f"(a));
        return bit_cast<vec<f16, 2>>(pair);
    }
};
template <> struct pair_rounder<bf16> {
    static FST_FN vec<bf16, 2> from(float a, float b) {
        u32 pair;
        asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(b), "f"(a));
        return bit_cast<vec<bf16, 2>>(pair);
    }
};
#endif

template <class S, int N> FST_FN vec<S, N> down_vec(vec<compute_t<S>, N> x) {
    vec<S, N> y;
    if constexpr (N == 1) {
        y.v[0] = down<S>(x.v[0]);
    } else {
#pragma unroll
        for (int i = 0; i < N; i += 2) {
            const vec<S, 2> pair = pair_rounder<S>::from(x.v[i], x.v[i + 1]);
            y.v[i] = pair.v[0];
            y.v[i + 1] = pair.v[1];
        }
    }
    return y;
}

}  // namespace fst

// ---- dynamic shared memory --------------------------------------------------------------------------------

// FST_SHARED(name) declares `unsigned char* name`, 16-byte aligned. The host shim has its own.
#if !defined(FST_SHARED)
#define FST_SHARED(name)                                           \
    extern __shared__ __align__(16) unsigned char fst_shared_[]; \
    unsigned char* name = fst_shared_
#endif
