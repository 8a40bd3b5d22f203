"""The CUDA driver behind a guard: one context, one stream, memory, modules and events.

Example::

    with Session() as session:
        pointer = session.allocate(4096)
        session.upload(pointer, array)

``require_driver`` asks libcuda itself before any of CUDA's Python packages is touched: without a driver they
raise late or hang. Every CUDA error is a Diagnostic with exit code 5.
"""

from __future__ import annotations

import ctypes
from types import ModuleType, TracebackType
from typing import Any

from fstc.support.diagnostics import Diagnostic, FstcError

LIBRARY = "libcuda.so.1"
HELP = "without a GPU use --target host, which runs the same kernels on the CPU"
NAME_BYTES = 128
CURES = {
    "CUDA_ERROR_OUT_OF_MEMORY": "choose smaller extents with --bind",
    "CUDA_ERROR_NO_BINARY_FOR_GPU": "build the package for this device: fstc build --device",
}


def require_driver(library: str = LIBRARY) -> int:
    """How many devices the driver sees; refused with a reason when there is none to use."""
    try:
        cuda = ctypes.CDLL(library)
    except OSError:
        raise _unusable("there is no NVIDIA driver here (libcuda.so.1 is not found)") from None
    status = cuda.cuInit(0)
    if status:
        raise _unusable(f"the NVIDIA driver does not start (cuInit gives error {status})")
    count = ctypes.c_int(0)
    status = cuda.cuDeviceGetCount(ctypes.byref(count))
    if status or count.value == 0:
        raise _unusable("the NVIDIA driver sees no device")
    return count.value


def _unusable(why: str, help: str = HELP) -> FstcError:
    return FstcError(Diagnostic("FST0601", why, help=help))


def _bindings() -> Any:
    try:
        from cuda.bindings import driver
    except ImportError:
        help = 'pip install "cuda-bindings>=13,<14"'
        raise _unusable("the package cuda-bindings is not installed", help) from None
    return driver


