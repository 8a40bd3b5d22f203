"""Philox 4x32 with ten rounds (Salmon et al., 2011), the NumPy twin of ``templates/lib/rng.cuh``.

Example: ``philox4x32(np.uint64(key), counters)`` gives the four words of every counter, ``u32[n, 4]``.
"""

from __future__ import annotations

from typing import Any

MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
ROUNDS = 10
LOW = 0xFFFFFFFF


def philox4x32(key: Any, counter: Any, high: Any = 0) -> Any:
    """The words at 128-bit counters whose low 64 bits are ``counter`` (``u64[n]``) and high ones ``high``."""
    import numpy as np

    low, shift = np.uint64(LOW), np.uint64(32)
    counter, high = np.asarray(counter, np.uint64), np.full_like(counter, high, dtype=np.uint64)
    c0, c1, c2, c3 = counter & low, counter >> shift, high & low, high >> shift
    k0, k1 = int(key) & LOW, int(key) >> 32
    for _ in range(ROUNDS):
        a, b = c0 * np.uint64(MULTIPLIERS[0]), c2 * np.uint64(MULTIPLIERS[1])
        c0, c1 = (b >> shift) ^ c1 ^ np.uint64(k0), b & low
        c2, c3 = (a >> shift) ^ c3 ^ np.uint64(k1), a & low
        k0, k1 = (k0 + KEY_STEPS[0]) & LOW, (k1 + KEY_STEPS[1]) & LOW
    return np.stack([c0, c1, c2, c3], axis=-1).astype(np.uint32)
