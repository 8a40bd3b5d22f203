"""A model file as a checked ModelProto: readable, of opsets that are known, with extents bound.

Example: ``model = read_model(Path("model.onnx"), {"N": 8})``; ``model.opset("")`` is the version of ONNX's own domain.
Weights outside the file are not touched here (:mod:`fstc.frontends.onnx.tensors`).
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fstc.frontends.onnx.problems import mistaken, short, too_large, unreadable
from fstc.frontends.onnx.tensors import element_type
from fstc.ir.types import TensorType
from fstc.support.diagnostics import Diagnostic, FstcError

Proto = Any
LARGEST = (1 << 31) - 1  # bytes of a protobuf message
OLDEST = 13
OWN_DOMAINS = ("", "ai.onnx")
LONGEST_EXPRESSION = 256
_ARITHMETIC: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
}


@dataclass(frozen=True)
class Model:
    """``opsets``: version of each domain; ``functions``: the model's own, by domain, name and overload."""

    path: Path
    proto: Proto
    opsets: Mapping[str, int]
    functions: Mapping[tuple[str, str, str], Proto] = field(default_factory=dict)


def read_model(path: Path) -> Model:
    """The model in a file, as far as can be said without looking at its nodes."""
    from importlib import import_module

    import onnx

    decode_error: type[Exception] = import_module("google.protobuf.message").DecodeError

    try:
        size = path.stat().st_size
        if size > LARGEST:
            help = "save the weights beside the model: onnx.save(model, path, save_as_external_data=True)"
            raise too_large(path, f"{path} has {size:,} bytes; a protobuf message has at most {LARGEST:,}", help)
        data = path.read_bytes()
    except OSError as error:
        raise unreadable(path, error.strerror or str(error)) from None
    try:
        proto = onnx.ModelProto.FromString(data)
    except (decode_error, ValueError, RuntimeError) as error:
        raise unreadable(path, f"{str(error) or 'damaged'} ({len(data):,} bytes)") from None
    if not proto.HasField("graph") or not (proto.graph.node or proto.graph.output):
        raise unreadable(path, "it holds no graph")
    if not all(isinstance(text, str) for text in _texts(proto)):  # what is no UTF-8 comes as bytes
        raise unreadable(path, "a name in it is no UTF-8 text")
    return Model(path, proto, opsets_of(path, proto.opset_import), _functions(path, proto))


def _texts(proto: Proto) -> Iterator[object]:
    """All names of a model."""
    todo = [proto.graph, *proto.functions]
    for entry in (*proto.opset_import, *(o for f in proto.functions for o in f.opset_import)):
        yield entry.domain
    for function in proto.functions:
        yield from (function.domain, function.name, *function.input, *function.output)
    while todo:
        body = todo.pop()
        yield body.name
        for node in body.node:
            yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
            for attribute in node.attribute:
                yield from (attribute.name, attribute.ref_attr_name)
                todo += [attribute.g] if attribute.HasField("g") else []
        if body.DESCRIPTOR.name != "GraphProto":
            continue
        for value in (*body.input, *body.output, *body.value_info):
            yield value.name
            yield from (dim.dim_param for dim in value.type.tensor_type.shape.dim)
        for tensor in body.initializer:
            yield tensor.name
            yield from (text for entry in tensor.external_data for text in (entry.key, entry.value))
        yield from (sparse.values.name for sparse in body.sparse_initializer)


def opsets_of(path: Path, imports: Any) -> dict[str, int]:
    """The version of each domain; refuses what onnx does not know, and ONNX before opset 13."""
    from onnx.defs import onnx_opset_version

    found: dict[str, int] = {}
    for entry in imports:
        domain = "" if entry.domain in OWN_DOMAINS else entry.domain
        if found.get(domain, entry.version) != entry.version:
            raise mistaken(
                path, "", f"domain {short(domain)!r} is imported in versions {found[domain]}, {entry.version}"
            )
        found[domain] = entry.version
    version, newest = found.get(""), onnx_opset_version()
    if version is not None and not OLDEST <= version <= newest:
        help = (
            f"onnx.version_converter.convert_version(model, {OLDEST}) brings it up" if version < OLDEST
            else "pip install --upgrade onnx"
        )  # fmt: skip
        raise unreadable(path, f"its opset is {version}, known are {OLDEST} to {newest}", help)
    return found


