"""MLIR's attributes as Python values: numbers, lists, dicts, NumPy arrays.

Example: ``Attributes(module).value(op.attributes["dimension_numbers"])["offset_dims"]`` is ``[1]``. Constants of
element types that the buffer protocol lacks (bf16, f8) and stored resources are read from their printed form.
"""

from __future__ import annotations

import re
from typing import Any

from fstc.frontends.emitter import Array
from fstc.frontends.stablehlo.program import DYNAMIC, Foreign
from fstc.ir.types import DType, TensorType

FIELDS = {
    "GatherDimensionNumbers": (
        "offset_dims", "collapsed_slice_dims", "operand_batching_dims", "start_indices_batching_dims",
        "start_index_map", "index_vector_dim",
    ),
    "ScatterDimensionNumbers": (
        "update_window_dims", "inserted_window_dims", "input_batching_dims", "scatter_indices_batching_dims",
        "scattered_dims_to_operand_dims", "index_vector_dim",
    ),
    "DotDimensionNumbers": (
        "lhs_batching_dimensions", "rhs_batching_dimensions", "lhs_contracting_dimensions",
        "rhs_contracting_dimensions",
    ),
    "ConvDimensionNumbers": (
        "input_batch_dimension", "input_feature_dimension", "input_spatial_dimensions",
        "kernel_input_feature_dimension", "kernel_output_feature_dimension", "kernel_spatial_dimensions",
        "output_batch_dimension", "output_feature_dimension", "output_spatial_dimensions",
    ),
}  # fmt: skip
VALUED = ("ComparisonDirectionAttr", "ComparisonTypeAttr", "RngAlgorithmAttr", "RngDistributionAttr", "FftTypeAttr",
          "TransposeAttr")  # fmt: skip
NUMBER = re.compile(r"0x[0-9A-Fa-f]+|-?\d+\.\d+(?:[eE][-+]?\d+)?")  # infinities and NaN are written as their bits
RESOURCE = re.compile(r'dense_resource<("[^"]*"|[\w.$-]+)>')
HEX = re.compile(r'"0x([0-9A-Fa-f]*)"')


class Opaque(str):
    """The text of an attribute that no handler asks for."""


class Attributes:
    def __init__(self, module: Any) -> None:
        self.module = module
        self._resources: dict[str, bytes] | None = None

    def value(self, attr: Any) -> Any:
        from jaxlib.mlir import ir
        from jaxlib.mlir.dialects import stablehlo

        kind = type(attr).__name__
        if kind in FIELDS:
            return {name: getattr(attr, name) for name in FIELDS[kind]}
        if kind in VALUED:
            return attr.value
        if isinstance(attr, ir.DenseElementsAttr) or (str(attr.type)[:1] == "t" and RESOURCE.match(str(attr))):
            return self.array(attr)
        if isinstance(attr, ir.ArrayAttr):
            return [self.value(a) for a in attr]
        if isinstance(attr, ir.DictAttr):
            return {n.name: self.value(n.attr) for n in attr} if len(attr) else {}
        if isinstance(attr, ir.FlatSymbolRefAttr | ir.StringAttr | ir.IntegerAttr | ir.BoolAttr | ir.FloatAttr):
            return attr.value
        if kind.startswith("Dense") and kind.endswith("ArrayAttr"):
            return list(attr)
        if isinstance(attr, ir.UnitAttr):
            return True
        for name in (*FIELDS, *VALUED):
            known = getattr(stablehlo, name)
            if known.isinstance(attr):
                return self.value(known(attr))
        return Opaque(attr)

    def array(self, attr: Any) -> Array | Foreign:
        """The elements; a splat is one element seen many times."""
        import numpy as np
        from jaxlib.mlir import ir

        from fstc.frontends.stablehlo.types import decoded_type

        found = decoded_type(attr.type)
        if not isinstance(found, TensorType) or DYNAMIC in found.shape:
            return found if isinstance(found, Foreign) else Foreign(str(attr.type), "a constant of unknown shape")
        dtype = found.dtype.numpy()
        if not isinstance(attr, ir.DenseElementsAttr):
            return self._resource(attr, found)
        if attr.is_splat and found.elements:
            one = np.asarray(attr.get_splat_value().value).astype(dtype)
            return np.broadcast_to(one, found.shape)
        try:
            return np.array(attr).astype(dtype, copy=False).reshape(found.shape)
        except TypeError:
            pass
        text = str(attr)
        data = HEX.search(text)
        if data is not None:
            return _from_bytes(bytes.fromhex(data.group(1)), found.dtype, found.shape)
        numbers = NUMBER.findall(text[: text.rindex(":")])
        return np.array([_number(n, found.dtype) for n in numbers], np.float64).astype(dtype).reshape(found.shape)

    def _resource(self, attr: Any, type: TensorType) -> Array | Foreign:
        name = RESOURCE.match(str(attr))
        if self._resources is None:
            self._resources = _printed_resources(self.module)
        data = self._resources.get(name.group(1).strip('"')) if name else None
        if data is None or len(data) != type.nbytes:
            return Foreign(str(attr.type), "the data of a dense_resource is missing")
        return _from_bytes(data, type.dtype, type.shape)


def _printed_resources(module: Any) -> dict[str, bytes]:
    """The resource section of the module's text; a blob begins with four bytes of alignment."""
    text = module.operation.get_asm(enable_debug_info=False)
    start = text.rfind("{-#")
    if start < 0:
        return {}
    entries = re.findall(r'([\w.$-]+|"[^"]*"): "0x([0-9A-Fa-f]*)"', text[start:])
    return {name.strip('"'): bytes.fromhex(data)[4:] for name, data in entries}


def _number(text: str, dtype: DType) -> float:
    import numpy as np

    if not text.startswith("0x"):
        return float(text)
    return float(np.asarray(int(text, 16), f"u{dtype.size}").view(dtype.numpy()))


def _from_bytes(data: bytes, dtype: DType, shape: tuple[int, ...]) -> Array:
    import numpy as np

    if dtype.kind == "b":
        return np.frombuffer(data, np.uint8).astype(np.bool_).reshape(shape)
    return np.frombuffer(data, dtype.numpy()).reshape(shape)