class Session:
    """A device's primary context (shared with cupy and torch) and a stream of our own."""

    def __init__(self, ordinal: int = 0, driver: ModuleType | Any = None) -> None:
        """``driver`` stands in for ``cuda.bindings.driver`` in tests."""
        if driver is None:
            count = require_driver()
            if not 0 <= ordinal < count:
                raise _unusable(f"there is no device {ordinal}; the driver sees {count}", help="")
        self.driver: Any = driver or _bindings()
        self.call("cuInit", 0)
        self._device = self.call("cuDeviceGet", ordinal)
        self._context = self.call("cuDevicePrimaryCtxRetain", self._device)
        self.enter()
        self.stream = self.call("cuStreamCreate", int(self.driver.CUstream_flags.CU_STREAM_NON_BLOCKING))
        self._memory: list[int] = []
        self._modules: list[Any] = []

    def call(self, name: str, *args: Any) -> Any:
        """A driver call's value; the bindings answer with a tuple that begins with the status."""
        status, *values = getattr(self.driver, name)(*args)
        if int(status) != 0:
            raise self._error(name, status)
        return values[0] if len(values) == 1 else tuple(values)

    def enter(self) -> None:
        """Make the context current in this thread."""
        self.call("cuCtxSetCurrent", self._context)

    def close(self) -> None:
        """Free everything that was taken."""
        self.enter()
        self.call("cuStreamSynchronize", self.stream)
        for pointer in self._memory:
            self.call("cuMemFree", pointer)
        for module in self._modules:
            self.call("cuModuleUnload", module)
        self._memory, self._modules = [], []
        self.call("cuStreamDestroy", self.stream)
        self.call("cuDevicePrimaryCtxRelease", self._device)

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def title(self) -> str:
        name: bytes = self.call("cuDeviceGetName", NAME_BYTES, self._device)
        return name.partition(b"\0")[0].decode()

    @property
    def arch(self) -> str:
        major, minor = (self._attribute(f"COMPUTE_CAPABILITY_{part}") for part in ("MAJOR", "MINOR"))
        return f"sm_{major}{minor}"

    @property
    def sms(self) -> int:
        return self._attribute("MULTIPROCESSOR_COUNT")

    @property
    def shared_per_block_max(self) -> int:
        return self._attribute("MAX_SHARED_MEMORY_PER_BLOCK_OPTIN")

    def load(self, image: bytes, symbol: str) -> Any:
        """A kernel of a cubin."""
        module = self.call("cuModuleLoadData", image)
        self._modules.append(module)
        return self.call("cuModuleGetFunction", module, symbol.encode())

    def allow_shared(self, function: Any, size: int) -> None:
        """Opt in to ``size`` bytes of dynamic shared memory; 48 KB, static included, is the limit without."""
        attribute = self.driver.CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
        self.call("cuFuncSetAttribute", function, attribute, size)

    def blocks_per_sm(self, function: Any, block: int, shared: int) -> int:
        """What the driver says about a loaded kernel; 0 means that it cannot be launched."""
        return int(self.call("cuOccupancyMaxActiveBlocksPerMultiprocessor", function, block, shared))

    def allocate(self, size: int) -> int:
        """Device memory, aligned to 256 bytes, until the session is closed."""
        pointer = int(self.call("cuMemAlloc", max(size, 1)))
        self._memory.append(pointer)
        return pointer

    def upload(self, pointer: int, array: Any) -> None:
        """Copy a dense NumPy array to the device."""
        if array.nbytes:
            self.call("cuMemcpyHtoDAsync", pointer, array.ctypes.data, array.nbytes, self.stream)
            self.synchronize()  # the array may go away

    def download(self, array: Any, pointer: int) -> None:
        """Copy from the device into a dense NumPy array, when all work before it is done."""
        if array.nbytes:
            self.call("cuMemcpyDtoHAsync", array.ctypes.data, pointer, array.nbytes, self.stream)
        self.synchronize()

    def fill(self, pointer: int, byte: int, size: int) -> None:
        if size:
            self.call("cuMemsetD8Async", pointer, byte, size, self.stream)

    def copy(self, target: int, source: int, size: int) -> None:
        if size:
            self.call("cuMemcpyDtoDAsync", target, source, size, self.stream)

    def launch(self, function: Any, grid: int, block: int, shared: int, arguments: Arguments) -> None:
        self.call(
            "cuLaunchKernel", function, grid, 1, 1, block, 1, 1, shared, self.stream, arguments.address, 0
        )  # fmt: skip

    def event(self) -> Any:
        """A timing event, recorded now."""
        event = self.call("cuEventCreate", 0)
        self.call("cuEventRecord", event, self.stream)
        return event

    def microseconds(self, start: Any, end: Any) -> float:
        return float(self.call("cuEventElapsedTime", start, end)) * 1e3

    def synchronize(self) -> None:
        """Wait for the stream; an error of an earlier launch shows here."""
        self.call("cuStreamSynchronize", self.stream)

    def _attribute(self, name: str) -> int:
        attribute = getattr(self.driver.CUdevice_attribute, f"CU_DEVICE_ATTRIBUTE_{name}")
        return int(self.call("cuDeviceGetAttribute", attribute, self._device))

    def _error(self, name: str, status: Any) -> FstcError:
        word = getattr(status, "name", str(status))
        _, text = self.driver.cuGetErrorString(status)
        said = text.decode() if isinstance(text, bytes) else "no description"
        return _unusable(f"{name}: {word} ({said})", CURES.get(word, ""))


class Arguments:
    """Kernel parameters, all of them pointers, in the form the driver reads: an array of their addresses."""

    def __init__(self, pointers: list[int]) -> None:
        self._values = (ctypes.c_uint64 * len(pointers))(*pointers)
        first, size = ctypes.addressof(self._values), ctypes.sizeof(ctypes.c_uint64)
        self._addresses = (ctypes.c_void_p * len(pointers))(*(first + size * i for i in range(len(pointers))))

    @property
    def address(self) -> int:
        return ctypes.addressof(self._addresses)
