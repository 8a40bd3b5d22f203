"""An fx graph of core ATen operators, node by node, onto a builder.

Example: ``outputs = Converter(cx, coverage, {}).run(module, values)``. Python numbers (extents, what shape arithmetic
gives) are computed on the way. A node that cannot be mapped is noted and becomes a ``custom_call``; where even its
type is not known, what needs it is refused in turn.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from fstc.frontends.artefact import Coverage, Unsupported
from fstc.frontends.builder import Val
from fstc.frontends.torch.complexes import Complex, constant, real_dtype
from fstc.frontends.torch.context import Context, Handler
from fstc.frontends.torch.table import COMPLEX, HIGHER_ORDER, OPERATORS
from fstc.frontends.torch.types import dtype_from_torch
from fstc.ir.ops.opdef import Kind, OpError
from fstc.ir.types import TensorType

PLACEMENT = frozenset({"layout", "device", "pin_memory", "non_blocking", "memory_format", "generator"})
MOST_DEPTH = 64  # of graphs within graphs
FRAME = re.compile(r'File "([^"]*)", line (\d+)')
LONGEST_PATH = 48
_NUMBERS = (
    "add sub mul truediv floordiv mod neg pos abs eq ne lt le gt ge and_ or_ not_ ceil floor trunc sqrt round min max"
)
_ARITHMETIC = frozenset(_NUMBERS.split())


@dataclass(frozen=True)
class Unknown:
    """In place of a value that has no static type."""

    reason: str


class Converter:
    """``binds``: extents of symbols, by their names in the program."""

    def __init__(self, cx: Context, coverage: Coverage, binds: Mapping[str, int]) -> None:
        self.cx, self.coverage, self.binds = cx, coverage, dict(binds)
        self.depth = 0

    def run(self, module: Any, values: Sequence[Any]) -> Any:
        """What the graph of an fx module returns, given the values of its placeholders."""
        if self.depth >= MOST_DEPTH:
            raise Unsupported(f"graphs nested deeper than {MOST_DEPTH}")
        self.depth += 1
        env: dict[Any, Any] = {}
        given = iter(values)
        last = _last_uses(module.graph)
        try:
            for position, node in enumerate(module.graph.nodes):
                if node.op == "placeholder":
                    env[node] = next(given)
                elif node.op == "get_attr":
                    env[node] = self._attribute(module, node.target)
                elif node.op == "output":
                    return _mapped(node.args[0], env)
                else:
                    env[node] = self._call(node, env)
                for used in last.get(position, ()):
                    del env[used]
        finally:
            self.depth -= 1
        raise AssertionError("a graph without an output")

    def _attribute(self, module: Any, path: str) -> Any:
        import torch

        for name in path.split("."):
            module = getattr(module, name)
        return constant(self.cx, module, path) if isinstance(module, torch.Tensor) else module

    def _call(self, node: Any, env: Mapping[Any, Any]) -> Any:
        args, kwargs = _mapped(node.args, env), _mapped(node.kwargs, env)
        if node.target is operator.getitem:
            return args[0] if isinstance(args[0], Unknown) else args[0][args[1]]
        name = operator_name(node.target)
        unknown = _unknown((args, kwargs))
        try:
            if unknown is not None:
                raise Unsupported(unknown.reason)
            if _is_numeric(node.target):
                return _number(node.target, args)
            return self._mapped_call(node, name, args, kwargs)
        except (Unsupported, OpError) as error:
            reason = error.message if isinstance(error, OpError) else str(error)
            return self._refused(node, name, args, reason)

    def _mapped_call(self, node: Any, name: str, args: Any, kwargs: Any) -> Any:
        cx = self.cx
        before = cx.b.mark()
        self._describe(node)
        with cx.b.at(node.name, location(node)):
            if name in HIGHER_ORDER:
                result = HIGHER_ORDER[name](self, *args, **kwargs)
                self.coverage.mapped(name, ())
                return result
            handler = _handler(name, COMPLEX if _is_complex(node, (args, kwargs)) else OPERATORS)
            result = handler(cx, *_arguments(node.target, args, kwargs))
            result = self._checked(node, result)
        made = cx.b.since(before)
        self.coverage.mapped(name, [op.name for op in made], library=any(op.kind is Kind.LIBRARY for op in made))
        return result

    def _describe(self, node: Any) -> None:
        """What the handler may ask for beside its arguments."""
        found = node.meta.get("val")
        several = isinstance(found, tuple | list)
        self.cx.types = tuple(self._type(v, parts=True) for v in (found if several else (found,)))
        self.cx.used = (True,)
        if several:
            read = {user.args[1] for user in node.users if user.target is operator.getitem}
            whole = any(user.target is not operator.getitem for user in node.users)
            self.cx.used = tuple(whole or i in read for i in range(len(self.cx.types)))
        first = node.args[0].meta.get("val") if node.args and hasattr(node.args[0], "meta") else None
        self.cx.strides = _strides(first)

    def _type(self, val: Any, parts: bool = False) -> TensorType | None:
        """``parts``: of a complex tensor the type of its parts."""
        import torch

        if not isinstance(val, torch.Tensor) or val.layout != torch.strided:
            return None
        try:
            dtype = (real_dtype(val.dtype) if parts else None) or dtype_from_torch(val.dtype)
            return TensorType(dtype, tuple(self.extent(n) for n in val.shape))
        except Unsupported:
            return None

    def extent(self, n: Any) -> int:
        """An extent that may be symbolic; Unsupported where it depends on data."""
        if isinstance(n, int):
            return n
        found = n.node.expr.subs({symbol: self.binds.get(str(symbol), symbol) for symbol in n.node.expr.free_symbols})
        if not found.is_Integer:
            raise Unsupported(f"an extent that depends on data: {found}")
        return int(found)

    def _checked(self, node: Any, result: Any) -> Any:
        """The result under the node's name, of the very types that torch computed while tracing."""
        if "val" not in node.meta or not isinstance(result, Val | tuple | list):
            return result
        for i, (val, want) in enumerate(zip(_flat(result), self.cx.types, strict=True)):
            if isinstance(val, Val):
                if want is None:
                    self._learn(_flat(node.meta["val"])[i], val)
                elif val.type != want:
                    raise Unsupported(f"torch has {want} where the expansion gives {val.type}")
                self.cx.b.call(node.name if not i else f"{node.name}.{i}", val)
        return result

    def _learn(self, fake: Any, val: Val) -> None:
        """Extents that torch takes to depend on data, and that are known here."""
        for n, extent in zip(getattr(fake, "shape", ()), val.shape, strict=False):
            if not isinstance(n, int) and n.node.expr.is_symbol:
                self.binds.setdefault(str(n.node.expr), extent)

    def _refused(self, node: Any, name: str, args: Any, reason: str) -> Any:
        """A call that only the framework can run, or the reason in its place."""
        self.coverage.refuse(name, reason, _place(node))
        found = node.meta.get("val")
        several = isinstance(found, tuple | list)
        types = [self._type(v) for v in (found if several else (found,))]
        if None in types:
            return Unknown(reason)
        operands = [v for v in _leaves(args) if isinstance(v, Val)]
        with self.cx.b.at(node.name, location(node)):
            made = self.cx.b.op("custom_call", operands, *(t for t in types if t), call_target_name=name)
        return made if several else made[0]


