"""A StableHLO module as plain Python values: what the bindings' objects say, read once.

Example: ``program.functions["main"].body.ops[0].attrs["dimensions"]`` is a list of ints. Loops are unrolled and
functions inlined, so that an op is imported many times; asking MLIR for its attributes each time would be most of the
work.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fstc.ir.types import TensorType

DYNAMIC = -1  # an extent that the type does not say


@dataclass(frozen=True, slots=True)
class Foreign:
    """A type that fstc has no counterpart of, with the reason."""

    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class TupleOf:
    types: tuple[Type, ...]


Type = TensorType | Foreign | TupleOf


@dataclass(frozen=True, slots=True, eq=False)
class Op:
    """``operands`` and ``results`` are numbers of SSA values, unique in the module."""

    name: str  # with the dialect: stablehlo.add
    operands: tuple[int, ...]
    results: tuple[int, ...]
    types: tuple[Type, ...]  # of the results
    attrs: Mapping[str, Any]
    regions: tuple[Block, ...]
    loc: str  # file:line
    scope: str  # names of the scopes that the framework opened, with dots


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    params: tuple[int, ...]
    types: tuple[Type, ...]
    ops: tuple[Op, ...]  # without the terminator
    returned: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Function:
    name: str
    body: Block
    arg_names: tuple[str, ...]  # as the framework writes them: params['w']; "" where it does not say
    arg_attrs: tuple[Mapping[str, Any], ...]
    result_types: tuple[Type, ...]
    result_attrs: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Program:
    functions: Mapping[str, Function]
    main: Function
