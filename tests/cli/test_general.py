"""What all commands share: help, exit codes, streams, settings."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from fstc.cli import failure
from fstc.cli.group import COMMANDS
from fstc.support.codes import CODES
from tests.cli.conftest import ROOT, SAMPLES, Fstc, files_in

SOFTMAX = SAMPLES / "softmax_mask.fir"


def test_help_names_every_command(fstc: Fstc) -> None:
    done = fstc("--help")
    assert done.code == 0
    assert all(f"\n  {name} " in done.out for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(fstc: Fstc, name: str) -> None:
    done = fstc(name, "--help")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"Usage: fstc {name}")


def test_help_imports_nothing_heavy() -> None:
    code = "import sys; from fstc.cli.main import main; main(['--help']); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    heavy = {"numpy", "lark", "jinja2", "rich", "yaml", "msgspec", "fstc.stages", "fstc.driver"}
    assert not heavy & set(done.stderr.split())


def test_plan_imports_nothing_heavy() -> None:
    command = f"main(['plan', {str(SOFTMAX)!r}])"
    code = f"import sys; from fstc.cli.main import main; {command}; print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"numpy", "rich", "cuda.bindings.nvrtc"} & set(done.stderr.split())


@pytest.mark.parametrize(
    "arguments",
    [
        ("plaan",),
        ("parse",),
        ("parse", "--nope"),
        ("parse", SOFTMAX, "--bind", "B"),
        ("explain", "FST9999"),
        ("device", "show", "x9"),
    ],
)
def test_wrong_usage_is_2(fstc: Fstc, arguments: tuple[object, ...]) -> None:
    done = fstc(*arguments)
    assert done.code == 2
    assert done.out == ""
    assert done.err


def test_a_near_command_is_suggested(fstc: Fstc) -> None:
    assert "Did you mean 'plan'?" in fstc("plaan").err


def test_explain_knows_every_code(fstc: Fstc) -> None:
    listed = fstc("explain", "--format", "json")
    assert [c["code"] for c in json.loads(listed.out)] == list(CODES)
    assert "unknown name" in fstc("explain", "fst0202").out


def test_formats_agree(fstc: Fstc) -> None:
    data = json.loads(fstc("device", "list", "--format", "json").out)
    assert yaml.safe_load(fstc("device", "list", "--format", "yaml").out) == data
    assert fstc("device", "list", "--format", "md").out.count("\n| ") == len(data) + 1
    plain = fstc("device", "list").out.splitlines()
    assert len(plain) == len(data) + 1, "one record a line, never cropped"


def test_settings_file_variable_and_flag(fstc: Fstc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def shown(*more: str) -> str:
        return fstc("device", "show", "a100", *more).out[:1]

    assert shown() == "f"
    (tmp_path / "fstc.toml").write_text('[ops]\nformat = "json"\n')
    assert shown() == "f"
    assert fstc("ops", "exp").out[:1] == "{"
    monkeypatch.setenv("FSTC_FORMAT", "yaml")
    assert fstc("ops", "exp").out[:1] == "a"
    assert fstc("ops", "exp", "--format", "text").out.startswith("exp:")


@pytest.mark.parametrize("text", ["[plan", "[no_command]\nx = 1\n"])
def test_a_bad_settings_file_is_2(fstc: Fstc, tmp_path: Path, text: str) -> None:
    (tmp_path / "fstc.toml").write_text(text)
    done = fstc("device", "list")
    assert done.code == 2
    assert "fstc.toml" in done.err


def test_a_bug_leaves_a_bundle(fstc: Fstc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise KeyError("no such thing")

    monkeypatch.setattr("fstc.ir.parser.read_text", broken)
    done = fstc("parse", SOFTMAX)
    assert done.code == 70
    assert done.err.count("\n") == 1
    [folder] = tmp_path.iterdir()
    assert str(folder) in done.err
    assert files_in(folder) == ["about.txt", "repro.sh", "softmax_mask.fir", "traceback.txt"]
    assert (folder / "repro.sh").read_text().endswith("exec fstc parse softmax_mask.fir\n")
    assert "KeyError" in (folder / "traceback.txt").read_text()


def test_a_bundle_quotes_its_arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    failure.leave_bundle(RuntimeError("x"), ["parse", "a b;rm c.fir"])
    [script] = tmp_path.rglob("repro.sh")
    assert "'a b;rm c.fir'" in script.read_text()


def test_a_closed_pipe_is_141() -> None:
    command = f"{sys.executable!r} -m fstc explain --format json | head -c 1 >/dev/null; echo ${{PIPESTATUS[0]}}"
    slow = command.replace("| head -c 1", "| (exec 0<&-; sleep 0.5)")
    done = subprocess.run(["bash", "-c", slow], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "141\n"
    assert done.stderr == ""


def wait_until_idle(pid: int) -> None:
    """Until a process sleeps and has used no processor time for half a second: its imports are done."""
    used, since = [""], time.monotonic()
    while time.monotonic() - since < 0.5:
        state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        if state != "S" or rest[10:12] != used:
            used, since = rest[10:12], time.monotonic()
        time.sleep(0.05)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals(tmp_path: Path, number: signal.Signals, code: int) -> None:
    command = [sys.executable, "-m", "fstc", "parse", "-"]
    running = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    )
    wait_until_idle(running.pid)  # it waits for its input
    running.send_signal(number)
    assert running.wait(timeout=20) == code
    running.communicate()


def test_no_colour_in_a_pipe(process: Fstc) -> None:
    assert "\x1b" not in process("device", "list", FORCE_COLOR="").out
