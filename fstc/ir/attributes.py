"""Attribute values as written -> as stored: checked against the op table and normalised.

Example: for ``AttrDef("axes", "ints")`` the text ``[0, R-1]`` with ``dim R = 4`` becomes ``(0, 3)``. Lists become
tuples, integers become floats where the table says float, and a NaN is always ``math.nan`` itself, so
that equal texts give equal nodes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence

from fstc.ir.extents import Extents, Lost
from fstc.ir.graph import Attr
from fstc.ir.ops.opdef import AttrDef
from fstc.ir.syntax import Attribute, Expr, Floating, Integer, ListOf, Name, Negative, Text, extent_of
from fstc.ir.types import DTYPES
from fstc.support.diagnostics import Diagnostic, FstcError, Label, Note
from fstc.support.source import Span
from fstc.support.suggest import clipped, did_you_mean

INPUT_ATTRS = (
    AttrDef("low", "float", required=False, doc="least random test value"),
    AttrDef("high", "float", required=False, doc="largest random test value; for integers one more"),
    AttrDef(
        "domain",
        "str",
        required=False,
        choices=("permutation", "positive", "probability"),
        doc="permutation: distinct integers below `high`; positive: 0.1 to 2; probability: 0 to 1",
    ),
    AttrDef("alias", "int", required=False, doc="the output that this input is donated to"),
)

Attrs = tuple[tuple[str, Attr], ...]

_WANTED = {
    "int": "an integer",
    "ints": "a list of integers such as [0, 1]",
    "float": "a number",
    "bool": "true or false",
    "str": "a string or a word",
    "value": "a number, true, false, or lists of them",
    "dtype": "an element type",
    "pairs": "a list of pairs such as [[0, 1], [2, 0]]",
}


def checked(
    given: list[Attribute], defs: Sequence[AttrDef], extents: Extents, owner: str, place: Span
) -> tuple[dict[str, Attr], list[Diagnostic], bool]:
    """Values by name with defaults filled in, errors, and whether all values are known.

    ``owner`` names the op in messages; ``place`` is where a missing attribute is reported.
    """
    values = {d.name: d.default for d in defs if d.default is not None}
    known = {d.name: d for d in defs}
    errors: list[Diagnostic] = []
    seen: dict[str, Attribute] = {}
    complete = True
    for item in given:
        name = str(item.name)
        try:
            _check_name(item, seen, known, extents, owner)
            seen[name] = item
            values[name] = _CONVERT[known[name].type](known[name], item.value, extents)
        except FstcError as error:
            errors += error.diagnostics
            seen.setdefault(name, item)
        except Lost:
            complete = False
    for definition in defs:
        if definition.required and definition.name not in seen:
            help = f"write {{{definition.name} = ...}}: {definition.doc or _WANTED[definition.type]}"
            message = f"{owner} needs the attribute `{definition.name}`"
            errors.append(Diagnostic("FST0301", message, Label(place), help=help))
    return values, errors, complete and not errors


def as_floats(value: Attr) -> Attr:
    """A constant of a float type: 1 and 1.0 are one value."""
    if isinstance(value, tuple):
        return tuple(map(as_floats, value))
    try:
        return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
    except OverflowError:
        return value  # the op's rule says what is wrong with it


def free(given: list[Attribute], extents: Extents) -> tuple[dict[str, Attr], list[Diagnostic]]:
    """Values of attributes that no table declares (those of the module)."""
    values: dict[str, Attr] = {}
    errors: list[Diagnostic] = []
    seen: dict[str, Attribute] = {}
    for item in given:
        try:
            _check_twice(item, seen, extents)
            seen[str(item.name)] = item
            values[str(item.name)] = _anything(item.value, extents)
        except FstcError as error:
            errors += error.diagnostics
        except Lost:
            continue
    return values, errors


def attribute_span(item: Attribute, extents: Extents) -> Span:
    """From the attribute's name to the end of its value."""
    end = extent_of(item.value)
    return Span(extents.source, item.name.start_pos or 0, end[1] if end else item.name.end_pos or 0)


def unquoted(text: Text, extents: Extents) -> str:
    """The string that a literal stands for."""
    value = str(json.loads(text.token))
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _refused(text, extents, "FST0101", "half a surrogate pair is no character") from None
    return value


def _check_name(
    item: Attribute, seen: dict[str, Attribute], known: dict[str, AttrDef], extents: Extents, owner: str
) -> None:
    _check_twice(item, seen, extents)
    if str(item.name) not in known:
        listing = f"it has {', '.join(known)}" if known else "it has none"
        help = did_you_mean(str(item.name), known) or listing
        label = Label(extents.span(item.name))
        raise FstcError(Diagnostic("FST0302", f"{owner} has no attribute `{clipped(item.name)}`", label, help=help))


def _check_twice(item: Attribute, seen: dict[str, Attribute], extents: Extents) -> None:
    first = seen.get(str(item.name))
    if first:
        note = Note("first given here", extents.span(first.name))
        label = Label(extents.span(item.name))
        raise FstcError(Diagnostic("FST0304", f"`{item.name}` is given twice", label, (note,)))


