"""The workflow in docs/ci.md does what it says: its commands are run as GitHub would, on a sample in a repository."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.conftest import ROOT, SAMPLES, Done, Fstc, files_in

WORKFLOW = re.compile(r"^```yaml\n(name: .*?)^```$", re.MULTILINE | re.DOTALL)
SMALL = "softmax_mask.fir"


def workflow() -> Any:
    [text] = WORKFLOW.findall((ROOT / "docs" / "ci.md").read_text(encoding="utf-8"))
    return yaml.safe_load(text)


def steps() -> dict[str, dict[str, Any]]:
    [job] = workflow()["jobs"].values()
    return {step["name"]: step for step in job["steps"] if "run" in step}


def program(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


class Runner:
    """A checkout with a base branch, and a shell for each step."""

    def __init__(self, folder: Path) -> None:
        self.checkout = folder / "checkout"
        self.checkout.mkdir()
        bin = folder / "bin"
        bin.mkdir()
        program(bin, "fstc", f'exec "{sys.executable}" -m fstc "$@"')
        program(bin, "pip", f'echo "$@" >> "{folder}/installed"')
        self.installed = folder / "installed"
        self.environment = {
            **os.environ,
            "PATH": f"{bin}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "GITHUB_BASE_REF": "main",
            "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
            "GIT_CONFIG_GLOBAL": os.devnull,
        }

    def shell(self, script: str) -> Done:
        """As GitHub runs a step."""
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
            cwd=self.checkout, env=self.environment, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        return Done(done.returncode, done.stdout, done.stderr)

    def git(self, *arguments: str) -> None:
        identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        subprocess.run(["git", *identity, *arguments], cwd=self.checkout, env=self.environment, check=True)


@pytest.fixture
def runner(tmp_path: Path, fstc: Fstc) -> Runner:
    """The sample at small extents is the base branch, with expectations that its plan meets."""
    made = Runner(tmp_path)
    models = made.checkout / "models"
    models.mkdir()
    text = (SAMPLES / SMALL).read_text()
    (models / "model.fir").write_text(text)
    assert fstc("plan", models / "model.fir", "--write-expect", models / "plan.expect.yaml").code == 0
    made.git("init", "--quiet")
    made.git("add", ".")
    made.git("commit", "--quiet", "-m", "base")
    made.git("update-ref", "refs/remotes/origin/main", "HEAD")
    return made


def slower(runner: Runner) -> None:
    """A second result of the same size: half as much traffic again."""
    path = runner.checkout / "models" / "model.fir"
    text = path.read_text()
    text = text.replace("-> (f32[B,H,Q,K])", "-> (f32[B,H,Q,K], f32[B,H,Q,K])")
    text = re.sub(r"return (%\w+)", r"%again = exp \1 : f32[B,H,Q,K]\n  return \1, %again", text)
    path.write_text(text)


def test_it_is_a_workflow() -> None:
    data = workflow()
    assert set(data) == {"name", True, "jobs"}, "`on` is a truth value in YAML 1.1"
    [job] = data["jobs"].values()
    for step in job["steps"]:
        assert ("uses" in step) != ("run" in step)
        assert "run" not in step or "name" in step
    checkout = job["steps"][0]
    assert checkout["uses"].startswith("actions/checkout@") and checkout["with"]["fetch-depth"] == 0


@pytest.mark.nvrtc
def test_every_step_passes_where_nothing_changed(runner: Runner) -> None:
    for name, step in steps().items():
        done = runner.shell(step["run"])
        assert done.code == 0, f"{name}: {done.out}{done.err}"
    assert runner.installed.read_text() == "install fstc\n"
    assert {"out/model.plan.json", "out/base.plan.json", "out/model.fpk"} <= set(files_in(runner.checkout))
    assert "| kernel | ops |" in Path(runner.environment["GITHUB_STEP_SUMMARY"]).read_text()


def test_a_slower_plan_is_annotated(runner: Runner) -> None:
    slower(runner)
    done = runner.shell(steps()["Plan"]["run"])
    assert done.code == 1, done.err
    assert re.search(r"^::error file=models/plan\.expect\.yaml,line=\d+,.*predicted_us is ", done.out, re.MULTILINE)
    assert "out/model.plan.json" in files_in(runner.checkout), "kept to be looked at"
    done = runner.shell(steps()["Compare with the base branch"]["run"])
    assert done.code == 1, done.err
    assert "::error" in done.out and "models/model.fir" in done.out