def _functions(path: Path, proto: Proto) -> dict[tuple[str, str, str], Proto]:
    found: dict[tuple[str, str, str], Proto] = {}
    for function in proto.functions:
        key = (function.domain, function.name, getattr(function, "overload", ""))
        if key in found:
            raise mistaken(path, f"function {function.domain}:{function.name}", "is defined twice")
        found[key] = function
    return found


@dataclass
class Extents:
    """Binds the dimensions of inputs, and collects the names that have no value."""

    path: Path
    binds: Mapping[str, int]
    unknown: dict[str, str] = field(default_factory=dict)  # name -> the first input that has it
    used: set[str] = field(default_factory=set)

    def type_of(self, value: Proto) -> TensorType:
        """The type of an input; extents that are not known are 1, and noted."""
        where = f"input {value.name!r}"
        if not value.HasField("type") or value.type.WhichOneof("value") is None:
            raise mistaken(self.path, where, "has no type")
        kind = value.type.WhichOneof("value")
        if kind != "tensor_type":
            from fstc.frontends.artefact import Unsupported

            raise Unsupported(f"{where} is a {kind.removesuffix('_type')}, not a tensor")
        tensor = value.type.tensor_type
        if not tensor.HasField("shape"):
            raise FstcError(
                Diagnostic("FST0805", f"{short(where)} has no shape", file=str(self.path),
                           help="declare one: onnx.helper.make_tensor_value_info(name, type, shape)")
            )  # fmt: skip
        shape = tuple(self._extent(value.name, i, dim) for i, dim in enumerate(tensor.shape.dim))
        return TensorType(element_type(tensor.elem_type), shape)

    def known(self, dim: Proto) -> int | None:
        """The extent that a declared type of a result states, if it states one."""
        if dim.HasField("dim_value"):
            return int(dim.dim_value)
        return self.binds.get(dim.dim_param)

    def _extent(self, value: str, index: int, dim: Proto) -> int:
        if dim.HasField("dim_value"):
            if dim.dim_value < 0:
                raise mistaken(self.path, f"input {value!r}", f"has the extent {dim.dim_value}")
            return int(dim.dim_value)
        name = dim.dim_param or f"{value}_{index}"
        found = self._evaluate(name)
        if found is None:
            self.unknown.setdefault(name, value)
            return 1
        if found < 0:
            raise mistaken(self.path, f"input {value!r}", f"has the extent {short(name)} = {found}")
        return found

    def _evaluate(self, name: str) -> int | None:
        """A bound name, or sums and products of them as exporters write them (``past + 1``)."""
        if name in self.binds:
            self.used.add(name)
            return self.binds[name]
        if name.isidentifier() or len(name) > LONGEST_EXPRESSION:
            return None
        try:
            return self._walk(ast.parse(name, mode="eval").body)
        except (SyntaxError, ValueError, ArithmeticError, RecursionError, MemoryError):
            return None

    def _walk(self, node: ast.expr) -> int | None:
        if isinstance(node, ast.Constant) and isinstance(node.value, int):
            return node.value
        if isinstance(node, ast.Name):
            if node.id in self.binds:
                self.used.add(node.id)
            return self.binds.get(node.id)
        if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
            left, right = self._walk(node.left), self._walk(node.right)
            return None if left is None or right is None else _ARITHMETIC[type(node.op)](left, right)
        return None

    def check(self) -> None:
        """FST0805 for names without a value, and for values without a name."""
        if self.unknown:
            listed = ", ".join(f"{short(n)} (of {short(v)})" for n, v in list(self.unknown.items())[:20])
            help = " ".join(f"--bind {short(n)}=8" for n in list(self.unknown)[:20])
            raise FstcError(Diagnostic("FST0805", f"extents are not known: {listed}", file=str(self.path), help=help))
        idle = [name for name in self.binds if name not in self.used]
        if idle:
            message = f"no input has a dimension {', '.join(map(short, idle))}"
            raise FstcError(Diagnostic("FST0805", message, file=str(self.path), help="leave that --bind away"))
