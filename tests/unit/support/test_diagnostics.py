"""How a diagnostic looks: text in the shape of rustc's, JSON, GitHub annotations."""

from __future__ import annotations

import json
import re

from fstc.support.codes import CODES, exit_code, explain
from fstc.support.diagnostics import (
    Diagnostic,
    FstcError,
    Label,
    Note,
    render_github,
    render_json,
    render_text,
)
from fstc.support.snippet import WIDTH, snippet
from fstc.support.source import Source, Span
from fstc.support.suggest import did_you_mean

SOURCE = Source("softmax.fir", "  %0 = input\n  %1 = max %0, axis=1\n  %2 = sub %0, %1\n")


def span(text: str, source: Source = SOURCE) -> Span:
    at = source.text.index(text)
    return Span(source, at, at + len(text))


DIAGNOSTIC = Diagnostic(
    "FST0209",
    "operand shapes do not broadcast",
    Label(span("sub %0, %1"), "[32,128] against [32]"),
    notes=(Note("%1 gets its shape here", span("%1")), Note("nothing is broadcast")),
    help="keep the axis",
)


def test_text() -> None:
    assert render_text([DIAGNOSTIC]) == (
        "error[FST0209]: operand shapes do not broadcast\n"
        " --> softmax.fir:3:8\n"
        "3 |   %2 = sub %0, %1\n"
        "  |        ^^^^^^^^^^ [32,128] against [32]\n"
        "note: %1 gets its shape here\n"
        " --> softmax.fir:2:3\n"
        "2 |   %1 = max %0, axis=1\n"
        "  |   ^^\n"
        "note: nothing is broadcast\n"
        "help: keep the axis\n"
    )


def test_a_file_error_has_no_caret() -> None:
    text = render_text([Diagnostic("FST0001", "cannot read a.fir: no such file", file="a.fir"), DIAGNOSTIC])
    assert text.startswith("error[FST0001]: cannot read a.fir: no such file\n --> a.fir\n\nerror[FST0209]")


def test_json() -> None:
    entry = json.loads(render_json([DIAGNOSTIC]))
    assert (entry["file"], entry["line"], entry["column"]) == ("softmax.fir", 3, 8)
    assert entry["notes"][0] == {
        "text": "%1 gets its shape here",
        "file": "softmax.fir",
        "line": 2,
        "column": 3,
        "end_line": 2,
        "end_column": 5,
    }


def test_github() -> None:
    line = render_github([DIAGNOSTIC])
    assert line.startswith("::error file=softmax.fir,line=3,col=8,title=FST0209::operand shapes do not broadcast")
    assert line.count("\n") == 1
    assert "%0Ahelp: keep the axis" in line
    assert "%251 gets" in line


def test_tabs_and_wide_characters_keep_the_caret_in_place() -> None:
    source = Source("a", '\t%"名" = e\u0301xp %zz\n')
    assert snippet(span("%zz", source))[1:] == ['1 | \t%"名" = e\u0301xp %zz', "  | \t            ^^^"]
    assert snippet(span("名", source))[2] == "  | \t  ^^"


def test_nothing_in_a_source_drives_the_terminal() -> None:
    source = Source("a\x1b[31m", "x\x1b[2J\u202e\x7f\r\n")
    text = "\n".join(snippet(span("x", source)))
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202e]", text)


def test_long_lines_are_cut_around_the_caret() -> None:
    source = Source("a", "a" * 500 + " here " + "b" * 500)
    _, line, caret = snippet(span("here", source))
    assert len(line) <= WIDTH + 4
    assert line[caret.index("^") : caret.rindex("^") + 1] == "here"
    _, line, caret = snippet(Span(source, 0, 1000))
    assert len(caret) <= len(line) == WIDTH + 4


def test_a_span_over_lines_is_marked_on_its_first() -> None:
    assert snippet(Span(SOURCE, 2, 30))[2] == "  |   ^^^^^^^^^^"
    assert snippet(Span(SOURCE, len(SOURCE.text), len(SOURCE.text) + 5))[2] == "  | ^"


def test_the_first_code_gives_the_exit_code() -> None:
    assert FstcError(DIAGNOSTIC).exit_code == 3
    assert FstcError(Diagnostic("FST0501", "no")).exit_code == 4
    assert exit_code("FST9999") == 3


def test_codes() -> None:
    for code, entry in CODES.items():
        assert re.fullmatch(r"FST\d{4}|FSN\d{3}", code)
        assert entry.meaning and entry.text
    assert (explain("fst0202") or "").startswith("FST0202: unknown name\n\n")
    assert explain("FST0000") is None


def test_suggestions() -> None:
    assert did_you_mean("ad", ["add", "pad", "sub"]) == "did you mean `add` or `pad`?"
    assert did_you_mean("zzz", ["add"]) == ""
