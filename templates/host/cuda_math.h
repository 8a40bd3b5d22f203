// cuda_math.h - the math and bit functions that device code has without a header.
//
// libm is declared here rather than included. Where CUDA defines a result that C++ leaves open (conversions
// of values that do not fit), the function does what the GPU does.
#pragma once

#define FST_HOST_LIBM1(name)             \
    extern "C" double name(double) noexcept;    \
    extern "C" float name##f(float) noexcept;
#define FST_HOST_LIBM2(name)                     \
    extern "C" double name(double, double) noexcept;    \
    extern "C" float name##f(float, float) noexcept;
FST_HOST_LIBM1(acos) FST_HOST_LIBM1(acosh) FST_HOST_LIBM1(asin) FST_HOST_LIBM1(asinh)
FST_HOST_LIBM1(atan) FST_HOST_LIBM1(atanh) FST_HOST_LIBM1(cbrt) FST_HOST_LIBM1(ceil)
FST_HOST_LIBM1(cos) FST_HOST_LIBM1(cosh) FST_HOST_LIBM1(erf) FST_HOST_LIBM1(erfc)
FST_HOST_LIBM1(exp) FST_HOST_LIBM1(exp2) FST_HOST_LIBM1(expm1) FST_HOST_LIBM1(fabs)
FST_HOST_LIBM1(floor) FST_HOST_LIBM1(lgamma) FST_HOST_LIBM1(log) FST_HOST_LIBM1(log10)
FST_HOST_LIBM1(log1p) FST_HOST_LIBM1(log2) FST_HOST_LIBM1(logb) FST_HOST_LIBM1(nearbyint)
FST_HOST_LIBM1(rint) FST_HOST_LIBM1(round) FST_HOST_LIBM1(sin) FST_HOST_LIBM1(sinh)
FST_HOST_LIBM1(sqrt) FST_HOST_LIBM1(tan) FST_HOST_LIBM1(tanh) FST_HOST_LIBM1(tgamma)
FST_HOST_LIBM1(trunc)
FST_HOST_LIBM2(atan2) FST_HOST_LIBM2(copysign) FST_HOST_LIBM2(fdim) FST_HOST_LIBM2(fmax)
FST_HOST_LIBM2(fmin) FST_HOST_LIBM2(fmod) FST_HOST_LIBM2(hypot) FST_HOST_LIBM2(nextafter)
FST_HOST_LIBM2(pow) FST_HOST_LIBM2(remainder)
#undef FST_HOST_LIBM1
#undef FST_HOST_LIBM2
extern "C" double fma(double, double, double) noexcept;
extern "C" float fmaf(float, float, float) noexcept;
extern "C" double ldexp(double, int) noexcept;
extern "C" float ldexpf(float, int) noexcept;

// ---- classification, order
__forceinline__ bool isnan(float x) { return __builtin_isnan(x); }
__forceinline__ bool isnan(double x) { return __builtin_isnan(x); }
__forceinline__ bool isinf(float x) { return __builtin_isinf_sign(x) != 0; }
__forceinline__ bool isinf(double x) { return __builtin_isinf_sign(x) != 0; }
__forceinline__ bool isfinite(float x) { return __builtin_isfinite(x); }
__forceinline__ bool isfinite(double x) { return __builtin_isfinite(x); }
__forceinline__ bool signbit(float x) { return __builtin_signbit(x) != 0; }
__forceinline__ bool signbit(double x) { return __builtin_signbit(x) != 0; }
template <class T>
__forceinline__ T max(T a, T b) {
    return a > b ? a : b;
}
template <class T>
__forceinline__ T min(T a, T b) {
    return a < b ? a : b;
}
__forceinline__ float max(float a, float b) { return fmaxf(a, b); }
__forceinline__ float min(float a, float b) { return fminf(a, b); }
__forceinline__ double max(double a, double b) { return fmax(a, b); }
__forceinline__ double min(double a, double b) { return fmin(a, b); }
extern "C" int abs(int) noexcept;
__forceinline__ long abs(long x) { return x < 0 ? -x : x; }
__forceinline__ long long abs(long long x) { return x < 0 ? -x : x; }
__forceinline__ float abs(float x) { return fabsf(x); }
__forceinline__ double abs(double x) { return fabs(x); }

// ---- what libm lacks
__forceinline__ float rsqrtf(float x) { return 1.0f / sqrtf(x); }
__forceinline__ double rsqrt(double x) { return 1.0 / sqrt(x); }
__forceinline__ float rcbrtf(float x) { return 1.0f / cbrtf(x); }
__forceinline__ double rcbrt(double x) { return 1.0 / cbrt(x); }
__forceinline__ float exp10f(float x) { return powf(10.0f, x); }
__forceinline__ double exp10(double x) { return pow(10.0, x); }
__forceinline__ float sinpif(float x) { return float(sin(3.14159265358979323846 * fmod(x, 2.0))); }
__forceinline__ float cospif(float x) { return float(cos(3.14159265358979323846 * fmod(x, 2.0))); }
__forceinline__ void sincosf(float x, float* s, float* c) { *s = sinf(x), *c = cosf(x); }
__forceinline__ void sincos(double x, double* s, double* c) { *s = sin(x), *c = cos(x); }

