"""Symbolic extents: what jax.export wrote of them, and their values from ``--bind``.

Example: the specification ``(b, 2*b + 1)`` with ``b`` bound to 3 is ``(3, 7)``. A module with extents that are not
known says in its assertions how the arguments' shapes depend on named dimensions; a module that does not say takes one
name per argument and axis: ``x_0``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from fstc.frontends.stablehlo.program import DYNAMIC, Block, Function, Program
from fstc.ir.types import Shape, TensorType

SPECIFICATION = re.compile(r"(\S+)\.shape = \(([^=]*?)\)(?=,|\.|$)")
BINARY: Mapping[type[ast.AST], Callable[[int, int], int]] = {
    ast.Add: lambda x, y: x + y,
    ast.Sub: lambda x, y: x - y,
    ast.Mult: lambda x, y: x * y,
    ast.Pow: lambda x, y: x**y if 0 <= y <= 8 and abs(x) < 2**31 else 0,
    ast.BitXor: lambda x, y: x**y if 0 <= y <= 8 and abs(x) < 2**31 else 0,
}
FUNCTIONS: Mapping[str, Callable[[int, int], int]] = {
    "floordiv": lambda x, y: x // y,
    "mod": lambda x, y: x % y,
    "max": max,
    "min": min,
}
LONGEST = 4096


class UnknownExtent(Exception):
    """``names``: dimensions that have no value."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(", ".join(names))
        self.names = names


def extent_names(program: Program, names: list[str]) -> set[str]:
    """The names in the symbolic extents of main's arguments."""
    return {n for terms in _terms(program, names) for term in terms or () for n in _names(term)}


def _terms(program: Program, names: list[str]) -> list[list[str] | None]:
    """Per argument of main a term for each extent; None where all are numbers, or it is no tensor."""
    specifications = iter(_specifications(program.main))
    found: list[list[str] | None] = []
    for name, type in zip(names, program.main.body.types, strict=True):
        if not isinstance(type, TensorType) or DYNAMIC not in type.shape:
            found.append(None)
            continue
        terms = next(specifications, None) or []
        rank = type.rank
        found.append(terms if len(terms) == rank else [f"{_identifier(name)}_{d}" for d in range(rank)])
    return found


def bound_shapes(program: Program, names: list[str], binds: Mapping[str, int]) -> list[Shape | None]:
    """The shape of each argument of main; None where it is no tensor. UnknownExtent where a name has no value."""
    wanted: dict[str, None] = {}
    found: list[Shape | None] = []
    for type, terms in zip(program.main.body.types, _terms(program, names), strict=True):
        if not isinstance(type, TensorType) or terms is None:
            found.append(type.shape if isinstance(type, TensorType) else None)
            continue
        shape = []
        for extent, term in zip(type.shape, terms, strict=True):
            missing = [n for n in _names(term) if n not in binds] if extent == DYNAMIC else []
            wanted.update(dict.fromkeys(missing))
            shape.append(extent if extent != DYNAMIC else 0 if missing else evaluate(term, binds))
        found.append(tuple(shape))
    if wanted:
        raise UnknownExtent(list(wanted))
    return found


def _specifications(main: Function) -> list[list[str]]:
    """The symbolic shapes in the order of the arguments that have them, from the text of an assertion."""
    for text in _messages(main.body):
        start = text.find("specifications: ")
        if start >= 0 and len(text) < 1 << 20:
            part = text[start + len("specifications: ") :].partition(" Obtained dimension variables")[0]
            shapes = [_split(shape) for _, shape in SPECIFICATION.findall(part)]
            return [shape for shape in shapes if any(_names(term) for term in shape)]
    return []


def _messages(block: Block) -> Iterator[str]:
    for op in block.ops:
        message: Any = op.attrs.get("error_message")
        if isinstance(message, str):
            yield message


def _split(text: str) -> list[str]:
    """At commas outside of parentheses."""
    parts, depth = [""], 0
    for c in text:
        depth += (c == "(") - (c == ")")
        if c == "," and not depth:
            parts.append("")
        else:
            parts[-1] += c
    return [p.strip() for p in parts if p.strip()]


def _names(term: str) -> list[str]:
    return [n for n in re.findall(r"[A-Za-z_]\w*", term) if n not in FUNCTIONS]


def _identifier(name: str) -> str:
    return re.sub(r"\W", "_", name)


def evaluate(term: str, binds: Mapping[str, int]) -> int:
    """An extent; 0 for what is no arithmetic, which the assertions of the module then refuse."""
    try:
        tree = ast.parse(term, mode="eval").body if len(term) < LONGEST else ast.Constant(0)
        return _value(tree, binds)
    except (SyntaxError, ValueError, ZeroDivisionError, RecursionError, MemoryError):
        return 0


def _value(node: ast.AST, binds: Mapping[str, int]) -> int:
    match node:
        case ast.Constant(value=int(value)):
            return value
        case ast.Name(id=name):
            return binds[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, binds)
        case ast.BinOp(left=left, op=how, right=right) if type(how) in BINARY:
            return BINARY[type(how)](_value(left, binds), _value(right, binds))
        case ast.Call(func=ast.Name(id=name), args=[left, right]) if name in FUNCTIONS:
            return FUNCTIONS[name](_value(left, binds), _value(right, binds))
    raise ValueError(ast.dump(node))
