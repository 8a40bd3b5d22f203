"""Questions about a plan on the command line: --explain A,B, --why-not A B, pins, wishes, what was not stitched."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT, SAMPLES, Fstc, files_in
from tests.unit.plan.test_steer import PRODUCT, SCATTER, SIDES, TRANSPOSED
from tests.unit.report.stack import stacked

SOFTMAX = SAMPLES / "softmax_mask.fir"
BACKWARD = SAMPLES / "layernorm_bwd.fir"
LOSS = SAMPLES / "transformer_loss.fir"


def written(name: str, text: str) -> Path:
    path = Path(name)
    path.write_text(text, encoding="utf-8")
    return path


# -- --explain A,B ----------------------------------------------------------------------------------------------------


def test_explain_of_two_values_in_one_kernel(fstc: Fstc) -> None:
    done = fstc("plan", SOFTMAX, "--explain=max,probabilities")
    assert done.code == 0
    assert done.out.startswith("%max and %probabilities are in one kernel: k0_probabilities\n")
    for part in (
        "%max      %max_b          shuffle   warp",
        "us of term",
        "registers     ",
        "limit",
        "FSN002  joined  %max",
    ):
        assert part in done.out


def test_explain_of_two_values_that_are_apart(fstc: Fstc) -> None:
    done = fstc("plan", LOSS, "--explain", "dlogits,loss", "--format", "json")
    found = json.loads(done.out)
    assert found["verdict"] == "%dlogits and %loss are apart: k0_dlogits | k1_loss"
    assert found["together"] is False
    assert "FSN021" in {d["code"] for d in found["decisions"]}
    assert found["between"] == ["%row_sum f32[64] is written and read again"]
    for kernel in found["kernels"]:
        assert all(x["used"] + x["left"] == x["limit"] for x in kernel["limits"].values())
        assert kernel["terms"]["launch"] > 0


def test_explain_stands_alone_wherever_it_stands(fstc: Fstc) -> None:
    assert fstc("plan", "--explain", SOFTMAX).out == fstc("plan", SOFTMAX, "--explain").out
    asked = fstc("plan", "--explain", "max,exp", SOFTMAX).out
    assert asked == fstc("plan", SOFTMAX, "--explain=%max,%exp").out != fstc("plan", SOFTMAX, "--explain").out


def test_explain_can_be_switched_on_by_a_variable(fstc: Fstc, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, explained = fstc("plan", SOFTMAX).out, fstc("plan", SOFTMAX, "--explain").out
    for value, shown in (("1", explained), ("true", explained), ("0", plain)):
        monkeypatch.setenv("FSTC_EXPLAIN", value)
        assert fstc("plan", SOFTMAX).out == shown


def test_explain_of_what_no_kernel_computes(fstc: Fstc) -> None:
    path = written("product.fir", PRODUCT)
    assert fstc("plan", path, "--explain=a,p").out.startswith("%p is made by a library call, dot_general: no kernel")
    apart = fstc("plan", path, "--explain=a,y").out
    assert "library calls run between their kernels: dot_general %p" in apart


# -- --why-not A B ----------------------------------------------------------------------------------------------------


def test_why_not_of_what_is_possible_has_the_price(fstc: Fstc) -> None:
    done = fstc("plan", BACKWARD, "--why-not", "dx", "dgamma", "--format", "json")
    assert (done.code, done.err) == (0, "")
    found = json.loads(done.out)
    assert found["answer"] == "possible"
    now, then = found["total"]["predicted_us"]["now"], found["total"]["predicted_us"]["then"]
    assert now < then
    free, forced = (
        fstc("plan", BACKWARD, "--format", "json"),
        fstc("plan", BACKWARD, "--force", "dx,dgamma", "--format", "json"),
    )
    for total, one in ((now, free), (then, forced)):
        assert total == pytest.approx(json.loads(one.out)["summary"]["predicted_us"], rel=1e-4)
    assert found["binding"]
    text = fstc("plan", BACKWARD, "--why-not", "%dx", "%dgamma").out
    assert text.startswith(found["verdict"])
    assert "us of term" in text


def test_why_not_of_what_is_together_is_asked_the_other_way(fstc: Fstc) -> None:
    found = json.loads(fstc("plan", SOFTMAX, "--why-not", "max", "exp", "--format", "json").out)
    assert found["answer"] == "together"
    assert found["verdict"].startswith("%max and %exp are in one kernel already, k0_probabilities; apart: +")
    path = written("sides.fir", SIDES)
    assert "in one kernel already, k0_b; apart: +" in fstc("plan", path, "--why-not", "a", "b").out


@pytest.mark.parametrize(
    ("text", "pair", "code", "reason"),
    [
        (PRODUCT, ("a", "z"), "", "library calls lie between, dot_general %p"),
        (PRODUCT, ("x", "a"), "", "%x is an input, no kernel computes it"),
        (PRODUCT, ("p", "a"), "", "%p is made by a library call, dot_general, no kernel computes it"),
        (TRANSPOSED, ("s", "y"), "FSN010", "%s is reduced in this kernel and read elsewhere along a0 (FSN010)"),
        (SCATTER, ("a", "y"), "FSN015", "a scatter works in place on a copy of its operand (FSN015)"),
    ],
)  # fmt: skip
def test_why_not_of_what_is_impossible(fstc: Fstc, text: str, pair: tuple[str, str], code: str, reason: str) -> None:
    path = written("m.fir", text)
    done = fstc("plan", path, "--why-not", *pair)
    assert done.code == 0
    assert done.out.startswith(f"%{pair[0]} and %{pair[1]} cannot be in one kernel: {reason}\n")
    found = json.loads(fstc("plan", path, "--why-not", *pair, "--format", "json").out)
    assert (found["answer"], found["code"]) == ("impossible", code)


def test_why_not_of_partial_results(fstc: Fstc) -> None:
    done = fstc("plan", BACKWARD, "--why-not", "dgamma.partial", "dgamma")
    assert done.code == 0
    assert "what reads it waits for all blocks (FSN031)" in done.out


def test_kernels_may_be_asked_about_by_name(fstc: Fstc) -> None:
    assert fstc("plan", LOSS, "--explain=k0_dlogits,k1_loss").out == fstc("plan", LOSS, "--explain=dlogits,loss").out


def test_a_plan_is_asked_with_the_options_of_its_file(fstc: Fstc) -> None:
    assert fstc("plan", SOFTMAX, "--strategy", "none", "-o", "none.plan.json").code == 0
    found = json.loads(fstc("plan", "none.plan.json", "--why-not", "max", "max_b", "--format", "json").out)
    assert found["total"]["kernels"]["now"] - found["total"]["kernels"]["then"] == 1


@pytest.mark.parametrize("question", [("--why-not", "maxx", "exp"), ("--explain=maxx,exp",)])
def test_an_unknown_name_is_refused_with_a_hint(fstc: Fstc, question: tuple[str, ...]) -> None:
    done = fstc("plan", SOFTMAX, *question)
    assert (done.code, done.out) == (3, "")
    assert "error[FST0422]: there is no value or kernel called maxx\nhelp: did you mean %max" in done.err


@pytest.mark.parametrize(
    "options",
    [
        ("--why-not", "max"),
        ("--why-not", "max", "exp", "-o", "x.plan.json"),
        ("--why-not", "max", "exp", "--explain=max,exp"),
        ("--explain=a,b,c",),
        ("--explain=,",),
        ("--explain=max,exp", "--format", "brief"),
        ("--explain=max,exp", "--compare"),
        ("--why-not", "max", "exp", "--why-not", "s", "exp"),
        ("--explain=max,exp", "--explain=s,exp"),
    ],
)
def test_questions_that_are_none(fstc: Fstc, tmp_path: Path, options: tuple[str, ...]) -> None:
    done = fstc("plan", SOFTMAX, *options)
    assert (done.code, done.out) == (2, "")
    assert files_in(tmp_path) == []


# -- --pins -----------------------------------------------------------------------------------------------------------


def test_pins_from_yaml_are_kept_and_recorded(fstc: Fstc) -> None:
    written("pins.yaml", "kernels:\n  - [max, '%max_b', shifted, exp]  # alone\n")
    assert fstc("plan", SOFTMAX, "--pins", "pins.yaml", "-o", "p.plan.json").code == 0
    options = json.loads(Path("p.plan.json").read_text(encoding="utf-8"))["options"]
    assert options == {"pins": ["%max,%max_b,%shifted,%exp"]}
    assert fstc("plan", "p.plan.json", "--explain=max,probabilities").out.startswith(
        "%max and %probabilities are apart"
    )


@pytest.mark.parametrize("sample", ["layernorm_bwd", "dien_attention", "bert_layer", "crnn_lstm_cells"])
def test_pins_from_a_plan_make_that_plan_again(fstc: Fstc, sample: str) -> None:
    path = SAMPLES / f"{sample}.fir"
    assert fstc("plan", path, "-o", "a.plan.json").code == 0
    assert fstc("plan", path, "--pins", "a.plan.json", "-o", "b.plan.json").code == 0
    assert fstc("diff", "a.plan.json", "b.plan.json").code == 0


def test_pins_hold_a_plan_when_the_planner_would_do_otherwise(fstc: Fstc) -> None:
    assert fstc("plan", SOFTMAX, "--strategy", "classic", "-o", "old.plan.json").code == 0
    assert fstc("plan", SOFTMAX, "--pins", "old.plan.json", "-o", "new.plan.json").code == 0
    assert "no difference" in fstc("diff", "old.plan.json", "new.plan.json").out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kernels: [[maxx, exp]]", "there is no value called %maxx\n --> pins.yaml:1:12"),
        ("kernels: [[maxx, exp]]", "help: did you mean %max or %max_b?"),
        ("kernels: []", "there is no kernel"),
        ("kernels: max", "a list of kernels is needed, not a value"),
        ("kernels: [max]", "a kernel is a list of names, not a value"),
        ("kernels: [[]]", "a kernel is a list of names, not an empty list"),
        ("kernels: [[max, [exp]]]", "names and lists in one kernel"),
        ("kernels: [[[[max]]]]", "the name of a value is needed, not a list"),
        ("kernel: [[max]]", "a file of pins has no key 'kernel'"),
        ("- [max]", "a mapping with the key `kernels` is needed, not a list"),
        ("", "a mapping with the key `kernels` is needed, not nothing"),
        ("kernels: [[%max]]", "quote a name that begins with %"),
        ("kernels: [[max, exp", "is no YAML"),
        ('{"kind": "plan"}', "error[FST0004]"),
        ('{"kind": "graph", "format_version": "1.0", "body": {}}', "error[FST0005]"),
    ],
)  # fmt: skip
def test_a_bad_file_of_pins(fstc: Fstc, text: str, message: str) -> None:
    written("pins.yaml", text)
    done = fstc("plan", SOFTMAX, "--pins", "pins.yaml", "-o", "x.plan.json")
    assert (done.code, done.out) == (3, "")
    assert message in done.err
    assert not Path("x.plan.json").exists()


def test_pins_of_another_model(fstc: Fstc) -> None:
    assert fstc("plan", BACKWARD, "-o", "b.plan.json").code == 0
    done = fstc("plan", SOFTMAX, "--pins", "b.plan.json")
    assert done.code == 3
    assert "which the model does not have" in done.err
    assert fstc("plan", SOFTMAX, "--pins", "nothing.yaml").code == 3


def test_pins_go_with_codegen(fstc: Fstc) -> None:
    written("pins.yaml", "kernels: [[max, max_b, shifted, exp]]")
    assert fstc("codegen", SOFTMAX, "--pins", "pins.yaml", "-o", "out").code == 0
    assert len(list(Path("out/kernels").glob("*.cu"))) > 1


# -- the plan itself --------------------------------------------------------------------------------------------------


def test_what_was_not_stitched_says_how_to_ask_on(fstc: Fstc) -> None:
    shown = fstc("plan", SAMPLES / "dien_attention.fir").out
    [head, *rows] = shown.partition("not stitched, ")[2].splitlines()[1:]
    assert head.split()[0] == "code"
    rows = rows[: rows.index("")]
    assert 1 < len(rows) <= 8
    sizes = [float(row.split()[3]) for row in rows]
    assert sizes == sorted(sizes, reverse=True)
    asked = rows[0].rpartition("--why-not ")[2].split()
    assert fstc("plan", SAMPLES / "dien_attention.fir", "--why-not", *asked).code == 0


def test_equal_launches_of_a_long_plan_share_a_row(fstc: Fstc) -> None:
    path = written("layers.fir", stacked(12))
    shown = fstc("plan", path).out
    assert len(shown.splitlines()) <= 20
    rows, each = (text.split("\n\n")[1].splitlines()[1:] for text in (shown, fstc("plan", path, "--all").out))
    assert sum(int(row[len(row.split("  ")[0]) :].split()[0]) for row in rows if "  " in row) == len(each)
    assert any("layer11" in row for row in each)


def test_a_terminal_gets_a_tree(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "60"}
    with subprocess.Popen(
        [sys.executable, "-m", "fstc", "plan", str(SAMPLES / "bert_layer.fir")],
        stdout=theirs, stderr=theirs, cwd=tmp_path, env=environment,
    ) as process:  # fmt: skip
        os.close(theirs)
        data = b""
        try:
            while chunk := os.read(ours, 65536):
                data += chunk
        except OSError:  # the other end is closed
            pass
        assert process.wait() == 0
    os.close(ours)
    shown = data.decode()
    assert "├── " in shown and "└── " in shown
    line = next(row for row in shown.splitlines() if "k0_attended" in row)
    assert "rows (a1=1024) columns (a0=768)" in line  # wider than the terminal, and not cropped


def test_an_impossible_wish_ends_with_three(fstc: Fstc) -> None:
    done = fstc("plan", written("t.fir", TRANSPOSED), "--force", "s,y")
    assert done.code == 3
    assert "error[FST0420]: %s, %y cannot be one kernel" in done.err


@pytest.mark.parametrize("command", ["plan", "build", "codegen"])
def test_a_plan_that_is_made_takes_no_options_of_the_planner(fstc: Fstc, command: str) -> None:
    assert fstc("plan", SAMPLES / "softmax_mask.fir", "-o", "m.plan.json").code == 0
    done = fstc(command, "m.plan.json", "--strategy", "none", "--top-k", 2)
    assert done.code == 2
    assert "FST0015" in done.err and "--strategy, --top-k would change nothing" in done.err
    assert fstc("plan", "m.plan.json", "--compare", "--top-k", 2).code == 0, "which makes plans of its own"
