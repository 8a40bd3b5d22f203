"""Type rules of the element-wise family. Operands never broadcast, except a scalar where StableHLO allows one.

Example: ``same("f")`` accepts any number of equal float tensors and results in their type. A dtype class is
a string of kinds: f float, i signed, u unsigned, b boolean; :func:`describe` names it for people.
"""

from __future__ import annotations

from collections.abc import Callable

from fstc.ir.ops.opdef import Infer
from fstc.ir.ops.shapes import refuse
from fstc.ir.types import BOOL, TensorType

Rule = Callable[[Infer], tuple[TensorType, ...]]

FLOAT, INT, LOGIC, NUMBER, SIGNED, ANY = "f", "iu", "iub", "fiu", "fi", "fiub"

WORDS = {"f": "float", "i": "signed", "u": "unsigned", "b": "bool"}


def describe(kinds: str) -> str:
    """``"fi"`` is ``"float, signed"``: the ``dtypes`` text of an entry."""
    return "any" if set(kinds) == set(ANY) else ", ".join(WORDS[k] for k in kinds)


def accept(infer: Infer, operand: int, kinds: str) -> TensorType:
    """The operand's type, when its dtype is in the class."""
    given = infer.operands[operand]
    if given.dtype.kind not in kinds:
        wanted = describe(kinds).replace(", ", " or ")
        help = "convert it to f32 first" if kinds == FLOAT else "convert it first"
        refuse(f"operand {operand} is {given}, expected {wanted}", help=help, operand=operand, against=(operand,))
    return given


def match(infer: Infer, operand: int, against: int, *, scalar: bool = False) -> None:
    """Refuse unless the two operands have one type; with ``scalar``, a rank-0 operand of the dtype will do too."""
    given, wanted = infer.operands[operand], infer.operands[against]
    if given.dtype != wanted.dtype:
        refuse(
            f"{given} against {wanted} of operand {against}",
            help="convert one side",
            operand=operand,
            against=(against,),
        )
    match_shape(infer, operand, against, scalar=scalar)


def match_shape(infer: Infer, operand: int, against: int, *, scalar: bool = False) -> None:
    given, wanted = infer.operands[operand], infer.operands[against]
    if given.shape == wanted.shape or (scalar and given.rank == 0):
        return
    help = "shapes never broadcast by themselves: use broadcast_in_dim"
    if scalar:
        help = "give the same shape or a scalar"
    refuse(f"{given} against {wanted} of operand {against}", help=help, operand=operand, against=(against,))


def same(kinds: str) -> Rule:
    """All operands have one type, the result's."""

    def rule(infer: Infer) -> tuple[TensorType, ...]:
        first = accept(infer, 0, kinds)
        for operand in range(1, len(infer.operands)):
            match(infer, operand, 0)
        return (first,)

    return rule


def predicate(kinds: str) -> Rule:
    """All operands have one type; the result is bool."""
    operands = same(kinds)

    def rule(infer: Infer) -> tuple[TensorType, ...]:
        return (TensorType(BOOL, operands(infer)[0].shape),)

    return rule


def select(infer: Infer) -> tuple[TensorType, ...]:
    """(bool, x, x) -> x; the predicate may be a scalar."""
    accept(infer, 0, "b")
    match(infer, 2, 1)
    match_shape(infer, 0, 1, scalar=True)
    return (infer.operands[1],)


def clamp(infer: Infer) -> tuple[TensorType, ...]:
    """(low, x, high) -> x; each bound may be a scalar."""
    match(infer, 0, 1, scalar=True)
    match(infer, 2, 1, scalar=True)
    return (infer.operands[1],)


def convert(infer: Infer) -> tuple[TensorType, ...]:
    """The dtype is the one written in the result's type."""
    if not infer.declared:
        refuse("the result's type says what to convert to, and there is none")
    return (TensorType(infer.declared[0].dtype, infer.operands[0].shape),)


def bitcast_convert(infer: Infer) -> tuple[TensorType, ...]:
    (result,) = convert(infer)
    given = infer.operands[0]
    if (given.dtype.kind == "b") != (result.dtype.kind == "b"):
        refuse(f"{given} cannot be reinterpreted as {result.dtype}: a bool has no bits of its own", operand=0)
    if given.dtype.size != result.dtype.size:
        refuse(
            f"{given} has {8 * given.dtype.size} bits an element, {result.dtype} has {8 * result.dtype.size}",
            help="only types of one width can be reinterpreted; `convert` changes the value's type",
            operand=0,
        )
    return (result,)


def reduce_precision(infer: Infer) -> tuple[TensorType, ...]:
    given = accept(infer, 0, FLOAT)
    if given.dtype.size == 1:
        refuse(f"operand 0 is {given}, expected f64, f32, f16 or bf16", help="use convert", operand=0)
    for name, least, most in (("exponent_bits", 1, 11), ("mantissa_bits", 0, 52)):
        if not least <= infer.attrs[name] <= most:
            refuse(f"`{name}` is {infer.attrs[name]}, expected {least} to {most}", attr=name)
    return (given,)
