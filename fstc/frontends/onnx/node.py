"""Node: what an operator's handler sees of a node.

Example::

    def leaky_relu(n: Node) -> Val:
        x = n[0]
        return n.b.select(n.b.compare("LT", x, 0.0), n.b.ew("mul", x, n.number("alpha", 0.01)), x)

Attributes are read with their type; a wrong one, or a missing one without default, is the model's mistake.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar, overload

from fstc.frontends.artefact import Unsupported
from fstc.frontends.builder import Builder, Val
from fstc.frontends.onnx.problems import DataDependent, wrong
from fstc.frontends.onnx.tensors import DTYPES, TensorReader, element_type
from fstc.ir.types import DType

Array = Any
Proto = Any
T = TypeVar("T")
MOST_KNOWN = 1 << 16  # elements of a tensor that is computed with while importing


@dataclass(frozen=True)
class Items:
    """A sequence of tensors, which exists while importing only."""

    items: tuple[Val, ...] = ()


@dataclass(frozen=True)
class Missing:
    """The result of a node that could not be mapped, of a type that is not known."""

    node: str


@dataclass(frozen=True)
class Absent:
    """An optional without a value."""


Entry = Val | Items | Missing | Absent | None  # None: an optional input or output that is left out
Result = Entry | Sequence[Entry]


class AsFunction(Exception):
    """A handler leaves a rare form of its operator to the function that ONNX defines it as."""


class Runner(Protocol):
    """What a handler needs of the importer: subgraphs run in the scope of their node."""

    def subgraph(self, graph: Proto, arguments: Sequence[Entry], scope: Any) -> list[Entry]: ...


@dataclass
class Node:
    b: Builder
    operator: str
    opset: int
    inputs: list[Entry]
    outputs: Sequence[str]  # "": not wanted
    attributes: Mapping[str, Proto]
    tensors: TensorReader
    runner: Runner
    scope: Any = None
    binds: Mapping[str, int] = field(default_factory=dict)
    function: str = ""  # the function that the node stands in

    # -- inputs ------------------------------------------------------------------------------------------------------

    def __getitem__(self, index: int) -> Val:
        """An input that must be there."""
        found = self.get(index)
        if found is None:
            raise wrong(f"input {index} is missing")
        return found

    def get(self, index: int) -> Val | None:
        """An input that may be left out."""
        found = self.inputs[index] if index < len(self.inputs) else None
        if isinstance(found, Items):
            raise wrong(f"input {index} is a sequence, expected a tensor")
        if isinstance(found, Absent):
            raise wrong(f"input {index} is an empty optional, expected a tensor")
        assert not isinstance(found, Missing), "a node of missing inputs has no handler to run"
        return found

    def items(self, index: int) -> tuple[Val, ...]:
        found = self.inputs[index] if index < len(self.inputs) else None
        if not isinstance(found, Items):
            raise wrong(f"input {index} is no sequence")
        return found.items

    def all(self) -> list[Val]:
        return [self[i] for i in range(len(self.inputs))]

    def known(self, index: int, what: str) -> Array:
        """The elements of an input that decides on shapes; ``what`` it is called."""
        return self.elements(self[index], what)

    def elements(self, val: Val, what: str) -> Array:
        if val.known is None:
            raise DataDependent(f"`{what}` is not known while importing: the shape would depend on data")
        if val.type.elements > MOST_KNOWN:
            raise Unsupported(f"`{what}` has {val.type.elements:,} elements, more than {MOST_KNOWN:,}")
        return val.known

    def known_ints(self, index: int, what: str) -> list[int] | None:
        """A list of integers that an optional input holds."""
        if self.get(index) is None:
            return None
        found = self.known(index, what)
        if found.dtype.kind not in "iu" or found.ndim > 1:
            raise wrong(f"`{what}` is {self[index].type}, expected a list of integers")
        return [int(n) for n in found.reshape(-1)]

    def scalar(self, index: int, what: str, default: T) -> float | int | bool | T:
        """The one element of an optional input."""
        if self.get(index) is None:
            return default
        found = self.known(index, what)
        if found.size != 1:
            raise wrong(f"`{what}` is {self[index].type}, expected one element")
        item = found.reshape(-1)[0].item()
        return item if isinstance(item, bool | int) else float(item)

    def wants(self, index: int) -> bool:
        return index < len(self.outputs) and bool(self.outputs[index])

    # -- attributes --------------------------------------------------------------------------------------------------

    @overload
    def integer(self, name: str) -> int: ...
    @overload
    def integer(self, name: str, default: T) -> int | T: ...
    def integer(self, name: str, default: Any = ...) -> Any:
        found = self._attribute(name, "INT", default)
        return int(found.i) if found is not default else default

    @overload
    def number(self, name: str) -> float: ...
    @overload
    def number(self, name: str, default: T) -> float | T: ...
    def number(self, name: str, default: Any = ...) -> Any:
        found = self._attribute(name, "FLOAT", default)
        return float(found.f) if found is not default else default

    @overload
    def text(self, name: str) -> str: ...
    @overload
    def text(self, name: str, default: T) -> str | T: ...
    def text(self, name: str, default: Any = ...) -> Any:
        found = self._attribute(name, "STRING", default)
        return found.s.decode("utf-8", "replace") if found is not default else default

    @overload
    def integers(self, name: str) -> list[int]: ...
    @overload
    def integers(self, name: str, default: T) -> list[int] | T: ...
    def integers(self, name: str, default: Any = ...) -> Any:
        found = self._attribute(name, "INTS", default)
        return [int(i) for i in found.ints] if found is not default else default

    def numbers(self, name: str) -> list[float]:
        found = self._attribute(name, "FLOATS", None)
        return [float(f) for f in found.floats] if found is not None else []

    def texts(self, name: str) -> list[str]:
        found = self._attribute(name, "STRINGS", None)
        return [s.decode("utf-8", "replace") for s in found.strings] if found is not None else []

    def graph(self, name: str) -> Proto:
        return self._attribute(name, "GRAPH", ...).g

    def dtype(self, name: str, default: DType | None = None) -> DType:
        """An attribute that names an element type."""
        number = self.integer(name, None)
        if number is None:
            if default is None:
                raise wrong(f"attribute `{name}` is missing")
            return default
        return DTYPES.get(number) or element_type(number)

    def choice(self, name: str, default: str, choices: Sequence[str]) -> str:
        found = self.text(name, default)
        if found not in choices:
            raise wrong(f"attribute `{name}` is {found!r}, allowed are {', '.join(choices)}")
        return found

    def _attribute(self, name: str, kind: str, default: Any) -> Any:
        found = self.attributes.get(name)
        if found is None:
            if default is ...:
                raise wrong(f"attribute `{name}` is missing")
            return default
        from onnx import AttributeProto

        has = AttributeProto.AttributeType.Name(found.type)
        if has != kind:
            raise wrong(f"attribute `{name}` is of type {has}, expected {kind}")
        return found

    # -- axes --------------------------------------------------------------------------------------------------------

    def axis(self, given: int, rank: int, what: str = "axis") -> int:
        """An axis in range, counted from the front."""
        if not -rank <= given < rank:
            raise wrong(f"`{what}` is {given}, the rank is {rank}")
        return given % rank

    def axes(self, given: Sequence[int], rank: int, what: str = "axes") -> list[int]:
        found = [self.axis(a, rank, what) for a in given]
        if len(set(found)) != len(found):
            raise wrong(f"`{what}` is {list(given)}: an axis occurs twice")
        return found


Handler = Callable[[Node], Result]
