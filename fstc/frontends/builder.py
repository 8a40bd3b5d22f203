"""Builder: ops with NumPy's manners, on top of :class:`fstc.frontends.emitter.Emitter`.

Example::

    b = Builder()
    x = b.input("x", TensorType(F32, (4, 8)))
    y = b.ew("mul", b.ew("exp", x), 2.0)          # shapes broadcast, numbers take the other operand's type
    b.output("y", b.ew("sub", y, b.mean(y, (1,), keep=True)))
    graph, tensors = b.finish("model.safetensors")

What a framework's operator expands to stands in modules of its own (``composed``), for all importers.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from fstc.frontends.emitter import Array, Emitter, Val, counted
from fstc.ir.ops.opdef import OpError
from fstc.ir.types import BOOL, DType, Shape, TensorType

Scalar = bool | int | float
Operand = Val | Scalar


def common_shape(shapes: Sequence[Shape]) -> Shape:
    """The shape that all broadcast to, as NumPy has it; OpError where there is none."""
    rank = max(map(len, shapes), default=0)
    padded = [(1,) * (rank - len(s)) + tuple(s) for s in shapes]
    found = []
    for extents in zip(*padded, strict=True):
        wide = {n for n in extents if n != 1}
        if len(wide) > 1:
            raise OpError(f"shapes {', '.join(str(list(s)) for s in shapes)} do not broadcast")
        found.append(wide.pop() if wide else 1)
    return tuple(found)


class Builder(Emitter):
    """Ops by name with operands that broadcast, and the layout ops in the form that importers need."""

    def ew(self, name: str, *operands: Operand, **attrs: Any) -> Val:
        """An element-wise op; shapes broadcast, Python numbers take the type of the first tensor.

        Of ``select`` the predicate is operand 0, and numbers take the type of the others.
        """
        first = 1 if name == "select" else 0
        like = next((v.dtype for v in operands[first:] if isinstance(v, Val)), None)
        assert like is not None, "an element-wise op of numbers only"
        vals = [
            v if isinstance(v, Val) else self.scalar(v, BOOL if i < first else like) for i, v in enumerate(operands)
        ]
        shape = common_shape([v.shape for v in vals])
        return self.op(name, [self.broadcast(v, shape) for v in vals], **attrs)[0]

    def scalar(self, value: Scalar, dtype: DType) -> Val:
        """A number as f32[], i64[], ..., rounded once."""
        return self.full(value, dtype, ())

    def full(self, value: Scalar, dtype: DType, shape: Sequence[int]) -> Val:
        import numpy as np

        from fstc.ir.ops.numerics import cast

        counted(TensorType(dtype, tuple(shape)))
        wide = np.asarray(value, np.float64) if dtype.is_float else np.asarray(value)
        return self.constant(np.broadcast_to(np.asarray(cast(wide, dtype)), tuple(shape)))

    def ints(self, values: Sequence[int], dtype: DType) -> Val:
        import numpy as np

        return self.constant(np.asarray(list(values), dtype.numpy()))

    def convert(self, x: Val, dtype: DType) -> Val:
        return x if x.dtype == dtype else self.op("convert", [x], TensorType(dtype, x.shape))[0]

    def compare(self, direction: str, x: Operand, y: Operand) -> Val:
        """``direction``: EQ NE LT LE GT GE."""
        return self.ew("compare", x, y, direction=direction)

    def select(self, p: Val, a: Operand, b: Operand) -> Val:
        return self.ew("select", p, a, b)

    # -- layout ------------------------------------------------------------------------------------------------------

    def broadcast(self, x: Val, shape: Sequence[int]) -> Val:
        """``x`` repeated to a shape that it broadcasts to, as NumPy has it."""
        shape = tuple(shape)
        if x.shape == shape:
            return x
        if common_shape([x.shape, shape]) != shape:
            raise OpError(f"{x.type} does not broadcast to {list(shape)}")
        dims = range(len(shape) - x.rank, len(shape))
        return self.op("broadcast_in_dim", [x], TensorType(x.dtype, shape), dims=tuple(dims))[0]

    def broadcast_in_dim(self, x: Val, shape: Sequence[int], dims: Sequence[int]) -> Val:
        return self.op("broadcast_in_dim", [x], TensorType(x.dtype, tuple(shape)), dims=tuple(dims))[0]

    def reshape(self, x: Val, shape: Sequence[int]) -> Val:
        """One extent may be -1."""
        shape = tuple(int(n) for n in shape)
        if shape.count(-1) == 1:
            rest = prod(n for n in shape if n != -1)
            if not rest or x.type.elements % rest:
                raise OpError(f"{x.type} cannot be reshaped to {list(shape)}")
            shape = tuple(x.type.elements // rest if n == -1 else n for n in shape)
        return x if x.shape == shape else self.op("reshape", [x], TensorType(x.dtype, shape))[0]

    def transpose(self, x: Val, permutation: Sequence[int]) -> Val:
        order = tuple(int(d) for d in permutation)
        return x if order == tuple(range(x.rank)) else self.op("transpose", [x], permutation=order)[0]

    def expand(self, x: Val, dims: Sequence[int]) -> Val:
        """Axes of extent 1 at these places of the result; negative ones count from its end."""
        rank = x.rank + len(dims)
        places = {d % rank for d in dims}
        if len(places) != len(dims):
            raise OpError(f"axes {list(dims)} are not distinct")
        rest = iter(x.shape)
        return self.reshape(x, [1 if d in places else next(rest) for d in range(rank)])

    def squeeze(self, x: Val, dims: Sequence[int]) -> Val:
        """Without these axes of extent 1."""
        gone = {d % x.rank for d in dims}
        if any(x.shape[d] != 1 for d in gone):
            raise OpError(f"axes {sorted(gone)} of {x.type} are not all 1 long")
        return self.reshape(x, [n for d, n in enumerate(x.shape) if d not in gone])

    def slice(self, x: Val, start: Sequence[int], limit: Sequence[int], strides: Sequence[int] = ()) -> Val:
        strides = tuple(strides) or (1,) * x.rank
        whole = not any(start) and tuple(limit) == x.shape and all(s == 1 for s in strides)
        return x if whole else self.op("slice", [x], start=start, limit=limit, strides=strides)[0]

    def slice_axis(self, x: Val, axis: int, start: int, limit: int, step: int = 1) -> Val:
        """``x[..., start:limit:step, ...]`` with bounds in range, or reversed for a negative step as NumPy does."""
        axis %= x.rank
        indices = range(start, limit, step)
        if not len(indices):
            start, limit, step = 0, 0, 1
        elif step < 0:
            flipped = self.slice_axis(x, axis, indices[-1], indices[0] + 1, -step)
            return self.op("reverse", [flipped], dimensions=(axis,))[0]
        starts, limits, steps = [0] * x.rank, list(x.shape), [1] * x.rank
        starts[axis], limits[axis], steps[axis] = start, limit, step
        return self.slice(x, starts, limits, steps)

    def concat(self, parts: Sequence[Val], axis: int) -> Val:
        rank = parts[0].rank
        return parts[0] if len(parts) == 1 else self.op("concatenate", list(parts), dimension=axis % max(rank, 1))[0]

    def pad(self, x: Val, value: Operand, low: Sequence[int], high: Sequence[int], interior: Sequence[int] = ()) -> Val:
        """Surrounded by a scalar; negative amounts cut."""
        if not any(low) and not any(high) and not any(interior):
            return x
        fill = value if isinstance(value, Val) else self.scalar(value, x.dtype)
        return self.op("pad", [x, fill], low=low, high=high, interior=tuple(interior) or (0,) * x.rank)[0]

    def reverse(self, x: Val, dims: Sequence[int]) -> Val:
        found = tuple(sorted(d % x.rank for d in dims))
        return self.op("reverse", [x], dimensions=found)[0] if found else x

    def iota(self, dtype: DType, shape: Sequence[int], axis: int) -> Val:
        """Each element is its index along ``axis``."""
        return self.op("iota", [], TensorType(dtype, tuple(shape)), dimension=axis)[0]

    # -- reductions --------------------------------------------------------------------------------------------------

    def reduce(self, how: str, x: Val, axes: Sequence[int] | None = None, keep: bool = False) -> Val:
        """``how``: sum, prod, max, min, and, or. All axes where none are given."""
        chosen = tuple(sorted({a % x.rank for a in axes})) if axes is not None else tuple(range(x.rank))
        found = self.op(f"reduce_{how}", [x], axes=chosen)[0]
        return self.reshape(found, [1 if d in chosen else n for d, n in enumerate(x.shape)]) if keep else found

    def mean(self, x: Val, axes: Sequence[int] | None = None, keep: bool = False) -> Val:
        """The sum over the number of elements; NaN over none."""
        chosen = {a % x.rank for a in axes} if axes is not None else set(range(x.rank))
        count = prod(x.shape[a] for a in chosen)
        return self.ew("div", self.reduce("sum", x, axes, keep), float(count))


__all__ = ["Array", "Builder", "Operand", "Scalar", "Val", "common_shape"]
