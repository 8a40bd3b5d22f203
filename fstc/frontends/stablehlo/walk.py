"""Go through a program's ops in order and make each of them with its handler.

Example: ``Walk(program, builder, Coverage(), TABLE).block(main.body, inputs)`` returns the values of its return.
Functions are inlined, loops unrolled; a handler is a function ``(site, *operands) -> result or results``. What no
handler maps is noted in the coverage, and a ``custom_call`` stands in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fstc.frontends.artefact import Coverage, Unsupported
from fstc.frontends.builder import Builder, Val
from fstc.frontends.emitter import MOST_OPS, LimitError
from fstc.frontends.stablehlo.program import Block, Foreign, Op, Program, TupleOf, Type
from fstc.frontends.stablehlo.stacked import Piece
from fstc.frontends.stablehlo.types import is_static
from fstc.ir.graph import Region
from fstc.ir.ops.opdef import OpError
from fstc.ir.types import DType, TensorType

DEEPEST_CALL = 64
MOST_FOLDED = 2**30  # bytes of values computed while importing


@dataclass(frozen=True, slots=True, eq=False)
class Alien:
    """A value of a type that fstc lacks; ``sources``: the tensors that it was made from."""

    reason: str
    sources: tuple[Val, ...] = ()


class Contradiction(Exception):
    """What the module asserts of itself does not hold."""


Value = Any  # Val, Alien, or a tuple of these for a tuple
Handler = Callable[..., Any]


class Site:
    """An op where it stands: its attributes, its builder, and the walk for ops that hold others."""

    __slots__ = ("env", "inlined", "library", "op", "walk")

    def __init__(self, walk: Walk, op: Op, env: dict[int, Value]) -> None:
        self.walk, self.op, self.env = walk, op, env
        self.library = False  # it stands for a library call
        self.inlined = False  # its ops were walked, and counted by themselves

    @property
    def b(self) -> Builder:
        return self.walk.b

    def attr(self, name: str, default: Any = None) -> Any:
        return self.op.attrs.get(name, default)

    def ints(self, name: str, default: Sequence[int] = ()) -> tuple[int, ...]:
        """A list of ints, whichever of MLIR's two forms it has."""
        found = self.op.attrs.get(name)
        if found is None:
            return tuple(default)
        return tuple(int(n) for n in (found.reshape(-1) if hasattr(found, "reshape") else found))

    def type(self, result: int = 0) -> TensorType:
        """The declared type, extents known."""
        found = self.op.types[result]
        assert isinstance(found, TensorType), "results of other types are refused before"
        if not is_static(found):
            raise Unsupported("the shape of the result is not known: export with static shapes")
        return found

    def dtype(self, result: int = 0) -> DType:
        found = self.op.types[result]
        assert isinstance(found, TensorType), "results of other types are refused before"
        return found.dtype

    def inline(self, block: Block, args: Sequence[Value] = ()) -> list[Value]:
        """A block that this op holds, in its place."""
        self.inlined = True
        return self.walk.block(block, args, self.env)

    def call(self, function: str, args: Sequence[Value]) -> list[Value]:
        self.inlined = True
        return self.walk.call(function, args)

    def as_op(self, name: str, attrs: Mapping[str, Any], args: Sequence[Value]) -> Any:
        """What the entry of another name makes of these operands."""
        entry = self.walk.table[name]
        if not entry.any_type:
            _check(args, self.op.types)
        self.library = entry.library
        return entry.handler(Site(self.walk, replace(self.op, name=name, attrs=attrs), self.env), *args)

    def region(self, index: int = 0) -> Region:
        """A body of scalars as a region of the table's ops."""
        return self.walk.region(self.op.regions[index], self.env)


