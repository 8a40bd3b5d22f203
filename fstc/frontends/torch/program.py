"""An exported program as a graph: its signature, its parameters, its outputs.

Example: ``import_program(torch.export.export(module, args), "model.safetensors").graph``. Inputs are the tensors that
the user gives, by the names that the program has for them. Outputs are the user's tensors in order, then what the
program writes into buffers and inputs (``NAME.updated``) and gradients (``NAME.gradient``); None and numbers among the
outputs are left out.
Parameters, buffers and constants are stored under their own names, shared ones once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fstc.frontends.artefact import Coverage, Imported, Unsupported
from fstc.frontends.builder import Builder, Val
from fstc.frontends.emitter import LimitError
from fstc.frontends.torch.complexes import Complex, constant
from fstc.frontends.torch.context import Context
from fstc.frontends.torch.convert import Converter, Unknown
from fstc.frontends.torch.decompose import decomposed
from fstc.frontends.torch.types import dtype_from_torch
from fstc.ir.types import TensorType
from fstc.support.diagnostics import Diagnostic, FstcError

SOURCE = re.compile(r"L\['(\w+)'\]\.size\(\)\[(\d+)\]")


def import_module(
    module: Any, args: Sequence[Any], kwargs: Mapping[str, Any] | None = None, file: str = "model.safetensors"
) -> Imported:
    """A module with example inputs, exported as it is (training or not)."""
    import torch

    with torch.no_grad():
        program = torch.export.export(module, tuple(args), dict(kwargs or {}))
    return import_program(program, file)


def import_program(
    program: Any, file: str, binds: Mapping[str, int] | None = None, source: Path | None = None
) -> Imported:
    """A program of torch.export; ``binds``: extents of its dynamic dimensions."""
    import torch

    symbols = _bound(program, dict(binds or {}), str(source or ""))
    program = decomposed(program)
    b, coverage = Builder(), Coverage()
    cx = Context(b, dtype_from_torch(torch.get_default_dtype()))
    converter = Converter(cx, coverage, symbols)
    try:
        values = _Inputs(program, converter).values()
        found = converter.run(program.graph_module, values)
        for name, value in _outputs(program, found):
            b.output(name, _tensor(name, value, str(source or "")))
        built = b.finish(file)
    except LimitError as error:
        raise FstcError(Diagnostic("FST0808", str(error), file=str(source or ""))) from None
    except Unsupported as error:
        raise FstcError(Diagnostic("FST0804", f"{error}: this cannot be imported", file=str(source or ""))) from None
    return Imported(built.graph, built.tensors, file, coverage, "torch", source)


# -- dynamic dimensions ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Symbol:
    """A dynamic dimension: torch's symbol, the user's name for it where the program keeps it, where it occurs."""

    symbol: Any
    name: str
    places: str


def _bound(program: Any, binds: dict[str, int], file: str) -> dict[str, int]:
    """Extents by torch's symbols; FST0805 for those without one."""
    found = _symbols(program)
    known = {s.name for s in found} | {str(s.symbol) for s in found}
    unknown = [name for name in binds if name not in known]
    if unknown:
        names = ", ".join(s.name for s in found) or "none"
        message = f"the program has no dynamic dimension {unknown[0]}: it has {names}"
        raise FstcError(Diagnostic("FST0805", message, file=file))
    missing = [s for s in found if s.name not in binds and str(s.symbol) not in binds]
    if missing:
        listed = ", ".join(f"{s.name} ({s.places})" for s in missing)
        help = " ".join(f"--bind {s.name}=N" for s in missing)
        raise FstcError(Diagnostic("FST0805", f"dynamic dimensions have no extent: {listed}", file=file, help=help))
    result = {str(s.symbol): binds.get(s.name, binds.get(str(s.symbol), 0)) for s in found}
    for symbol in found:
        limits = program.range_constraints.get(symbol.symbol)
        extent = result[str(symbol.symbol)]
        if limits is not None and not (limits.lower <= extent <= limits.upper):
            message = f"{symbol.name} is {extent}: the program was exported for {limits.lower} to {limits.upper}"
            raise FstcError(Diagnostic("FST0805", message, file=file))
    return result


def _symbols(program: Any) -> list[_Symbol]:
    """The symbols of the inputs' shapes, in order."""
    import torch

    users = set(program.graph_signature.user_inputs)
    places: dict[Any, list[str]] = {}
    names: dict[Any, str] = {}
    for node in program.graph.nodes:
        val = node.meta.get("val")
        if node.op != "placeholder" or node.name not in users or not isinstance(val, torch.Tensor):
            continue
        for d, n in enumerate(val.shape):
            if isinstance(n, int):
                continue
            given = getattr(n.node.shape_env, "source_name_to_debug_name", {})
            for symbol in sorted(n.node.expr.free_symbols, key=str):
                places.setdefault(symbol, []).append(f"{node.name}[{d}]")
                names.update(_given_names(given, node.name, d, symbol))
    return [_Symbol(s, names.get(s, str(s)), ", ".join(at)) for s, at in places.items()]


