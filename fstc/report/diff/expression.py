"""``--fail-if``: a bound on a figure, or on how much it changed.

Example: ``parse("predicted_us>+2%").holds(Delta(100, 103))``. With a sign the change is meant, in per cent or in units;
without one the new value::

    FIGURE > BOUND          predicted_us>50      bytes<=38MB      kernels>12
    FIGURE > +BOUND         predicted_us>+1.5us  bytes>+1MB       kernels>+0
    FIGURE > +BOUND%        predicted_us>+2%     l2_bytes>+10%

Comparisons are ``> >= < <=``. A time may be in ns, us or ms, a size in B, KB, MB, GB, KiB, MiB, GiB.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NoReturn

import msgspec

from fstc.report.diff.figures import BYTES, COUNT, NAMES, TIME, UNITS
from fstc.report.diff.model import Check, Delta, Diff
from fstc.support.diagnostics import Diagnostic, FstcError, Label
from fstc.support.source import Source, Span
from fstc.support.suggest import did_you_mean

COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt,
}  # fmt: skip
SCALES = {
    TIME: {"": 1.0, "us": 1.0, "ns": 1e-3, "ms": 1e3},
    BYTES: {
        "": 1.0, "B": 1.0, "KB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30,
    },
    COUNT: {"": 1.0},
}  # fmt: skip
PERCENT = "%"
_TOKENS = re.compile(r"\s*([A-Za-z_]*)\s*(>=|<=|>|<|)\s*([+-]?)\s*(\d+(?:\.\d*)?|\.\d+|)\s*([A-Za-z%]*)\s*")


@dataclass(frozen=True)
class Expression:
    """``relative``: the change counts, not the new value; ``percent``: in per cent of the old one."""

    text: str
    figure: str
    comparison: str
    bound: float
    relative: bool
    percent: bool

    def holds(self, delta: Delta) -> bool:
        return COMPARE[self.comparison](self._value(delta), self.bound)

    def _value(self, delta: Delta) -> float:
        """What is compared; differences below the digits that artefacts keep are none."""
        if not self.relative:
            return delta.new
        change = 0.0 if abs(delta.change) <= 1e-5 * max(abs(delta.old), abs(delta.new)) else delta.change
        if not self.percent:
            return change
        return 100 * change / delta.old if delta.old else change * float("inf") if change else 0.0


def parse(text: str) -> Expression:
    """A checked expression; refused with a caret at what is wrong."""
    match = _TOKENS.match(text)
    assert match is not None, "every part may be empty"
    name, comparison, sign, number, unit = match.groups()
    if name not in UNITS:
        near = did_you_mean(name, NAMES) if name else ""
        _refuse(text, match.span(1), "unknown figure" if name else "a figure is missing", near or _figures())
    if not comparison:
        _refuse(text, match.span(2), "a comparison is missing", f"write {name}>+2% or {name}>50; also >=, < and <=")
    if not number:
        _refuse(text, match.span(4), "a number is missing", f"write {name}{comparison}+2% or {name}{comparison}50")
    percent = unit == PERCENT
    scales = SCALES[UNITS[name]]
    if percent and not sign:
        _refuse(text, match.span(5), "per cent of what?", f"a change has a sign: {name}{comparison}+{number}%")
    if not percent and unit not in scales:
        known = ", ".join(u for u in scales if u)
        help = f"{name} is in {known}" if known else f"{name} is a number without unit"
        _refuse(text, match.span(5), f"unknown unit of {name}", help)
    if match.end() < len(text):
        _refuse(text, (match.end(), len(text)), "one comparison an expression", "repeat --fail-if for more")
    bound = float(number) * (1.0 if percent else scales[unit]) * (-1 if sign == "-" else 1)
    return Expression(text.strip(), name, comparison, bound, bool(sign), percent)


def checked(diff: Diff, expressions: Iterable[Expression]) -> Diff:
    """The comparison with what every expression says of each of its plans."""
    found = []
    for expression in expressions:
        for plan in diff.plans:
            delta = plan.total.get(expression.figure)
            if delta is None:
                end = len(expression.figure)
                _refuse(expression.text, (0, end), "only packages have this figure", "give two .fpk files")
            found.append(Check(expression.text, plan.device, expression.holds(delta), delta.old, delta.new))
    return msgspec.structs.replace(diff, checks=tuple(found))


def _figures() -> str:
    return f"one of {', '.join(NAMES)}"


def _refuse(text: str, place: tuple[int, int], why: str, help: str) -> NoReturn:
    span = Span(Source("--fail-if", text), *place)
    raise FstcError(Diagnostic("FST0702", f"--fail-if {text!r} cannot be read", Label(span, why), help=help))
