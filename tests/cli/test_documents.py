"""The README's commands and output are real, and the wheel works away from the repository."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fstc.cli.group import COMMANDS
from tests.cli.conftest import ROOT, SAMPLES, Fstc

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_plan_in_the_readme_is_the_plan(process: Fstc) -> None:
    done = process("plan", "samples/softmax_mask.fir", "--device", "h200", cwd=ROOT)
    shown = {line.strip() for line in README.splitlines()}
    assert {line.strip() for line in done.out.splitlines()} <= shown, "copy the new output into README.md"


def test_documents_name_real_commands() -> None:
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        named = set(re.findall(r"(?:\$ |`|    |&& )fstc ([a-z]+)", path.read_text(encoding="utf-8")))
        assert named <= COMMANDS.keys(), path.name


def test_documents_name_real_targets() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = "".join((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "CONTRIBUTING.md"))
    assert set(re.findall(r"`?make ([a-z-]+)", text)) <= targets


@pytest.mark.slow
@pytest.mark.nvrtc
def test_the_wheel_works_alone(tmp_path: Path) -> None:
    """Its own files only: no checkout on the path, another folder, a name with a space."""
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True, text=True)
    [wheel] = tmp_path.glob("*.whl")
    home = tmp_path / "in stalled"
    install = [sys.executable, "-m", "pip", "install", "--no-deps", "--quiet", "--target", str(home), str(wheel)]
    subprocess.run(install, check=True, capture_output=True, text=True)
    shutil.copy(SAMPLES / "softmax_mask.fir", tmp_path)
    small = ("softmax_mask.fir", "--bind", "B=1", "--bind", "H=1")
    for command in (("build", *small, "-o", "s.fpk"), ("verify", *small, "--target", "host"), ("ops",), ("doctor",)):
        done = subprocess.run(
            [sys.executable, "-m", "fstc", *command],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(home), "PYTHONSAFEPATH": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    where = [sys.executable, "-c", "import fstc; print(fstc.__file__)"]
    found = subprocess.run(
        where, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(home)}, capture_output=True, text=True
    )
    assert str(home) in found.stdout
