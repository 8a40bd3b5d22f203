"""What a model says of its tensors: compared with what was found, and used where a node cannot be mapped.

Example: ``declared.compare("y", val, "output 'y'")`` refuses a result of another type than the model promises.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fstc.frontends.builder import Val
from fstc.frontends.onnx.model import Extents, Model
from fstc.frontends.onnx.problems import mistaken
from fstc.frontends.onnx.tensors import DTYPES, dtype_name
from fstc.ir.types import TensorType

Proto = Any
SMALL = 1024  # elements of an initializer that shape inference may need


class Declared:
    def __init__(self, model: Model, extents: Extents) -> None:
        self.model, self.extents = model, extents
        graph = model.proto.graph
        self._types: dict[str, Proto] = {
            v.name: v.type.tensor_type
            for v in (*graph.value_info, *graph.output)
            if v.type.WhichOneof("value") == "tensor_type"
        }
        self._inferred: dict[str, Proto] | None = None

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
        """The whole type of a tensor, from the model or by onnx's shape inference."""
        if name in self._types and (found := self._whole(self._types[name])) is not None:
            return found
        if self._inferred is None:
            self._inferred = self._infer()
        return self._whole(self._inferred[name]) if name in self._inferred else None

    def _whole(self, tensor: Proto) -> TensorType | None:
        dtype = DTYPES.get(tensor.elem_type)
        if dtype is None or not tensor.HasField("shape"):
            return None
        extents = [self.extents.known(d) for d in tensor.shape.dim]
        shape = tuple(n for n in extents if n is not None and n >= 0)
        return TensorType(dtype, shape) if len(shape) == len(extents) else None

    def _infer(self) -> dict[str, Proto]:
        """On a copy without large weights; nothing where inference fails."""
        import onnx

        source = self.model.proto
        copy = onnx.ModelProto()
        copy.ir_version = source.ir_version
        copy.opset_import.extend(source.opset_import)
        copy.functions.extend(source.functions)
        graph, given = copy.graph, source.graph
        graph.name = given.name
        graph.node.extend(given.node)
        graph.output.extend(given.output)
        graph.value_info.extend(given.value_info)
        stored = {t.name for t in given.initializer}
        for value in given.input:
            if value.name not in stored:
                graph.input.add().CopyFrom(value)
        for tensor in given.initializer:
            elements = 1
            for n in tensor.dims:
                elements *= n
            if elements <= SMALL:
                graph.initializer.add().CopyFrom(tensor)
            else:
                graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
        for value in graph.input:
            for dim in value.type.tensor_type.shape.dim:
                known = self.extents.known(dim)
                if known is not None:
                    dim.dim_value = known
        try:
            found = onnx.shape_inference.infer_shapes(copy, data_prop=True)
        except Exception:  # onnx raises its own RuntimeErrors; without inference there is no type to give
            return {}
        return {v.name: v.type.tensor_type for v in (*found.graph.value_info, *found.graph.output)}
