"""Integer index expressions: sums of terms with exact ranges, and floor division and modulus that simplify.

Example: with ``x = var("a", 48)`` the sum ``(x // 12) * 12 + x % 12`` is ``x`` again, and ``(x * 4 + 3) // 4`` is
``x``. An expression is hashable and compares by meaning as far as the rules below can see; equality of index
expressions is how fstc recognises that two operators read a value at the same place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import gcd


@dataclass(frozen=True, slots=True)
class Term:
    """An atom: a variable (``kind`` var), or a floor division (div) or modulus (mod) of an expression by ``by``."""

    key: str
    kind: str
    low: int
    high: int  # inclusive
    arg: Index | None = None
    by: int = 0

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Term) and self.key == other.key


@dataclass(frozen=True)
class Index:
    """``const + sum(coefficient * term)``; terms are sorted by key and distinct."""

    const: int
    terms: tuple[tuple[Term, int], ...] = ()

    @cached_property
    def key(self) -> str:
        return "+".join([str(self.const), *(f"{c}*{t.key}" for t, c in self.terms)])

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Index) and self.key == other.key

    @cached_property
    def low(self) -> int:
        return self.const + sum(c * (t.low if c > 0 else t.high) for t, c in self.terms)

    @cached_property
    def high(self) -> int:
        return self.const + sum(c * (t.high if c > 0 else t.low) for t, c in self.terms)

    @cached_property
    def variables(self) -> frozenset[str]:
        """Keys of the variables inside, at any depth."""
        found: set[str] = set()
        for term, _ in self.terms:
            if term.arg is None:
                found.add(term.key)
            else:
                found |= term.arg.variables
        return frozenset(found)

    @property
    def is_const(self) -> bool:
        return not self.terms

    def coefficient(self, key: str) -> int:
        """Of the variable itself, outside of any division."""
        return next((c for t, c in self.terms if t.key == key), 0)

    def __add__(self, other: Index | int) -> Index:
        if isinstance(other, int):
            return Index(self.const + other, self.terms) if other else self
        if not other.terms:
            return self + other.const
        if not self.terms:
            return other + self.const
        merged = dict(self.terms)
        for term, c in other.terms:
            merged[term] = merged.get(term, 0) + c
        return _normal(self.const + other.const, merged)

    def __sub__(self, other: Index | int) -> Index:
        return self + (-other if isinstance(other, int) else other * -1)

    def __mul__(self, factor: int) -> Index:
        if factor == 1:
            return self
        if factor == 0:
            return ZERO
        return Index(self.const * factor, tuple((t, c * factor) for t, c in self.terms))

    def __floordiv__(self, by: int) -> Index:
        return _divide(self, by)

    def __mod__(self, by: int) -> Index:
        return _modulo(self, by)

    def substitute(self, values: Mapping[str, Index]) -> Index:
        """Replace variables by expressions."""
        if not self.variables & values.keys():
            return self
        total = Index(self.const)
        for term, c in self.terms:
            if term.arg is None:
                part = values.get(term.key, Index(0, ((term, 1),)))
            else:
                inner = term.arg.substitute(values)
                part = inner // term.by if term.kind == "div" else inner % term.by
            total = total + part * c
        return total

    def c_text(self, names: Mapping[str, str] | None = None) -> str:
        """C text; every division's argument is non-negative, so truncation is floor."""
        parts: list[str] = []
        for term, c in self.terms:
            text = _term_text(term, names)
            if text == "0":
                continue
            if abs(c) != 1:
                text = f"{text} * {_literal(abs(c))}"
            parts.append(("- " if c < 0 else "+ ") + text)
        if self.const or not parts:
            parts.append(("- " if self.const < 0 else "+ ") + _literal(abs(self.const)))
        parts.sort(key=lambda p: p.startswith("-"))
        head, *rest = parts
        return " ".join([head[2:] if head.startswith("+ ") else "-" + head[2:], *rest])


ZERO = Index(0)


def var(key: str, extent: int) -> Index:
    """A variable that counts 0 .. extent-1."""
    return Index(0, ((Term(key, "var", 0, max(extent - 1, 0)), 1),))


