"""``fstc plan --expect``, ``--write-expect``, ``--compare``, ``--format brief``, and ``fstc build --expect``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from fstc.plan.options import STRATEGIES
from fstc.report.expect.parse import FILE_LIMIT
from tests.cli.conftest import SAMPLES, Fstc, files_in

SOFTMAX = SAMPLES / "softmax_mask.fir"
BERT = SAMPLES / "bert_layer.fir"
SMALL = ("--bind", "B=2", "--bind", "H=2", "--bind", "Q=8")


def expect(text: str, name: str = "e.yaml") -> str:
    Path(name).write_text(text, encoding="utf-8")
    return name


def test_what_was_written_is_met(fstc: Fstc) -> None:
    assert fstc("plan", BERT, "--write-expect", "bert.yaml").code == 0
    done = fstc("plan", BERT, "--expect", "bert.yaml")
    assert done.code == 0, done.err
    assert done.out == fstc("plan", BERT).out, "the plan is printed as ever"
    count = len([x for v in yaml.safe_load(Path("bert.yaml").read_text()).values() for x in _leaves(v)])
    assert done.err == f"{count} expectations met\n"


def _leaves(value: object) -> list[object]:
    """Groups of ``stitched``, and what stands at the end of every key."""
    if isinstance(value, dict):
        return [x for v in value.values() for x in _leaves(v)]
    return value if isinstance(value, list) else [value]


def test_writing_is_stable_and_goes_to_stdout(fstc: Fstc, process: Fstc) -> None:
    fstc("plan", BERT, "--write-expect", "a.yaml")
    shown = fstc("plan", BERT, "--write-expect", "-")
    assert shown.out == Path("a.yaml").read_text()
    for seed in ("1", "2"):
        assert process("plan", BERT, "--write-expect", "-", PYTHONHASHSEED=seed).out == shown.out


def test_a_broken_expectation_is_1_with_a_line(fstc: Fstc) -> None:
    expect("kernels: <= 1\nlibrary_calls: 8\nstitched: [[max, activated]]\n")
    done = fstc("plan", BERT, "--expect", "e.yaml", "-o", "bert.plan.json")
    assert done.code == 1
    kernels = json.loads(Path("bert.plan.json").read_text())["body"]["summary"]["kernels"]
    first, second, last = done.err.splitlines()
    assert first.startswith(f"e.yaml:1: kernels is {kernels}, expected <= 1: {kernels - 1} more (+")
    assert first.endswith("0 %) [FST0431]")
    assert second.startswith("e.yaml:3: stitched [max, activated]: in 2 kernels: k0_probabilities (max), k0_activated")
    assert last == "2 of 3 expectations broken"
    assert done.out.startswith("bert_layer: 72 ops")
    assert Path("bert.plan.json").exists(), "to look at what went wrong"


def test_a_plan_file_is_checked_as_it_is(fstc: Fstc) -> None:
    assert fstc("plan", BERT, "--strategy", "none", "-o", "none.plan.json").code == 0
    expect("kernels: 64\nstitched: [[up_scaled, up_erf]]\n")
    done = fstc("plan", "none.plan.json", "--expect", "e.yaml")
    assert done.code == 1
    assert done.err.splitlines()[0].startswith("e.yaml:2: stitched [up_scaled, up_erf]: in 2 kernels")


def test_annotations(fstc: Fstc) -> None:
    expect("kernels: 1\nspills: 0\nbytes: <= 1 MB\n")
    done = fstc("plan", SOFTMAX, "--expect", "e.yaml", "--format", "github")
    assert done.code == 1
    second, first = done.out.splitlines()
    assert first.startswith("::error file=e.yaml,line=3,col=8,title=FST0431::bytes is 50.35 MB, expected <= 1 MB")
    assert second.startswith("::error file=e.yaml,line=2,col=9,title=FST0432::spills, expected 0 B, is not known")
    assert done.err == "2 of 3 expectations broken\n"


def test_verdicts_as_data(fstc: Fstc) -> None:
    expect("kernels: 1\nbytes: <= 1 MB\n")
    for format, load in (("json", json.loads), ("yaml", yaml.safe_load)):
        done = fstc("plan", SOFTMAX, "--expect", "e.yaml", "--format", format)
        data = load(done.out)
        assert done.code == 1
        assert [(v["what"], v["line"], v["holds"]) for v in data["expectations"]] == [
            ("kernels", 1, True),
            ("bytes", 2, False),
        ]
        assert data["summary"]["kernels"] == 1
    assert "expectations" not in json.loads(fstc("plan", SOFTMAX, "--format", "json").out)


def test_a_file_that_is_wrong_is_3_before_any_work(fstc: Fstc) -> None:
    expect("kernls: 3\nbytes: many\n")
    done = fstc("plan", "nowhere.fir", "--expect", "e.yaml", "-o", "x.plan.json")
    assert (done.code, done.out) == (3, "")
    assert done.err.count("error[FST0430]") == 2
    assert "did you mean kernel or kernels?" in done.err
    assert "e.yaml:2:8\n" in done.err
    assert files_in(Path()) == ["e.yaml"]


@pytest.mark.parametrize(
    "text",
    [
        "", "[", "{a: {b: {c: ", "a: " * 60_000, "[" * 200_000, "- " * 100_000, "x: &a [*a, *a]\ny: *a",
        "kernels: !!python/name:os.system ''", "\x00", "? ? ? ?", "%YAML 9.9\n---\nkernels: 1",
        "kernels: " + "9" * 100_000,
        "stitched: [" + "a," * 50_000 + "]", "kernel: {" + ", ".join(f"k{n}: {{}}" for n in range(9_000)) + "}",
    ],
)  # fmt: skip
def test_no_traceback_for_any_text(fstc: Fstc, text: str) -> None:
    expect(text)
    done = fstc("plan", SOFTMAX, "--expect", "e.yaml")
    assert done.code in (1, 3)
    assert "Traceback" not in done.err
    assert len(done.err) < 100_000
    assert files_in(Path()) == ["e.yaml"]


def test_a_file_that_cannot_be_read(fstc: Fstc) -> None:
    assert "FST0001" in fstc("plan", SOFTMAX, "--expect", "nowhere.yaml").err
    assert "FST0001" in fstc("plan", SOFTMAX, "--expect", ".").err
    Path("large.yaml").write_bytes(b"#" * (FILE_LIMIT + 1))
    assert "FST0003" in fstc("plan", SOFTMAX, "--expect", "large.yaml").err


@pytest.mark.parametrize(
    "arguments",
    [
        ("--format", "github"),
        ("--write-expect", "nowhere/e.yaml"),
        ("--compare", "-o", "x.plan.json"),
        ("--compare", "--expect", "e.yaml"),
        ("--compare", "--write-expect", "e.yaml"),
        ("--compare", "--format", "brief"),
    ],
)
def test_wrong_usage(fstc: Fstc, arguments: tuple[str, ...]) -> None:
    done = fstc("plan", SOFTMAX, *arguments)
    assert (done.code, done.out) == (2, "")
    assert files_in(Path()) == []


def test_a_refused_write_is_no_half_file(fstc: Fstc) -> None:
    Path("folder").mkdir()
    done = fstc("plan", SOFTMAX, "--write-expect", "folder")
    assert (done.code, "FST0002" in done.err) == (3, True)
    assert files_in(Path()) == []


def test_compare_is_three_plans(fstc: Fstc) -> None:
    data = json.loads(fstc("plan", BERT, "--compare", "--format", "json").out)
    assert list(data["strategies"]) == sorted(STRATEGIES)
    for strategy, figures in data["strategies"].items():
        summary = json.loads(fstc("plan", BERT, "--strategy", strategy, "--format", "json").out)["summary"]
        assert {key: figures[key] for key in ("kernels", "library_calls", "bytes", "l2_bytes")} == {
            key: summary[key] for key in ("kernels", "library_calls", "bytes", "l2_bytes")
        }
        assert figures["launches"] == summary["kernels"] + summary["library_calls"]
        assert figures["predicted_us"] == pytest.approx(summary["predicted_us"], rel=1e-5)
        assert figures["bytes_over_floor"] == pytest.approx(summary["bytes"] / summary["bytes_min"])
    times = {strategy: figures["predicted_us"] for strategy, figures in data["strategies"].items()}
    speedups = {strategy: figures["speedup"] for strategy, figures in data["strategies"].items()}
    assert speedups == {s: pytest.approx(times["none"] / times[s]) for s in times}
    assert times["none"] > times["classic"] > times["stitch"]


def test_compare_as_a_table(fstc: Fstc) -> None:
    lines = fstc("plan", BERT, "--compare", "--device", "a100").out.splitlines()
    assert lines[0].startswith("bert_layer: 72 ops on a100")
    assert [line.split()[0] for line in lines[2:]] == ["strategy", "none", "classic", "stitch"]
    assert lines[3].split()[-1] == "1"


def test_compare_from_any_file_of_the_model(fstc: Fstc) -> None:
    wanted = fstc("plan", SOFTMAX, "--compare", "--format", "json").out
    assert fstc("plan", SOFTMAX, "--strategy", "none", "-o", "softmax_mask.plan.json").code == 0
    for name in ("graph", "analysis", "plan"):
        found = fstc("plan", f"softmax_mask.{name}.json", "--compare", "--format", "json")
        assert found.out == wanted, name


def test_a_model_of_library_calls_alone(fstc: Fstc) -> None:
    text = "func @f(%a: f32[8,8], %b: f32[8,8]) -> f32[8,8] {\n"
    text += "  %c = dot_general %a, %b {lhs_contract = [1], rhs_contract = [0]} : f32[8,8]\n  return %c\n}\n"
    Path("m.fir").write_text(text)
    compared = fstc("plan", "m.fir", "--compare", "--format", "json")
    assert compared.code == 0
    assert json.loads(compared.out)["strategies"]["stitch"]["speedup"] is None
    assert fstc("plan", "m.fir", "--compare").code == 0
    assert fstc("plan", "m.fir", "--format", "brief").out.splitlines()[-3:] == [
        "library: %c", "", "joined: none; apart: none",
    ]  # fmt: skip
    assert fstc("plan", "m.fir", "--write-expect", "e.yaml").code == 0
    assert fstc("plan", "m.fir", "--expect", "e.yaml").code == 0
    expect("kernel: {'*': {ops: 1}}\nstitched: [c]\n")
    assert fstc("plan", "m.fir", "--expect", "e.yaml").err.count("FST0431") == 2


@pytest.mark.nvrtc
def test_build_checks_what_the_compiler_did(fstc: Fstc) -> None:
    expect("device: h200\nspills: 0\nkernel: {'k*': {spills: 0, registers: <= 255}}\n")
    done = fstc("build", SOFTMAX, *SMALL, "--expect", "e.yaml", "-o", "s.fpk")
    assert done.code == 0, done.err
    assert "4 expectations met" in done.err
    assert fstc("plan", "s.fpk", "--expect", "e.yaml").code == 0, "a package knows it too"
    expect("device: h200\nkernel: {'k*': {registers: 1}}\n", "f.yaml")
    done = fstc("build", SOFTMAX, *SMALL, "--expect", "f.yaml", "-o", "t.fpk")
    assert done.code == 1
    assert "f.yaml:2: k0_probabilities: registers is " in done.err
    assert not Path("t.fpk").exists(), "no package, as with --deny"


@pytest.mark.nvrtc
def test_build_checks_each_device(fstc: Fstc) -> None:
    expect("kernels: 9\n")
    done = fstc("build", SOFTMAX, *SMALL, "--device", "h200,a100", "--expect", "e.yaml", "-o", "s.fpk")
    assert (done.code, done.err.count("kernels is 1, expected 9")) == (1, 2)
    assert fstc("build", SOFTMAX, *SMALL, "--device", "h200,a100", "-o", "two.fpk").code == 0
    expect("device: a100\nspills: 0\n", "spills.yaml")
    assert fstc("plan", "two.fpk", "--device", "a100", "--expect", "spills.yaml").code == 0
    assert "device is h200" in fstc("plan", "two.fpk", "--device", "h200", "--expect", "spills.yaml").err
    expect("device: a100\nkernels: 9\n")
    done = fstc("build", SOFTMAX, *SMALL, "--device", "h200,a100", "--expect", "e.yaml", "-o", "s.fpk")
    assert (done.code, done.err.count("kernels is 1, expected 9"), done.err.count("device is")) == (1, 1, 0)
    expect("device: b200\n")
    done = fstc("build", SOFTMAX, *SMALL, "--device", "h200,a100", "--expect", "e.yaml", "-o", "s.fpk")
    assert (done.code, done.err.count("expected b200")) == (1, 2)
