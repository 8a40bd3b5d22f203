"""Named extents and the integer expressions over them.

Example: with ``dim B = 32``, ``f32[B*4, 1]`` evaluates to ``TensorType(F32, (128, 1))``. Arithmetic is exact:
a division with a remainder, a result beyond 63 bits or a negative extent is refused at its place.
"""

from __future__ import annotations

from collections.abc import Mapping

from lark import Token

from fstc.ir.reader import read_type
from fstc.ir.syntax import Chain, Dim, Expr, Floating, Integer, ListOf, Name, Negative, Text, extent_of
from fstc.ir.types import DTYPES, TensorType
from fstc.support.diagnostics import Diagnostic, FstcError, Label, Note
from fstc.support.source import Source, Span
from fstc.support.suggest import clipped, did_you_mean

LIMIT = 2**63 - 1
MAX_RANK = 8


class Lost(Exception):
    """The expression needs something that another error already accounts for."""


class Extents:
    """The named extents of one file as bound, and evaluation over them."""

    def __init__(self, source: Source, lost: frozenset[str]) -> None:
        self.source = source
        self.bound: dict[str, int] = {}
        self.lost = {name for name in lost if not name.startswith("%")}
        self._types: dict[str, TensorType | None] = {}

    def bind(self, dims: list[Dim], binds: Mapping[str, int]) -> list[Diagnostic]:
        """Give every declared extent its value, from ``binds`` or its default."""
        errors = []
        first: dict[str, Token] = {}
        for dim in dims:
            name = str(dim.name)
            if name in first:
                note = Note("first declared here", self.span(first[name]))
                errors.append(self._at(dim.name, "FST0317", f"`{name}` is declared twice", notes=(note,)))
                continue
            first[name] = dim.name
            try:
                self.bound[name] = self._value(dim, binds)
            except FstcError as error:
                errors += error.diagnostics
                self.lost.add(name)
            except Lost:
                self.lost.add(name)
        for name in binds:
            if name not in first and name not in self.lost:
                known = f"declared are {', '.join(first)}" if first else "the file declares none"
                message = f"--bind {name}: no such named extent"
                errors.append(
                    Diagnostic("FST0316", message, help=did_you_mean(name, first) or known, file=self.source.name)
                )
        return errors

    def type(self, token: Token) -> TensorType:
        """The tensor type that a token spells; each distinct text is looked at once."""
        text = str(token)
        if text not in self._types:
            self._types[text] = None  # should evaluation fail, the error is reported here and only here
            self._types[text] = self._evaluate_type(token)
        found = self._types[text]
        if found is None:
            raise Lost
        return found

    def evaluate(self, expr: Expr, base: int = 0) -> int:
        """The integer that an expression stands for; ``base`` is the offset of its text in the source."""
        if isinstance(expr, Integer):
            return self._bounded(int(expr.token), expr, base)
        if isinstance(expr, Name):
            return self._named(expr.token, base)
        if isinstance(expr, Negative):
            value = self.evaluate(expr.operand, base)
            return -value if len(expr.signs) % 2 else value
        if isinstance(expr, Chain):
            total = self.evaluate(expr.first, base)
            for operator, operand in expr.rest:
                total = self._bounded(
                    self._apply(operator, total, self.evaluate(operand, base), expr, base), expr, base
                )
            return total
        found = {Floating: "a float", Text: "a string", ListOf: "a list"}[type(expr)]
        raise FstcError(self._error(expr, base, "FST0303", f"{found} where an integer is needed"))

    def span(self, token: Token, base: int = 0) -> Span:
        return Span(self.source, base + (token.start_pos or 0), base + (token.end_pos or 0))

    def _value(self, dim: Dim, binds: Mapping[str, int]) -> int:
        name = str(dim.name)
        if name in binds:
            value = binds[name]
            if not 0 < value <= LIMIT:
                raise FstcError(self._at(dim.name, "FST0316", f"--bind {name}={value}: an extent is positive"))
            return value
        if dim.default is None:
            help = f"give it a default, or --bind {name}=..."
            raise FstcError(self._at(dim.name, "FST0315", f"the extent `{name}` is unbound", help=help))
        value = self.evaluate(dim.default)
        if value < 0:
            raise FstcError(self._error(dim.default, 0, "FST0310", f"`{name}` is {value}: extents are not negative"))
        return value

    def _evaluate_type(self, token: Token) -> TensorType:
        parts = read_type(token, self.source)
        base = token.start_pos or 0
        dtype = DTYPES.get(str(parts.dtype))
        if dtype is None:
            message = f"unknown element type `{clipped(parts.dtype)}`"
            help = did_you_mean(str(parts.dtype), DTYPES) or f"element types are {' '.join(DTYPES)}"
            raise FstcError(self._at(parts.dtype, "FST0208", message, help=help, base=base))
        if len(parts.extents) > MAX_RANK:
            message = f"rank {len(parts.extents)}; ranks 0 to {MAX_RANK} are supported"
            raise FstcError(self._at(token, "FST0312", message))
        shape = tuple(self._extent(e, base) for e in parts.extents)
        result = TensorType(dtype, shape)
        if result.nbytes > LIMIT:
            message = f"a tensor of {result.elements:,} elements; at most 2^63-1 elements and bytes fit"
            raise FstcError(self._at(token, "FST0311", message))
        return result

    def _extent(self, expr: Expr, base: int) -> int:
        value = self.evaluate(expr, base)
        if value < 0:
            raise FstcError(self._error(expr, base, "FST0310", f"the extent is {value}: extents are not negative"))
        return value

    def _named(self, token: Token, base: int) -> int:
        name = str(token)
        if name in self.bound:
            return self.bound[name]
        if name in self.lost:
            raise Lost
        self.lost.add(name)
        help = did_you_mean(name, self.bound) or f"declare it above the function: dim {name} = ..."
        raise FstcError(self._at(token, "FST0314", f"unknown named extent `{clipped(name)}`", help=help, base=base))

    def _apply(self, operator: Token, a: int, b: int, expr: Expr, base: int) -> int:
        if operator == "+":
            return a + b
        if operator == "-":
            return a - b
        if operator == "*":
            return a * b
        if b == 0:
            raise FstcError(self._error(expr, base, "FST0313", f"{a} / 0 in an extent"))
        if a % b:
            raise FstcError(self._error(expr, base, "FST0313", f"{a} / {b} leaves a remainder of {abs(a) % abs(b)}"))
        return a // b

    def _bounded(self, value: int, expr: Expr, base: int) -> int:
        if abs(value) > LIMIT + 1:
            raise FstcError(self._error(expr, base, "FST0311", "a number beyond 2^63-1"))
        return value

    def _error(self, expr: Expr, base: int, code: str, message: str) -> Diagnostic:
        start, end = extent_of(expr) or (0, 0)
        return Diagnostic(code, message, Label(Span(self.source, base + start, base + end)))

    def _at(
        self, token: Token, code: str, message: str, *, notes: tuple[Note, ...] = (), help: str = "", base: int = 0
    ) -> Diagnostic:
        return Diagnostic(code, message, Label(self.span(token, base)), notes, help)
