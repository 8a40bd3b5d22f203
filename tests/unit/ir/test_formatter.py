"""The formatter keeps comments and symbolic extents; the case is in tests/golden/parse."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fstc.ir.formatter import format_text
from fstc.ir.parser import parse_text
from fstc.ir.printer import print_graph
from fstc.support.diagnostics import FstcError

CASES = sorted((Path(__file__).parents[2] / "golden" / "parse").iterdir())
SAMPLES = sorted((Path(__file__).parents[3] / "samples").glob("*.fir"))
Golden = Callable[[Path, str], None]


@pytest.mark.parametrize("case", CASES, ids=lambda p: p.name)
def test_golden(case: Path, golden: Golden) -> None:
    text = (case / "in.fir").read_text(encoding="utf-8")
    golden(case / "formatted.fir", format_text(text))
    golden(case / "printed.fir", print_graph(parse_text(text)))


@pytest.mark.parametrize("path", [*SAMPLES, *(c / "in.fir" for c in CASES)], ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_idempotent_and_without_effect_on_the_graph(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    formatted = format_text(text)
    assert format_text(formatted) == formatted
    assert parse_text(formatted) == parse_text(text)
    assert text.count("//") == formatted.count("//")
    printed = print_graph(parse_text(text))
    assert parse_text(printed) == parse_text(text)


def test_syntax_errors_are_raised() -> None:
    with pytest.raises(FstcError):
        format_text("func @f(")
