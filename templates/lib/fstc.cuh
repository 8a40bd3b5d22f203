// The device prelude of fstc: everything that a generated kernel may name.
//
// Compiled by NVRTC (no NVIDIA and no standard header) and, after the host shim, by a C++17 compiler
// (FST_HOST is then defined).
#pragma once

#include "types.cuh"
#include "convert.cuh"
#include "math.cuh"
#include "memory.cuh"
#include "collective.cuh"
#include "reduction.cuh"
#include "rng.cuh"
