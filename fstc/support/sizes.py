"""Sizes for people.

Example: ``binary(4_000_000_000_000) == "3.6 TiB"``.
"""

from __future__ import annotations

UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def binary(size: int) -> str:
    """Bytes in the largest unit of which there is one."""
    power = min(max(size.bit_length() - 1, 0) // 10, len(UNITS) - 1)
    if power == 0:
        return f"{size} {UNITS[0]}"
    return f"{size / (1 << 10 * power):,.1f} {UNITS[power]}"
