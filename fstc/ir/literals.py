"""Names, attribute values and types as canonical text; the printer and the formatter share it.

Example: ``attribute((0, 3)) == "[0, 3]"``, ``attribute(0.1) == "0.1"``, ``value_name("a b") == '%"a b"'``. Floats
are the shortest decimal text that reads back to the same double.
"""

from __future__ import annotations

import json
import math
import re

from fstc.ir.graph import Attr

INDENT = "  "
MAX_COLUMNS = 110  # a longer function head is broken up
_PLAIN = re.compile(r"[A-Za-z0-9_.\-]+")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESERVED = ("true", "false", "inf", "nan")


def value_name(name: str) -> str:
    return "%" + (name if _PLAIN.fullmatch(name) else quoted(name))


def symbol_name(name: str) -> str:
    return "@" + (name if _PLAIN.fullmatch(name) else quoted(name))


def quoted(text: str) -> str:
    """A string literal; DEL and the like stay as they are, control characters are escaped."""
    return json.dumps(text, ensure_ascii=False)


def attribute(value: Attr) -> str:
    """An attribute's value: words stay words only where no reader could take them for something else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return number(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return quoted(value)
    return f"[{', '.join(map(attribute, value))}]"


def word(value: str) -> str:
    """A string of a fixed set of choices, without quotes where it is an identifier."""
    return value if _WORD.fullmatch(value) and value not in _RESERVED else quoted(value)


def number(value: float) -> str:
    """A float literal: always with a point, an exponent, or one of inf, -inf, nan."""
    if math.isnan(value):
        return "nan"
    return repr(float(value))


def header(name: str, params: list[str], results: list[str]) -> list[str]:
    """The lines of a function's head: one, or one a parameter where that would be long."""
    tail = f") -> ({', '.join(results)}) {{"
    line = f"func {name}({', '.join(params)}{tail}"
    if len(line) <= MAX_COLUMNS or not params:
        return [line]
    return [f"func {name}(", *(f"{INDENT}{p}," for p in params[:-1]), f"{INDENT}{params[-1]}", tail]
