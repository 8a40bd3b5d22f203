// cuda_memory.h - loads and stores with a cache hint, and atomics.
//
// Fibers change only at barriers and warp operations, so a plain read-modify-write is atomic. The atomics
// tell the checker first and then work uninstrumented, so that it sees one atomic and no plain access.
#pragma once

#define FST_HOST_LOAD(name)                   \
    template <class T>                        \
    __forceinline__ T name(const T* p) {      \
        return *p;                            \
    }
FST_HOST_LOAD(__ldg)
FST_HOST_LOAD(__ldca)
FST_HOST_LOAD(__ldcg)
FST_HOST_LOAD(__ldcs)
FST_HOST_LOAD(__ldlu)
FST_HOST_LOAD(__ldcv)
#undef FST_HOST_LOAD

template <class T>
struct FstHostSame {  // keeps the second operand out of template deduction: atomicAdd(float*, 1)
    using type = T;
};

#define FST_HOST_STORE(name)                                         \
    template <class T>                                               \
    __forceinline__ void name(T* p, typename FstHostSame<T>::type v) { \
        *p = v;                                                      \
    }
FST_HOST_STORE(__stwb)
FST_HOST_STORE(__stcg)
FST_HOST_STORE(__stcs)
FST_HOST_STORE(__stwt)
#undef FST_HOST_STORE

#define FST_HOST_ATOMIC(name, expression)                                                                     \
    template <class T>                                                                                        \
    __attribute__((no_sanitize("thread"), noinline)) T fst_host_##name(T* p, typename FstHostSame<T>::type v) { \
        const T old = *p;                                                                                     \
        *p = expression;                                                                                      \
        return old;                                                                                           \
    }                                                                                                         \
    template <class T>                                                                                        \
    __forceinline__ T name(T* p, typename FstHostSame<T>::type v) {                                           \
        fst_host_atomic(p, sizeof(T));                                                                        \
        return fst_host_##name(p, v);                                                                         \
    }
FST_HOST_ATOMIC(atomicAdd, old + v)
FST_HOST_ATOMIC(atomicSub, old - v)
FST_HOST_ATOMIC(atomicMax, old > v ? old : v)
FST_HOST_ATOMIC(atomicMin, old < v ? old : v)
FST_HOST_ATOMIC(atomicExch, v)
FST_HOST_ATOMIC(atomicAnd, old& v)
FST_HOST_ATOMIC(atomicOr, old | v)
FST_HOST_ATOMIC(atomicXor, old ^ v)
FST_HOST_ATOMIC(atomicInc, old >= v ? T(0) : T(old + 1))
FST_HOST_ATOMIC(atomicDec, old == 0 || old > v ? v : T(old - 1))
#undef FST_HOST_ATOMIC

template <class T>
__attribute__((no_sanitize("thread"), noinline)) T fst_host_atomicCAS(T* p, T expected, T v) {
    const T old = *p;
    if (old == expected) *p = v;
    return old;
}
template <class T>
__forceinline__ T atomicCAS(T* p, typename FstHostSame<T>::type expected, typename FstHostSame<T>::type v) {
    fst_host_atomic(p, sizeof(T));
    return fst_host_atomicCAS<T>(p, expected, v);
}