def _strides(val: Any) -> tuple[Any, ...]:
    import torch

    return tuple(val.stride()) if isinstance(val, torch.Tensor) and val.layout == torch.strided else ()


def operator_name(target: Any) -> str:
    """``aten.add.Tensor``; the name of a Python function or a higher-order operator."""
    name = str(target) if hasattr(target, "_schema") else getattr(target, "__name__", str(target))
    return str(name)


def location(node: Any) -> str:
    """``bert.py:123 encoder.0``: the innermost line of the model, and the path of the module where it is short."""
    frames = FRAME.findall(node.meta.get("stack_trace") or "")
    line = f"{PurePath(frames[-1][0]).name}:{frames[-1][1]}" if frames else ""
    path = module_path(node)
    return f"{line} {path}".strip() if len(path) <= LONGEST_PATH else line


def module_path(node: Any) -> str:
    stack = node.meta.get("nn_module_stack") or {}
    path = str(list(stack.values())[-1][0]) if stack else ""
    return re.sub(r"^L\['self'\]\.?|@\d+$", "", path).replace("._modules['", ".").replace("']", "")


def _place(node: Any) -> str:
    where = location(node)
    return f"{node.name} ({where})" if where else str(node.name)


def _handler(name: str, table: Mapping[str, Handler]) -> Handler:
    found = table.get(name) or table.get(name.rpartition(".")[0])
    if found is None:
        raise Unsupported("no mapping" if table is OPERATORS else "no mapping for complex numbers")
    return found