class Walk:
    """``coverage`` is None inside the body of an op, which is counted as a whole."""

    def __init__(
        self, program: Program, b: Builder, coverage: Coverage | None, table: Mapping[str, Entry], depth: int = 0
    ) -> None:
        self.program, self.b, self.coverage, self.table, self.depth = program, b, coverage, table, depth
        self.active: list[str] = []  # functions being inlined
        self.facts: dict[Val, tuple[str, int]] = {}  # what handlers remember of a value for one another
        self.pieces: dict[Val, Piece] = {}
        self.stacks: dict[Val, tuple[int, dict[int, Val]]] = {}  # axis, parts by where they begin
        self.steps = self.folded = 0

    def block(self, block: Block, args: Sequence[Value], env: dict[int, Value]) -> list[Value]:
        env.update(zip(block.params, args, strict=True))
        for op in block.ops:
            found = self.one(op, env)
            env.update(zip(op.results, found, strict=True))
        return [env[v] for v in block.returned]

    def one(self, op: Op, env: dict[int, Value]) -> Sequence[Value]:
        self.steps += 1
        if self.steps > MOST_OPS:
            raise LimitError(f"the model has more than {MOST_OPS:,} ops after its loops are unrolled")
        operands = [env[v] for v in op.operands]
        mark, site = self.b.mark(), Site(self, op, env)
        with self.b.at(op.scope, op.loc):
            try:
                found = self._made(site, operands)
            except (Unsupported, OpError) as error:
                if self.coverage is None:
                    raise Unsupported(f"{op.name}: {error}") from None
                self.coverage.refuse(shown_name(op), str(error), op.loc or _place(op))
                return self._placeholder(op, operands)
        if self.coverage is not None:
            self.coverage.mapped(
                shown_name(op), [] if site.inlined else [o.name for o in self.b.since(mark)], library=site.library
            )
        self._count(found)
        return found

    def _made(self, site: Site, operands: Sequence[Value]) -> Sequence[Value]:
        op = site.op
        entry = self.table.get(op.name)
        if entry is None:
            raise Unsupported("an operator that fstc does not know")
        if entry.refused:
            raise Unsupported(entry.refused)
        if not entry.any_type:
            _check(operands, op.types)
        site.library = entry.library
        found = entry.handler(site, *operands)
        results: Sequence[Value] = found if isinstance(found, list) else [found]
        if len(results) != len(op.types):
            raise Unsupported(f"{len(results)} results instead of {len(op.types)}")
        for value, type in zip(results, op.types, strict=True):
            if isinstance(value, Val) and not agrees(value.type, type):
                raise Unsupported(f"gives {value.type}, declared is {type}")
        return results

    def _placeholder(self, op: Op, operands: Sequence[Value]) -> list[Value]:
        """A call that only the framework can run, of the tensors that the op reads."""
        sources = tuple(dict.fromkeys(v for value in operands for v in tensors(value)))
        types = [t for t in op.types if isinstance(t, TensorType) and is_static(t)]
        with self.b.at(op.scope, op.loc):
            made = iter(self.b.op("custom_call", sources, *types, call_target_name=shown_name(op)) if types else ())
        return [next(made) if isinstance(t, TensorType) and is_static(t) else _alien(t, sources) for t in op.types]

    def region(self, block: Block, env: Mapping[int, Value]) -> Region:
        """A body of scalars. It may name constants outside of it, no other values."""
        types = [_scalar(t) for t in block.types]

        def body(inner: Builder, *params: Val) -> list[Value]:
            walk = Walk(self.program, inner, None, self.table, self.depth + 1)
            walk.active = self.active
            found = walk.block(block, params, _Constants(env))
            self.steps += walk.steps
            return [v if isinstance(v, Val) else _refuse("a body that returns no scalar") for v in found]

        return self.b.region(types, body)

    def call(self, name: str, args: Sequence[Value]) -> list[Value]:
        """A function's body in place of the call."""
        function = self.program.functions.get(name)
        if function is None:
            raise Unsupported(f"there is no function @{name}")
        if name in self.active:
            raise LimitError(f"function @{name} calls itself")
        if len(self.active) >= DEEPEST_CALL:
            raise LimitError(f"calls are nested deeper than {DEEPEST_CALL}")
        self.active.append(name)
        try:
            return self.block(function.body, args, {})
        finally:
            self.active.pop()

    def _count(self, found: Sequence[Value]) -> None:
        """Values computed while importing are bounded: a model must not ask for all memory."""
        for value in found:
            if isinstance(value, Val) and value.known is not None and value.known.base is None:
                self.folded += value.known.nbytes
                if self.folded > MOST_FOLDED:
                    raise LimitError(f"constants computed while importing take more than {MOST_FOLDED >> 30} GiB")


@dataclass(frozen=True, slots=True)
class Entry:
    """How an op of StableHLO is mapped. ``doc``: what the page says of it.

    ``any_type``: values of types that fstc lacks pass through it.
    """

    handler: Handler
    doc: str
    refused: str = ""
    library: bool = False
    any_type: bool = False


def refuse(reason: str) -> Entry:
    """An op that is known and not supported."""
    return Entry(lambda *_: None, "", refused=reason)


class _Constants(dict[int, Value]):
    """What a body sees: its own values, and known scalars from outside."""

    def __init__(self, outside: Mapping[int, Value]) -> None:
        super().__init__()
        self.outside = outside

    def __missing__(self, key: int) -> Value:
        value = self.outside[key]
        if not isinstance(value, Val) or value.known is None:
            raise Unsupported("its body reads a value from outside that is no constant")
        return Val(value.type, value.known)


def agrees(found: TensorType, declared: Type) -> bool:
    """Is this the declared type, where that says something?"""
    if not isinstance(declared, TensorType) or found.dtype != declared.dtype or found.rank != declared.rank:
        return False
    return all(want in (-1, have) for have, want in zip(found.shape, declared.shape, strict=True))


def tensors(value: Value) -> tuple[Val, ...]:
    """The tensors that a value is made of."""
    if isinstance(value, Val):
        return (value,)
    if isinstance(value, Alien):
        return value.sources
    return tuple(v for part in value for v in tensors(part))


def _check(operands: Sequence[Value], types: Sequence[Type]) -> None:
    for value in operands:
        if isinstance(value, Alien):
            raise Unsupported(value.reason)
        if not isinstance(value, Val):
            raise Unsupported("an operand is a tuple")
    for type in types:
        if isinstance(type, Foreign):
            raise Unsupported(type.reason)
        if isinstance(type, TupleOf):
            raise Unsupported("the result is a tuple")


def _alien(type: Type, sources: tuple[Val, ...]) -> Value:
    if isinstance(type, TupleOf):
        return tuple(_alien(t, sources) for t in type.types)
    reason = type.reason if isinstance(type, Foreign) else "the shape of an operand is not known"
    return Alien(reason, sources)


def _scalar(type: Type) -> DType:
    if isinstance(type, TensorType) and not type.shape:
        return type.dtype
    raise Unsupported(type.reason if isinstance(type, Foreign) else "its body takes no scalars")


def _place(op: Op) -> str:
    """Where there is no location (bytecode has none unless it is asked for): the scope and what comes out."""
    made = ", ".join(t.text if isinstance(t, Foreign) else str(t) for t in op.types[:2])
    return f"{op.scope or '@main'}: {made}"


def shown_name(op: Op) -> str:
    """With what it calls, for calls by name."""
    named = op.attrs.get("call_target_name") or (op.attrs.get("name") if "decomposition" in op.attrs else "")
    return f"{op.name} @{named}"[:200] if named else op.name


def _refuse(reason: str) -> Any:
    raise Unsupported(reason)
