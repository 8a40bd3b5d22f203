"""Text -> syntax records, with every independent syntax error of the text.

Example: ``read_text(Source("a.fir", text)).file``. After an error the statement it lies in is blanked out and
the rest is read again; what that statement would have defined is remembered in ``lost``, so that later
uses of it are no errors. Lark's exceptions end here.
"""

from __future__ import annotations

import json
import re
from itertools import accumulate
from typing import NamedTuple, cast

from lark import Token
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from fstc.ir.grammar import parser
from fstc.ir.syntax import File, TypeText
from fstc.support.diagnostics import Diagnostic, FstcError, Label
from fstc.support.source import Source, Span
from fstc.support.suggest import alternatives, clipped

MAX_BYTES = 64 << 20
MAX_DEPTH = 64
MAX_TOKEN, MAX_STRING = 4096, 65536
MAX_SYNTAX_ERRORS = 20
LOOK_BACK = 1000  # lines
READ_AGAIN = 8 << 20  # characters that may be read again in all, so that a large file with errors ends soon

STRING = r'"(?:[^"\\\n]|\\.)*"'
_CODE = re.compile(rf'(?:[^"/]+|{STRING}|/(?!/))*')  # a line up to its comment
_STATEMENT = re.compile(r"^[ \t]*(?:%[^=:\n{(]*=|return\b|func\b|dim\b|module\b|\})", re.MULTILINE)
_DEFINES = re.compile(rf"[ \t]*(?:dim\s+(?P<dim>\w+)|(?P<values>%[^=:\n{{(]*)=|%{STRING})")
_QUOTED_NAME = re.compile(rf"[%@](?P<name>{STRING})|{STRING}|//[^\n]*")
_TOKEN = re.compile(rf"{STRING}|//[^\n]*|[\w.+\-%@]+")
_VALUE = re.compile(rf"%(?:[A-Za-z0-9_.\-]+|{STRING})")
_TOKENS = {
    "VALUE": "a %name",
    "SYMBOL": "an @name",
    "OP": "the name of an op",
    "IDENT": "a name",
    "TYPE": "a type such as f32[4]",
    "STRING": "a string",
    "INT": "a number",
    "FLOAT": "a number",
    "$END": "the end of the file, which holds one function",
}
_BEGINS_NO_TOKEN = re.compile(r"[^\s\w%@\"(){}\[\]=,:+\-*/]")
_HASH = re.compile(rf"({STRING}|//[^\n]*)|#[^\n]*")
_OPEN_EXTENT = re.compile(r"\w+\s*\[[^\]\n?]*\?")
_FOREIGN_TYPE = re.compile(r"(?:tensor|memref|vector)<")
_CHARACTER_HELP = {
    "#": "comments start with //",
    '"': "a string ends on its line, and its escapes are those of JSON",
}


class Reading(NamedTuple):
    """``file`` is None when too little could be read to go on."""

    file: File | None
    errors: list[Diagnostic]
    lost: frozenset[str]  # names (with their %) and dims that unreadable statements define


def decode_text(data: bytes, name: str) -> Source:
    """The bytes of a .fir as text, or a refusal that needs no parsing."""
    if len(data) > MAX_BYTES:
        message = f"the file has {len(data):,} bytes; at most {MAX_BYTES:,} are read"
        raise _refused("FST0003", message, name, "put large constants into a safetensors file beside it")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"not UTF-8: byte 0x{data[error.start]:02x} at offset {error.start}, line {line}"
        raise _refused("FST0008", message, name, "save the file as UTF-8") from None
    at = text.find("\0")
    if at >= 0:
        raise _refused("FST0008", f"a NUL character at offset {at}: this is not a text file", name, "")
    return Source(name, text)


