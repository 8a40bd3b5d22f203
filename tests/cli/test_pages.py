"""``fstc plan --emit``: where pages go, and that they are the same however they are asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import SAMPLES, Fstc, files_in

SOFTMAX = SAMPLES / "softmax_mask.fir"


@pytest.mark.parametrize("flags", [("--emit", "dot,html"), ("--emit", "html", "--emit", "dot,dot")])
def test_pages_are_named_after_the_model(fstc: Fstc, tmp_path: Path, flags: tuple[str, ...]) -> None:
    done = fstc("plan", SOFTMAX, *flags)
    assert (done.code, done.err) == (0, "")
    assert done.out == fstc("plan", SOFTMAX).out
    assert files_in(tmp_path) == ["softmax_mask.plan.dot", "softmax_mask.plan.html"]


def test_pages_lie_beside_the_plan(fstc: Fstc, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert fstc("plan", SOFTMAX, "-o", "out/x.plan.json", "--emit", "dot,html").code == 0
    names = ["x.analysis.json", "x.graph.json", "x.plan.dot", "x.plan.html", "x.plan.json"]
    assert files_in(tmp_path) == [f"out/{name}" for name in names]


def test_one_page_goes_to_stdout(fstc: Fstc, tmp_path: Path) -> None:
    done = fstc("plan", SOFTMAX, "--emit", "dot", "-o", "-")
    assert done.code == 0
    assert done.out.startswith("digraph plan {")
    assert fstc("plan", SOFTMAX, "--emit", "html", "-o", "-").out.endswith("</html>\n")
    assert files_in(tmp_path) == []


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--emit", "dot,html", "-o", "-"), "two pages cannot share stdout"),
        (("--emit", "svg"), "'svg' is not one of dot, html"),
        (("--emit", ","), "no kind of page named"),
        (("--emit", "html", "-o", "x.html"), "-o x.html names the .plan.json"),
        (("--emit", "html", "-o", "nowhere/x.plan.json"), "there is no folder nowhere"),
    ],
)
def test_what_cannot_be_is_refused_before_any_work(
    fstc: Fstc, tmp_path: Path, flags: tuple[str, ...], told: str
) -> None:
    done = fstc("plan", SOFTMAX, *flags)
    assert done.code == 2
    assert told in " ".join(done.err.split())
    assert files_in(tmp_path) == []


def test_a_page_that_cannot_be_written_leaves_none(fstc: Fstc, tmp_path: Path) -> None:
    (tmp_path / "softmax_mask.plan.html").mkdir()
    done = fstc("plan", SOFTMAX, "--emit", "html")
    assert done.code == 3
    assert "FST0002" in done.err
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("kind", ["dot", "html"])
def test_same_bytes_in_any_process_and_from_any_stage(process: Fstc, tmp_path: Path, kind: str) -> None:
    layernorm = SAMPLES / "layernorm_bwd.fir"
    (tmp_path / "here").mkdir()
    made = []
    for seed in ("0", "1"):
        assert process("plan", layernorm, "--emit", kind, PYTHONHASHSEED=seed).code == 0
        made.append((tmp_path / f"layernorm_bwd.plan.{kind}").read_bytes())
    assert process("plan", layernorm, "-o", "here/layernorm_bwd.plan.json").code == 0
    assert process("plan", "here/layernorm_bwd.plan.json", "--emit", kind).code == 0
    made.append((tmp_path / f"layernorm_bwd.plan.{kind}").read_bytes())
    assert process("codegen", "here/layernorm_bwd.plan.json", "-o", "there").code == 0
    assert process("plan", "there/layernorm_bwd.codegen.json", "--emit", kind).code == 0
    made.append((tmp_path / f"layernorm_bwd.plan.{kind}").read_bytes())
    assert len(set(made)) == 1
    assert str(tmp_path).encode() not in made[0]


def test_the_page_tells_the_options_that_were_given(fstc: Fstc) -> None:
    given = fstc("plan", SOFTMAX, "--strategy", "none", "--emit", "html", "-o", "-").out
    assert "<dt>strategy</dt><dd>none</dd>" in given
    assert "All options have their defaults" not in given
    assert fstc("plan", SOFTMAX, "--strategy", "none", "-o", "x.plan.json").code == 0
    later = fstc("plan", "x.plan.json", "--emit", "html", "-o", "-").out
    assert "All options have their defaults" not in later
