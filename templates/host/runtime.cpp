// runtime.cpp - the runtime as one translation unit; -DFST_HOST_CHECKED adds the checker.
//
// Compiled once per compiler and kept in the cache; every kernel library links its own copy, so that
// libraries share no state.
#include "machine.h"
#include "fiber.h"
#include "observer.h"
#include "warp.h"
#include "traps.h"
#include "scheduler.h"

#ifdef FST_HOST_CHECKED
#include "check/hooks.h"
#endif
