"""What the handler of an operator works with: the builder, the result's type, and torch's manners.

Example of a handler: ``lambda cx, x, y: cx.pointwise(lambda b, x, y: b.ew("mul", x, y), x, y)``. A handler gets the
arguments of the operator's schema in order, without those that only say where a tensor lies, and returns values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fstc.frontends.artefact import Unsupported
from fstc.frontends.builder import Builder, Val
from fstc.frontends.composed.precision import exact
from fstc.frontends.composed.products import Factor
from fstc.frontends.torch.types import Operand, promoted
from fstc.ir.types import F32, I64, DType, Shape, TensorType

Argument = Val | bool | int | float
Handler = Callable[..., Any]


class Context:
    """One importer's state. ``types``: of the results of the operator at hand, from the exported program."""

    def __init__(self, b: Builder, default: DType = F32) -> None:
        self.b = b
        self.default = default  # what torch makes of a Python float
        self.types: tuple[TensorType | None, ...] = ()
        self.strides: tuple[Any, ...] = ()  # of the operands, where an operator asks for memory (as_strided)
        self.used: tuple[bool, ...] = ()  # which of several results are read
        self._factors: dict[Val, Factor] = {}

    # -- the result at hand ------------------------------------------------------------------------------------------

    def type(self, index: int = 0) -> TensorType:
        found = self.types[index]
        if found is None:
            raise Unsupported("a result whose type is not known")
        return found

    @property
    def dtype(self) -> DType:
        return self.type().dtype

    @property
    def shape(self) -> Shape:
        return self.type().shape

    def is_read(self, index: int) -> bool:
        """Does anything read this one of several results?"""
        return index >= len(self.used) or self.used[index]

    # -- operands ----------------------------------------------------------------------------------------------------

    def promote(self, *args: Argument | None) -> DType:
        """The type that torch computes these operands in."""
        return promoted([operand(a) for a in args if a is not None], self.default)

    def val(self, x: Argument, dtype: DType) -> Val:
        """A tensor converted, or a number as a scalar."""
        if isinstance(x, Val):
            return self.b.convert(x, dtype)
        return self.b.scalar(number(x, dtype), dtype)

    def pointwise(self, f: Callable[..., Val], *args: Argument, dtype: DType | None = None, once: bool = False) -> Val:
        """``f(b, ...)`` of the operands in ``dtype`` (the result's), rounded to the result's type.

        ``once``: an expansion of several roundings, for which narrow floats are computed in f32. So they are beside
        a number that they cannot hold, because torch does not round it either.
        """
        dtype = dtype or self.dtype
        compute = dtype
        if dtype.is_float and dtype.size < 4:
            like = Val(TensorType(dtype, ()))
            numbers = [float(a) for a in args if not isinstance(a, Val)]
            compute = F32 if once or any(n == n and not exact(n, like) for n in numbers) else dtype
        vals = [
            self.b.convert(self.val(a, dtype), compute) if isinstance(a, Val) else self.val(a, compute) for a in args
        ]
        return self.b.convert(f(self.b, *vals), self.dtype)

    def result(self, x: Val, index: int = 0) -> Val:
        """``x`` in the type of a result."""
        return self.b.convert(x, self.type(index).dtype)

    # -- transposes that products read through -----------------------------------------------------------------------

    def transposed(self, x: Val, order: Sequence[int]) -> Val:
        found = self.b.transpose(x, order)
        if found is not x:
            base = self._factors.get(x)
            through = tuple(base.dim(d) for d in order) if base else tuple(order)
            self._factors[found] = Factor(base.val if base else x, through)
        return found

    def factor(self, x: Val) -> Factor:
        """``x``, or what it is a transpose of."""
        return self._factors.get(x, Factor(x))

    # -- indices -----------------------------------------------------------------------------------------------------

    def index(self, x: Val, extent: int, negative: bool = True) -> Val:
        """Indices into ``extent``; ``negative`` ones count from the end."""
        if x.known is not None:
            import numpy as np

            low, high = (int(x.known.min()), int(x.known.max())) if x.known.size else (0, -1)
            if low < -extent * negative or high >= extent:
                raise Unsupported(f"an index of {low if low < 0 else high} into an extent of {extent}")
            wrapped = np.where(x.known < 0, x.known + extent, x.known).astype(x.known.dtype)
            return x if low >= 0 else self.b.constant(wrapped)
        if not x.dtype.is_integer:
            raise Unsupported(f"indices of type {x.dtype}")
        if not negative or x.dtype.kind == "u":
            return x
        b = self.b
        return b.select(b.compare("LT", x, 0), b.ew("add", x, extent), x)

    def i64(self, x: Val) -> Val:
        return self.b.convert(x, I64)


def aten(entries: Mapping[str, Handler]) -> dict[str, Handler]:
    """Entries of the table under torch's namespace."""
    return {f"aten.{name}": handler for name, handler in entries.items()}


def each(names: str, handler: Handler) -> dict[str, Handler]:
    """One handler for several names."""
    return dict.fromkeys(names.split(), handler)


def operand(x: Argument) -> Operand:
    return (x.dtype, x.rank) if isinstance(x, Val) else x


def number(x: bool | int | float, dtype: DType) -> bool | int | float:
    """A Python number as the type takes it."""
    if dtype.is_float:
        return float(x)
    if dtype.kind == "b":
        return bool(x)
    if isinstance(x, float) and x != int(x):
        raise Unsupported(f"{x} as {dtype}")
    return _wrapped(int(x), dtype)


def _wrapped(x: int, dtype: DType) -> int:
    """Into the range of an integer type, as two's complement has it."""
    bits = 8 * dtype.size
    x &= (1 << bits) - 1
    return x - (1 << bits) if dtype.kind == "i" and x >> (bits - 1) else x


def axis(dim: int, rank: int) -> int:
    """A dimension counted from the front; a scalar has one of extent 1, as torch has it."""
    return dim % max(rank, 1)


def axes_of(dims: int | Sequence[int] | None, rank: int, empty_is_all: bool = True) -> tuple[int, ...]:
    """Distinct dimensions from the front; all where there are none."""
    if dims is None or (empty_is_all and not isinstance(dims, int) and not len(dims)):
        return tuple(range(rank))
    chosen = (dims,) if isinstance(dims, int) else tuple(dims)
    return tuple(sorted({d % max(rank, 1) for d in chosen})) if rank else ()
