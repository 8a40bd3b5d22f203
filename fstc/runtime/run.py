"""Run a package's steps: a dictionary from value id to buffer, filled step by step.

Example: ``execute(graph, codegen, launcher, feeds)[graph.outputs[0]]``. A ``Launcher`` runs one kernel
on buffers (the host library, or CUDA); library calls run in NumPy with a library's accuracy. Every
result is filled with 0xFF bytes, a NaN in every float type, before the kernel that writes it runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any, Protocol

from fstc.codegen.artefact import Codegen, Step
from fstc.ir.constants import ConstantStore
from fstc.ir.graph import Graph
from fstc.ir.reference import run_node
from fstc.ir.types import DTYPES, TensorType
from fstc.support.diagnostics import InternalError

Array = Any  # numpy.ndarray; numpy is imported where it is used
Feeds = Mapping[int, Array]
Observer = Callable[[int, Step, Mapping[int, Array]], None]  # step number, step, values after it ran

POISON = 0xFF
ALIGNMENT = 256  # bytes, as cudaMalloc aligns


class LaunchFault(Exception):
    """A kernel did what no kernel may: a deadlock, a race, an access out of bounds. A bug of ours, and a finding."""

    def __init__(self, kernel: str, kind: str, message: str) -> None:
        super().__init__(message)
        self.kernel, self.kind = kernel, kind


class Launcher(Protocol):
    """Runs kernels of one package."""

    def launch(self, kernel: int, buffers: Sequence[Array]) -> None:
        """Run ``codegen.kernels[kernel]`` on one buffer a parameter, in parameter order; raises LaunchFault."""


def execute(
    graph: Graph,
    codegen: Codegen,
    launcher: Launcher,
    feeds: Feeds,
    constants: ConstantStore | None = None,
    observer: Observer | None = None,
) -> dict[int, Array]:
    """Every value that a step reads or writes and every output, by id. ``feeds`` holds the inputs."""
    values = dict(feeds)
    for number, step in enumerate(codegen.steps):
        for value in step.reads:
            if value not in values:
                values[value] = constant(graph, value, constants)
        if step.kernel >= 0:
            made = buffers(graph, codegen, step, values)
            if not skipped(codegen, step, values):
                launcher.launch(step.kernel, made)
        else:
            node = graph.nodes[step.node]
            results = run_node(graph, node, tuple(values[i] for i in node.inputs), constants)
            values |= zip(node.outputs, results, strict=True)
        if observer:
            observer(number, step, values)
    for value in graph.outputs:
        if value not in values:
            values[value] = constant(graph, value, constants)
    return values


def constant(graph: Graph, value: int, constants: ConstantStore | None = None) -> Array:
    """A value that no step writes and the caller did not feed: a constant of the text or of a file beside it."""
    producer = graph.values[value].node
    if producer < 0 or graph.nodes[producer].inputs:
        raise InternalError(f"%{graph.values[value].name} is read before a step writes it")
    results = run_node(graph, graph.nodes[producer], (), constants)
    return aligned(results[graph.values[value].index])


def value_type(graph: Graph, codegen: Codegen, value: int) -> TensorType:
    """The type of a graph value or of a scratch value of the plan."""
    if value < len(graph.values):
        return graph.type(value)
    scratch = next(s for s in codegen.scratch if s.id == value)
    return TensorType(DTYPES[scratch.dtype], tuple(scratch.shape))


def poisoned(type: TensorType) -> Array:
    """A fresh aligned buffer in which an element that is never written shows."""
    import numpy as np

    size = prod(type.shape) * type.dtype.size
    raw = np.full(size + ALIGNMENT, POISON, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + size].view(type.dtype.numpy()).reshape(type.shape)


def aligned(array: Array) -> Array:
    """The array, dense and aligned as a kernel's contract asks; a copy only where it is not."""
    if array.flags.c_contiguous and array.ctypes.data % 16 == 0:
        return array
    import numpy as np

    raw = np.empty(array.nbytes + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    copy = raw[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


def buffers(graph: Graph, codegen: Codegen, step: Step, values: dict[int, Array]) -> list[Array]:
    """One buffer a parameter; what the kernel writes is new, poisoned, and entered into ``values``.

    An update works on a copy, so that the value it replaces stays to be looked at.
    """
    reads, writes, found = iter(step.reads), iter(step.writes), []
    for param in codegen.kernels[step.kernel].params:
        if param.mode == "read":
            buffer = aligned(values[next(reads)])
        elif param.mode == "write":
            written = next(writes)
            buffer = values[written] = poisoned(value_type(graph, codegen, written))
        else:
            replaced, written = next(reads), next(writes)
            buffer = poisoned(value_type(graph, codegen, replaced))
            buffer[...] = values[replaced]
            values[written] = buffer
        found.append(buffer)
    return found


def skipped(codegen: Codegen, step: Step, values: Mapping[int, Array]) -> bool:
    """Is there nothing to compute? Results without elements need no launch."""
    return codegen.kernels[step.kernel].grid == 0 or not any(values[w].size for w in step.writes)