// ---- intrinsics; the fast ones are exact here
__forceinline__ float __expf(float x) { return expf(x); }
__forceinline__ float __exp10f(float x) { return exp10f(x); }
__forceinline__ float __logf(float x) { return logf(x); }
__forceinline__ float __log2f(float x) { return log2f(x); }
__forceinline__ float __log10f(float x) { return log10f(x); }
__forceinline__ float __sinf(float x) { return sinf(x); }
__forceinline__ float __cosf(float x) { return cosf(x); }
__forceinline__ float __tanf(float x) { return tanf(x); }
__forceinline__ float __powf(float x, float y) { return powf(x, y); }
__forceinline__ float __fdividef(float a, float b) { return a / b; }
__forceinline__ float __saturatef(float x) { return x > 0.0f ? (x < 1.0f ? x : 1.0f) : 0.0f; }
__forceinline__ float __fadd_rn(float a, float b) { return a + b; }
__forceinline__ float __fsub_rn(float a, float b) { return a - b; }
__forceinline__ float __fmul_rn(float a, float b) { return a * b; }
__forceinline__ float __fdiv_rn(float a, float b) { return a / b; }
__forceinline__ float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
__forceinline__ float __frcp_rn(float a) { return 1.0f / a; }
__forceinline__ float __fsqrt_rn(float a) { return sqrtf(a); }
__forceinline__ float __frsqrt_rn(float a) { return float(1.0 / sqrt(double(a))); }
__forceinline__ double __dadd_rn(double a, double b) { return a + b; }
__forceinline__ double __dsub_rn(double a, double b) { return a - b; }
__forceinline__ double __dmul_rn(double a, double b) { return a * b; }
__forceinline__ double __ddiv_rn(double a, double b) { return a / b; }
__forceinline__ double __fma_rn(double a, double b, double c) { return fma(a, b, c); }
__forceinline__ double __dsqrt_rn(double a) { return sqrt(a); }

// ---- bits
template <class To, class From>
__forceinline__ To fst_host_bits(From value) {
    static_assert(sizeof(To) == sizeof(From), "same width");
    To result;
    __builtin_memcpy(&result, &value, sizeof(To));
    return result;
}
__forceinline__ float __uint_as_float(unsigned u) { return fst_host_bits<float>(u); }
__forceinline__ unsigned __float_as_uint(float f) { return fst_host_bits<unsigned>(f); }
__forceinline__ float __int_as_float(int i) { return fst_host_bits<float>(i); }
__forceinline__ int __float_as_int(float f) { return fst_host_bits<int>(f); }
__forceinline__ double __longlong_as_double(long long i) { return fst_host_bits<double>(i); }
__forceinline__ long long __double_as_longlong(double f) { return fst_host_bits<long long>(f); }
__forceinline__ int __popc(unsigned x) { return __builtin_popcount(x); }
__forceinline__ int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
__forceinline__ int __ffs(int x) { return __builtin_ffs(x); }
__forceinline__ int __ffsll(long long x) { return __builtin_ffsll(x); }
__forceinline__ int __clz(int x) { return x ? __builtin_clz(unsigned(x)) : 32; }
__forceinline__ int __clzll(long long x) { return x ? __builtin_clzll((unsigned long long)(x)) : 64; }
__forceinline__ unsigned __brev(unsigned x) {
    unsigned r = 0;
    for (int i = 0; i < 32; ++i) r |= (x >> i & 1u) << (31 - i);
    return r;
}
__forceinline__ unsigned __umulhi(unsigned a, unsigned b) { return unsigned((unsigned long long)(a) * b >> 32); }
__forceinline__ int __mulhi(int a, int b) { return int((long long)(a) * b >> 32); }
__forceinline__ unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
    return (unsigned long long)((unsigned __int128)(a) * b >> 64);
}

// ---- conversions: out of range saturates, NaN gives 0
template <class Int, class Float>
__forceinline__ Int fst_host_saturate(Float x, Float low, Float past_high, Int lowest, Int highest) {
    if (x != x) return 0;
    return x < low ? lowest : x >= past_high ? highest : Int(x);
}
__forceinline__ int __float2int_rz(float x) {
    return fst_host_saturate<int, float>(x, -0x1p31f, 0x1p31f, -2147483647 - 1, 2147483647);
}
__forceinline__ int __float2int_rn(float x) { return __float2int_rz(nearbyintf(x)); }
__forceinline__ unsigned __float2uint_rz(float x) {
    return fst_host_saturate<unsigned, float>(x, 0.0f, 0x1p32f, 0u, ~0u);
}
__forceinline__ unsigned __float2uint_rn(float x) { return __float2uint_rz(nearbyintf(x)); }
__forceinline__ int __double2int_rz(double x) {
    return fst_host_saturate<int, double>(x, -0x1p31, 0x1p31, -2147483647 - 1, 2147483647);
}
__forceinline__ int __double2int_rn(double x) { return __double2int_rz(nearbyint(x)); }
__forceinline__ long long __float2ll_rz(float x) {
    return fst_host_saturate<long long, float>(x, -0x1p63f, 0x1p63f, -9223372036854775807LL - 1, 9223372036854775807LL);
}
__forceinline__ long long __double2ll_rz(double x) {
    return fst_host_saturate<long long, double>(x, -0x1p63, 0x1p63, -9223372036854775807LL - 1, 9223372036854775807LL);
}
__forceinline__ unsigned long long __float2ull_rz(float x) {
    return fst_host_saturate<unsigned long long, float>(x, 0.0f, 0x1p64f, 0ull, ~0ull);
}
__forceinline__ unsigned long long __double2ull_rz(double x) {
    return fst_host_saturate<unsigned long long, double>(x, 0.0, 0x1p64, 0ull, ~0ull);
}
__forceinline__ float __int2float_rn(int x) { return float(x); }
__forceinline__ float __uint2float_rn(unsigned x) { return float(x); }
__forceinline__ float __double2float_rn(double x) { return float(x); }
