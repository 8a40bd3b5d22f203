"""One sample on the GPU: inputs, the float64 reference, fstc and its peers, correctness and times.

Example: ``Trial("swiglu", device="h200", cache=cache).measure("fstc")``. torch owns the memory; fstc reads and
writes it in place. Kernels are queued behind a spinning one, so that what is timed between two CUDA events is the
device's work and not the time that Python takes to launch it. Buffers rotate through more than twice the L2 cache.

JAX keeps its stream to itself: its queued calls are timed between two events around all of them, with the
device idle before and after, and what its dispatch costs beyond the kernels is in its figure.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from math import ceil, inf
from pathlib import Path
from typing import Any

import torch
from models_torch import MODELS

from fstc.build.cache import Cache
from fstc.build.package import Package
from fstc.driver.files import open_work
from fstc.driver.package import BuildOptions, build_package
from fstc.ir.graph import Value
from fstc.ir.types import TensorType
from fstc.runtime.bounds import roughness
from fstc.runtime.compare import tolerance
from fstc.runtime.cuda import CudaRunner
from fstc.runtime.cuda_driver import Session
from fstc.stages import Settings

SAMPLES = Path(__file__).resolve().parent.parent / "samples"
EXTENTS = {"bert_layer": {"heads": "H"}, "groupnorm_silu": {"groups": "G"}}  # what no input's shape shows
TORCH = {
    "f64": torch.float64, "f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16,
    "f8e4m3fn": torch.float8_e4m3fn, "f8e5m2": torch.float8_e5m2, "i8": torch.int8, "i16": torch.int16,
    "i32": torch.int32, "i64": torch.int64, "u8": torch.uint8, "bool": torch.bool,
}  # fmt: skip
MOST_SETS = 192
MOST_BYTES = 24 << 30  # of all rotating buffers
SPIN_CYCLES = 30_000_000  # some 17 ms, in which Python queues a batch
WARM_UP = 3
BATCHES, CALLS = 9, 10  # the median batch counts, divided by its calls

Tensors = list[torch.Tensor]
Call = Callable[[int], Any]  # runs one peer once on the buffers of one set


class Trial:
    """A sample at its real extents, planned and built for ``device``."""

    def __init__(self, name: str, device: str, cache: Cache) -> None:
        self.name = name
        self.work = open_work(str(SAMPLES / f"{name}.fir"), Settings(device=device))
        self.graph = self.work.value("graph")
        self._device, self._cache = device, cache
        self._session: Session | None = None

    def close(self) -> None:
        if self._session:
            self._session.close()

    # -- what everyone computes -------------------------------------------------------------------------------

    @cached_property
    def inputs(self) -> list[Value]:
        return [self.graph.values[i] for i in self.graph.inputs]

    @cached_property
    def sets(self) -> int:
        """Copies of the inputs and outputs that one after the other are more than twice the L2 cache."""
        size = sum(self.graph.type(v).nbytes for v in (*self.graph.inputs, *self.graph.outputs))
        cache = torch.cuda.get_device_properties(0).L2_cache_size
        return int(max(1, min(MOST_SETS, MOST_BYTES // max(size, 1), ceil(2 * cache / max(size, 1)) + 1)))

    @cached_property
    def feeds(self) -> list[Tensors]:
        torch.manual_seed(0)
        first = [draw(value) for value in self.inputs]
        return [first, *([t.clone() for t in first] for _ in range(self.sets - 1))]

    def named(self, tensors: Sequence[Any]) -> dict[str, Any]:
        return dict(zip((v.name for v in self.inputs), tensors, strict=True))

    @cached_property
    def extents(self) -> dict[str, int]:
        dims = dict(self.graph.dims)
        return {keyword: dims[dim] for keyword, dim in EXTENTS.get(self.name, {}).items()}

    @cached_property
    def reference(self) -> Tensors:
        """The torch form in float64."""
        exact = [t.double() if t.is_floating_point() else t for t in self.feeds[0]]
        with torch.no_grad():
            return list(MODELS[self.name](**self.named(exact), **self.extents))

    def error(self, got: Sequence[torch.Tensor]) -> float:
        """The worst error as a share of what `fstc verify` allows; above one is wrong."""
        rough = roughness(self.graph)
        worst = 0.0
        for value, result, want in zip(self.graph.outputs, got, self.reference, strict=True):
            type = self.graph.type(value)
            if tuple(result.shape) != type.shape or result.dtype != TORCH[type.dtype.name]:
                return inf
            allowed = tolerance(type.dtype, rough[value].reduction, rough[value].depth, narrow=rough[value].narrow)
            wide, exact = result.float().double() if result.itemsize == 1 else result.double(), want.double()
            bound = allowed.rtol * exact.abs() + allowed.scaled * exact.abs().max() + allowed.atol
            share = float(((wide - exact).abs() / bound).nan_to_num(nan=inf).max())
            worst = max(worst, share)
        return worst

    # -- the peers --------------------------------------------------------------------------------------------

    def measure(self, peer: str) -> dict[str, Any]:
        """Error and median time of a peer; a wrong result is not timed."""
        with PEERS[peer](self) as (call, results, stream):
            error = self.error(results(call(0)))
            if error > 1:
                return {"error": error, "us": None}
            timed = queued(call, self.sets) if stream is None else spun(call, self.sets, stream)
            return {"error": error, "us": timed}

    @contextmanager
    def fstc(self) -> Iterator[tuple[Call, Callable[[Any], Tensors], Any]]:
        """One runner a set, on buffers that torch owns."""
        built = build_package(self.work, (self._device,), BuildOptions(), self._cache)
        with Package.from_bytes(built.package) as package:
            cubins = package.cubins(package.device())
        self._session = self._session or Session()
        runners, outputs = [], []
        for feeds in self.feeds:
            runner = CudaRunner(self.graph, self.work.value("codegen"), cubins, session=self._session)
            made = [empty(self.graph.type(v)) for v in self.graph.outputs]
            values = (*self.graph.inputs, *self.graph.outputs)
            for value, tensor in zip(values, (*feeds, *made), strict=True):
                runner.bind(value, tensor.data_ptr())
            runner.prepare({})
            runners.append(runner)
            outputs.append(made)
        torch.cuda.synchronize()

        def results(_: Any) -> Tensors:
            torch.cuda.synchronize()
            return outputs[0]

        yield lambda n: runners[n].enqueue(), results, torch.cuda.ExternalStream(int(self._session.stream))

    @contextmanager
    def torch_eager(self) -> Iterator[tuple[Call, Callable[[Any], Tensors], Any]]:
        yield self._torch(MODELS[self.name]), list, torch.cuda.current_stream()

    @contextmanager
    def torch_compile(self) -> Iterator[tuple[Call, Callable[[Any], Tensors], Any]]:
        torch._dynamo.reset()
        yield self._torch(torch.compile(MODELS[self.name], dynamic=False)), list, torch.cuda.current_stream()

    def _torch(self, model: Callable[..., Any]) -> Call:
        ready = [self.named(tensors) | self.extents for tensors in self.feeds]

        def call(n: int) -> Any:
            with torch.no_grad():
                return model(**ready[n])

        return call

    @contextmanager
    def jax_jit(self) -> Iterator[tuple[Call, Callable[[Any], Tensors], Any]]:
        import jax
        from models_jax import MODELS as JAX_MODELS

        jax.config.update("jax_default_matmul_precision", "highest")
        compiled = jax.jit(partial(JAX_MODELS[self.name], **self.extents))
        ready = [self.named([to_jax(t) for t in tensors]) for tensors in self.feeds]

        def results(made: Any) -> Tensors:
            types = [self.graph.type(v) for v in self.graph.outputs]
            return [from_jax(array, type) for array, type in zip(jax.block_until_ready(made), types, strict=True)]

        def call(n: int) -> Any:
            return compiled(**ready[n])

        yield call, results, None


PEERS: dict[str, Callable[[Trial], Any]] = {
    "fstc": Trial.fstc,
    "torch eager": Trial.torch_eager,
    "torch.compile": Trial.torch_compile,
    "JAX jit": Trial.jax_jit,
}


def draw(value: Value) -> torch.Tensor:
    """Random values in the domain that the input states."""
    attrs, type = dict(value.attrs), value.type
    low, high = attrs.get("low"), attrs.get("high")
    if type.dtype.kind == "b":
        return torch.rand(type.shape, device="cuda") < 0.9
    if attrs.get("domain") == "permutation":
        return (
            torch.randperm(int(high or type.elements), device="cuda")[: type.elements]
            .reshape(type.shape)
            .to(TORCH[type.dtype.name])
        )
    if type.dtype.is_integer:
        return torch.randint(int(low or 0), int(high or 8), type.shape, device="cuda", dtype=TORCH[type.dtype.name])
    made = torch.empty(type.shape, device="cuda").uniform_(-1.0 if low is None else low, 1.0 if high is None else high)
    return made.to(TORCH[type.dtype.name])


def empty(type: TensorType) -> torch.Tensor:
    """Memory of its own, poisoned: what a kernel leaves out shows as NaN."""
    raw = torch.full((max(type.nbytes, 16),), 0xFF, dtype=torch.uint8, device="cuda")
    return raw[: type.nbytes].view(TORCH[type.dtype.name]).view(type.shape)


def to_jax(tensor: torch.Tensor) -> Any:
    """A copy of JAX's own: its compiler relies on its own alignment."""
    import jax
    import jax.numpy as jnp

    if tensor.dtype == torch.bool:  # DLPack had no booleans for long
        return jax.dlpack.from_dlpack(tensor.to(torch.uint8)).astype(jnp.bool_)
    return jnp.copy(jax.dlpack.from_dlpack(tensor))