def _given_names(given: Mapping[str, str], input: str, dim: int, symbol: Any) -> dict[Any, str]:
    """The name of torch.export.Dim, which lives as long as the program is not saved."""
    for source, name in given.items():
        match = SOURCE.fullmatch(source)
        if match and match[1] == input and int(match[2]) == dim:
            return {symbol: name}
    return {}


# -- inputs and outputs ------------------------------------------------------------------------------------------------


class _Inputs:
    """Values of the placeholders."""

    def __init__(self, program: Any, converter: Converter) -> None:
        self.program, self.converter = program, converter
        self.stored: dict[Any, Val | Complex] = {}  # by memory and layout

    def values(self) -> list[Any]:
        nodes = [n for n in self.program.graph.nodes if n.op == "placeholder"]
        return [self._value(n, s) for n, s in zip(nodes, self.program.graph_signature.input_specs, strict=True)]

    def _value(self, node: Any, spec: Any) -> Any:
        kind = spec.kind.name
        if kind in ("PARAMETER", "BUFFER"):
            found = self.program.state_dict.get(spec.target)
            return self._constant(self.program.constants[spec.target] if found is None else found, spec.target)
        if kind == "CONSTANT_TENSOR":
            return self._constant(self.program.constants[spec.target], spec.target)
        if kind == "USER_INPUT":
            return self._input(node, spec)
        return Unknown(f"an input that is no tensor: {kind.lower().replace('_', ' ')}")

    def _input(self, node: Any, spec: Any) -> Any:
        import torch

        val = node.meta.get("val")
        if hasattr(spec.arg, "value"):  # a constant that the program was exported with
            return spec.arg.value
        if not isinstance(val, torch.Tensor):
            return Unknown("an input that is a number")
        shape = tuple(self.converter.extent(n) for n in val.shape)
        try:
            return self.converter.cx.b.input(node.name, TensorType(dtype_from_torch(val.dtype), shape))
        except Unsupported as error:
            raise Unsupported(f"the input {node.name} has {error}") from None

    def _constant(self, tensor: Any, name: str) -> Any:
        """One value for all names of the same memory."""
        try:
            key = (tensor.data_ptr(), tensor.dtype, tuple(tensor.shape), tuple(tensor.stride()))
            if not tensor.numel() or key not in self.stored:
                self.stored[key] = constant(self.converter.cx, tensor, name)
        except Unsupported as error:
            return Unknown(f"{name} is {error}")
        return self.stored[key]


def _outputs(program: Any, found: Sequence[Any]) -> list[tuple[str, Any]]:
    """Names and values: the user's, then what is written into buffers and inputs."""
    user, written = [], []
    specs = program.graph_signature.output_specs
    names = iter(output_names(program))
    for spec, value in zip(specs, found, strict=True):
        if spec.kind.name in ("USER_OUTPUT", "LOSS_OUTPUT"):
            name = next(names)
            if isinstance(value, Val | Complex | Unknown) and name:
                user.append((name, value))
        elif isinstance(value, Val | Complex | Unknown):
            suffix = "gradient" if spec.kind.name.startswith("GRADIENT") else "updated"
            written.append((f"{spec.target}.{suffix}", value))
    return [*user, *written]


def output_names(program: Any) -> list[str]:
    """Of the user's outputs: their places where these have words, else the nodes' names; empty for no tensor."""
    import torch.utils._pytree as pytree

    signature = program.graph_signature
    specs = [s for s in signature.output_specs if s.kind.name in ("USER_OUTPUT", "LOSS_OUTPUT")]
    spec = program.call_spec.out_spec
    places: list[str] = [""] * len(specs)
    if spec is not None and spec.num_leaves == len(specs):
        tree = pytree.tree_unflatten(list(range(len(specs))), spec)
        for path, index in pytree.tree_flatten_with_path(tree)[0]:
            places[index] = ".".join(re.findall(r"\w+", pytree.keystr(path)))
    found = []
    for place, output in zip(places, specs, strict=True):
        tensor = type(output.arg).__name__ == "TensorArgument"
        worded = re.search(r"[^\W\d]", place)
        found.append("" if not tensor else place if worded else output.arg.name)
    return found


def _tensor(name: str, value: Val | Complex | Unknown, file: str) -> Val:
    if isinstance(value, Complex):
        help = "return torch.view_as_real of it"
        raise FstcError(Diagnostic("FST0803", f"the output {name} is complex", file=file, help=help))
    if isinstance(value, Unknown):
        code = "FST0806" if "depends on data" in value.reason else "FST0803"
        raise FstcError(Diagnostic(code, f"the output {name} has no static type: {value.reason}", file=file))
    return value
