"""Text to graph: what is stored, what is equal, what a round trip keeps."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fstc.ir.formatter import format_text
from fstc.ir.parser import parse_bytes, parse_text
from fstc.ir.printer import print_graph
from fstc.support.diagnostics import FstcError, render_github, render_json, render_text
from tests.unit.ir.texts import ALL_SYNTAX, texts


def test_values_and_nodes() -> None:
    graph = parse_text(ALL_SYNTAX)
    assert (graph.module, graph.name) == ("a b", "main.1")
    assert dict(graph.attrs) == {
        "source": 'x "quoted" é',
        "opset": 1,
        "rate": 1e-3,
        "flags": (True, (1, -2.5)),
        "mode": "word",
    }
    assert graph.dims == (("B", 2), ("Q", 6), ("R", 4))
    assert [v.name for v in graph.values[:2]] == ["x", "odd name"]
    assert graph.values[0].attrs == (("high", math.inf), ("low", -4.0))
    assert [n.op.name for n in graph.nodes][:3] == ["transpose", "transpose", "argmax"]
    assert graph.nodes[1].attr("permutation") == (1, 0)
    assert graph.nodes[0].loc == "model.py:12"
    table = graph.nodes[4].attr("value")
    assert table == ((1.0, 2.5, math.nan), (-math.inf, 0.1875, 1e-30))
    assert all(isinstance(x, float) for row in table for x in row)
    assert str(graph.type(graph.outputs[1])) == "f32[2]"
    (region,) = graph.nodes[8].regions
    assert [n.op.name for n in region.graph.nodes] == ["add"]


def test_spans_point_at_the_text() -> None:
    graph = parse_text(ALL_SYNTAX, "a.fir")
    span = graph.nodes[0].span
    assert span is not None
    assert ALL_SYNTAX[span.start : span.end] == "transpose %x"
    assert span.source.locate(span.start)[:2] == (11, 8)


def test_bindings_change_defaults_and_what_derives_from_them() -> None:
    text = "dim B = 2\ndim Q = B*4 - 2\ndim K\nfunc @f(%x: f32[B,Q,K]) -> (f32[B,Q,K]) { return %x }"
    assert parse_text(text, binds={"B": 3, "K": 7}).dims == (("B", 3), ("Q", 10), ("K", 7))
    assert parse_text(text, binds={"Q": 5, "K": 7}).dims == (("B", 2), ("Q", 5), ("K", 7))


def test_an_alias_is_its_op() -> None:
    text = "func @f(%x: f32[2]) -> (f32[2]) {{ %y = {} %x, %x : f32[2] return %y }}"
    assert parse_text(text.format("multiply")) == parse_text(text.format("mul"))


def test_byte_order_mark_and_crlf() -> None:
    text = ALL_SYNTAX.replace("\n", "\r\n")
    assert parse_bytes(b"\xef\xbb\xbf" + text.encode(), "a.fir") == parse_text(ALL_SYNTAX)


def test_printing_and_formatting_keep_the_graph() -> None:
    graph = parse_text(ALL_SYNTAX)
    text = print_graph(graph)
    assert parse_text(text) == graph
    assert print_graph(parse_text(text)) == text
    formatted = format_text(ALL_SYNTAX)
    assert parse_text(formatted) == graph
    assert format_text(formatted) == formatted


@given(texts())
def test_round_trip(text: str) -> None:
    graph = parse_text(text)
    printed = print_graph(graph)
    assert parse_text(printed) == graph
    assert print_graph(parse_text(printed)) == printed
    formatted = format_text(text)
    assert parse_text(formatted) == graph
    assert format_text(formatted) == formatted


PIECES = (
    *("{", "}", "(", ")", "[", "]", '"', "%", "@", "//", "\n", "-", "*", "/", "=", ",", ":", "\t", "\r", "\x1b", "\\"),
    *("9" * 30, "nan", "f32[", "return", "func", "dim B", "%x", "loc(", "1e999", "0x1p9999", '%"', "B", "->"),
)


@given(st.integers(0, 2**32))
def test_damaged_text_is_refused_or_understood(seed: int) -> None:
    """Whatever becomes of a text: a graph that prints and parses again, or diagnostics that render."""
    source = random.Random(seed)
    text = ALL_SYNTAX
    for _ in range(source.choice((1, 1, 2, 5))):
        at = source.randrange(len(text) + 1)
        cut = source.choice((0, 0, 1, 5, len(text) if source.random() < 0.2 else 0))
        text = text[:at] + source.choice(("", *PIECES)) + text[at + cut :]
    try:
        graph = parse_text(text, "a.fir")
    except FstcError as error:
        assert "\x1b" not in render_text(error.diagnostics)
        assert render_json(error.diagnostics)
        assert render_github(error.diagnostics)
    else:
        assert parse_text(print_graph(graph)) == graph


@pytest.mark.parametrize("spelling", ["0x1p-3", "0.125", "1.25e-1", "125e-3"])
def test_floats_are_compared_by_value(spelling: str) -> None:
    text = "func @f() -> (f32[]) {{ %c = constant {{value = {}}} : f32[] return %c }}"
    assert parse_text(text.format(spelling)) == parse_text(text.format("0.125"))


@given(st.floats(allow_nan=False))
def test_floats_print_exactly(value: float) -> None:
    text = f"func @f() -> (f64[]) {{ %c = constant {{value = {value!r}}} : f64[] return %c }}"
    found = parse_text(print_graph(parse_text(text))).nodes[0].attr("value")
    assert found.hex() == value.hex()