def ranged(key: str, low: int, high: int) -> Index:
    """A variable known only at run time, within [low, high]."""
    return Index(low) if low == high else Index(0, ((Term(key, "var", low, high), 1),))


def linearize(index: tuple[Index, ...], shape: tuple[int, ...]) -> Index:
    """Row-major offset of an index in a tensor of that shape, in elements."""
    total, stride = ZERO, 1
    for i, extent in zip(reversed(index), reversed(shape), strict=True):
        total = total + i * stride
        stride *= extent
    return total


def delinearize(offset: Index, shape: tuple[int, ...]) -> tuple[Index, ...]:
    """The index of a row-major offset; the inverse of :func:`linearize`."""
    out: list[Index] = []
    for position, extent in enumerate(reversed(shape)):
        last = position == len(shape) - 1
        out.append(offset if last else offset % extent)
        offset = offset // max(extent, 1)
    return tuple(reversed(out))


def _literal(value: int) -> str:
    return f"{value}LL" if value >= 2**31 else str(value)


def _term_text(term: Term, names: Mapping[str, str] | None) -> str:
    if term.arg is None:
        return names.get(term.key, term.key) if names else term.key
    inner = term.arg.c_text(names)
    if " " in inner:
        inner = f"({inner})"
    return f"({inner} {'/' if term.kind == 'div' else '%'} {_literal(term.by)})"


def _single(index: Index) -> Term | None:
    if index.const == 0 and len(index.terms) == 1 and index.terms[0][1] == 1:
        return index.terms[0][0]
    return None


def _normal(const: int, merged: dict[Term, int]) -> Index:
    """Drop zero terms and apply ``k*c*(x // k) + c*(x % k) = c*x`` until nothing changes."""
    again = True
    while again:
        again = False
        for term, c in list(merged.items()):
            if c == 0:
                del merged[term]
                continue
            if term.kind != "mod" or term.arg is None:
                continue
            quotient = _single(term.arg // term.by)
            if quotient is not None and merged.get(quotient, 0) == c * term.by:
                del merged[term], merged[quotient]
                whole = term.arg * c
                const += whole.const
                for t, k in whole.terms:
                    merged[t] = merged.get(t, 0) + k
                again = True
                break
    return Index(const, tuple(sorted(merged.items(), key=lambda item: item[0].key)))


def _split(index: Index, by: int) -> tuple[Index, Index]:
    """``index = by * whole + rest`` with rest non-negative by its range."""
    whole = Index(index.const // by, tuple((t, c // by) for t, c in index.terms if c % by == 0))
    rest = Index(index.const % by, tuple((t, c) for t, c in index.terms if c % by))
    if rest.low < 0:
        lift = -(rest.low // by)
        whole, rest = whole - lift, rest + lift * by
    return whole, rest


def _divide(index: Index, by: int) -> Index:
    if by == 1:
        return index
    whole, rest = _split(index, by)
    if rest.high < by:
        return whole
    common = gcd(by, *(c for _, c in rest.terms))
    if common > 1:
        reduced = Index(rest.const // common, tuple((t, c // common) for t, c in rest.terms))
        return whole + reduced // (by // common)
    single = _single(rest)
    if single is not None and single.kind == "div" and single.arg is not None:
        return whole + single.arg // (single.by * by)
    term = Term(f"({rest.key})/{by}", "div", rest.low // by, rest.high // by, rest, by)
    return whole + Index(0, ((term, 1),))


def _modulo(index: Index, by: int) -> Index:
    if by == 1:
        return ZERO
    _, rest = _split(index, by)
    if rest.high < by:
        return rest
    common = gcd(by, *(c for _, c in rest.terms))
    if common > 1:
        reduced = Index(rest.const // common, tuple((t, c // common) for t, c in rest.terms))
        return (reduced % (by // common)) * common + rest.const % common
    single = _single(rest)
    if single is not None and single.kind == "mod" and single.arg is not None and single.by % by == 0:
        return single.arg % by
    term = Term(f"({rest.key})%{by}", "mod", 0, by - 1, rest, by)
    return Index(0, ((term, 1),))
