"""From the bindings' objects to a :class:`~fstc.frontends.stablehlo.program.Program`.

Example: ``decode(module)``; types are in :mod:`fstc.frontends.stablehlo.types`, attributes in ``attributes``. Only
functions of one block are read: StableHLO has no other control flow than its own ops.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from fstc.frontends.emitter import LimitError
from fstc.frontends.stablehlo.attributes import Attributes, Opaque
from fstc.frontends.stablehlo.program import Block, Function, Op, Program
from fstc.frontends.stablehlo.types import decoded_type
from fstc.support.diagnostics import Diagnostic, FstcError

DEEPEST = 64
FUNCTION, MODULE = "func.func", "builtin.module"
DEEPEST_LOCATION = 200
SCOPE = re.compile(r"[A-Za-z_][\w.\-\[\]]*")  # names of the author, not the formula of an einsum
CONTROL = ("while", "body", "cond", "closed_call", "main")


class Malformed(Exception):
    """A module that verifies and is no program all the same; the message says why."""


def decode(module: Any, file: str) -> Program:
    """``file``: what locations in the text itself are called after."""
    reader = _Reader(module, file)
    functions = {}
    for op in module.body.operations:
        if op.operation.name == FUNCTION:
            function = reader.function(op.operation)
            functions[function.name] = function
    public = [f for f, op in zip(functions.values(), reader.visible, strict=True) if op]
    main = functions.get("main") or (public[0] if len(public) == 1 else None)
    if main is None:
        names = ", ".join(list(functions)[:5]) or "none"
        raise Malformed(f"no function @main, and not exactly one that is public (functions: {names})")
    return Program(functions, main)


class _Reader:
    def __init__(self, module: Any, file: str) -> None:
        self.file = file
        self.ids: dict[Any, int] = {}
        self.attributes = Attributes(module)
        self.visible: list[bool] = []
        self.places: dict[Any, tuple[str, str]] = {}

    def function(self, op: Any) -> Function:
        attrs = op.attributes
        name = attrs["sym_name"].value
        region = op.regions[0]
        if not len(region.blocks):
            raise Malformed(f"function @{name} has no body")
        kind = attrs["function_type"].value
        self.visible.append("sym_visibility" not in attrs or attrs["sym_visibility"].value == "public")
        body = self.block(region, 0)
        arguments = list(region.blocks[0].arguments)
        return Function(
            name,
            body,
            tuple(_argument_name(a.location) for a in arguments),
            self._dicts(attrs, "arg_attrs", len(arguments)),
            tuple(decoded_type(t) for t in kind.results),
            self._dicts(attrs, "res_attrs", len(kind.results)),
        )

    def _dicts(self, attrs: Any, name: str, count: int) -> tuple[Mapping[str, Any], ...]:
        if name not in attrs:
            return ({},) * count
        return tuple(self.attributes.value(a) for a in attrs[name])

    def block(self, region: Any, depth: int) -> Block:
        if depth > DEEPEST:
            raise LimitError(f"regions are nested deeper than {DEEPEST}")
        if len(region.blocks) != 1:
            raise Malformed("a region of several blocks: only StableHLO's own control flow is read")
        block = region.blocks[0]
        params = tuple(self._defined(a) for a in block.arguments)
        types = tuple(decoded_type(a.type) for a in block.arguments)
        ops = [self.op(op.operation, depth) for op in block.operations]
        if not ops or ops[-1].results or not ops[-1].name.endswith(".return"):
            raise Malformed("a block without a return")
        return Block(params, types, tuple(ops[:-1]), ops[-1].operands)

    def op(self, op: Any, depth: int) -> Op:
        operands = tuple(self.ids[v] for v in op.operands)
        regions = tuple(self.block(r, depth + 1) for r in op.regions if len(r.blocks))
        attrs = op.attributes
        loc, scope = self._place(op.location)
        return Op(
            op.name,
            operands,
            tuple(self._defined(r) for r in op.results),
            tuple(decoded_type(r.type) for r in op.results),
            {name: self._attribute(attrs, name) for name in attrs},
            regions,
            loc,
            scope,
        )

    def _attribute(self, attrs: Any, name: str) -> Any:
        try:
            return self.attributes.value(attrs[name])
        except TypeError:  # the bindings have no class for it: complex constants
            return Opaque(name)

    def _defined(self, value: Any) -> int:
        return self.ids.setdefault(value, len(self.ids))

    def _place(self, location: Any) -> tuple[str, str]:
        found = self.places.get(location)
        if found is None:
            found = self.places[location] = place(location, self.file)
        return found


def place(location: Any, file: str) -> tuple[str, str]:
    """(file:line of the innermost frame, scope): the scope is the outermost name, without the op at its end."""
    from jaxlib.mlir import ir

    scope, where = "", ""
    todo = [location]
    for _ in range(DEEPEST_LOCATION):
        if not todo or where:
            break
        at = todo.pop()
        if isinstance(at, ir.NameLoc):
            scope = scope or at.name_str
            todo.append(at.child_loc)
        elif isinstance(at, ir.FileLineColLoc):
            where = f"{file if at.filename == '-' else _basename(at.filename)}:{at.start_line}"
        elif isinstance(at, ir.CallSiteLoc):
            todo += [at.caller, at.callee]
        elif isinstance(at, ir.FusedLoc):
            todo += reversed(list(at.locations))
    return where, scope_name(scope)


def scope_name(name: str) -> str:
    """``jit(step)/jvp(layer0)/attention/dot_general`` is ``layer0.attention``: what the model's author named."""
    parts = []
    for part in name.split("/")[:-1]:
        while part.endswith(")") and "(" in part:
            how, _, part = part[:-1].partition("(")
            if how in ("jit", "pjit", "xla_call", "remat", "checkpoint", "custom_jvp", "custom_vjp"):
                part = ""
        if SCOPE.fullmatch(part) and part not in CONTROL:
            parts.append(part)
    return ".".join(parts)[:200]


def _argument_name(location: Any) -> str:
    from jaxlib.mlir import ir

    return location.name_str if isinstance(location, ir.NameLoc) else ""


def _basename(path: str) -> str:
    return PureWindowsPath(path).name if "\\" in path else PurePosixPath(path).name


def malformed(path: Any, error: Malformed) -> FstcError:
    return FstcError(Diagnostic("FST0802", f"{path.name}: {error}", file=str(path)))
