// Conversions between element types, each rounding to nearest even exactly once.
//
//   up(storage) -> compute          exact
//   down<Storage>(compute)          f8e4m3fn overflows to NaN, the other formats to infinity
//   round<Storage>(compute)         up(down(x)), what policy `strict` does where a value is defined
//   convert<To>(x)                  the op `convert`: x in To, as To's compute type
//   bitcast<To>(storage)            the op `bitcast_convert`
//
// A NaN carries no payload: it becomes the canonical one (sign clear, every other bit set), as PTX has it.
// PTX is used where the architecture has it; the portable twin gives the same bits and is what the host runs.
#pragma once

#include "types.cuh"

namespace fst {

// ---- up ---------------------------------------------------------------------------------------------------

template <class T> FST_FN T up(T x) { return x; }

FST_FN float up(bf16 x) { return bit_cast<float>(u32(x.bits) << 16); }

// A format narrower in range than float: move exponent and mantissa into place, then rescale by a power of
// two, which also normalises subnormals.
template <class S> FST_FN float widen(S x) {
    using F = format<S>;
    constexpr int width = 8 * sizeof(S);
    constexpr u32 magnitude_mask = (1u << (width - 1)) - 1;
    constexpr int bias_gap = 127 - ((1 << (F::exponent - 1)) - 1);
    const u32 magnitude = x.bits & magnitude_mask;
    const u32 sign = u32(x.bits >> (width - 1)) << 31;
    const float scale = bit_cast<float>(u32(127 + bias_gap) << 23);
    const float value = bit_cast<float>(magnitude << (23 - F::mantissa)) * scale;
    return bit_cast<float>(bit_cast<u32>(value) | sign);
}

FST_FN float up(f16 x) {
#if defined(FST_HOST)
    const u32 magnitude = x.bits & 0x7fffu;
    if (magnitude < 0x7c00u) return widen(x);
    return magnitude > 0x7c00u ? nan<float>() : (x.bits >> 15) ? -inf<float>() : inf<float>();
#else
    float y;
    asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x.bits));
    return y;
#endif
}

FST_FN float up(f8e5m2 x) { return up(f16{u16(x.bits << 8)}); }  // the upper half of an f16

FST_FN float up(f8e4m3fn x) { return (x.bits & 0x7f) == 0x7f ? nan<float>() : widen(x); }

// ---- down -------------------------------------------------------------------------------------------------

// Round a float to S in integer arithmetic. Below S's smallest normal, adding a float whose last place is S's
// smallest subnormal makes the adder do the rounding.
template <class S> FST_FN S narrow(float x) {
    using F = format<S>;
    using Bits = typename F::bits;
    constexpr int width = 8 * sizeof(S);
    constexpr int bias = (1 << (F::exponent - 1)) - 1;
    constexpr int cut = 23 - F::mantissa;
    constexpr bool has_inf = F::mantissa != 3;  // f8e4m3fn spends its last exponent on numbers
    constexpr u32 canonical_nan = (1u << (width - 1)) - 1;
    constexpr u32 infinite = ((1u << F::exponent) - 1) << F::mantissa;
    constexpr u32 smallest_normal = u32(127 - bias + 1) << 23;

    const u32 all = bit_cast<u32>(x);
    const u32 magnitude = all & 0x7fffffffu;
    if (magnitude > 0x7f800000u) return S{Bits(canonical_nan)};
    u32 rounded;
    if (F::exponent < 8 && magnitude < smallest_normal) {
        const u32 magic = u32(127 - bias + 1 + cut) << 23;
        rounded = bit_cast<u32>(bit_cast<float>(magnitude) + bit_cast<float>(magic)) - magic;
    } else {
        const u32 even = (magnitude >> cut) & 1u;
        rounded = (magnitude + ((1u << (cut - 1)) - 1) + even - (u32(127 - bias) << 23)) >> cut;
        if (!has_inf && rounded >= canonical_nan) return S{Bits(canonical_nan)};
        rounded = has_inf && rounded > infinite ? infinite : rounded;
    }
    return S{Bits(rounded | ((all >> 31) << (width - 1)))};
}

template <class S> struct rounder {
    static FST_FN S from(compute_t<S> x) { return x; }
};

template <> struct rounder<f16> {
    static FST_FN f16 from(float x) {
#if defined(FST_HOST)
        return narrow<f16>(x);
#else
        f16 y;
        asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y.bits) : "f"(x));
        return y;
#endif
    }
};

template <> struct rounder<bf16> {
    static FST_FN bf16 from(float x) {
#if defined(FST_HOST) || __CUDA_ARCH__ < 800
        return narrow<bf16>(x);
#else
        bf16 y;
        asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(y.bits) : "f"(x));
        return y;
#endif
    }
};