def from_jax(array: Any, type: TensorType) -> torch.Tensor:
    import jax

    if type.dtype.size == 1 and type.dtype.is_float:
        bits = jax.lax.bitcast_convert_type(array, "uint8")
        return torch.from_dlpack(bits).view(TORCH[type.dtype.name])
    return torch.from_dlpack(array)


def spun(call: Call, sets: int, stream: Any) -> float:
    """Median microseconds of a call on ``stream``: batches queued while the device spins."""
    with torch.cuda.stream(stream):
        for n in range(min(WARM_UP, sets)):
            call(n)
        torch.cuda.synchronize()
        times: list[float] = []
        for batch in range(BATCHES):
            torch.cuda._sleep(SPIN_CYCLES)
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record(stream)
            for run in range(CALLS):
                call((batch * CALLS + run) % sets)
            end.record(stream)
            torch.cuda.synchronize()
            times.append(start.elapsed_time(end) * 1e3 / CALLS)
    return statistics.median(times)


def queued(call: Call, sets: int) -> float:
    """The same for a call that has a stream of its own: the device is idle before and after a batch."""
    import jax

    for n in range(min(WARM_UP, sets)):
        jax.block_until_ready(call(n))
    times: list[float] = []
    for batch in range(BATCHES):
        torch.cuda.synchronize()
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        jax.block_until_ready([call((batch * CALLS + n) % sets) for n in range(CALLS)])
        end.record()
        torch.cuda.synchronize()
        times.append(start.elapsed_time(end) * 1e3 / CALLS)
    return statistics.median(times)
