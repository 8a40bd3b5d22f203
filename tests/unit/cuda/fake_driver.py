"""A stand-in for ``cuda.bindings.driver``: device memory is host memory, kernels are Python functions.

It answers in the bindings' form (a tuple that begins with the status) and keeps what it was asked, so that the runner's
use of the API is checked without a GPU.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from cuda.bindings import driver as real

OK = real.CUresult.CUDA_SUCCESS
Kernel = Callable[[list[int]], None]  # pointers of the parameters


class FakeDriver:
    CUstream_flags = real.CUstream_flags
    CUdevice_attribute = real.CUdevice_attribute
    CUfunction_attribute = real.CUfunction_attribute

    def __init__(self, kernels: dict[str, tuple[int, Kernel]], refuse: dict[str, Any] | None = None) -> None:
        """``kernels``: number of parameters and body, by symbol. ``refuse``: status of a call, by its name."""
        self.kernels, self.refuse = kernels, refuse or {}
        self.memory: dict[int, Any] = {}
        self.calls: list[str] = []
        self.launches: list[tuple[str, int, int, int]] = []
        self.allowed: dict[str, int] = {}
        self.events = 0

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name.startswith("cu") and callable(found):
            self.calls.append(name)
            if name in self.refuse:
                return lambda *_: (self.refuse[name], None)
        return found

    def cuInit(self, flags: int) -> tuple[Any, ...]:
        return (OK,)

    def cuDeviceGet(self, ordinal: int) -> tuple[Any, ...]:
        return OK, ordinal

    def cuDevicePrimaryCtxRetain(self, device: int) -> tuple[Any, ...]:
        return OK, "context"

    def cuDevicePrimaryCtxRelease(self, device: int) -> tuple[Any, ...]:
        return (OK,)

    def cuCtxSetCurrent(self, context: str) -> tuple[Any, ...]:
        return (OK,)

    def cuStreamCreate(self, flags: int) -> tuple[Any, ...]:
        return OK, 77

    def cuStreamSynchronize(self, stream: int) -> tuple[Any, ...]:
        return (OK,)

    def cuStreamDestroy(self, stream: int) -> tuple[Any, ...]:
        return (OK,)

    def cuDeviceGetName(self, size: int, device: int) -> tuple[Any, ...]:
        return OK, b"NVIDIA Pretended\0\0\0"

    def cuDeviceGetAttribute(self, attribute: Any, device: int) -> tuple[Any, ...]:
        names = real.CUdevice_attribute
        return OK, {
            names.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: 9,
            names.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR: 0,
            names.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT: 132,
            names.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN: 232448,
        }[attribute]

    def cuGetErrorString(self, status: Any) -> tuple[Any, ...]:
        return OK, b"as the test wants it"

    def cuModuleLoadData(self, image: bytes) -> tuple[Any, ...]:
        assert isinstance(image, bytes)
        return OK, SimpleNamespace(image=image)

    def cuModuleUnload(self, module: Any) -> tuple[Any, ...]:
        return (OK,)

    def cuModuleGetFunction(self, module: Any, symbol: bytes) -> tuple[Any, ...]:
        return OK, symbol.decode()

    def cuFuncSetAttribute(self, function: str, attribute: Any, value: int) -> tuple[Any, ...]:
        assert attribute == real.CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
        self.allowed[function] = value
        return (OK,)

    def cuOccupancyMaxActiveBlocksPerMultiprocessor(self, function: str, block: int, shared: int) -> tuple[Any, ...]:
        return OK, int(block <= 1024)

    def cuMemAlloc(self, size: int) -> tuple[Any, ...]:
        assert size > 0
        raw = ctypes.create_string_buffer(size + 256)
        address = (ctypes.addressof(raw) + 255) // 256 * 256
        self.memory[address] = raw
        return OK, address

    def cuMemFree(self, pointer: int) -> tuple[Any, ...]:
        del self.memory[pointer]
        return (OK,)

    def cuMemcpyHtoDAsync(self, target: int, source: int, size: int, stream: int) -> tuple[Any, ...]:
        ctypes.memmove(target, source, size)
        return (OK,)

    cuMemcpyDtoHAsync = cuMemcpyDtoDAsync = cuMemcpyHtoDAsync

    def cuMemsetD8Async(self, target: int, byte: int, size: int, stream: int) -> tuple[Any, ...]:
        ctypes.memset(target, byte, size)
        return (OK,)

    def cuLaunchKernel(self, function: str, *rest: Any) -> tuple[Any, ...]:
        gx, gy, gz, bx, by, bz, shared, stream, addresses, extra = rest
        assert (gy, gz, by, bz, stream, extra) == (1, 1, 1, 1, 77, 0)
        count, body = self.kernels[function]
        table = (ctypes.c_void_p * count).from_address(addresses)
        body([ctypes.c_uint64.from_address(a).value for a in table])
        self.launches.append((function, gx, bx, shared))
        return (OK,)

    def cuEventCreate(self, flags: int) -> tuple[Any, ...]:
        self.events += 1
        return OK, self.events

    def cuEventRecord(self, event: int, stream: int) -> tuple[Any, ...]:
        return (OK,)

    def cuEventElapsedTime(self, start: int, end: int) -> tuple[Any, ...]:
        return OK, (end - start) * 0.001

    def cuEventDestroy(self, event: int) -> tuple[Any, ...]:
        return (OK,)
