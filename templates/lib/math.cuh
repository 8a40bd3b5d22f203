// Element-wise functions that the op table's expressions name, on compute types.
//
// Integer arithmetic wraps (through unsigned, so that overflow is defined), divides and shifts as the op
// table says; max and min propagate NaN and put -0 below +0. Square root and division are IEEE's.
#pragma once

#include "convert.cuh"

#if defined(FST_HOST)
#define FST_LIBM(name) __builtin_##name
#else
#define FST_LIBM(name) ::name
#endif

namespace fst {

// ---- wrapping integers ------------------------------------------------------------------------------------

// At least 32 bits: u16 * u16 would otherwise be done in int, and overflow it.
template <class T, bool small = (sizeof(T) < 4)> struct wrapping {
    using type = u32;
};
template <class T> struct wrapping<T, false> {
    using type = unsigned_t<T>;
};
template <class T> using wrapping_t = typename wrapping<T>::type;

template <class T> FST_FN T add(T a, T b) { return T(wrapping_t<T>(a) + wrapping_t<T>(b)); }
template <class T> FST_FN T sub(T a, T b) { return T(wrapping_t<T>(a) - wrapping_t<T>(b)); }
template <class T> FST_FN T mul(T a, T b) { return T(wrapping_t<T>(a) * wrapping_t<T>(b)); }
template <class T> FST_FN T neg(T a) { return T(wrapping_t<T>(0) - wrapping_t<T>(a)); }

// x / 0 is all ones, lowest / -1 is lowest.
template <class T> FST_FN T div(T a, T b) {
    if (b == T(0)) return T(-1);
    if constexpr (is_signed<T>) {
        if (b == T(-1)) return neg(a);
    }
    return T(a / b);
}

template <class T> FST_FN T rem(T a, T b);  // x % 0 is x, lowest % -1 is 0; the sign is the dividend's
template <> FST_FN float rem(float a, float b) { return FST_LIBM(fmodf)(a, b); }
template <> FST_FN double rem(double a, double b) { return FST_LIBM(fmod)(a, b); }
template <class T> FST_FN T rem(T a, T b) {
    if (b == T(0)) return a;
    if constexpr (is_signed<T>) {
        if (b == T(-1)) return T(0);
    }
    return T(a % b);
}

// A count that is negative or at least the width shifts everything out.
template <class T> FST_FN T shift_left(T x, T count) {
    const auto n = unsigned_t<T>(count);
    return n < 8 * sizeof(T) ? T(wrapping_t<T>(unsigned_t<T>(x)) << n) : T(0);
}
template <class T> FST_FN T shift_right_logical(T x, T count) {
    const auto n = unsigned_t<T>(count);
    return n < 8 * sizeof(T) ? T(unsigned_t<T>(x) >> n) : T(0);
}
template <class T> FST_FN T shift_right_arithmetic(T x, T count) {
    constexpr unsigned last = 8 * sizeof(T) - 1;
    const auto n = unsigned_t<T>(count);
    // an unsigned type is shifted as the signed one of its size
    const bool negative = (unsigned_t<T>(x) >> last) & 1;
    const auto shifted = wrapping_t<T>(unsigned_t<T>(x)) >> (n < last ? unsigned(n) : last);
    const auto fill = n == 0 ? wrapping_t<T>(0) : ~wrapping_t<T>(0) << (n < last ? last + 1 - unsigned(n) : 1);
    return T(negative ? shifted | fill : (n <= last ? shifted : 0));
}

template <class T> FST_FN T popcnt(T x) {
#if defined(FST_HOST)
    return T(__builtin_popcountll(u64(unsigned_t<T>(x))));
#else
    if constexpr (sizeof(T) == 8) return T(__popcll(x));
    return T(__popc(unsigned(unsigned_t<T>(x))));
#endif
}
template <class T> FST_FN T clz(T x) {
    const u64 bits = unsigned_t<T>(x);
    if (bits == 0) return T(8 * sizeof(T));
#if defined(FST_HOST)
    return T(__builtin_clzll(bits) - (64 - 8 * int(sizeof(T))));
#else
    if constexpr (sizeof(T) == 8) return T(__clzll(x));
    return T(__clz(int(bits)) - (32 - 8 * int(sizeof(T))));
#endif
}

// ---- sign, order ------------------------------------------------------------------------------------------

FST_FN float abs(float x) { return FST_LIBM(fabsf)(x); }
FST_FN double abs(double x) { return FST_LIBM(fabs)(x); }
template <class T> FST_FN T abs(T x) { return x < T(0) ? neg(x) : x; }

FST_FN bool sign_bit(float x) { return bit_cast<u32>(x) >> 31; }
FST_FN bool sign_bit(double x) { return bit_cast<u64>(x) >> 63; }

// -1, 0 or 1; zeros and NaN are returned as they are.
template <class T> FST_FN T sign(T x) { return x > T(0) ? T(1) : x < T(0) ? T(-1) : x; }

template <class T> FST_FN bool is_finite(T x) { return abs(x) < inf<T>(); }

template <class T> FST_FN T max(T a, T b) {
    if constexpr (is_float<T>) {
        if (a != a || b != b) return nan<T>();
        return a > b || (a == b && sign_bit(b)) ? a : b;
    } else {
        return a > b ? a : b;
    }
}
template <class T> FST_FN T min(T a, T b) {
    if constexpr (is_float<T>) {
        if (a != a || b != b) return nan<T>();
        return a < b || (a == b && sign_bit(a)) ? a : b;
    } else {
        return a < b ? a : b;
    }
}
#if !defined(FST_HOST) && __CUDA_ARCH__ >= 800
template <> FST_FN float max(float a, float b) {
    float y;
    asm("max.NaN.f32 %0, %1, %2;" : "=f"(y) : "f"(a), "f"(b));
    return y;
}
template <> FST_FN float min(float a, float b) {
    float y;
    asm("min.NaN.f32 %0, %1, %2;" : "=f"(y) : "f"(a), "f"(b));
    return y;
}
#endif

// As StableHLO has it: min(max(x, low), high).
template <class T> FST_FN T clamp(T low, T x, T high) { return min(max(x, low), high); }

// ---- rounding to integers ---------------------------------------------------------------------------------

FST_FN float floor(float x) { return FST_LIBM(floorf)(x); }
FST_FN double floor(double x) { return FST_LIBM(floor)(x); }
FST_FN float ceil(float x) { return FST_LIBM(ceilf)(x); }
FST_FN double ceil(double x) { return FST_LIBM(ceil)(x); }
FST_FN float round_nearest_even(float x) { return FST_LIBM(rintf)(x); }
FST_FN double round_nearest_even(double x) { return FST_LIBM(rint)(x); }
FST_FN float round_nearest_afz(float x) { return FST_LIBM(roundf)(x); }
FST_FN double round_nearest_afz(double x) { return FST_LIBM(round)(x); }

// ---- transcendental ---------------------------------------------------------------------------------------

#define FST_UNARY(name)                                           \
    FST_FN float name(float x) { return FST_LIBM(name##f)(x); }   \
    FST_FN double name(double x) { return FST_LIBM(name)(x); }

// Called, not inlined: reducing a large argument takes a hundred instructions and local memory each time.
#if defined(FST_HOST)
#define FST_CALLED FST_FN
#else
#define FST_CALLED __device__ __noinline__
#endif
#define FST_FAR(name)                                                 \
    FST_CALLED float name(float x) { return FST_LIBM(name##f)(x); }   \
    FST_CALLED double name(double x) { return FST_LIBM(name)(x); }

FST_UNARY(exp)
FST_UNARY(expm1)
FST_UNARY(log)
FST_UNARY(log1p)
FST_UNARY(sqrt)
FST_UNARY(cbrt)
FST_FAR(sin)
FST_FAR(cos)
FST_FAR(tan)
FST_UNARY(sinh)
FST_UNARY(cosh)
FST_UNARY(tanh)
FST_UNARY(erf)
FST_UNARY(erfc)
#undef FST_UNARY
#undef FST_FAR
#undef FST_CALLED

FST_FN float atan2(float y, float x) { return FST_LIBM(atan2f)(y, x); }
FST_FN double atan2(double y, double x) { return FST_LIBM(atan2)(y, x); }

// Two IEEE operations: within one unit in the last place, and the same on every target.
template <class T> FST_FN T rsqrt(T x) { return T(1) / sqrt(x); }

// The exponential's argument is never positive, so nothing overflows and small results keep their digits.
template <class T> FST_FN T logistic(T x) {
    const T e = exp(-abs(x));
    return (x < T(0) ? e : T(1)) / (T(1) + e);
}

// Integers: by squaring, wrapping; a negative exponent leaves 1 and -1 invertible and gives 0 otherwise.
template <class T> FST_FN T pow(T base, T exponent) {
    if constexpr (is_signed<T>) {
        if (exponent < T(0)) {
            if (base == T(1)) return T(1);
            return base == T(-1) ? ((exponent & T(1)) ? T(-1) : T(1)) : T(0);
        }
    }
    T result = T(1);
    for (auto n = unsigned_t<T>(exponent); n != 0; n = unsigned_t<T>(n >> 1)) {
        if (n & 1) result = mul(result, base);
        base = mul(base, base);
    }
    return result;
}
template <> FST_FN float pow(float base, float exponent) { return FST_LIBM(powf)(base, exponent); }
template <> FST_FN double pow(double base, double exponent) { return FST_LIBM(pow)(base, exponent); }

// x as it would be in a format of E exponent and M mantissa bits, S being the type that x has. As in XLA, a
// magnitude below the format's normals becomes zero, unless S has no wider exponent.
template <class S, int E, int M> FST_FN compute_t<S> reduce_precision(compute_t<S> x) {
    using F = format<S>;
    using Bits = typename F::bits;
    constexpr int width = 8 * sizeof(S);
    constexpr u64 infinite = ((u64(1) << F::exponent) - 1) << F::mantissa;
    constexpr u64 magnitude_mask = (u64(1) << (width - 1)) - 1;
    auto storage = down<S>(x);
    const u64 all = bit_cast<Bits>(storage);
    u64 magnitude = all & magnitude_mask;
    if (magnitude > infinite) return x;
    if constexpr (M < F::mantissa) {
        constexpr int cut = F::mantissa - M;
        magnitude += ((u64(1) << (cut - 1)) - 1) + ((magnitude >> cut) & 1);
        magnitude &= ~((u64(1) << cut) - 1);
    }
    if constexpr (E < F::exponent) {
        constexpr u64 bias = (u64(1) << (F::exponent - 1)) - 1;
        constexpr u64 reduced = (u64(1) << (E - 1)) - 1;
        constexpr u64 exponent_mask = infinite;
        const u64 exponent = magnitude & exponent_mask;
        if (exponent > (bias + reduced) << F::mantissa) magnitude = infinite;
        if (exponent <= (bias - reduced) << F::mantissa) magnitude = 0;
    }
    return up(bit_cast<S>(Bits(magnitude | (all & ~magnitude_mask))));
}

// ---- combiners of reductions, on compute types ------------------------------------------------------------

template <class T> FST_FN T op_add(T a, T b) {
    if constexpr (is_float<T>) {
        return a + b;
    } else {
        return add(a, b);
    }
}
template <class T> FST_FN T op_mul(T a, T b) {
    if constexpr (is_float<T>) {
        return a * b;
    } else {
        return mul(a, b);
    }
}
template <> FST_FN bool op_add(bool a, bool b) { return a || b; }
template <> FST_FN bool op_mul(bool a, bool b) { return a && b; }
template <class T> FST_FN T op_max(T a, T b) { return max(a, b); }
template <class T> FST_FN T op_min(T a, T b) { return min(a, b); }
template <class T> FST_FN T op_and(T a, T b) { return T(a & b); }
template <class T> FST_FN T op_or(T a, T b) { return T(a | b); }

}  // namespace fst
