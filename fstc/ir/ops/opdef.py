"""OpDef: everything fstc knows of one operator, in one entry.

No module outside ``fstc/ir/ops`` compares an op's name. Other stages ask for ``kind`` (cost
class), ``form`` (how its operands are indexed), ``monoid`` (how it combines) and call
``infer``, ``reference`` and ``cuda``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from fstc.ir.types import DType, TensorType

if TYPE_CHECKING:
    from fstc.ir.graph import Region

Attrs = Mapping[str, Any]


class Kind(str, Enum):
    """Cost class, as the paper has them (section 3)."""

    LIGHT = "light"
    EXPENSIVE = "expensive"
    REDUCTION = "reduction"
    LAYOUT = "layout"
    SOURCE = "source"
    LIBRARY = "library"


class Form(str, Enum):
    """How an op's result index maps to operand indices; analysis and codegen dispatch on it."""

    ELEMENTWISE = "elementwise"
    CONSTANT = "constant"
    IOTA = "iota"
    RNG = "rng"
    BROADCAST = "broadcast"
    RESHAPE = "reshape"
    TRANSPOSE = "transpose"
    SLICE = "slice"
    DYNAMIC_SLICE = "dynamic_slice"
    DYNAMIC_UPDATE_SLICE = "dynamic_update_slice"
    CONCATENATE = "concatenate"
    PAD = "pad"
    REVERSE = "reverse"
    GATHER = "gather"
    SCATTER = "scatter"
    REDUCE = "reduce"
    REDUCE_WINDOW = "reduce_window"
    SCAN = "scan"
    LIBRARY = "library"


class OpError(Exception):
    """A type rule refused its operands. The verifier adds code, place and caret."""

    def __init__(
        self,
        message: str,
        *,
        help: str = "",
        operand: int | None = None,
        attr: str | None = None,
        against: tuple[int, ...] | None = None,
    ) -> None:
        """``against``: operands whose definitions explain the refusal; all but ``operand`` when not given."""
        super().__init__(message)
        self.message, self.help, self.operand, self.attr, self.against = message, help, operand, attr, against


@dataclass(frozen=True)
class AttrDef:
    """One attribute. ``type`` is one of: int, ints, float, bool, str, value, dtype, pairs.

    ``ints`` is a tuple of ints, ``pairs`` a tuple of (int, int), ``value`` a number, bool or
    nested tuple of them. ``choices`` limits a ``str``.
    """

    name: str
    type: str
    required: bool = True
    default: Any = None
    choices: tuple[str, ...] = ()
    doc: str = ""


@dataclass(frozen=True)
class Infer:
    """What a type rule sees."""

    operands: tuple[TensorType, ...]
    attrs: Attrs
    regions: tuple[Region, ...]
    declared: tuple[TensorType, ...]  # the types written in the text; a rule may need them (iota, reshape)
    wide: bool = False  # the oracle evaluates: f32 arrays are float64, and the types here say f64


@dataclass(frozen=True)
class OpDef:
    """One operator.

    infer:      Infer -> result types; raises OpError. Types never broadcast implicitly.
    reference:  (operands as ndarrays of the operand dtypes, Infer) -> tuple of ndarrays of the result
                dtypes. Arithmetic in float64 (or exact integers), rounded once to the result dtype.
    cuda:       for Form.ELEMENTWISE only: the C++ expression text in the result's compute type, before
                rounding to storage; a template with {0}, {1}, ... or a mapping from operand kind
                ("f", "i", "u", "b") to one, or a function; use :func:`fstc.ir.ops.cuda_expr`.
    monoid:     add, mul, max, min, and, or, argmax, argmin for reductions with a fixed body; None: the region.
    domain:     per operand, (low, high) for random test values; () means any.
    bits:       the reference reads or makes bit patterns, so that the oracle must not widen f32 for it.
    library:    for library calls: a fast NumPy form for running them on the host, with the signature of
                ``reference`` and the accuracy of a library (f32 products summed in f32); None: the reference.
    """

    name: str
    kind: Kind
    form: Form
    doc: str
    arity: tuple[int, int | None]
    infer: Callable[[Infer], tuple[TensorType, ...]]
    reference: Callable[[Sequence[Any], Infer], tuple[Any, ...]]
    attrs: tuple[AttrDef, ...] = ()
    regions: int = 0
    regions_optional: bool = False  # the regions may be left out (the short form of sort)
    results: int = 1  # -1: as many as the type rule returns (reduce, sort, custom_call)
    cuda: Any = None
    monoid: str | None = None
    domain: tuple[tuple[float, float], ...] = ()
    dtypes: str = "any"  # doc: which dtypes are accepted
    commutative: bool = False
    bits: bool = False
    library: Callable[[Sequence[Any], Infer], tuple[Any, ...]] | None = None
    operands: str = ""  # doc: names of the operands, as "x, starts..."; empty: x, or x and y
    aliases: tuple[str, ...] = ()  # other accepted names (StableHLO's long ones); printed under ``name``

    def attr(self, name: str) -> AttrDef | None:
        return next((a for a in self.attrs if a.name == name), None)


def op_table(*families: OpDef) -> dict[str, OpDef]:
    """Join entries into the table; a name may occur once."""
    table: dict[str, OpDef] = {}
    for op in families:
        assert op.name not in table, f"{op.name} is declared twice"
        table[op.name] = op
    return table


__all__ = ["AttrDef", "Attrs", "DType", "Form", "Infer", "Kind", "OpDef", "OpError", "op_table"]
