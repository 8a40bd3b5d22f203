// Combiners of two components: a value and where it was found.
//
// NaN wins and the first NaN is kept; of equal values, -0 and +0 included, the lowest index.
#pragma once

#include "types.cuh"

namespace fst {

// Whether (value, index) gives way to (other, other_index), when larger values are sought.
template <class T> FST_FN bool arg_yields(T value, i32 index, T other, i32 other_index, bool larger) {
    const bool own_nan = value != value, other_nan = other != other;
    if (own_nan || other_nan) return other_nan && (!own_nan || other_index < index);
    return larger || (other == value && other_index < index);
}

template <class T> FST_FN void arg_max(T& value, i32& index, T other, i32 other_index) {
    if (arg_yields(value, index, other, other_index, other > value)) {
        value = other;
        index = other_index;
    }
}

template <class T> FST_FN void arg_min(T& value, i32& index, T other, i32 other_index) {
    if (arg_yields(value, index, other, other_index, other < value)) {
        value = other;
        index = other_index;
    }
}

}  // namespace fst
