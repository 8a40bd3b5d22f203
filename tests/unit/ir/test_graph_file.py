"""The graph file: equal graph, exact floats, carets while the source is there, refusal of damage."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from fstc.ir.artefact import GraphFile, to_file_form, to_graph
from fstc.ir.parser import parse_file, parse_text
from fstc.support.artefact import decode, encode, read, write
from fstc.support.diagnostics import FstcError
from tests.unit.ir.texts import ALL_SYNTAX, texts


@given(texts())
def test_round_trip(text: str) -> None:
    graph = parse_text(text)
    data = encode(to_file_form(graph))
    again = to_graph(decode(data, GraphFile, "g"))
    assert again == graph
    assert [v.span for v in again.values] == [None] * len(graph.values)  # the source is not at hand


def test_all_syntax() -> None:
    graph = parse_text(ALL_SYNTAX)
    assert to_graph(decode(encode(to_file_form(graph)), GraphFile, "g")) == graph


def test_spans_live_as_long_as_the_source(tmp_path: Path) -> None:
    source, path = tmp_path / "a.fir", tmp_path / "a.graph.json"
    source.write_text(ALL_SYNTAX)
    graph = parse_file(source)
    write(path, to_file_form(graph))
    span = to_graph(read(path, GraphFile), path).nodes[0].span
    assert span is not None
    assert ALL_SYNTAX[span.start : span.end] == "transpose %x"
    source.write_text("// changed\n" + ALL_SYNTAX)
    assert to_graph(read(path, GraphFile), path).nodes[0].span is None
    assert str(tmp_path) not in path.read_text()


Edit = Callable[[dict[str, Any]], object]
EDITS: dict[str, tuple[str, Edit]] = {
    "operand out of range": ("FST0004", lambda f: f["nodes"][0].update(inputs=[99])),
    "operand made later": ("FST0004", lambda f: f["nodes"][0].update(inputs=[3])),
    "output out of range": ("FST0004", lambda f: f.update(outputs=[-1])),
    "unknown op": ("FST0004", lambda f: f["nodes"][0].update(op="frob")),
    "no type": ("FST0004", lambda f: f["inputs"][0].update(type="f32[2,")),
    "another type": ("FST0210", lambda f: f["nodes"][9]["results"][0].update(type="f32[6,3]")),
    "a huge type": ("FST0311", lambda f: f["inputs"][0].update(type="f32[9223372036854775807]")),
    "rank nine": ("FST0312", lambda f: f["inputs"][0].update(type="f32[1,1,1,1,1,1,1,1,1]")),
    "operand missing": ("FST0205", lambda f: f["nodes"][0].update(inputs=[])),
    "region missing": ("FST0207", lambda f: f["nodes"][8].update(regions=[])),
    "attribute missing": ("FST0301", lambda f: f["nodes"][0].update(attrs={})),
    "attribute unknown": ("FST0302", lambda f: f["nodes"][0]["attrs"].update(fast=True)),
    "attribute of another type": ("FST0303", lambda f: f["nodes"][0]["attrs"].update(permutation="10")),
    "attribute that is a float": ("FST0004", lambda f: f["nodes"][0]["attrs"].update(permutation=1.5)),
    "attribute that is odd": ("FST0004", lambda f: f["nodes"][0]["attrs"].update(permutation={"float": []})),
    "attribute out of range": ("FST0209", lambda f: f["nodes"][0]["attrs"].update(permutation=[0, 2])),
    "a name twice": ("FST0203", lambda f: f["inputs"][1].update(name="x")),
    "an op in a region": ("FST0213", lambda f: f["nodes"][8]["regions"][0].update(nodes=[transpose(f)])),
}


def transpose(function: dict[str, Any]) -> dict[str, Any]:
    """A sound transpose of the region's first scalar, in place of its sum."""
    inner = function["nodes"][8]["regions"][0]["nodes"][0]
    return {**inner, "op": "transpose", "inputs": [0], "attrs": {"permutation": []}}


@pytest.mark.parametrize("name", EDITS)
def test_an_edited_file_is_checked(name: str) -> None:
    code, edit = EDITS[name]
    document = json.loads(encode(to_file_form(parse_text(ALL_SYNTAX))))
    edit(document["body"]["function"])
    with pytest.raises(FstcError) as caught:
        to_graph(decode(json.dumps(document).encode(), GraphFile, "a.graph.json"), Path("a.graph.json"))
    assert [d.code for d in caught.value.diagnostics] == [code]
    assert caught.value.diagnostics[0].file == "a.graph.json"