def _is_complex(node: Any, args: Any) -> bool:
    """Do complex numbers go in or come out?"""
    results = _flat(node.meta.get("val"))
    return any(isinstance(x, Complex | complex) for x in _leaves(args)) or any(
        real_dtype(getattr(v, "dtype", None)) is not None for v in results
    )


def _arguments(target: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
    """All arguments of the schema in order, defaults filled in, without those about placement."""
    import torch

    found = []
    for i, argument in enumerate(target._schema.arguments):
        if argument.name in PLACEMENT:
            continue
        value = args[i] if i < len(args) else kwargs.get(argument.name, argument.default_value)
        if isinstance(value, torch.dtype):
            value = real_dtype(value) or dtype_from_torch(value)
        found.append(value)
    return found


def _is_numeric(target: Any) -> bool:
    """Arithmetic of Python numbers, by name: a program may name any function of these modules."""
    name = str(getattr(target, "__name__", ""))
    return not hasattr(target, "_schema") and (name in _ARITHMETIC or name.startswith(("sym_", "_sym_")))


def _number(target: Any, args: Sequence[Any]) -> Any:
    """Shape arithmetic: Python's own functions, on numbers."""
    if any(isinstance(a, Val) for a in args):
        raise Unsupported("a Python function of tensors")
    try:
        return target(*args)
    except (ArithmeticError, ValueError, TypeError) as error:
        raise Unsupported(str(error)) from None


def _mapped(x: Any, env: Mapping[Any, Any]) -> Any:
    """Arguments with nodes replaced by their values."""
    if type(x) in (tuple, list) or isinstance(x, tuple | list):
        return [_mapped(v, env) for v in x]
    if isinstance(x, dict):
        return {k: _mapped(v, env) for k, v in x.items()}
    if isinstance(x, slice):
        return slice(*(_mapped(v, env) for v in (x.start, x.stop, x.step)))
    return env[x] if hasattr(x, "all_input_nodes") else x


def _leaves(x: Any) -> list[Any]:
    if isinstance(x, tuple | list):
        return [leaf for v in x for leaf in _leaves(v)]
    if isinstance(x, dict):
        return [leaf for v in x.values() for leaf in _leaves(v)]
    return [x]


def _flat(result: Any) -> list[Any]:
    return list(result) if isinstance(result, tuple | list) else [result]


def _unknown(args: Any) -> Unknown | None:
    return next((v for v in _leaves(args) if isinstance(v, Unknown)), None)


def _last_uses(graph: Any) -> dict[int, list[Any]]:
    """Per position of a node: the nodes that nothing later reads, so that their arrays can go."""
    last = {}
    for position, node in enumerate(graph.nodes):
        last[node] = position
        for used in node.all_input_nodes:
            last[used] = position
    found: dict[int, list[Any]] = {}
    for node, position in last.items():
        if node.op != "output":
            found.setdefault(position, []).append(node)
    return found