def _int(definition: AttrDef, expr: Expr, extents: Extents) -> Attr:
    if isinstance(expr, Text | ListOf | Floating):
        raise _mistyped(definition, expr, extents)
    return extents.evaluate(expr)


def _ints(definition: AttrDef, expr: Expr, extents: Extents) -> Attr:
    if not isinstance(expr, ListOf):
        raise _mistyped(definition, expr, extents)
    return tuple(_int(definition, item, extents) for item in expr.items)


def _pairs(definition: AttrDef, expr: Expr, extents: Extents) -> Attr:
    if not isinstance(expr, ListOf):
        raise _mistyped(definition, expr, extents)
    pairs = tuple(_ints(definition, item, extents) for item in expr.items)
    for item, pair in zip(expr.items, pairs, strict=True):
        if len(pair) != 2:
            raise _mistyped(definition, item, extents)
    return pairs


def _float(definition: AttrDef, expr: Expr, extents: Extents) -> Attr:
    value = _number(expr, extents)
    if value is None:
        raise _mistyped(definition, expr, extents)
    try:
        return float(value)
    except OverflowError:
        raise _mistyped(definition, expr, extents) from None


def _bool(definition: AttrDef, expr: Expr, extents: Extents) -> Attr:
    if isinstance(expr, Name) and expr.token in ("true", "false"):
        return expr.token == "true"
    raise _mistyped(definition, expr, extents)


def _str(definition: AttrDef, expr: Expr, extents: Extents) -> Attr:
    if not isinstance(expr, Text | Name):
        raise _mistyped(definition, expr, extents)
    value = unquoted(expr, extents) if isinstance(expr, Text) else str(expr.token)
    if definition.choices and value not in definition.choices:
        wanted = " ".join(definition.choices)
        raise _refused(expr, extents, "FST0305", f"`{definition.name}` is `{clipped(value)}`", f"one of: {wanted}")
    return value


def _dtype(definition: AttrDef, expr: Expr, extents: Extents) -> Attr:
    if isinstance(expr, Name) and str(expr.token) in DTYPES:
        return str(expr.token)
    raise _mistyped(definition, expr, extents)


def _value(definition: AttrDef, expr: Expr, extents: Extents) -> Attr:
    if isinstance(expr, ListOf):
        return tuple(_value(definition, item, extents) for item in expr.items)
    if isinstance(expr, Name) and expr.token in ("true", "false"):
        return expr.token == "true"
    value = _number(expr, extents)
    if value is None:
        raise _mistyped(definition, expr, extents)
    return value


_CONVERT: dict[str, Callable[[AttrDef, Expr, Extents], Attr]] = {
    "int": _int,
    "ints": _ints,
    "float": _float,
    "bool": _bool,
    "str": _str,
    "value": _value,
    "dtype": _dtype,
    "pairs": _pairs,
}


def _anything(expr: Expr, extents: Extents) -> Attr:
    if isinstance(expr, ListOf):
        return tuple(_anything(item, extents) for item in expr.items)
    if isinstance(expr, Text):
        return unquoted(expr, extents)
    if isinstance(expr, Name) and str(expr.token) not in extents.bound:
        word = str(expr.token)
        return {"true": True, "false": False, "inf": math.inf, "nan": math.nan}.get(word, word)
    return _number(expr, extents)


def _number(expr: Expr, extents: Extents) -> int | float | None:
    """An int or float; None for what is no number at all."""
    if isinstance(expr, Integer):
        return int(expr.token)
    if isinstance(expr, Floating):
        return _parse_float(expr, extents)
    if isinstance(expr, Name) and expr.token in ("inf", "nan"):
        return math.inf if expr.token == "inf" else math.nan
    if isinstance(expr, Negative) and not isinstance(expr.operand, Name | Integer | Floating):
        return extents.evaluate(expr)
    if isinstance(expr, Negative):
        value = _number(expr.operand, extents)
        if value is None or value != value:
            return value
        return -value if len(expr.signs) % 2 else value
    if isinstance(expr, Text | ListOf):
        return None
    return extents.evaluate(expr)


def _parse_float(expr: Floating, extents: Extents) -> float:
    """A literal whose value a double holds; text that overflows is no number."""
    text = str(expr.token)
    try:
        value = float.fromhex(text) if text[:2] in ("0x", "0X") else float(text)
    except OverflowError:
        value = math.inf
    if math.isinf(value):
        raise _refused(expr, extents, "FST0306", "a number beyond f64", "write inf for infinity")
    return value


def _mistyped(definition: AttrDef, expr: Expr, extents: Extents) -> FstcError:
    return _refused(expr, extents, "FST0303", f"`{definition.name}` must be {_WANTED[definition.type]}")


def _refused(expr: Expr, extents: Extents, code: str, message: str, help: str = "") -> FstcError:
    start, end = extent_of(expr) or (0, 0)
    return FstcError(Diagnostic(code, message, Label(Span(extents.source, start, end)), help=help))