def read_text(source: Source) -> Reading:
    """All of a text's statements, and its syntax errors."""
    refusal = _too_deep(source) or _too_long(source) or _half_named(source)
    if refusal:
        return Reading(None, [refusal], frozenset())
    text, errors, lost = source.text, list[Diagnostic](), set[str]()
    most = min(MAX_SYNTAX_ERRORS, 1 + READ_AGAIN // (len(text) + 1))
    while True:
        try:
            file = cast(File, parser().parse(text, start="start"))
            return Reading(file, errors, frozenset(lost))
        except UnexpectedInput as error:
            at = _place(error, text)
            errors.append(_explain(error, source, at))
            hopeless = errors[-1].code == "FST0102" or _unreturned(error)
        plain = _HASH.sub(lambda m: m[1] or " " * len(m[0]), text) if text.startswith("#", at) else text
        if plain != text and len(errors) < most:
            text = plain  # one error for all such comments
            continue
        chunk = None if hopeless else _statement_around(text, at)
        if chunk is None or len(errors) >= most:
            return Reading(None, errors, frozenset(lost))
        start, end = chunk
        lost |= _defined(text[start:end])
        text = text[:start] + re.sub(r"[^\n]", " ", text[start:end]) + text[end:]


def read_type(token: Token, source: Source) -> TypeText:
    """Take one type token apart; a syntax error in it is placed in ``source``."""
    text = str(token)
    try:
        return cast(TypeText, parser().parse(text, start="tensor_type"))
    except UnexpectedInput as error:
        base = token.start_pos or 0
        raise FstcError(_explain(error, source, base + _place(error, text))) from None


def _place(error: UnexpectedInput, text: str) -> int:
    """Where to point: the end of the previous token when the culprit begins a later line."""
    if isinstance(error, UnexpectedToken) and error.token.type == "$END":
        return max(0, _code_end(text, len(text)) - 1)
    at = max(0, error.pos_in_stream or 0)
    if _BEGINS_NO_TOKEN.match(text, at):
        return at
    end = _code_end(text, at)
    missing = end and "\n" in text[end:at] and _wanted(error) != {"$END"}
    return end if missing else at


def _code_end(text: str, at: int) -> int:
    """Where the last token before ``at`` ends: white space and comments are stepped over, line by line."""
    for _ in range(LOOK_BACK):
        if at <= 0:
            return 0
        start = text.rfind("\n", 0, at) + 1
        line = text[start:at]
        code = _CODE.match(line)
        if code and line.startswith("//", code.end()):
            line = code[0]
        if line.strip():
            return start + len(line.rstrip())
        at = start - 1
    return at


def _explain(error: UnexpectedInput, source: Source, at: int) -> Diagnostic:
    """The diagnostic of lark's error; ``at`` is where :func:`_place` points."""
    shown = sorted({_terminal(t) for t in _wanted(error)})
    help = f"expected {alternatives(shown)}" if shown else ""
    if isinstance(error, UnexpectedToken):
        found = str(error.token)
        if error.token.type == "$END":
            label = Label(Span(source, at, at + 1), "the file ends here")
            return Diagnostic("FST0102", "the file ends too early", label, help=help)
        if _unreturned(error):
            label = Label(Span(source, at, at + 1), "it ends here")
            return Diagnostic("FST0101", "a body without `return`", label, help="end it with `return %name`")
        if error.token.type not in _wanted(error) and "TYPE" in _wanted(error):
            found, at, help = _type_at(source, at, found, help)
    else:
        found = source.text[at : at + 1]
        help = _CHARACTER_HELP.get(found, help)
        if source.text.startswith("func.func", at - 4):
            help = "this is MLIR; a .fir says `func @f(%x: f32[4,8]) -> (f32[4,8]) {`, and ops have no prefix"
    if not source.text.startswith(found, at):
        label = Label(Span(source, at, at + 1), f"then comes `{clipped(found)}`")
        return Diagnostic("FST0101", "something is missing at the end of the line", label, help=help)
    label = Label(Span(source, at, at + len(found)))
    return Diagnostic("FST0101", f"unexpected `{clipped(found)}`", label, help=help)


def _unreturned(error: UnexpectedInput) -> bool:
    """A body's brace comes where its `return` should."""
    return isinstance(error, UnexpectedToken) and error.token == "}" and "RETURN" in _wanted(error)


def _type_at(source: Source, at: int, found: str, help: str) -> tuple[str, int, str]:
    """What is wrong where a type should be, its place, and a help line."""
    open_extent = _OPEN_EXTENT.match(source.text, at)
    if open_extent:
        return "?", open_extent.end() - 1, "extents are static: declare `dim N = 4` above the function and write N"
    if _FOREIGN_TYPE.match(source.text, at):
        return found, at, "a type is its element type and its extents: f32[4,8]"
    return found, at, help


def _wanted(error: UnexpectedInput) -> set[str]:
    """The terminals that could stand there; what is ignored everywhere is left out."""
    found: set[str] | None = None
    if isinstance(error, UnexpectedToken):
        found = error.accepts or error.expected
    elif isinstance(error, UnexpectedCharacters):
        found = error.allowed
    return {t for t in found or () if t != "COMMENT" and not t.startswith("__")}


def _terminal(name: str) -> str:
    if name in _TOKENS:
        return _TOKENS[name]
    return f"`{parser().get_terminal(name).pattern.value}`"


def _statement_around(text: str, at: int) -> tuple[int, int] | None:
    """The range of the definition around ``at``; None when what surrounds it is needed to go on."""
    start, end = -1, len(text)
    for match in _STATEMENT.finditer(text):
        if match.start() > at:
            end = match.start()
            break
        start = match.start()
    if start < 0 or not _DEFINES.match(text, start):
        return None
    chunk = re.sub(rf"{STRING}|//[^\n]*", "", text[start:end])
    balanced = chunk.count("{") == chunk.count("}") and chunk.count("(") == chunk.count(")")
    if not balanced and ("{\n" in chunk or "}" in chunk or ") {" in chunk):
        return None
    return start, end


def _defined(chunk: str) -> set[str]:
    match = _DEFINES.match(chunk)
    if not match:
        return set()
    return {match["dim"]} if match["dim"] else set(_VALUE.findall(match["values"] or ""))


def _too_deep(source: Source) -> Diagnostic | None:
    """Nesting is bounded before parsing. A first count ignores strings and comments, which only adds depth."""
    step = {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}
    rough = accumulate(map(step.__getitem__, re.findall(r"[()\[\]{}]", source.text)))
    if max(rough, default=0) <= MAX_DEPTH:
        return None
    depth = 0
    for match in re.finditer(rf"{STRING}|//[^\n]*|[()\[\]{{}}]", source.text):
        depth = max(0, depth + step.get(match[0], 0))
        if depth > MAX_DEPTH:
            label = Label(Span(source, match.start(), match.end()), f"opens level {depth}")
            return Diagnostic("FST0103", f"nested more than {MAX_DEPTH} deep", label)
    return None


def _too_long(source: Source) -> Diagnostic | None:
    start = 0
    for line in source.text.split("\n"):
        if len(line) > MAX_TOKEN:  # no token goes over the end of a line
            for match in _TOKEN.finditer(source.text, start, start + len(line)):
                limit = MAX_STRING if match[0][0] == '"' else MAX_TOKEN
                if match.end() - match.start() > limit and not match[0].startswith("//"):
                    label = Label(Span(source, match.start(), match.end()), f"{len(match[0]):,} characters")
                    return Diagnostic("FST0104", f"a token of more than {limit:,} characters", label)
        start += len(line) + 1
    return None


def _half_named(source: Source) -> Diagnostic | None:
    """A quoted name with half a surrogate pair, which no file could hold; strings are looked at where they are read."""
    if "\\ud" not in source.text.lower():
        return None
    for match in _QUOTED_NAME.finditer(source.text):
        if match["name"] and not _is_text(match["name"]):
            label = Label(Span(source, match.start(), match.end()))
            return Diagnostic("FST0101", "half a surrogate pair is no character", label)
    return None


def _is_text(literal: str) -> bool:
    try:
        json.loads(literal).encode()
    except UnicodeEncodeError:
        return False
    except ValueError:
        return True  # no string of JSON: the parser says so
    return True


def _refused(code: str, message: str, name: str, help: str) -> FstcError:
    return FstcError(Diagnostic(code, message, help=help, file=name))
