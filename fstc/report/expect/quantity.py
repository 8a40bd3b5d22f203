"""Quantities as people write and read them: counts, bytes, times, ratios, shares; and bounds on them.

Example::

    bound, why = parse_bound("<= 38 MB", Dimension.BYTES)
    bound.holds(40_100_000)                 # False
    bound.missed_by(40_100_000)             # "2.1 MB more (+5.5 %)"

Bytes come in powers of 1000 (KB MB GB) and of 1024 (KiB MiB GiB); times in us, ms, s; ratios and shares plain or in %.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from operator import eq, ge, gt, le, lt

from fstc.support.suggest import clipped

Number = int | float


class Dimension(Enum):
    """What is measured, and the units that a bound on it may have; the first is that of a plain number."""

    COUNT = "a whole number such as 12"
    BYTES = "a size such as 38 MB or 512 KiB"
    TIME = "a time such as 41.2 us or 1.5 ms"
    RATIO = "a ratio such as 1.02 or 102%"
    SHARE = "a share such as 50% or 0.5"

    @property
    def units(self) -> Mapping[str, Number]:
        return UNITS[self]


UNITS: Mapping[Dimension, Mapping[str, Number]] = {
    Dimension.COUNT: {"": 1},
    Dimension.BYTES: {"B": 1}
    | {f"{letter}B": 1000 ** (n + 1) for n, letter in enumerate("KMGT")}
    | {f"{letter}iB": 1024 ** (n + 1) for n, letter in enumerate("KMGT")},
    Dimension.TIME: {"us": 1, "ms": 1000, "s": 1_000_000},
    Dimension.RATIO: {"": 1, "%": 0.01},
    Dimension.SHARE: {"": 1, "%": 0.01},
}
SIGNS: Mapping[str, Callable[[Number, Number], bool]] = {"<=": le, ">=": ge, "<": lt, ">": gt, "==": eq}
BOUND = re.compile(r"(<=|>=|==|=|<|>)?\s*(\d{1,18}(?:\.\d{1,18})?)\s*([A-Za-z%]{0,8})", re.ASCII)
DIGITS, MOST_DIGITS = 4, 15


@dataclass(frozen=True)
class Bound:
    """``actual sign value``; ``unit`` is the one that it was written in."""

    sign: str
    value: Number
    dimension: Dimension
    unit: str = ""

    def holds(self, actual: Number) -> bool:
        return SIGNS[self.sign](actual, self.value)

    def __str__(self) -> str:
        shown = shortest(self.value, self.dimension, self.unit)
        return shown if self.sign == "==" else f"{self.sign} {shown}"

    def shown(self, actual: Number) -> str:
        """The quantity in the bound's unit, with as many digits as show on which side of the bound it is."""
        texts = (in_unit(actual, self.dimension, self.unit, n) for n in range(DIGITS, MOST_DIGITS))
        exact = shortest(actual, self.dimension, self.unit)
        return exact if actual == self.value else next((t for t in texts if self._side(t, actual)), exact)

    def _side(self, text: str, actual: Number) -> bool:
        """A rounded figure lies where the exact one does: above the bound or below."""
        shown = scaled(text.removesuffix(self.unit).strip(), self.dimension.units[self.unit])
        return shown != self.value and (shown > self.value) == (actual > self.value)

    def missed_by(self, actual: Number) -> str:
        """How far a quantity is from the bound, absolute and relative."""
        difference = actual - self.value
        if difference == 0:
            return "the limit itself is not allowed"
        amount = in_unit(abs(difference), self.dimension, self.unit)
        relative = f" ({_percent(difference / self.value)})" if self.value else ""
        return f"{amount} {'more' if difference > 0 else 'less'}{relative}"


def _percent(share: float) -> str:
    percent = share * 100
    return f"{percent:+,.0f} %" if abs(percent) >= 1000 else f"{percent:+.3g} %"


def parse_bound(text: str, dimension: Dimension) -> tuple[Bound | None, str]:
    """The bound, or why the text is none."""
    match = BOUND.fullmatch(text.strip())
    if not match:
        return None, f"{clipped(text)!r} is not {dimension.value}, alone or after <=, <, >=, > or =="
    sign, digits, unit = match.groups()
    units = dimension.units
    unit = unit or next(iter(units))
    if unit not in units:
        known = " ".join(filter(None, units))
        return None, f"{unit} is no unit of {dimension.value}" + (f"; units are {known}" if known else "")
    value = scaled(digits, units[unit])
    if dimension is Dimension.COUNT and not isinstance(value, int):
        return None, f"{digits} is not {dimension.value}"
    if dimension is Dimension.SHARE and value > 1:
        return None, f"{text.strip()} is more than 100%"
    return Bound("==" if sign in (None, "=") else sign, value, dimension, unit), ""


def scaled(digits: str, factor: Number) -> Number:
    """Decimal digits times a unit, without the detour over binary fractions."""
    from decimal import Decimal

    exact = Decimal(digits) * Decimal(str(factor))
    return int(exact) if exact == exact.to_integral_value() else float(exact)


def in_unit(value: Number, dimension: Dimension, unit: str, digits: int = DIGITS) -> str:
    """A quantity in a unit: ``in_unit(40_100_000, Dimension.BYTES, "MB") == "40.1 MB"``."""
    factor = dimension.units[unit]
    number = value / factor if factor != 1 else value
    text = str(number) if isinstance(number, int) else f"{number:.{digits}g}"
    if "e" in text:
        text = f"{number:.0f}" if abs(number) >= 1 else f"{number:.{MOST_DIGITS}f}".rstrip("0").rstrip(".")
    return f"{text}{'' if unit in ('', '%') else ' '}{unit}"


def shortest(value: Number, dimension: Dimension, unit: str) -> str:
    """With no more digits than the value needs."""
    return in_unit(value, dimension, unit, 12)
