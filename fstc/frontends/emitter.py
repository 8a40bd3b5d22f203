"""Emitter: makes a graph op by op, infers types, and computes what is known while importing.

Example: ``(y,) = emitter.op("exp", [x])``. A :class:`Val` whose content is known (a constant, or what small constants
give) has it in ``known``: shape arithmetic of a model runs here and leaves no op behind. Constants enter the graph
where an op first reads them, and what no output needs is left out.
:class:`fstc.frontends.builder.Builder` adds NumPy's manners.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from fstc.ir.graph import Attr, Graph, Node, Region, Value
from fstc.ir.ops import lookup
from fstc.ir.ops.numerics import cast
from fstc.ir.ops.opdef import Form, Infer, Kind, OpDef, OpError
from fstc.ir.types import DTYPES, DType, Shape, TensorType
from fstc.ir.verify import LIMIT, MAX_RANK

Array = Any  # numpy.ndarray

FOLD_ELEMENTS = 1 << 16  # larger results are left to the pass that folds constants
INLINE_ELEMENTS = 16  # a constant of more elements that are not all equal goes to the file of tensors
MOST_OPS = 1_000_000
NEVER_FOLDED = (Kind.LIBRARY, Kind.SOURCE)

_FROM_NUMPY = {d.numpy_name: d for d in DTYPES.values()}


class LimitError(Exception):
    """The model needs more ops, or tensors of a higher rank, than fstc takes."""


def dtype_of(array: Array) -> DType:
    """The element type of an array; KeyError where fstc has none (complex numbers, strings)."""
    return _FROM_NUMPY[array.dtype.name]


def is_uniform(array: Array) -> bool:
    """Are all elements the same bits? False where there are none."""
    import numpy as np

    if not array.size:
        return False
    if all(s == 0 or n == 1 for s, n in zip(array.strides, array.shape, strict=True)):
        return True
    bits = np.ascontiguousarray(array).reshape(-1).view(f"u{array.dtype.itemsize}")
    return bool(bits[0] == bits[-1]) and bool((bits == bits[0]).all())


@dataclass(frozen=True, eq=False, slots=True)
class Val:
    """A tensor of the graph being made. ``known``: its elements, where they are known while importing."""

    type: TensorType
    known: Array | None = None

    @property
    def shape(self) -> Shape:
        return self.type.shape

    @property
    def dtype(self) -> DType:
        return self.type.dtype

    @property
    def rank(self) -> int:
        return len(self.type.shape)


class _Op(NamedTuple):
    op: OpDef
    inputs: tuple[Val, ...]
    outputs: tuple[Val, ...]
    attrs: tuple[tuple[str, Attr], ...]
    regions: tuple[Region, ...]
    loc: str


class Built(NamedTuple):
    """``tensors``: the arrays of constants that name the file of tensors, by their names there."""

    graph: Graph
    tensors: Mapping[str, Array]


class Emitter:
    """A function in the making: inputs, ops in order, outputs."""

    def __init__(self, name: str = "main") -> None:
        self.name = name
        self._inputs: dict[Val, tuple[tuple[str, Attr], ...]] = {}
        self._ops: list[_Op] = []
        self._outputs: list[Val] = []
        self._names: dict[Val, str] = {}  # exact names
        self._hints: dict[Val, str] = {}  # what a value without an exact name is called after
        self._hint, self._loc = "", ""

    def input(self, name: str, type: TensorType, **attrs: Attr) -> Val:
        """A parameter; ``attrs`` are the domain hints of the language (low, high, domain)."""
        val = Val(counted(type))
        self._inputs[val] = tuple(sorted(attrs.items()))
        self._names[val] = name
        return val

    def hint(self, val: Val, **attrs: Attr) -> None:
        """Add domain hints to an input."""
        self._inputs[val] = tuple(sorted({**dict(self._inputs[val]), **attrs}.items()))

    def output(self, name: str, val: Val) -> None:
        """Return ``val``; it is called ``name`` unless it is an input or was returned before."""
        if val not in self._inputs and val not in self._outputs:
            self._names[val] = name
        self._outputs.append(val)

    @contextmanager
    def at(self, hint: str, loc: str = "") -> Iterator[None]:
        """Results made inside are named after ``hint``, and their ops carry ``loc``."""
        before = self._hint, self._loc
        self._hint, self._loc = hint, loc
        try:
            yield
        finally:
            self._hint, self._loc = before

    def call(self, name: str, val: Val) -> Val:
        """Give a result, or a constant, the name that it has in the framework, unless it has one."""
        self._names.setdefault(val, name)
        return val

    def constant(self, array: Array, name: str = "") -> Val:
        """A known tensor. Large ones are stored under ``name`` where it is given."""
        val = Val(TensorType(dtype_of(array), tuple(array.shape)), array)
        if name:
            self._names[val] = name
        return val

    def op(
        self, name: str, inputs: Sequence[Val], *declared: TensorType, regions: Sequence[Region] = (), **attrs: Attr
    ) -> tuple[Val, ...]:
        """The results of an op of the table; ``declared`` types are for ops whose operands do not give them.

        Raises OpError where the op's type rule refuses, LimitError for too large a model.
        """
        definition = lookup(name)
        assert definition is not None, f"there is no op {name}"
        given = {k: _frozen(v) for k, v in attrs.items()}
        filled = {a.name: a.default for a in definition.attrs if not a.required} | given
        infer = Infer(tuple(v.type for v in inputs), filled, tuple(regions), declared)
        infer = replace(infer, declared=tuple(map(counted, definition.infer(infer))))
        known = self._computed(definition, inputs, infer)
        if known is not None and not _repeats(definition, inputs[0], known[0]):
            for result in known:
                self._hints.setdefault(result, self._hint or definition.name)
            return known
        if len(self._ops) >= MOST_OPS:
            raise LimitError(f"the model has more than {MOST_OPS:,} ops")
        results = known or tuple(Val(t) for t in infer.declared)
        shown = tuple(sorted((k, v) for k, v in filled.items() if v is not None))
        made = _Op(definition, tuple(inputs), results, shown, tuple(regions), self._loc)
        self._ops.append(made)
        for result in results:
            self._hints[result] = f"{self._hint}.{definition.name}" if self._hint else definition.name
        return results

    def mark(self) -> int:
        """A place in the ops made so far, for :meth:`since`."""
        return len(self._ops)

    def since(self, mark: int) -> list[OpDef]:
        """The ops that were made after :meth:`mark`, for the coverage."""
        return [op.op for op in self._ops[mark:]]

    def is_input(self, val: Val) -> bool:
        return val in self._inputs

    def region(self, types: Sequence[DType], body: Callable[..., Val | Sequence[Val]]) -> Region:
        """A body of scalars: ``b.region((F32, F32), lambda b, x, y: b.ew("add", x, y))``."""
        inner = type(self)("body")
        params = [inner.input(f"a{i}", TensorType(t, ())) for i, t in enumerate(types)]
        made = body(inner, *params)
        for i, result in enumerate([made] if isinstance(made, Val) else made):
            inner.output(f"r{i}", result)
        return Region(inner.finish("").graph)

    def finish(self, file: str) -> Built:
        """The graph, with constants that are not written into it in ``file``."""
        return _Writer(self, file).built()

    def _computed(self, op: OpDef, inputs: Sequence[Val], infer: Infer) -> tuple[Val, ...] | None:
        """The results as constants, where all operands are known and the work is small."""
        import numpy as np

        known = [v.known for v in inputs if v.known is not None]
        if op.kind in NEVER_FOLDED or len(known) < len(inputs) or not inputs:
            return None
        shapes = [t.shape for t in infer.declared]
        if op.form is Form.BROADCAST and known[0].size == 1:
            return (Val(infer.declared[0], np.broadcast_to(known[0].reshape(()), shapes[0])),)
        if op.form is Form.ELEMENTWISE and all(is_uniform(k) for k in known):
            scalars = [k.reshape(-1)[:1].reshape(()) for k in known]
            types = tuple(TensorType(t.dtype, ()) for t in infer.operands)
            small = replace(infer, operands=types, declared=(TensorType(infer.declared[0].dtype, ()),))
            (one,) = op.reference(scalars, small)
            return (Val(infer.declared[0], np.broadcast_to(cast(one, infer.declared[0].dtype), shapes[0])),)
        if any(t.elements > FOLD_ELEMENTS for t in infer.declared + infer.operands):
            return None
        found = op.reference(known, infer)
        return tuple(Val(t, np.asarray(cast(x, t.dtype))) for x, t in zip(found, infer.declared, strict=True))


def counted(type: TensorType) -> TensorType:
    """A type that the language takes; OpError where its bytes cannot be counted, LimitError for too high a rank."""
    if type.rank > MAX_RANK:
        raise LimitError(f"{type} has rank {type.rank}, the most is {MAX_RANK}")
    if type.nbytes > LIMIT:
        raise OpError(f"{type} has more bytes than can be counted")
    return type


class _Writer:
    """Ops that outputs need, with their constants before them, as a graph."""

    def __init__(self, made: Emitter, file: str) -> None:
        self.made, self.file = made, file
        self.values: list[Value] = []
        self.nodes: list[Node] = []
        self.ids: dict[Val, int] = {}
        self.tensors: dict[str, Array] = {}
        self.stored: dict[int, str] = {}  # by id of an array: its name in the file
        self.taken = set(made._names.values())
        self.counts: dict[str, int] = {}
        self.used: set[str] = set()

    def built(self) -> Built:
        made = self.made
        for val, attrs in made._inputs.items():
            self.ids[val] = len(self.values)
            self.values.append(Value(len(self.values), self._named(val), val.type, attrs=attrs))
        needed = _needed(made)
        for op, wanted in zip(made._ops, needed, strict=True):
            if wanted:
                inputs = tuple(self._id(v) for v in op.inputs)
                self._add(op.op, inputs, op.outputs, op.attrs, op.regions, op.loc)
        outputs = tuple(self._id(v) for v in made._outputs)
        graph = Graph(made.name, tuple(self.values), tuple(self.nodes), tuple(range(len(made._inputs))), outputs)
        return Built(graph, self.tensors)

    def _add(
        self,
        op: OpDef,
        inputs: tuple[int, ...],
        outputs: Sequence[Val],
        attrs: tuple[tuple[str, Attr], ...],
        regions: tuple[Region, ...] = (),
        loc: str = "",
    ) -> None:
        node = len(self.nodes)
        ids = tuple(range(len(self.values), len(self.values) + len(outputs)))
        for index, (id, val) in enumerate(zip(ids, outputs, strict=True)):
            self.ids[val] = id
            self.values.append(Value(id, self._named(val), val.type, node, index))
        self.nodes.append(Node(node, op, inputs, ids, attrs, regions, loc))

    def _id(self, val: Val) -> int:
        if val not in self.ids:
            assert val.known is not None, "a value of another builder"
            definition = lookup("constant")
            assert definition is not None
            self._add(definition, (), (val,), (self._content(val),))
        return self.ids[val]

    def _content(self, val: Val) -> tuple[str, Attr]:
        """``value`` for what is written into the text, else ``data``."""
        array = val.known
        assert array is not None
        written = as_attribute(array, val.dtype)
        if written is not None:
            return "value", written
        name = self.stored.get(id(array))
        if name is None:
            name = self.stored[id(array)] = self._unique(self._stored_name(val), self.tensors)
            self.tensors[name] = array
        return "data", f"{self.file}:{name}"

    def _stored_name(self, val: Val) -> str:
        return self.made._names.get(val) or self.made._hints.get(val) or "constant"

    def _named(self, val: Val) -> str:
        exact = self.made._names.get(val)
        if exact and exact not in self.used:
            self.used.add(exact)
            return exact
        name = self._unique(exact or self.made._hints.get(val, "const"), self.taken)
        self.taken.add(name)
        self.used.add(name)
        return name

    def _unique(self, name: str, taken: Any) -> str:
        """``name``, or the name with the first number behind it that is free."""
        found = name or "v"
        while found in taken:
            self.counts[name] = self.counts.get(name, 0) + 1
            found = f"{name}.{self.counts[name]}"
        return found


def _repeats(op: OpDef, x: Val, result: Val) -> bool:
    """A known tensor made larger: what follows may compute with it, but the small one is what is stored."""
    return (
        op.form is Form.BROADCAST
        and result.type.elements > max(x.type.elements, INLINE_ELEMENTS)
        and not is_uniform(x.known)
    )


def _needed(made: Emitter) -> list[bool]:
    """Per op: does an output depend on it?"""
    wanted = set(made._outputs)
    found = []
    for op in reversed(made._ops):
        needed = not wanted.isdisjoint(op.outputs)
        if needed:
            wanted.update(op.inputs)
        found.append(needed)
    return found[::-1]


def _frozen(value: Attr) -> Attr:
    """Lists as tuples, NumPy's numbers as Python's."""
    if isinstance(value, str | bool | int | float) or value is None:
        return value
    if hasattr(value, "item") and not getattr(value, "shape", ()):
        return value.item()
    return tuple(_frozen(v) for v in value)


def as_attribute(array: Array, dtype: DType) -> Attr | None:
    """The attribute ``value`` of a constant; None where the text cannot hold it, or had better not."""
    if not array.size:
        return _number(0, dtype)
    spelled = dtype.name != "f8e4m3fn" or bool((array.astype("float32") < float("inf")).all())
    if spelled and is_uniform(array):
        return _number(array.reshape(-1)[0], dtype)
    return _nested(array) if spelled and array.size <= INLINE_ELEMENTS else None


def _number(x: Any, dtype: DType) -> Attr:
    if dtype.kind == "b":
        return bool(x)
    return float(x) if dtype.is_float else int(x)


def _nested(array: Array) -> Attr:
    import numpy as np

    wide = np.asarray(array, np.float64 if array.dtype.kind not in "iub" else array.dtype)
    return _frozen(wide.tolist())


__all__ = ["Built", "Emitter", "LimitError", "Val", "as_attribute", "counted", "dtype_of", "is_uniform"]
