"""How many blocks of a kernel an SM holds at once, as ``cuda_occupancy.h`` computes it.

Example: ``blocks_per_sm(load_device("h200"), threads=256, registers=40, shared=0) == (6, "registers")``.
Block barriers and clusters are not modelled: one barrier a block never limits.
"""

from __future__ import annotations

from fstc.device.device import Device


def blocks_per_sm(device: Device, threads: int, registers: int, shared: int) -> tuple[int, str]:
    """(blocks, limiter) for ``registers`` a thread and ``shared`` bytes a block, static and dynamic together.

    The limiter is "threads", "blocks", "registers" or "shared". Of several that bind alike, the first of
    these is named: where the thread limit binds, occupancy is full and nothing is short. 0 blocks: the
    launch fails.
    """
    limits = {
        "threads": _by_threads(device, threads),
        "blocks": device.max_blocks_per_sm,
        "registers": _by_registers(device, threads, registers),
        "shared": _by_shared(device, shared),
    }
    limiter = min(limits, key=lambda name: limits[name])
    return limits[limiter], limiter


def _by_threads(device: Device, threads: int) -> int:
    if not 0 < threads <= device.max_threads_per_block:
        return 0
    return device.warps_per_sm // _warps(device, threads)


def _by_registers(device: Device, threads: int, registers: int) -> int:
    if registers > device.registers_per_thread_max or threads <= 0:
        return 0
    warps = _warps(device, threads)
    per_warp = _round_up(registers * device.warp_size, device.register_alloc_unit)
    # The hardware checks a launch as if every partition got as many warps as the fullest one.
    if per_warp * _round_up(warps, device.schedulers) > device.registers_per_block:
        return 0
    if per_warp == 0:
        return device.max_blocks_per_sm
    return device.registers_per_sm // device.schedulers // per_warp * device.schedulers // warps


def _by_shared(device: Device, shared: int) -> int:
    allocated = _round_up(shared + device.shared_reserved, device.shared_alloc_unit)
    if allocated > device.shared_per_block_max + device.shared_reserved:
        return 0
    return device.shared_per_sm // allocated if allocated else device.max_blocks_per_sm


def _warps(device: Device, threads: int) -> int:
    return -(-threads // device.warp_size)


def _round_up(value: int, unit: int) -> int:
    return -(-value // unit) * unit
