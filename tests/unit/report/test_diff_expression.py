"""``--fail-if``: what each form means, and how a wrong one is refused."""

from __future__ import annotations

import pytest
from plan_example import plan, whole

from fstc.report.diff.compare import compare
from fstc.report.diff.expression import checked, parse
from fstc.report.diff.model import Delta
from fstc.report.diff.side import Side
from fstc.support.diagnostics import FstcError, render_text


@pytest.mark.parametrize(
    ("text", "old", "new", "holds"),
    [
        ("predicted_us>50", 40, 51, True),
        ("predicted_us>50", 60, 50, False),
        ("predicted_us>=50us", 60, 50, True),
        ("predicted_us>0.05ms", 0, 51, True),
        ("predicted_us<+0", 50, 49, True),
        ("predicted_us>+1.5", 50, 51.4, False),
        ("predicted_us>+1.5us", 50, 51.6, True),
        ("predicted_us>+2%", 100, 102, False),
        ("predicted_us>+2%", 100, 102.1, True),
        ("predicted_us>-5%", 100, 96, True),
        ("predicted_us<=-5%", 100, 95, True),
        ("predicted_us>+0%", 0, 0, False),
        ("predicted_us>+1000%", 0, 1, True),
        ("predicted_us>+0", 100, 100.0005, False),  # below what files keep
        ("bytes>+1MB", 0, 1_000_000, False),
        (" bytes > + 1 MiB ", 0, 1_048_577, True),
        ("kernels>+0", 6, 7, True),
        ("kernels>+0", 6, 6, False),
        ("changes>0", 0, 1, True),
    ],
)
def test_meaning(text: str, old: float, new: float, holds: bool) -> None:
    assert parse(text).holds(Delta(old, new)) is holds


@pytest.mark.parametrize(
    ("text", "column", "why", "help"),
    [
        ("", 1, "a figure is missing", "predicted_us"),
        ("predicted>2", 1, "unknown figure", "did you mean `predicted_us`?"),
        ("predicted_us", 13, "a comparison is missing", "predicted_us>+2%"),
        ("predicted_us=3", 13, "a comparison is missing", "<="),
        ("predicted_us>", 14, "a number is missing", "predicted_us>50"),
        ("predicted_us>+", 15, "a number is missing", "predicted_us>+2%"),
        ("predicted_us>2%", 15, "per cent of what?", "predicted_us>+2%"),
        ("predicted_us>2MB", 15, "unknown unit of predicted_us", "us, ns, ms"),
        ("bytes>+1us", 9, "unknown unit of bytes", "MiB"),
        ("kernels>+1KB", 11, "unknown unit of kernels", "without unit"),
        ("kernels>+1 bytes>2", 12, "unknown unit of kernels", "without unit"),
        ("kernels>+1, bytes>2", 11, "one comparison an expression", "repeat --fail-if"),
        ("predicted_us>1e3", 15, "unknown unit of predicted_us", "us, ns, ms"),
    ],
)
def test_refusal_points_at_the_place(text: str, column: int, why: str, help: str) -> None:
    with pytest.raises(FstcError) as refused:
        parse(text)
    assert refused.value.exit_code == 2
    [diagnostic] = refused.value.diagnostics
    assert diagnostic.label is not None
    assert (diagnostic.label.span.start + 1, diagnostic.label.text) == (column, why)
    assert help in diagnostic.help
    assert "^" in render_text(refused.value.diagnostics)


def test_a_figure_of_packages_needs_packages() -> None:
    made = Side(plan([whole()]))
    with pytest.raises(FstcError, match="spills"):
        checked(compare("plan", {"": (made, made)}), [parse("spills>0")])


def test_with_expressions_only_they_fail() -> None:
    sides = Side(plan([whole()])), Side(plan([whole(predicted_us=5.5)]))
    found = compare("plan", {"": sides})
    assert found.failed
    assert not checked(found, [parse("predicted_us>+20%")]).failed
    assert checked(found, [parse("predicted_us>+20%"), parse("predicted_us>+2%")]).failed
