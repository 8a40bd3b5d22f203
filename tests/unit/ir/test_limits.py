"""Bounds that keep hostile input from costing memory, stack or patience."""

from __future__ import annotations

from pathlib import Path

import pytest

from fstc.ir.parser import MAX_ERRORS, parse_bytes, parse_text
from fstc.support.diagnostics import FstcError

HEAD = "func @f(%x: f32[4]) -> (f32[4]) {\n"
TAIL = "\n return %x }"


def codes(text: str | bytes) -> list[str]:
    with pytest.raises(FstcError) as caught:
        parse_bytes(text if isinstance(text, bytes) else text.encode(), "a.fir")
    return [d.code for d in caught.value.diagnostics]


def test_a_large_file_is_refused_unread() -> None:
    assert codes(b"\xff" * (100 << 20)) == ["FST0003"]


@pytest.mark.parametrize("text", ["a" * 5000, "%" + "a" * 5000, "9" * 5000, '"' + "a" * 70000 + '"'])
def test_long_tokens(text: str) -> None:
    assert codes(HEAD + text) == ["FST0104"]


def test_a_long_string_and_a_long_comment_are_fine() -> None:
    loc = "a" * 60000
    text = f'{HEAD}%a = exp %x : f32[4] loc("{loc}") // {"b" * 90000}{TAIL}'
    assert parse_text(text).nodes[0].loc == loc


@pytest.mark.parametrize("bomb", ["(" * 1000000, "[" * 100000, "{" * 100000, "({[" * 100000])
def test_nesting(bomb: str) -> None:
    assert codes(HEAD + bomb) == ["FST0103"]


def test_brackets_in_strings_and_comments_do_not_nest() -> None:
    text = f'{HEAD}%a = exp %x : f32[4] loc("{"(" * 100}") // {"[" * 100}{TAIL}'
    assert len(parse_text(text).nodes) == 1


@pytest.mark.parametrize("expr", ["1" + " + 1" * 20000, "- " * 20001 + "1", "1" + " * 1" * 20000])
def test_long_expressions_need_no_stack(expr: str) -> None:
    """Each is a number, and none that names an output."""
    assert codes(f"func @f(%x: f32[4] {{alias = {expr}}}) -> (f32[4]) {{ return %x }}") == ["FST0305"]


def test_huge_numbers() -> None:
    assert codes(f"{HEAD}%a = constant {{value = {'9' * 4000}}} : f64[4]{TAIL}") == ["FST0306"]
    assert codes(f"{HEAD}%a = constant {{value = {'9' * 4000}}} : i32[]{TAIL}") == ["FST0306"]
    assert codes(f"{HEAD}%a = cumsum %x {{axis = {'9' * 4000}}} : f32[4]{TAIL}") == ["FST0311"]


def test_not_more_errors_than_anyone_reads() -> None:
    found = codes(HEAD + "\n".join(f"%a{i} = what{i} %x : f32[4]" for i in range(1000)) + TAIL)
    assert len(found) == MAX_ERRORS + 1
    assert found[-1] == "FST0105"


def test_names_of_the_file_stay_text() -> None:
    graph = parse_text('func @"f\\"; rm"(%"x */ y": f32[4]) -> (f32[4]) { return %"x */ y" }')
    assert (graph.name, graph.values[0].name) == ('f"; rm', "x */ y")


@pytest.mark.parametrize("name", ["loop", "out", "a" * 3000, "x\\u0000y", "."])
def test_constants_files_that_lead_nowhere(tmp_path: Path, name: str) -> None:
    outside = tmp_path / "w.safetensors"
    outside.write_bytes(b"")
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "loop.safetensors").symlink_to("loop.safetensors")
    (folder / "out.safetensors").symlink_to(outside)
    text = f'func @f() -> (f32[4]) {{ %a = constant {{data = "{name}.safetensors:w"}} : f32[4] return %a }}'
    with pytest.raises(FstcError, match="FST0320"):
        parse_text(text, folder=folder)
