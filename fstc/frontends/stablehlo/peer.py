"""The framework's own result: the same module compiled and run by XLA on the CPU.

Example: ``run_peer(Path("step.mlirbc"), [w, x], {})`` returns the outputs of @main in order; ``feeds`` are those of the
imported graph's inputs. Used by ``fstc verify --against jax``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fstc.frontends.emitter import Array
from fstc.frontends.stablehlo.decode import decode
from fstc.frontends.stablehlo.parse import load
from fstc.frontends.stablehlo.program import DYNAMIC
from fstc.frontends.stablehlo.types import decoded_type
from fstc.ir.types import TensorType
from fstc.support.diagnostics import Diagnostic, FstcError

HELP = "jax is needed beside jaxlib, and the module must be for one device"
REFINE = "builtin.module(stablehlo-refine-arguments{{types={}}})"


def run_peer(model: Path, feeds: Sequence[Array], binds: Mapping[str, int]) -> list[Array]:
    """The outputs in order. FST0810 where XLA refuses."""
    try:
        return load(model, lambda module: _run(module, model, feeds, binds))
    except FstcError:
        raise
    except Exception as error:  # XLA's errors are of many classes
        first = (str(error).splitlines() or [type(error).__name__])[0]
        message = f"XLA cannot run {model.name}: {first[:500]}"
        raise FstcError(Diagnostic("FST0810", message, file=str(model), help=HELP)) from None


def _run(module: Any, model: Path, feeds: Sequence[Array], binds: Mapping[str, int]) -> list[Array]:
    import jax
    import numpy as np
    from jax.extend.backend import get_backend
    from jaxlib import xla_client

    client = get_backend("cpu")
    device = client.local_devices()[0]
    arrays = _arguments(module, model, feeds, binds)
    program = _refined(module, arrays) if _is_dynamic(module) else module.operation.get_asm()
    executable = client.compile_and_load(program, xla_client.DeviceList((device,)), xla_client.CompileOptions())
    with jax.enable_x64(True):  # device_put narrows 64-bit arrays otherwise
        given = [jax.device_put(a, device) for a in arrays]
    found = executable.execute_sharded(given).disassemble_into_single_device_arrays()
    return [np.asarray(shards[0]) for shards in found]


def _arguments(module: Any, model: Path, feeds: Sequence[Array], binds: Mapping[str, int]) -> list[Array]:
    """The feeds, with arguments that ``--bind`` gives in between."""
    import numpy as np

    main = decode(module, model.name).main
    rest = iter(feeds)
    found = []
    for type, attrs in zip(main.body.types, main.arg_attrs, strict=True):
        name = str(attrs.get("jax.global_constant", ""))
        assert isinstance(type, TensorType), "the importer refuses arguments of other types"
        dtype = type.dtype.numpy()
        found.append(np.asarray(binds[name], dtype) if name else np.asarray(next(rest), dtype))
    return found


def _is_dynamic(module: Any) -> bool:
    """Has the first function an argument of unknown extent?"""
    types = [decoded_type(t) for op in module.body.operations for t in _arguments_of(op)]
    return any(isinstance(t, TensorType) and DYNAMIC in t.shape for t in types)


def _arguments_of(op: Any) -> list[Any]:
    attrs = op.operation.attributes
    return list(attrs["function_type"].value.inputs) if "function_type" in attrs else []


def _refined(module: Any, arrays: Sequence[Array]) -> bytes:
    """With the shapes of the arguments, and all that follows from them."""
    from jaxlib import _jax
    from jaxlib.mlir import ir
    from jaxlib.mlir.dialects import stablehlo
    from jaxlib.mlir.passmanager import PassManager

    stablehlo.register_stablehlo_passes()
    main = next(op for op in module.body.operations if op.operation.attributes["sym_name"].value == "main")
    elements = [ir.RankedTensorType(t).element_type for t in _arguments_of(main)]
    types = [f"tensor<{''.join(f'{n}x' for n in a.shape)}{e}>" for a, e in zip(arrays, elements, strict=True)]
    with module.context:
        PassManager.parse(REFINE.format(",".join(types))).run(module.operation)
    return bytes(_jax.mlir.refine_polymorphic_shapes(module.operation.get_asm().encode(), True, True))
