"""YAML with places: what is read, what is never made, and where an error stands."""

from __future__ import annotations

import time

import pytest
import yaml

from fstc.support.diagnostics import FstcError
from fstc.support.source import Source
from fstc.support.yaml_events import (
    MOST_ITEMS,
    MOST_PROBLEMS,
    Items,
    Mapping,
    Node,
    Odd,
    Scalar,
    read_fields,
    read_yaml,
)

CODE = "FST0430"


def read(text: str) -> Node | None:
    return read_yaml(Source("a.yaml", text), CODE)


def plain(node: Node | None) -> object:
    """Lists, dictionaries and texts, to compare with what PyYAML makes."""
    if isinstance(node, Mapping):
        return {plain(key): plain(value) for key, value in node.entries}
    if isinstance(node, Items):
        return [plain(item) for item in node.items]
    return node.text if isinstance(node, Scalar) else None


def refused(text: str) -> tuple[str, str, int]:
    """Message, help and offset."""
    with pytest.raises(FstcError) as caught:
        read(text)
    [found] = caught.value.diagnostics
    return found.message, found.help, found.label.span.start if found.label else -1


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\nb: [x, 'y z', \"w\"]\nc: {d: {e: []}}\n",
        "- a\n- - b\n  - c\n- d: |\n    two\n    lines\n",
        "# only words\nword\n",
        "ü: [größer, 漢字]\nz: {k: v}\n",
        "",
    ],
)
def test_reads_what_yaml_reads(text: str) -> None:
    assert plain(read(text)) == yaml.load(text, Loader=yaml.BaseLoader)


def test_spans_are_those_of_the_text() -> None:
    text = "ü: [größer, 'q r']\nz: {k: v}\n"
    root = read(text)
    assert isinstance(root, Mapping)
    (_, items), (_, inner) = root.entries
    assert isinstance(items, Items) and isinstance(inner, Mapping)
    shown = [text[n.span.start : n.span.end] for n in (items, *items.items, inner, inner.entries[0][1])]
    assert shown == ["[größer, 'q r']", "größer", "'q r'", "{k: v}", "v"]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("a: &x 1\nb: *x\n", "an alias"),
        ("a: 1\nb: !!python/object/apply:os.system [true]\n", "an item with a tag"),
        ("a: 1\nb: !!int 3\n", "an item with a tag"),
        ("a: 1\nb: " + "[" * 30 + "]" * 30 + "\n", None),
    ],
)
def test_what_is_odd_stands_for_nothing(text: str, what: str | None) -> None:
    root = read(text)
    assert isinstance(root, Mapping)
    node = root.entries[1][1]
    while isinstance(node, Items):
        node = node.items[0]
    assert isinstance(node, Odd)
    assert node.what == (what or "a level 16 deep")


def test_a_bomb_does_not_grow() -> None:
    """Nine levels of nine aliases each are 387 million items when they are followed."""
    levels = [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9) if n else 'x'}]" for n in range(10)]
    start = time.perf_counter()
    root = read("\n".join(levels))
    assert time.perf_counter() - start < 2
    assert isinstance(root, Mapping) and len(root.entries) == 10


def test_much_nesting_needs_no_stack() -> None:
    refused("[" * 200_000)
    read("{a: " * 900 + "b" + "}" * 900)


@pytest.mark.parametrize(
    ("text", "help", "at"),
    [
        ("a: > 3\n", "opens a block", 5),
        ("a: >= 3\n", "opens a block", 4),
        ("a: [x, %y]\n", "leave the % away", 7),
        ('a: ["b", *c*]\n', "begins with *", 11),
        ("a: 1\n\tb: 2\n", "not with tabs", 5),
        ("a: @b\n", "reserves @", 3),
        ("a: 'open\n", "", 9),
        ("a: 1\n---\nb: 2\n", "", 5),
        ('a: "\x07"\n', "", 4),
    ],
)
def test_an_error_has_its_place(text: str, help: str, at: int) -> None:
    message, shown, offset = refused(text)
    assert message
    assert help in shown and bool(help) == bool(shown)
    assert abs(offset - at) <= 1


def test_fields_are_checked_together() -> None:
    root = read("kernel: 1\nkernals: 2\nkernel: 3\n[x]: 4\nwholly_other: 5\n")
    assert isinstance(root, Mapping)
    fields, problems = read_fields(root, ("kernel", "kernels"), "an expectation", CODE)
    assert plain(fields["kernel"].value) == "1" and list(fields) == ["kernel"]
    assert [p.message for p in problems] == [
        "an expectation has no key 'kernals'",
        "'kernel' is given twice",
        "a key is a word, not a list",
        "an expectation has no key 'wholly_other'",
    ]
    assert problems[0].help == "did you mean kernel or kernels?"
    assert problems[3].help == "the keys: kernel, kernels"


def test_a_flood_is_refused() -> None:
    message, _, _ = refused("[" + "a," * (MOST_ITEMS + 1) + "]")
    assert message == "more than 200,000 items"
    root = read("\n".join(f"x{n}: 1" for n in range(1000)))
    assert isinstance(root, Mapping)
    assert len(read_fields(root, ("a",), "it", CODE)[1]) == MOST_PROBLEMS
