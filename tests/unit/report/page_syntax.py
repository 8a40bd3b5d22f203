"""Read a page as a browser does, and refuse what a browser would have to guess.

Example: ``read_page(text).find("svg", id="graph")``. Elements that are left open, or closed without
being open, are errors.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

VOID = ("meta", "input", "br", "link", "img")
SHAPES = ("path", "rect")  # of SVG: closed in their own tag


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)
    text: str = ""  # its own

    def every(self) -> Iterator[Element]:
        yield self
        for child in self.children:
            yield from child.every()

    def all(self, tag: str = "", **wanted: str) -> list[Element]:
        """Elements of a tag whose attributes are as wanted; ``class_`` is one of the classes."""
        kind = wanted.pop("class_", "")
        return [
            e
            for e in self.every()
            if (not tag or e.tag == tag)
            and all(e.attributes.get(key.replace("_", "-")) == value for key, value in wanted.items())
            and (not kind or kind in e.attributes.get("class", "").split())
        ]

    def find(self, tag: str = "", **wanted: str) -> Element:
        (found,) = self.all(tag, **wanted)
        return found

    @property
    def words(self) -> str:
        return " ".join(" ".join(e.text for e in self.every()).split())


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("", {})
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"{tag}: an attribute twice"
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in SHAPES, f"<{tag}/> is not closed in HTML"
        self.open[-1].children.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> within <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].text += data


def read_page(text: str) -> Element:
    assert text.startswith("<!doctype html>\n")
    reader = _Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == [reader.root], f"{reader.open[-1].tag} is left open"
    return reader.root


def data_of(page: Element) -> Any:
    """The data block, decoded strictly."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(page.find("script", id="data").text, parse_constant=refuse)
