"""YAML that people write, with the place of everything in it.

Example::

    root = read_yaml(Source("board.yaml", "sms: 132\\n"), "FST0010")
    fields, problems = read_fields(root, ("sms", "name"), "a device", "FST0010")
    fields["sms"].value.text == "132"      # scalars stay text: whoever reads them knows their type

Made from the parser's events, never from objects: no tag constructs anything, an alias stands for nothing and
multiplies nothing, and nesting costs no stack. What is not a scalar, a list or a mapping is :class:`Odd`, which no
reader accepts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from fstc.support.diagnostics import Diagnostic, FstcError, Label
from fstc.support.source import Source, Span
from fstc.support.suggest import clipped, did_you_mean

DEEPEST = 16  # levels; what people write has four
MOST_ITEMS = 200_000  # of a file; each costs some microseconds
MOST_PROBLEMS = 100  # of a mapping
RESERVED = {  # what YAML takes for a sign of its own, where a value begins
    "%": "quote a name that begins with %, or leave the % away",
    "*": 'quote a pattern that begins with *: "*softmax*"',
    ">": 'quote it, since > opens a block of text in YAML: ">= 4"',
    "!": "quote it, since ! opens a tag in YAML",
    "@": "quote it, since YAML reserves @",
    "\t": "indent with blanks, not with tabs",
}
BEGUN = re.compile(r"(?:^|[:,-]\s+|[\[{]\s*)([%*>!@\t])[^,\]}]*$")  # the last value of a line


@dataclass(frozen=True, slots=True)
class Scalar:
    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    items: tuple[Node, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Mapping:
    entries: tuple[tuple[Node, Node], ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Odd:
    """``what``: an alias, an item with a tag, a level too deep."""

    what: str
    span: Span


Node = Scalar | Items | Mapping | Odd


class Field(NamedTuple):
    key: Scalar
    value: Node


def kind_of(node: Node) -> str:
    """What a node is, for messages."""
    if isinstance(node, Odd):
        return node.what
    return "a list" if isinstance(node, Items) else "a mapping" if isinstance(node, Mapping) else "a value"


def help_for(node: Node) -> str:
    """What to do about an odd node."""
    return (
        RESERVED.get(node.span.source.text[node.span.start : node.span.start + 1], "") if isinstance(node, Odd) else ""
    )


def decode_text(data: bytes, file: str, code: str) -> Source:
    """The text of a file; ``code`` is that of its refusal."""
    try:
        return Source(file, data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise FstcError(Diagnostic(code, f"{file} is not UTF-8 (byte {error.start})", file=file)) from None


def read_yaml(source: Source, code: str) -> Node | None:
    """The one document of a file, None when it is empty; ``code`` is that of a refusal."""
    import yaml

    loader = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
    tree = _Tree(source)
    documents = 0
    try:
        for event in yaml.parse(source.text, Loader=loader):
            documents += isinstance(event, yaml.DocumentStartEvent)
            if documents > 1:
                raise FstcError(Diagnostic(code, "a second document in one file", Label(tree.span(event))))
            if isinstance(event, yaml.CollectionStartEvent):
                tree.open(event, isinstance(event, yaml.MappingStartEvent))
            elif isinstance(event, yaml.CollectionEndEvent):
                tree.close(event)
            elif isinstance(event, yaml.ScalarEvent):
                tree.add(Odd("an item with a tag", tree.span(event)) if event.tag else tree.scalar(event))
            elif isinstance(event, yaml.AliasEvent):
                tree.add(Odd("an alias", tree.span(event)))
            if tree.count > MOST_ITEMS:
                raise FstcError(Diagnostic(code, f"more than {MOST_ITEMS:,} items", Label(tree.span(event))))
    except yaml.YAMLError as error:
        raise FstcError(_no_yaml(source, code, error)) from None
    return tree.root


def read_fields(node: Mapping, known: Iterable[str], noun: str, code: str) -> tuple[dict[str, Field], list[Diagnostic]]:
    """The entries by key, each key once and among ``known`` (no names there: any key), and what is wrong."""
    names = tuple(known)
    found: dict[str, Field] = {}
    problems: list[Diagnostic] = []
    for key, value in node.entries:
        if len(problems) == MOST_PROBLEMS:
            break
        if not isinstance(key, Scalar):
            problems.append(Diagnostic(code, f"a key is a word, not {kind_of(key)}", Label(key.span)))
        elif names and key.text not in names:
            message = f"{noun} has no key {clipped(key.text)!r}"
            help = did_you_mean(key.text, names, str) or f"the keys: {', '.join(names)}"
            problems.append(Diagnostic(code, message, Label(key.span), help=help))
        elif key.text in found:
            problems.append(Diagnostic(code, f"{clipped(key.text)!r} is given twice", Label(key.span)))
        else:
            found[key.text] = Field(key, value)
    return found, problems


@dataclass
class _Open:
    """A collection whose end has not come."""

    start: int
    mapping: bool
    odd: str
    items: list[Node] = field(default_factory=list)


@dataclass
class _Tree:
    """Nodes from events, with a stack of its own."""

    source: Source
    stack: list[_Open] = field(default_factory=list)
    root: Node | None = None
    count: int = 0

    def span(self, event: Any) -> Span:
        return Span(self.source, event.start_mark.index, event.end_mark.index)

    def scalar(self, event: Any) -> Scalar:
        return Scalar(event.value, self.span(event))

    def open(self, event: Any, mapping: bool) -> None:
        deep = len(self.stack) >= DEEPEST
        odd = f"a level {DEEPEST} deep" if deep else "an item with a tag" if event.tag else ""
        self.stack.append(_Open(event.start_mark.index, mapping, odd))

    def close(self, event: Any) -> None:
        done = self.stack.pop()
        span = Span(self.source, done.start, max(done.start, event.end_mark.index))
        if done.odd:
            self.add(Odd(done.odd, span))
        elif done.mapping:
            self.add(Mapping(tuple(zip(done.items[::2], done.items[1::2], strict=True)), span))
        else:
            self.add(Items(tuple(done.items), span))

    def add(self, node: Node) -> None:
        self.count += 1
        if self.stack:
            self.stack[-1].items.append(node)
        else:
            self.root = node


def _no_yaml(source: Source, code: str, error: Any) -> Diagnostic:
    mark = getattr(error, "problem_mark", None)
    at = mark.index if mark else getattr(error, "position", None)
    why = getattr(error, "problem", None) or getattr(error, "reason", "")
    label = Label(Span(source, at, at)) if isinstance(at, int) else None
    return Diagnostic(code, f"{source.name} is no YAML: {why}", label, help=_reserved(source, at), file=source.name)


def _reserved(source: Source, at: object) -> str:
    """Help where the parser stopped at, or in a value that begins with, a sign that YAML keeps for itself."""
    if not isinstance(at, int):
        return ""
    begun = BEGUN.search(source.text[source.text.rfind("\n", 0, at) + 1 : at + 1])
    return RESERVED[begun[1]] if begun else ""
