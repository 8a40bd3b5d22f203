"""What a model says of its tensors: compared with what was found, and used where a node cannot be mapped.

Example: ``declared.compare("y", val, "output 'y'")`` refuses a result of another type than the model promises.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fstc.frontends.builder import Val
from fstc.frontends.onnx.model import Extents, Model
from fstc.frontends.onnx.node import Entry
from fstc.frontends.onnx.problems import mistaken
from fstc.frontends.onnx.tensors import DTYPES, NUMBERS, dtype_name
from fstc.ir.types import TensorType

Proto = Any
SMALL = 1024  # elements of an input that shape inference may need


class Declared:
    def __init__(self, model: Model, extents: Extents) -> None:
        self.model, self.extents = model, extents
        graph = model.proto.graph
        self._types: dict[str, Proto] = {
            v.name: v.type.tensor_type
            for v in (*graph.value_info, *graph.output)
            if v.type.WhichOneof("value") == "tensor_type"
        }

    def compare(self, name: str, val: Val, where: str) -> None:
        """FST0804 when the model says something else of ``name``; symbolic extents without a value say nothing."""
        tensor = self._types.get(name)
        if tensor is None:
            return
        path: Path = self.model.path
        dtype = DTYPES.get(tensor.elem_type)
        if dtype != val.dtype and tensor.elem_type:
            stated = dtype or dtype_name(tensor.elem_type)
            raise mistaken(path, where, f"{name!r} is {val.type}, the model says element type {stated}")
        if not tensor.HasField("shape"):
            return
        stated_shape = [self.extents.known(d) for d in tensor.shape.dim]
        fits = len(stated_shape) == val.rank and all(
            s is None or s == n for s, n in zip(stated_shape, val.shape, strict=True)
        )
        if not fits:
            shown = ",".join("?" if s is None else str(s) for s in stated_shape)
            raise mistaken(path, where, f"{name!r} is {val.type}, the model says [{shown}]")

    def type_of(self, name: str) -> TensorType | None:
        """The whole type of a tensor of the main graph, if the model states it."""
        return self._whole(self._types[name]) if name in self._types else None

    def inferred(self, node: Proto, entries: Sequence[Entry], opsets: Mapping[str, int]) -> list[TensorType | None]:
        """The types of a node's outputs by onnx's shape inference, from those of its inputs; None where it fails.

        The node is alone in a model of its own: what is around it is known already, and what inference might do with
        large extents elsewhere costs nothing.
        """
        import onnx

        alone = onnx.ModelProto(ir_version=self.model.proto.ir_version)
        alone.opset_import.extend(onnx.helper.make_opsetid(d, v) for d, v in opsets.items())
        graph = alone.graph
        graph.name = "alone"
        graph.node.add().CopyFrom(node)
        for name, entry in zip(node.input, entries, strict=True):
            if not isinstance(entry, Val) or not name:
                continue
            number = NUMBERS[entry.dtype]
            graph.input.append(onnx.helper.make_tensor_value_info(name, number, entry.shape))
            if entry.known is not None and entry.known.size <= SMALL:
                array = entry.known
                stored = onnx.helper.make_tensor(name, number, array.shape, array.tobytes(), raw=True)
                graph.initializer.append(stored)
        graph.output.extend(onnx.ValueInfoProto(name=name) for name in node.output if name)
        try:
            made = onnx.shape_inference.infer_shapes(alone).graph
        except Exception:  # onnx raises RuntimeErrors of its own; without inference there is no type to give
            return [None] * len(node.output)
        types = {v.name: v.type.tensor_type for v in made.output if v.type.WhichOneof("value") == "tensor_type"}
        return [self._whole(types[name]) if name in types else None for name in node.output]

    def _whole(self, tensor: Proto) -> TensorType | None:
        dtype = DTYPES.get(tensor.elem_type)
        if dtype is None or not tensor.HasField("shape"):
            return None
        extents = [self.extents.known(d) for d in tensor.shape.dim]
        shape = tuple(n for n in extents if n is not None and n >= 0)
        return TensorType(dtype, shape) if len(shape) == len(extents) else None
