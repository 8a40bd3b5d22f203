"""Library calls of a run on the GPU: contractions by torch or cupy where one is installed, all else by NumPy.

Example: ``default_library()(session, graph, node, reads, writes)`` fills the writes. A call that has no
device form is copied to the host, computed as on the host target, and copied back: slow and right.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from string import ascii_letters
from typing import Any

from fstc.ir.graph import Graph, Node
from fstc.ir.reference import run_node
from fstc.ir.types import TensorType
from fstc.runtime.cuda_driver import Session

CONTRACTION = ("lhs_batch", "rhs_batch", "lhs_contract", "rhs_contract")


@dataclass(frozen=True)
class DeviceArray:
    """A dense row-major tensor in device memory; torch and cupy take it as it is."""

    pointer: int
    type: TensorType

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        # The protocol has no bf16 or f8: those go as the integers of their bits and are viewed back.
        numpy = self.type.dtype.numpy()
        code = numpy.str if numpy.kind in "fiub" else f"<i{self.type.dtype.size}"
        return {
            "shape": self.type.shape,
            "typestr": code,
            "data": (self.pointer if self.type.elements else 0, False),
            "strides": None,
            "version": 3,
        }


Call = Callable[[Session, Graph, Node, Sequence[DeviceArray], Sequence[DeviceArray]], None]


def default_library() -> Call:
    """torch, else cupy, else the host."""
    for make in (_torch_contraction, _cupy_contraction):
        contract = make()
        if contract is not None:
            return _with_contraction(contract)
    return host_library


def host_library(
    session: Session, graph: Graph, node: Node, reads: Sequence[DeviceArray], writes: Sequence[DeviceArray]
) -> None:
    """Any call, by its NumPy form on the host."""
    import numpy as np

    operands = [np.empty(r.type.shape, r.type.dtype.numpy()) for r in reads]
    for array, read in zip(operands, reads, strict=True):
        session.download(array, read.pointer)
    for result, write in zip(run_node(graph, node, operands), writes, strict=True):
        session.upload(write.pointer, np.ascontiguousarray(result))


def einsum_of(node: Node, reads: Sequence[TensorType], writes: Sequence[TensorType]) -> str | None:
    """The contraction as einsum's subscripts ("abc,acd->abd"); None for a call that is none."""
    if len(reads) != 2 or len(writes) != 1 or any(node.op.attr(name) is None for name in CONTRACTION):
        return None
    lhs_batch, rhs_batch, lhs_contract, rhs_contract = (tuple(node.attr(name, ())) for name in CONTRACTION)
    letters = iter(ascii_letters)
    left = [next(letters) for _ in range(reads[0].rank)]
    right = [next(letters) for _ in range(reads[1].rank)]
    for a, b in zip(lhs_batch + lhs_contract, rhs_batch + rhs_contract, strict=True):
        right[b] = left[a]
    free_left = [x for d, x in enumerate(left) if d not in lhs_batch + lhs_contract]
    free_right = [x for d, x in enumerate(right) if d not in rhs_batch + rhs_contract]
    result = [left[d] for d in lhs_batch] + free_left + free_right
    return f"{''.join(left)},{''.join(right)}->{''.join(result)}"


Contraction = Callable[[Session, str, DeviceArray, DeviceArray, DeviceArray], None]


def _with_contraction(contract: Contraction) -> Call:
    def call(
        session: Session, graph: Graph, node: Node, reads: Sequence[DeviceArray], writes: Sequence[DeviceArray]
    ) -> None:
        spec = einsum_of(node, [r.type for r in reads], [w.type for w in writes])
        dtypes = {a.type.dtype.name for a in (*reads, *writes)}
        # One floating type throughout: only then is the library's arithmetic the op's.
        if spec is None or len(dtypes) != 1 or not dtypes <= {"f16", "bf16", "f32", "f64"}:
            host_library(session, graph, node, reads, writes)
        elif writes[0].type.elements:
            contract(session, spec, reads[0], reads[1], writes[0])

    return call


def _torch_contraction() -> Contraction | None:
    try:
        import torch
    except ImportError:
        return None

    def view(array: DeviceArray) -> Any:
        tensor = torch.as_tensor(array, device="cuda")
        return tensor.view(torch.bfloat16) if array.type.dtype.name == "bf16" else tensor

    def contract(session: Session, spec: str, lhs: DeviceArray, rhs: DeviceArray, out: DeviceArray) -> None:
        with torch.cuda.stream(torch.cuda.ExternalStream(int(session.stream))):
            view(out).copy_(torch.einsum(spec, view(lhs), view(rhs)))

    return contract if torch.cuda.is_available() else None


def _cupy_contraction() -> Contraction | None:
    try:
        import cupy
    except ImportError:
        return None

    def contract(session: Session, spec: str, lhs: DeviceArray, rhs: DeviceArray, out: DeviceArray) -> None:
        # cupy has no bf16: its bits widen exactly to f32, and the sum is rounded once.
        narrow = out.type.dtype.name == "bf16"
        with cupy.cuda.ExternalStream(int(session.stream)):
            operands = [cupy.asarray(a) for a in (lhs, rhs)]
            if narrow:
                operands = [(a.view(cupy.uint16).astype(cupy.uint32) << 16).view(cupy.float32) for a in operands]
            result = cupy.einsum(spec, *operands)
            if narrow:
                bits = result.view(cupy.uint32)
                rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16
                result = cupy.where(cupy.isnan(result), 0x7FC0, rounded).astype(cupy.int16)
            cupy.asarray(out)[...] = result

    return contract