// The hardware's 8-bit conversions saturate; ours overflow, so magnitudes past the largest finite value's
// upper half step are answered here. PTX rounds two floats at a time.
template <> struct rounder<f8e4m3fn> {
    static FST_FN f8e4m3fn from(float x) {
#if defined(FST_HOST) || __CUDA_ARCH__ < 890
        return narrow<f8e4m3fn>(x);
#else
        u16 pair;
        asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(pair) : "f"(0.0f), "f"(x));
        const u32 magnitude = bit_cast<u32>(x) & 0x7fffffffu;
        return f8e4m3fn{u8(magnitude <= 0x43e80000u ? pair & 0xff : 0x7f)};  // 464, a tie that rounds down to 448
#endif
    }
};

template <> struct rounder<f8e5m2> {
    static FST_FN f8e5m2 from(float x) {
#if defined(FST_HOST) || __CUDA_ARCH__ < 890
        return narrow<f8e5m2>(x);
#else
        u16 pair;
        asm("cvt.rn.satfinite.e5m2x2.f32 %0, %1, %2;" : "=h"(pair) : "f"(0.0f), "f"(x));
        const u32 all = bit_cast<u32>(x);
        const bool finite = (all & 0x7fffffffu) < 0x47700000u;  // 61440, a tie that rounds up to infinity
        const bool is_nan = (all & 0x7fffffffu) > 0x7f800000u;
        return f8e5m2{u8(finite || is_nan ? pair & 0xff : 0x7cu | (all >> 31 << 7))};
#endif
    }
};

template <class S> FST_FN S down(compute_t<S> x) { return rounder<S>::from(x); }

template <class S> FST_FN compute_t<S> round(compute_t<S> x) { return up(down<S>(x)); }

// ---- convert ----------------------------------------------------------------------------------------------

// A double as a float rounded to odd: the last bit marks what was cut off, so that rounding the float to a
// format of at most 11 + 1 bits equals rounding the double.
FST_FN float to_odd(double x) {
    const float near = float(x);
    const double back = double(near);
    u32 bits = bit_cast<u32>(near);
    if (x != x || back == x || (bits & 1u)) return near;
    const bool grew = (x < 0 ? -back : back) > (x < 0 ? -x : x);
    bits += grew ? 0xffffffffu : 1u;
    return bit_cast<float>(bits);
}

// An integer as a double whose last bits are sticky, for the same reason.
FST_FN double to_odd(u64 x) {
    if (x < (1ull << 52)) return double(x);
    return double((x >> 12) | ((x & 0xfffull) != 0)) * 4096.0;
}
FST_FN double to_odd(i64 x) { return x < 0 ? -to_odd(u64(0) - u64(x)) : to_odd(u64(x)); }

// Truncates, saturates, NaN gives 0.
template <class To, class From> FST_FN To float_to_int(From x) {
    constexpr int top = 8 * sizeof(To) - (is_signed<To> ? 1 : 0);
    const From limit = From(2) * From(u64(1) << (top - 1));  // the first value past highest<To>()
    if (x != x) return To(0);
    if (x >= limit) return highest<To>();
    if (is_signed<To> ? x <= -limit : x <= From(0)) return lowest<To>();
    return To(x);
}

template <class To> struct converter {  // to an integer, float or double
    static FST_FN To from(bool x) { return To(x); }
    template <class From> static FST_FN To from(From x) {
        if constexpr (is_float<From> && !is_float<To>) {
            return float_to_int<To>(x);
        } else {
            return To(x);
        }
    }
};

template <> struct converter<bool> {
    template <class From> static FST_FN bool from(From x) { return x != From(0); }
};

template <class S> struct narrow_converter {
    static FST_FN float from(float x) { return round<S>(x); }
    static FST_FN float from(double x) { return round<S>(to_odd(x)); }
    static FST_FN float from(i64 x) { return round<S>(to_odd(to_odd(x))); }
    static FST_FN float from(u64 x) { return round<S>(to_odd(to_odd(x))); }
    static FST_FN float from(i32 x) { return round<S>(to_odd(double(x))); }
    static FST_FN float from(u32 x) { return round<S>(to_odd(double(x))); }
    template <class Small> static FST_FN float from(Small x) { return round<S>(float(x)); }  // up to 16 bits
};
template <> struct converter<f16> : narrow_converter<f16> {};
template <> struct converter<bf16> : narrow_converter<bf16> {};
template <> struct converter<f8e4m3fn> : narrow_converter<f8e4m3fn> {};
template <> struct converter<f8e5m2> : narrow_converter<f8e5m2> {};

template <class To, class From> FST_FN compute_t<To> convert(From x) { return converter<To>::from(x); }

// ---- bitcast ----------------------------------------------------------------------------------------------

template <class T> FST_FN T canonical(T x) { return x; }
FST_FN float canonical(float x) { return x != x ? nan<float>() : x; }
FST_FN double canonical(double x) { return x != x ? nan<double>() : x; }

// From and To are storage types of one size; a NaN is made canonical first, so the bits are defined.
template <class To, class From> FST_FN compute_t<To> bitcast(compute_t<From> x) {
    return up(bit_cast<To>(down<From>(canonical(x))));
}

}  // namespace fst
