// Storage types, compute types, format traits and bit access.
//
// A 16- or 8-bit float is a struct of bits in memory and a rounded `float` in a register; every other
// type is itself in both places. Nothing here includes a header: NVRTC has no stdint.h.
#pragma once

#define FST_FN __device__ __forceinline__

namespace fst {

using i8 = signed char;
using i16 = short;
using i32 = int;
using i64 = long long;
using u8 = unsigned char;
using u16 = unsigned short;
using u32 = unsigned int;
using u64 = unsigned long long;

static_assert(sizeof(i32) == 4 && sizeof(i64) == 8, "fst assumes a 64-bit data model");

struct f16 {
    u16 bits;
};
struct bf16 {
    u16 bits;
};
struct f8e4m3fn {
    u8 bits;
};
struct f8e5m2 {
    u8 bits;
};

// ---- compute_t<Storage>: what a value is in a register -------------------------------------------------

template <class T> struct compute {
    using type = T;
};
template <> struct compute<f16> {
    using type = float;
};
template <> struct compute<bf16> {
    using type = float;
};
template <> struct compute<f8e4m3fn> {
    using type = float;
};
template <> struct compute<f8e5m2> {
    using type = float;
};
template <class T> using compute_t = typename compute<T>::type;

// ---- format<T>: exponent and mantissa widths, the integer of the same size ------------------------------

template <class T> struct format;
template <> struct format<double> {
    using bits = u64;
    static constexpr int exponent = 11, mantissa = 52;
};
template <> struct format<float> {
    using bits = u32;
    static constexpr int exponent = 8, mantissa = 23;
};
template <> struct format<f16> {
    using bits = u16;
    static constexpr int exponent = 5, mantissa = 10;
};
template <> struct format<bf16> {
    using bits = u16;
    static constexpr int exponent = 8, mantissa = 7;
};
template <> struct format<f8e4m3fn> {
    using bits = u8;
    static constexpr int exponent = 4, mantissa = 3;
};
template <> struct format<f8e5m2> {
    using bits = u8;
    static constexpr int exponent = 5, mantissa = 2;
};

// ---- integers: the unsigned twin, limits ------------------------------------------------------------------

template <class T> struct unsigned_of {
    using type = T;
};
template <> struct unsigned_of<i8> {
    using type = u8;
};
template <> struct unsigned_of<i16> {
    using type = u16;
};
template <> struct unsigned_of<i32> {
    using type = u32;
};
template <> struct unsigned_of<i64> {
    using type = u64;
};
template <class T> using unsigned_t = typename unsigned_of<T>::type;

template <class T> constexpr bool is_signed = T(-1) < T(0);
template <> inline constexpr bool is_signed<bool> = false;
template <class T> constexpr bool is_float = false;
template <> inline constexpr bool is_float<float> = true;
template <> inline constexpr bool is_float<double> = true;

template <class T> FST_FN constexpr T lowest() {
    return is_signed<T> ? T(unsigned_t<T>(1) << (8 * sizeof(T) - 1)) : T(0);
}
template <class T> FST_FN constexpr T highest() {
    return T(unsigned_t<T>(~unsigned_t<T>(0)) >> (is_signed<T> ? 1 : 0));
}

// ---- bits -------------------------------------------------------------------------------------------------

// The same bits as another type of the same size.
template <class To, class From> FST_FN To bit_cast(From x) {
    static_assert(sizeof(To) == sizeof(From), "bit_cast keeps the size");
    return __builtin_bit_cast(To, x);
}

template <class T> FST_FN T inf();
template <> FST_FN float inf<float>() { return bit_cast<float>(0x7f800000u); }
template <> FST_FN double inf<double>() { return bit_cast<double>(0x7ff0000000000000ull); }

template <class T> FST_FN T nan();
template <> FST_FN float nan<float>() { return bit_cast<float>(0x7fffffffu); }
template <> FST_FN double nan<double>() { return bit_cast<double>(0x7fffffffffffffffull); }

}  // namespace fst
