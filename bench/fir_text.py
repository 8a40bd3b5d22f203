"""A writer of .fir text for generated graphs: one call an op, names and types follow.

Example::

    f = Fir("example")
    x = f.input("x", (8, 64))
    print(f.text([f.unary("exp", x)]))
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

Shape = tuple[int, ...]


class Tensor(NamedTuple):
    name: str
    shape: Shape
    dtype: str = "f32"

    @property
    def type(self) -> str:
        return f"{self.dtype}[{','.join(map(str, self.shape))}]"


class Fir:
    """One function while it is written. ``scope`` goes before the names of what follows."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.scope = ""
        self.inputs: list[str] = []
        self.lines: list[str] = []
        self.used: dict[str, int] = {}
        self.splats: dict[tuple[float, Shape], Tensor] = {}

    def text(self, outputs: Sequence[Tensor]) -> str:
        params = ",\n    ".join(self.inputs)
        types = ", ".join(t.type for t in outputs)
        names = ", ".join(f"%{t.name}" for t in outputs)
        body = "\n".join(self.lines)
        return (
            f"module @{self.name}\n\nfunc @main(\n    {params}) -> (\n    {types}) {{\n{body}\n  return {names}\n}}\n"
        )

    def input(self, name: str, shape: Shape, dtype: str = "f32", attrs: str = "") -> Tensor:
        made = Tensor(self._name(name), shape, dtype)
        self.inputs.append(f"%{made.name}: {made.type}{f' {{{attrs}}}' if attrs else ''}")
        return made

    def op(self, op: str, operands: Sequence[Tensor], shape: Shape, attrs: str = "", dtype: str = "f32") -> Tensor:
        made = Tensor(self._name(op), shape, dtype)
        names = "".join(f"{',' if i else ''} %{t.name}" for i, t in enumerate(operands))
        self.lines.append(f"  %{made.name} = {op}{names}{f' {{{attrs}}}' if attrs else ''} : {made.type}")
        return made

    def unary(self, op: str, x: Tensor) -> Tensor:
        return self.op(op, [x], x.shape)

    def binary(self, op: str, x: Tensor, y: Tensor) -> Tensor:
        return self.op(op, [x, y], x.shape)

    def scaled(self, x: Tensor, factor: float) -> Tensor:
        return self.binary("mul", x, self.splat(factor, x.shape))

    def splat(self, value: float, shape: Shape) -> Tensor:
        """A constant; equal ones are one, as after the elimination of common subexpressions."""
        key = (value, shape)
        if key not in self.splats:
            self.splats[key] = self.op("constant", [], shape, f"value = {value!r}")
        return self.splats[key]

    def broadcast(self, x: Tensor, shape: Shape, dims: Shape) -> Tensor:
        return self.op("broadcast_in_dim", [x], shape, f"dims = {list(dims)}", x.dtype)

    def reduce(self, op: str, x: Tensor, axes: Shape) -> Tensor:
        kept = tuple(e for n, e in enumerate(x.shape) if n not in axes)
        return self.op(op, [x], kept, f"axes = {list(axes)}")

    def reshape(self, x: Tensor, shape: Shape) -> Tensor:
        return self.op("reshape", [x], shape, dtype=x.dtype)

    def transpose(self, x: Tensor, order: Shape) -> Tensor:
        return self.op("transpose", [x], tuple(x.shape[n] for n in order), f"permutation = {list(order)}")

    def slice(self, x: Tensor, start: Shape, limit: Shape) -> Tensor:
        shape = tuple(b - a for a, b in zip(start, limit, strict=True))
        attrs = f"start = {list(start)}, limit = {list(limit)}, strides = {[1] * len(start)}"
        return self.op("slice", [x], shape, attrs)

    def dot(self, x: Tensor, y: Tensor, over: tuple[Shape, Shape] | None = None, batch: Shape = ()) -> Tensor:
        """Contract the dimensions ``over`` (last of x with first of y); ``batch`` dimensions are common to both."""
        left, right = over or ((len(x.shape) - 1,), (0,))
        kept = [e for n, e in enumerate(x.shape) if n not in (*batch, *left)]
        kept += [e for n, e in enumerate(y.shape) if n not in (*batch, *right)]
        attrs = f"lhs_contract = {list(left)}, rhs_contract = {list(right)}"
        if batch:
            attrs = f"lhs_batch = {list(batch)}, rhs_batch = {list(batch)}, {attrs}"
        return self.op("dot_general", [x, y], (*(x.shape[n] for n in batch), *kept), attrs)

    def _name(self, stem: str) -> str:
        name = f"{self.scope}{stem}"
        number = self.used.get(name, 0)
        self.used[name] = number + 1
        return f"{name}_{number}" if number else name
