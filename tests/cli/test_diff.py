"""``fstc diff`` and ``fstc plan --against``: exit codes, formats, and which files may be compared with which."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import ROOT, SAMPLES, Fstc

SOFTMAX = SAMPLES / "softmax_mask.fir"
LAYERNORM = SAMPLES / "layernorm_bwd.fir"


@pytest.fixture
def plans(fstc: Fstc) -> tuple[str, str]:
    """Of one model: kernels stitched, and not."""
    for strategy in ("stitch", "none"):
        assert fstc("plan", SOFTMAX, "--strategy", strategy, "-o", f"{strategy}.plan.json").code == 0
    return "stitch.plan.json", "none.plan.json"


def edited(path: str, name: str, old: str, new: str) -> str:
    text = Path(path).read_text()
    assert old in text
    Path(name).write_text(text.replace(old, new))
    return name


def test_exit_codes(fstc: Fstc, plans: tuple[str, str]) -> None:
    same = fstc("diff", plans[0], plans[0])
    assert (same.code, same.err) == (0, "")
    assert same.out.startswith("no difference: ")
    other = fstc("diff", *plans)
    assert (other.code, other.err) == (1, "")
    assert other.out.startswith("option strategy: stitch -> none\n")
    assert "\n-  k0_probabilities\n" in other.out
    assert fstc("diff", *plans, "--fail-if", "kernels>+100", "--fail-if", "bytes<0").code == 0
    assert fstc("diff", *plans, "--fail-if", "kernels>+100", "--fail-if", "predicted_us>+2%").code == 1


def test_sums_are_those_of_the_plans(fstc: Fstc, plans: tuple[str, str]) -> None:
    """The changes add up to what the summaries say, computed from the files alone."""
    old, new = (json.loads(Path(p).read_text())["body"]["summary"] for p in plans)
    [compared] = json.loads(fstc("diff", *plans, "--format", "json").out)["plans"]
    for name, summed in (("predicted_us", "predicted_us"), ("bytes", "bytes"), ("launches", "kernels")):
        found = sum(c["price"][name]["new"] - c["price"][name]["old"] for c in compared["changes"])
        assert found == pytest.approx(new[summed] - old[summed], rel=1e-4)


def test_formats_agree(fstc: Fstc, plans: tuple[str, str]) -> None:
    data = json.loads(fstc("diff", *plans, "--format", "json").out)
    assert yaml.safe_load(fstc("diff", *plans, "--format", "yaml").out) == data
    assert "| - | k0_probabilities |" in fstc("diff", *plans, "--format", "md").out
    lines = fstc("diff", *plans, "--format", "github", "--fail-if", "kernels>+0").out.splitlines()
    assert lines[0].startswith("::error file=none.plan.json,title=fstc diff::kernels>+0 holds")
    assert all(line.startswith(("::error ", "::warning ", "::notice ")) for line in lines)


def test_a_line_of_text_is_never_cropped(fstc: Fstc, plans: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    wide = fstc("diff", *plans).out
    monkeypatch.setenv("COLUMNS", "20")
    assert fstc("diff", *plans).out == wide


def test_a_closed_pipe_is_no_finding(plans: tuple[str, str], tmp_path: Path) -> None:
    program = f"PYTHONPATH={str(ROOT)!r} {sys.executable!r} -m fstc diff {plans[0]} {plans[1]} --format json"
    command = f"{program} | (exec 0<&-; sleep 0.5); echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("141\n", "")


def test_a_constant_of_a_device_shows_with_what_follows(fstc: Fstc) -> None:
    text = (ROOT / "fstc" / "device" / "h200.yaml").read_text()
    assert "launch_us: 2.2" in text
    Path("slow.yaml").write_text(text.replace("launch_us: 2.2", "launch_us: 4"))
    fstc("plan", LAYERNORM, "-o", "old.plan.json")
    fstc("plan", LAYERNORM, "--device", "slow.yaml", "-o", "new.plan.json")
    done = fstc("diff", "old.plan.json", "new.plan.json")
    assert done.code == 1
    assert done.out.startswith("constant launch_us: 2.2 -> 4\n\n")
    assert "launch term 2.2 -> 4" in done.out


def test_a_plan_of_version_1_0(fstc: Fstc, plans: tuple[str, str]) -> None:
    document = json.loads(Path(plans[0]).read_text())
    document["format_version"] = "1.0"
    del document["body"]["constants"]
    for region in document["body"]["regions"]:
        for kernel in region["kernels"]:
            del kernel["hash"]
        region["kernels"] = [{**k, "name": f"k7{k['name'][2:]}"} for k in region["kernels"]]
    Path("old.plan.json").write_text(json.dumps(document))
    done = fstc("diff", "old.plan.json", plans[0])
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("format: 1.0 -> ")
    assert "k7" not in done.out


def test_models_are_planned_for_the_other_side(fstc: Fstc) -> None:
    fstc("plan", SOFTMAX, "--device", "a100", "-o", "s.plan.json")
    assert fstc("diff", "s.plan.json", SOFTMAX).code == 0
    assert fstc("diff", "s.graph.json", "s.plan.json").code == 0
    assert fstc("diff", SOFTMAX, "s.analysis.json").code == 0
    small = fstc("diff", "s.plan.json", SOFTMAX, "--bind", "B=1")
    assert small.code == 1
    assert "device" not in small.out
    assert fstc("diff", "s.plan.json", SOFTMAX, "--device", "h200").out.startswith("device: a100 -> h200\n")


def test_one_side_may_be_standard_input(process: Fstc, tmp_path: Path) -> None:
    process("plan", SOFTMAX, "-o", "s.plan.json")
    text = (tmp_path / "s.plan.json").read_text()
    assert process("diff", "s.plan.json", "-", text=text).code == 0
    assert process("diff", "-", "s.plan.json", text=SOFTMAX.read_text()).code == 0
    assert process("diff", "-", "-", text=text).code == 2


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (("kind", "bench"), "FST0005"),
        (("kind", "codegen"), "FST0005"),
        (("format_version", "2.0"), "FST0006"),
        (("format_version", "new"), "FST0006"),
        (("body", {"device": 3}), "FST0004"),
    ],
)
def test_wrong_files_are_refused(fstc: Fstc, plans: tuple[str, str], change: tuple[str, object], code: str) -> None:
    document = json.loads(Path(plans[0]).read_text())
    Path("bad.json").write_text(json.dumps(document | dict([change])))
    for sides in (("bad.json", plans[0]), (plans[0], "bad.json")):
        done = fstc("diff", *sides)
        assert (done.code, done.out) == (3, "")
        assert done.err.startswith(f"error[{code}]: ")
        assert "bad.json" in done.err


def test_damaged_files_are_refused(fstc: Fstc, plans: tuple[str, str]) -> None:
    data = Path(plans[0]).read_bytes()
    for name, content in (("cut", data[:3000]), ("empty", b""), ("zip", b"PK\x03\x04junk"), ("junk", b"\xff\xfe{")):
        Path(name).write_bytes(content)
        done = fstc("diff", plans[0], name)
        assert (done.code, done.out) == (3, ""), name
    assert fstc("diff", plans[0], "nowhere.plan.json").code == 3
    assert fstc("diff", plans[0], ".").code == 3


def test_a_bad_expression_is_usage(fstc: Fstc, plans: tuple[str, str]) -> None:
    done = fstc("diff", *plans, "--fail-if", "predicted_us>2%")
    assert (done.code, done.out) == (2, "")
    assert "1 | predicted_us>2%\n  |               ^ per cent of what?" in done.err


def test_plan_against(fstc: Fstc, plans: tuple[str, str]) -> None:
    assert fstc("plan", SOFTMAX, "--against", plans[0]).code == 0
    found = fstc("plan", SOFTMAX, "--strategy", "none", "--against", plans[0])
    assert found.code == 1
    assert found.out == fstc("diff", *plans).out
    assert fstc("plan", SOFTMAX, "--strategy", "none", "--against", plans[0], "--fail-if", "bytes>1TB").code == 2
    assert fstc("plan", SOFTMAX, "--strategy", "none", "--against", plans[0], "--fail-if", "bytes>+9GB").code == 0


def test_plan_against_the_file_that_it_replaces(fstc: Fstc, plans: tuple[str, str]) -> None:
    done = fstc("plan", SOFTMAX, "--strategy", "none", "--against", plans[0], "-o", plans[0], "--format", "github")
    assert done.code == 1
    assert "::warning file=stitch.plan.json," in done.out
    assert fstc("diff", plans[0], plans[1]).code == 0


@pytest.mark.parametrize(
    "arguments",
    [("--fail-if", "bytes>1"), ("--format", "github"), ("--against", "stitch.plan.json", "-o", "-")],
)
def test_options_that_need_another(fstc: Fstc, plans: tuple[str, str], arguments: tuple[str, ...]) -> None:
    done = fstc("plan", SOFTMAX, *arguments)
    assert (done.code, done.out) == (2, "")


@pytest.mark.nvrtc
def test_packages(fstc: Fstc, plans: tuple[str, str]) -> None:
    for name, more in (("old", ()), ("new", ("--strategy", "classic")), ("two", ("--device", "h200,a100"))):
        assert fstc("build", SOFTMAX, "--bind", "B=1", *more, "-o", f"{name}.fpk").code == 0
    assert fstc("diff", "old.fpk", "old.fpk").code == 0
    assert fstc("diff", "old.fpk", "new.fpk").code == 1
    found = fstc("diff", "old.fpk", "two.fpk")
    assert found.code == 1
    assert found.out.startswith("code for a100: none -> built\n\nno difference")
    assert fstc("diff", "old.fpk", "two.fpk", "--fail-if", "spills>0").code == 0
    for sides in (("old.fpk", plans[0]), (plans[0], "old.fpk"), ("old.fpk", SOFTMAX)):
        refused = fstc("diff", *sides)
        assert (refused.code, refused.out) == (3, "")
        assert "error[FST0701]" in refused.err
    assert "error[FST0701]" in fstc("plan", SOFTMAX, "--against", "old.fpk").err


@pytest.mark.nvrtc
def test_packages_with_other_code(fstc: Fstc) -> None:
    text = SOFTMAX.read_text()
    assert "0.125" in text
    Path("other.fir").write_text(text.replace("0.125", "0.25"))
    for path, name in ((SOFTMAX, "old"), ("other.fir", "new")):
        assert fstc("build", path, "--bind", "B=1", "-o", f"{name}.fpk").code == 0
    done = fstc("diff", "old.fpk", "new.fpk")
    assert done.code == 1
    removed = [line for line in done.out.splitlines() if line.startswith("-    ")]
    assert removed and all("0.125f" in line for line in removed)
    assert "code +1 -1 lines" in done.out


def test_output_does_not_depend_on_the_hash_seed(process: Fstc) -> None:
    process("plan", LAYERNORM, "--strategy", "none", "-o", "a.plan.json")
    seen = {
        process("diff", "a.plan.json", LAYERNORM, "--format", "json", PYTHONHASHSEED=seed).out
        for seed in ("0", "1", "7")
    }
    assert len(seen) == 1 and seen != {""}
