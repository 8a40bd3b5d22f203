"""Syntax records of a .fir: what was written and where, before any op, name or type is looked up.

Example: ``%y = add %x, %x : f32[4]`` becomes ``Statement(results=["%y"], op="add", operands=["%x", "%x"],
attrs=[], regions=[], types=["f32[4]"], loc=None)``. Leaves are lark tokens: strings with ``start_pos`` and
``end_pos``. Named tuples, because a large file has many and they are made on the parser's hot path.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from lark import Token, Transformer


class Integer(NamedTuple):
    token: Token


class Floating(NamedTuple):
    token: Token


class Name(NamedTuple):
    token: Token


class Text(NamedTuple):
    token: Token


class Negative(NamedTuple):
    signs: list[Token]
    operand: Expr


class Chain(NamedTuple):
    """A flat sum or product: ``first``, then (operator, operand) from left to right."""

    first: Expr
    rest: list[tuple[Token, Expr]]


class ListOf(NamedTuple):
    items: list[Expr]


Expr = Integer | Floating | Name | Text | Negative | Chain | ListOf


class Attribute(NamedTuple):
    name: Token
    value: Expr


class Param(NamedTuple):
    name: Token
    type: Token
    attrs: list[Attribute]


class Statement(NamedTuple):
    results: list[Token]
    op: Token
    operands: list[Token]
    attrs: list[Attribute]
    regions: list[RegionText]
    types: list[Token]
    loc: Token | None


class Return(NamedTuple):
    keyword: Token
    values: list[Token]


class RegionText(NamedTuple):
    params: list[Param]
    body: list[Statement]
    result: Return


class Dim(NamedTuple):
    keyword: Token
    name: Token
    default: Expr | None


class ModuleHead(NamedTuple):
    keyword: Token
    name: Token
    attrs: list[Attribute]


class File(NamedTuple):
    module: ModuleHead | None
    dims: list[Dim]
    keyword: Token
    func: Token
    params: list[Param]
    results: list[Token]
    body: list[Statement]
    result: Return


class TypeText(NamedTuple):
    dtype: Token
    extents: list[Expr]


def spelled(token: Token | str) -> str:
    """The name behind a ``%name``, ``@name`` or ``%"quoted name"``."""
    text = str(token[1:])
    return str(json.loads(text)) if text.startswith('"') else text


def extent_of(expr: Expr) -> tuple[int, int] | None:
    """First and last offset of an expression; None for an empty list, which has no token of its own."""
    if isinstance(expr, ListOf):
        ends = [e for item in expr.items if (e := extent_of(item))]
    elif isinstance(expr, Chain):
        ends = [e for item in (expr.first, *(x for _, x in expr.rest)) if (e := extent_of(item))]
    elif isinstance(expr, Negative):
        ends = [_range(expr.signs[0]), *filter(None, [extent_of(expr.operand)])]
    else:
        return _range(expr.token)
    return (ends[0][0], ends[-1][1]) if ends else None


def _range(token: Token) -> tuple[int, int]:
    return token.start_pos or 0, token.end_pos or 0


Children = list[Any]


class Records(Transformer[Token, Any]):
    """Rule of the grammar -> record; lark calls these while it parses, so no tree is ever built."""

    integer = staticmethod(lambda c: Integer(*c))
    floating = staticmethod(lambda c: Floating(*c))
    name = staticmethod(lambda c: Name(*c))
    string = staticmethod(lambda c: Text(*c))
    negative = staticmethod(lambda c: Negative(c[:-1], c[-1]))
    sum = product = staticmethod(lambda c: Chain(c[0], list(zip(c[1::2], c[2::2], strict=True))))
    list = staticmethod(lambda c: ListOf(c))
    attr = staticmethod(lambda c: Attribute(*c))
    tensor_type = staticmethod(lambda c: TypeText(c[0], c[1:]))
    results = operands = regions = types = params = result_types = attrs = staticmethod(lambda c: c)
    loc = staticmethod(lambda c: c[0])
    param = staticmethod(lambda c: Param(c[0], c[1], c[2] or []))
    region = staticmethod(lambda c: RegionText(c[0], *c[1]))
    body = staticmethod(lambda c: (c[:-1], c[-1]))
    dim = staticmethod(lambda c: Dim(*c))
    module = staticmethod(lambda c: ModuleHead(c[0], c[1], c[2] or []))
    func = staticmethod(lambda c: c)
    result = staticmethod(lambda c: Return(c[0], c[1:]))

    def statement(self, c: Children) -> Statement:
        return Statement(c[0], c[1], c[2], c[3] or [], c[4], c[5], c[6])

    def start(self, c: Children) -> File:
        keyword, name, params, results, (body, result) = c[-1]
        return File(c[0], c[1:-1], keyword, name, params, results, body, result)
