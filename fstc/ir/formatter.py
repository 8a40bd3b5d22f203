"""The formatter: .fir text -> the same program in canonical spacing.

Example: ``%y=exp %x:f32[ B*4 ]  // c`` becomes ``  %y = exp %x : f32[B*4]  // c``. It works on the syntax records,
not on the graph, so symbolic extents, number spelling, attribute order and comments stay. A comment on a
line of its own stays above what followed it, one behind code stays behind it; of several blank lines one
stays. Formatting twice changes nothing, and the text parses to the same graph.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from lark import Token

from fstc.ir.literals import INDENT, header, symbol_name, value_name
from fstc.ir.ops import lookup
from fstc.ir.reader import STRING, decode_text, read_text, read_type
from fstc.ir.syntax import (
    Attribute,
    Chain,
    Expr,
    File,
    ListOf,
    Negative,
    Param,
    RegionText,
    Return,
    Statement,
    extent_of,
    spelled,
)
from fstc.support.diagnostics import FstcError
from fstc.support.source import Source

_TRIVIA = re.compile(r"(?:\s|//[^\n]*)*")
_TAIL = re.compile(r"(?:[\s\]},]|//[^\n]*)*")  # what may stand between a parameter's last token and the parenthesis


class Line(NamedTuple):
    """A printed line and the offset in the source of what it shows."""

    start: int
    text: str
    new_part: bool = False  # a blank line belongs above: module, extents and function stand apart


class Comment(NamedTuple):
    start: int
    text: str
    alone: bool  # on a line of its own


def format_text(text: str, name: str = "<text>") -> str:
    """The canonical spelling of a text; syntax errors are raised, nothing else is looked at."""
    source = decode_text(text.encode("utf-8", "surrogatepass"), name)
    file, errors, _ = read_text(source)
    if file is None or errors:
        raise FstcError(*errors)
    return _merged(list(_Lines(source).of(file)), list(_comments(source.text)), source.text)


class _Lines:
    """The lines of a file, without comments."""

    def __init__(self, source: Source) -> None:
        self.source = source

    def of(self, file: File) -> Iterator[Line]:
        if file.module:
            yield Line(_start(file.module.keyword), f"module {_symbol(file.module.name)}{_braces(file.module.attrs)}")
        for i, dim in enumerate(file.dims):
            default = f" = {_expr(dim.default)}" if dim.default else ""
            yield Line(_start(dim.keyword), f"dim {dim.name}{default}", new_part=not i)
        head = header(_symbol(file.func), [self._param(p) for p in file.params], [self._type(t) for t in file.results])
        yield Line(_start(file.keyword), head[0], new_part=True)
        if len(head) > 1:
            yield from (Line(_start(p.name), text) for p, text in zip(file.params, head[1:-1], strict=True))
            yield Line(self._after(_TAIL, _last(file.params[-1])), head[-1])
        yield from self._body(file.body, file.result, INDENT)
        yield Line(self._brace(file.result), "}")

    def _body(self, statements: list[Statement], result: Return, indent: str) -> Iterator[Line]:
        for statement in statements:
            yield from self._statement(statement, indent)
        yield Line(_start(result.keyword), f"{indent}return {_values(result.values)}".rstrip())

    def _statement(self, s: Statement, indent: str) -> Iterator[Line]:
        op = lookup(str(s.op))
        head = f"{indent}{_values(s.results)} = {op.name if op else s.op} {_values(s.operands)}".rstrip()
        head += _braces(s.attrs)
        start = _start(s.results[0])
        for region in s.regions:
            yield Line(start, f"{head} ({', '.join(self._param(p) for p in region.params)}) {{")
            yield from self._body(region.body, region.result, indent + INDENT)
            head, start = f"{indent}}}", self._brace(region)
        loc = f" loc({s.loc})" if s.loc else ""
        yield Line(start, f"{head} : {', '.join(self._type(t) for t in s.types)}{loc}")

    def _param(self, param: Param) -> str:
        return f"{_value(param.name)}: {self._type(param.type)}{_braces(param.attrs)}"

    def _type(self, token: Token) -> str:
        return _type_text(str(token)) or str(read_type(token, self.source))  # raises when it is malformed

    def _brace(self, body: Return | RegionText) -> int:
        """Where the brace stands that closes a body."""
        result = body.result if isinstance(body, RegionText) else body
        return self._after(_TRIVIA, _end(result.values[-1] if result.values else result.keyword))

    def _after(self, skipped: re.Pattern[str], offset: int) -> int:
        match = skipped.match(self.source.text, offset)
        return match.end() if match else offset


def _merged(lines: list[Line], comments: list[Comment], text: str) -> str:
    """Lines and comments in the order of the source."""
    out: list[str] = []
    behind: list[str] = []  # comments behind the line that is being written
    at = 0
    for i, line in enumerate(lines):
        next_start = lines[i + 1].start if i + 1 < len(lines) else len(text) + 1
        pad = re.match(" *", line.text)
        indent = pad[0] if pad and line.text != "}" else ""
        blank = line.new_part and bool(out)
        while at < len(comments) and comments[at].start < line.start:
            out += _gap(out, text, comments[at].start, blank)
            out.append((INDENT if line.text == "}" else indent) + comments[at].text)
            blank, at = False, at + 1
        out += _gap(out, text, line.start, blank and not _is_comment(out)) if line.text.strip()[0] != "}" else []
        behind.clear()
        while at < len(comments) and comments[at].start < next_start and not comments[at].alone:
            behind.append(comments[at].text)
            at += 1
        out += [indent + c for c in behind[:-1]]
        out.append(line.text + (f"  {behind[-1]}" if behind else ""))
    for comment in comments[at:]:
        out += _gap(out, text, comment.start, False)
        out.append(comment.text)
    return "".join(f"{line}\n" for line in out)


def _gap(out: list[str], text: str, start: int, wanted: bool) -> list[str]:
    """A blank line, when one is wanted or the source has one there; never below an opening brace."""
    if not out or out[-1] == "" or out[-1].endswith(("{", "(")):
        return []
    line = text.rfind("\n", 0, start)
    alone = line >= 0 and not text[line + 1 : start].strip()
    before = text.rfind("\n", 0, max(line, 0))
    return [""] if wanted or (alone and line > 0 and not text[before + 1 : line].strip()) else []


def _is_comment(out: list[str]) -> bool:
    return bool(out) and out[-1].lstrip().startswith("//")


def _comments(text: str) -> Iterator[Comment]:
    for match in re.finditer(rf"{STRING}|//[^\n]*", text):
        if match[0].startswith("//"):
            before = text[text.rfind("\n", 0, match.start()) + 1 : match.start()]
            yield Comment(match.start(), match[0].rstrip(), not before.strip())


@lru_cache(maxsize=4096)
def _type_text(text: str) -> str:
    """A type in canonical spacing; nothing when it is malformed."""
    try:
        parts = read_type(Token("TYPE", text, 0, end_pos=len(text)), Source("", text))
    except FstcError:
        return ""
    return f"{parts.dtype}[{','.join(map(_expr, parts.extents))}]"


def _expr(expr: Expr) -> str:
    if isinstance(expr, ListOf):
        return f"[{', '.join(map(_expr, expr.items))}]"
    if isinstance(expr, Negative):
        return "-" * len(expr.signs) + _operand(expr.operand)
    if isinstance(expr, Chain):
        tight = expr.rest[0][0] in "*/"
        first = _operand(expr.first) if tight else _expr(expr.first)
        return first + "".join(f"{op}{_operand(e) if tight or _is_sum(e) else _expr(e)}" for op, e in expr.rest)
    return str(expr.token)


def _operand(expr: Expr) -> str:
    """An operand that binds tighter than what is around it."""
    return f"({_expr(expr)})" if isinstance(expr, Chain | Negative) else _expr(expr)


def _is_sum(expr: Expr) -> bool:
    return isinstance(expr, Negative) or (isinstance(expr, Chain) and expr.rest[0][0] in "+-")


def _braces(attrs: list[Attribute]) -> str:
    return f" {{{', '.join(f'{a.name} = {_expr(a.value)}' for a in attrs)}}}" if attrs else ""


def _values(tokens: list[Token]) -> str:
    return ", ".join(map(_value, tokens))


def _value(token: Token) -> str:
    return value_name(spelled(token)) if token[1] == '"' else str(token)


def _symbol(token: Token) -> str:
    return symbol_name(spelled(token)) if token[1] == '"' else str(token)


def _last(param: Param) -> int:
    """The end of a parameter's last token."""
    ends = [e for a in param.attrs if (e := extent_of(a.value))]
    return ends[-1][1] if ends else _end(param.attrs[-1].name if param.attrs else param.type)


def _start(token: Token) -> int:
    return token.start_pos or 0


def _end(token: Token) -> int:
    return token.end_pos or 0
