"""The same model run by onnxruntime, for ``fstc verify --against onnxruntime``.

Example: ``run_peer(Path("model.onnx"), {"x": x}, {})`` gives the outputs in the model's order, computed on the CPU
without rewriting the graph.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fstc.support.diagnostics import Diagnostic, FstcError

Array = Any


def run_peer(model: Path, feeds: Mapping[str, Array], binds: Mapping[str, int]) -> list[Array]:
    """``feeds`` by input name; ``binds`` as the import had them. FST0810 when onnxruntime cannot."""
    try:
        import onnxruntime as ort
    except ImportError as error:
        help = "pip install onnxruntime"
        raise FstcError(Diagnostic("FST0801", f"--against onnxruntime needs onnxruntime: {error}", help=help)) from None
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4  # its errors are ours to tell
    for name, extent in binds.items():
        options.add_free_dimension_override_by_name(name, extent)
    try:
        session = ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        names = [i.name for i in session.get_inputs()]
        outputs = [o.name for o in session.get_outputs()]
        values = session.run_with_ort_values(outputs, {n: _value(ort, feeds[n]) for n in names if n in feeds})
        return [_array(value) for value in values]
    except Exception as error:  # onnxruntime has a class of its own for each of its status codes
        message = f"onnxruntime cannot run {model}: {error}"
        raise FstcError(Diagnostic("FST0810", message, file=str(model))) from None


def _value(ort: Any, array: Array) -> Any:
    """An array as onnxruntime takes it; types that NumPy lacks go by their bits."""
    import numpy as np

    from fstc.frontends.emitter import dtype_of
    from fstc.frontends.onnx.tensors import NUMBERS

    array = np.ascontiguousarray(array)
    if array.dtype.kind in "fiub":
        return ort.OrtValue.ortvalue_from_numpy(array)
    bits = array.view(f"u{array.dtype.itemsize}")
    return ort.OrtValue.ortvalue_from_numpy_with_onnx_type(bits, NUMBERS[dtype_of(array)])


def _array(value: Any) -> Array:
    import numpy as np

    from fstc.ir.types import BF16, F8E4M3FN, F8E5M2

    kinds = {"tensor(bfloat16)": BF16, "tensor(float8e4m3fn)": F8E4M3FN, "tensor(float8e5m2)": F8E5M2}
    narrow = kinds.get(value.data_type())
    found = value.numpy()
    return found if narrow is None else np.asarray(found).view(narrow.numpy())
