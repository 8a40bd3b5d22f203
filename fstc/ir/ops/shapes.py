"""Shape rules that entries of the table share: checks that refuse with a precise message.

Example: ``axes(infer, "axes", rank)`` returns the attribute when it names distinct dimensions below
``rank`` and raises :class:`OpError` with ``attr="axes"`` otherwise. Nothing here knows an op by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import NoReturn

from fstc.ir.ops.opdef import Infer, OpError
from fstc.ir.types import DType, Shape, TensorType

MAX_RANK = 8


def refuse(
    message: str,
    *,
    help: str = "",
    operand: int | None = None,
    attr: str | None = None,
    against: tuple[int, ...] | None = None,
) -> NoReturn:
    raise OpError(message, help=help, operand=operand, attr=attr, against=against)


def text(shape: Sequence[int]) -> str:
    """A shape or list as the language writes it."""
    return f"[{', '.join(map(str, shape))}]"


def ints(infer: Infer, name: str, count: int, what: str, default: int | None = None) -> Shape:
    """The attribute as ``count`` ints, one per ``what``; an empty or absent one means ``default`` everywhere."""
    given = tuple(infer.attrs.get(name) or ())
    if not given and default is not None:
        return (default,) * count
    if len(given) != count:
        refuse(f"`{name}` has {len(given)} entries, expected {count}, one per {what}", attr=name)
    return given


def at_least(values: Sequence[int], low: int, name: str) -> None:
    for value in values:
        if value < low:
            refuse(f"`{name}` has entry {value}, the least allowed is {low}", attr=name)


def axis(infer: Infer, name: str, rank: int) -> int:
    value: int = infer.attrs[name]
    in_range((value,), rank, name)
    return value


def axes(infer: Infer, name: str, rank: int, *, ascending: bool = False) -> Shape:
    """The attribute as distinct dimension numbers below ``rank``, in the order written."""
    given = tuple(infer.attrs.get(name) or ())
    in_range(given, rank, name)
    distinct(given, name)
    if ascending and list(given) != sorted(given):
        refuse(f"`{name}` = {text(given)} must be in ascending order", attr=name)
    return given


def in_range(dims: Sequence[int], rank: int, name: str) -> None:
    for d in dims:
        if not 0 <= d < rank:
            allowed = f"0 to {rank - 1}" if rank else "none, the operand is a scalar"
            refuse(f"`{name}` names dimension {d}; allowed are {allowed}", attr=name)


def distinct(dims: Sequence[int], name: str) -> None:
    for i, d in enumerate(dims):
        if d in dims[:i]:
            refuse(f"`{name}` names dimension {d} twice", attr=name)


def disjoint(first: Sequence[int], first_name: str, second: Sequence[int], second_name: str) -> None:
    for d in second:
        if d in first:
            refuse(f"dimension {d} is in both `{first_name}` and `{second_name}`", attr=second_name)


def scalar(infer: Infer, operand: int, dtype: DType | None, what: str) -> None:
    """The operand is a scalar, of ``dtype`` when one is given."""
    found = infer.operands[operand]
    if found.shape or (dtype is not None and found.dtype != dtype):
        wanted = f"{dtype}[]" if dtype else "a scalar"
        refuse(f"{what} is {found}, expected {wanted}", operand=operand, against=(operand,))


def integer(infer: Infer, operand: int, what: str) -> None:
    found = infer.operands[operand]
    if not found.dtype.is_integer:
        refuse(f"{what} is {found}, expected an integer type", operand=operand, against=(operand,))


def same_dtype(infer: Infer, operand: int, other: int = 0) -> None:
    found, wanted = infer.operands[operand].dtype, infer.operands[other].dtype
    if found != wanted:
        refuse(f"operand {operand} is {found}, but operand {other} is {wanted}", operand=operand)


def declared(infer: Infer, index: int = 0) -> TensorType:
    """The type written for a result whose shape or dtype the operands do not give."""
    if index >= len(infer.declared):
        refuse(f"the type of result {index} must be written out")
    return infer.declared[index]


def ranked(shape: Sequence[int], what: str = "the result") -> Shape:
    """A result shape, refused when its rank is above the limit of the language."""
    if len(shape) > MAX_RANK:
        refuse(f"{what} would have rank {len(shape)}, the limit is {MAX_RANK}")
    return tuple(shape)


def drop(shape: Shape, gone: Sequence[int]) -> Shape:
    """``shape`` without the dimensions in ``gone``."""
    return tuple(n for d, n in enumerate(shape) if d not in gone)


def reshaped(operand: TensorType, result: TensorType) -> None:
    if operand.elements != prod(result.shape):
        refuse(
            f"{operand} has {operand.elements} elements, {text(result.shape)} has {prod(result.shape)}",
            help="a reshape keeps the number of elements",
        )


def window_extent(extent: int, size: int, stride: int, dilation: int, base_dilation: int, pad: tuple[int, int]) -> int:
    """Positions of a window along one dimension; 0 when it does not fit once."""
    spread = (extent - 1) * base_dilation + 1 if extent else 0
    padded = pad[0] + spread + pad[1]
    reach = (size - 1) * dilation + 1
    return 0 if padded < reach else (padded - reach) // stride + 1
