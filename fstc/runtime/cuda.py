"""Run a package on an NVIDIA GPU: values stay in device memory, kernels and library calls go to one stream.

Example::

    with CudaRunner(graph, codegen, package.cubins(entry)) as runner:
        outputs = runner.run(feeds)
        print(runner.time(feeds).total_us)

One runner serves one thread at a time. It is also a ``Launcher`` (``launch`` on host arrays), so that whatever
looks at every step on the host can look at the GPU in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import TracebackType
from typing import Any

from fstc.codegen.artefact import Codegen, KernelCode, Step
from fstc.ir.constants import ConstantStore
from fstc.ir.graph import Graph, Node
from fstc.ir.types import TensorType
from fstc.runtime.cuda_driver import Arguments, Session
from fstc.runtime.library import DeviceArray, default_library
from fstc.runtime.run import POISON, Array, Feeds, constant, value_type
from fstc.support.diagnostics import Diagnostic, FstcError

ALIGNMENT = 16  # bytes; a kernel's contract
WARM_UP = 3

Library = Callable[[Session, Graph, Node, Sequence[DeviceArray], Sequence[DeviceArray]], None]


@dataclass(frozen=True)
class CudaTiming:
    """Medians over the runs, in microseconds."""

    total_us: float  # the whole sequence between two events
    steps_us: tuple[float, ...]  # each step between two events of its own


class CudaRunner:
    """The steps of one package on one device."""

    def __init__(
        self,
        graph: Graph,
        codegen: Codegen,
        cubins: Mapping[str, bytes],
        *,
        constants: ConstantStore | None = None,
        session: Session | None = None,
        library: Library | None = None,
    ) -> None:
        """``cubins`` by symbol. Without a session, one on device 0, closed with the runner."""
        self.graph, self.codegen, self._constants = graph, codegen, constants
        self.session = session or Session()
        self._owned = session is None
        self._library: Library = library or default_library()
        self._pointers: dict[int, int] = {}  # by value id
        self._bound: set[int] = set()  # values in the caller's memory
        try:
            self._functions = [self._load(kernel, cubins) for kernel in codegen.kernels]
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self._owned:
            self.session.close()

    def __enter__(self) -> CudaRunner:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def launch(self, kernel: int, buffers: Sequence[Array]) -> None:
        """One kernel on host arrays, one a parameter: copied there, run, and what it may write copied back."""
        code = self.codegen.kernels[kernel]
        self.session.enter()
        pointers = [self.session.call("cuMemAlloc", max(b.nbytes, 1)) for b in buffers]
        try:
            for pointer, buffer in zip(pointers, buffers, strict=True):
                self.session.upload(int(pointer), buffer)
            self._start(kernel, [int(p) for p in pointers])
            for pointer, buffer, param in zip(pointers, buffers, code.params, strict=True):
                if param.mode != "read":
                    self.session.download(buffer, int(pointer))
        finally:
            self.session.synchronize()
            for pointer in pointers:
                self.session.call("cuMemFree", pointer)

    def run(self, feeds: Feeds) -> dict[int, Array]:
        """The graph's outputs by value id. ``feeds`` holds the inputs."""
        self.prepare(feeds)
        self.enqueue()
        return {value: self.fetch(value) for value in self.graph.outputs}

    def fetch(self, value: int) -> Array:
        """A value as the last run left it."""
        import numpy as np

        type = self._type(value)
        array = np.empty(type.shape, type.dtype.numpy())
        self.session.download(array, self._pointers[value])
        return array

    def bind(self, value: int, pointer: int) -> None:
        """Use the caller's device memory for a value; kernels read and write 16 bytes at once."""
        if pointer % ALIGNMENT:
            name = self.graph.values[value].name
            message = f"the memory given for %{name} is not aligned to {ALIGNMENT} bytes"
            raise FstcError(Diagnostic("FST0601", message, help="copy it into an allocation of its own first"))
        self._pointers[value] = pointer
        self._bound.add(value)

    def time(self, feeds: Feeds, runs: int = 20) -> CudaTiming:
        """Median times by events. Steps are timed in runs of their own: an event between two kernels costs time."""
        self.prepare(feeds)
        for _ in range(WARM_UP):
            self._run_all()
        totals = [self._run_all()[0] for _ in range(runs)]
        steps = [self._run_all(each=True)[1] for _ in range(runs)]
        return CudaTiming(_median(totals), tuple(_median(column) for column in zip(*steps, strict=True)))

    def _run_all(self, each: bool = False) -> tuple[float, list[float]]:
        marks = [self.session.event()]
        for step in self.codegen.steps:
            self._run_step(step)
            if each:
                marks.append(self.session.event())
        end = self.session.event()
        self.session.synchronize()
        spans = [self.session.microseconds(a, b) for a, b in pairwise(marks)]
        total = self.session.microseconds(marks[0], end)
        for event in (*marks, end):
            self.session.call("cuEventDestroy", event)
        return total, spans

    def enqueue(self) -> None:
        """Every step once more, on what ``prepare`` or ``run`` left in place; kernels are not waited for."""
        for step in self.codegen.steps:
            self._run_step(step)

    def _load(self, kernel: KernelCode, cubins: Mapping[str, bytes]) -> Any:
        function = self.session.load(cubins[kernel.symbol], kernel.symbol)
        if kernel.shared:
            self.session.allow_shared(function, kernel.shared)
        if kernel.grid and not self.session.blocks_per_sm(function, kernel.block, kernel.shared):
            message = (
                f"{kernel.name} does not fit on {self.session.title}: {kernel.block} threads, {kernel.shared} bytes"
            )
            raise FstcError(Diagnostic("FST0601", message, help="build the package for this device"))
        return function

    def prepare(self, feeds: Feeds) -> None:
        """Memory for every value; inputs are copied into it, constants once."""
        self.session.enter()
        written = {value for step in self.codegen.steps for value in step.writes}
        read = {value for step in self.codegen.steps for value in step.reads} | set(self.graph.outputs)
        for value in sorted(read | written):
            fresh = value not in self._pointers
            if fresh:
                self._pointers[value] = self.session.allocate(self._type(value).nbytes)
            if value in written or value in self._bound:
                continue
            if value in feeds:
                self.session.upload(self._pointers[value], _dense(feeds[value]))
            elif fresh:
                self.session.upload(self._pointers[value], _dense(constant(self.graph, value, self._constants)))

    def _run_step(self, step: Step) -> None:
        if step.kernel < 0:
            node = self.graph.nodes[step.node]
            reads, writes = ([self._array(value) for value in ids] for ids in (step.reads, step.writes))
            self._library(self.session, self.graph, node, reads, writes)
            return
        if any(self._type(value).elements for value in step.writes):
            self._start(step.kernel, self._arguments(step))

    def _arguments(self, step: Step) -> list[int]:
        """One pointer a parameter. An update works on a copy, as on the host, unless both are the caller's memory."""
        reads, writes, pointers = iter(step.reads), iter(step.writes), []
        for param in self.codegen.kernels[step.kernel].params:
            if param.mode == "read":
                pointers.append(self._pointers[next(reads)])
            elif param.mode == "write":
                written = next(writes)
                pointers.append(self._pointers[written])
            else:
                replaced, written = next(reads), next(writes)
                source, target = self._pointers[replaced], self._pointers[written]
                if source != target:
                    self.session.copy(target, source, self._type(written).nbytes)
                pointers.append(target)
        return pointers

    def _start(self, kernel: int, pointers: list[int]) -> None:
        code = self.codegen.kernels[kernel]
        if code.grid:
            self.session.launch(self._functions[kernel], code.grid, code.block, code.shared, Arguments(pointers))

    def poison(self) -> None:
        """Fill every value that a step writes with NaN bytes, so that what is never written shows."""
        for step in self.codegen.steps:
            for value in step.writes:
                self.session.fill(self._pointers[value], POISON, self._type(value).nbytes)

    def _array(self, value: int) -> DeviceArray:
        return DeviceArray(self._pointers[value], self._type(value))

    def _type(self, value: int) -> TensorType:
        return value_type(self.graph, self.codegen, value)


def _dense(array: Array) -> Array:
    import numpy as np

    return np.ascontiguousarray(array)


def _median(values: Sequence[float]) -> float:
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
