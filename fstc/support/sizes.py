"""Sizes for people.

Example: ``binary(4_000_000_000_000) == "3.6 TiB"``, ``decimal(58_770_000) == "58.77 MB"``. Memory of a device is
told in powers of 1024, traffic in powers of 1000, as rates are.
"""

from __future__ import annotations

UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
DECIMAL = ("bytes", "kB", "MB", "GB", "TB", "PB", "EB")


def binary(size: int) -> str:
    """Bytes in the largest unit of which there is one."""
    power = min(max(size.bit_length() - 1, 0) // 10, len(UNITS) - 1)
    if power == 0:
        return f"{size} {UNITS[0]}"
    return f"{size / (1 << 10 * power):,.1f} {UNITS[power]}"


def decimal(size: int) -> str:
    """Bytes in the largest decimal unit of which there is one, four digits."""
    power = min((len(str(size)) - 1) // 3, len(DECIMAL) - 1)
    return f"{size / 1000**power:.4g} {DECIMAL[power]}"
