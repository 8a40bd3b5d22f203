"""Run the command line: in this process where only output and exit code matter, in one of its own otherwise."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from fstc.cli.main import main

ROOT = Path(__file__).resolve().parent.parent.parent
SAMPLES = ROOT / "samples"


class Done(NamedTuple):
    code: int
    out: str
    err: str


Fstc = Callable[..., Done]


@pytest.fixture
def fstc(capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fstc:
    """``fstc("parse", path)`` in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> Done:
        capfd.readouterr()
        code = main([str(a) for a in arguments])
        out, err = capfd.readouterr()
        return Done(code, out, err)

    return call


@pytest.fixture
def process(tmp_path: Path) -> Fstc:
    """The same as a program of its own, with extra variables as keywords."""

    def call(*arguments: object, text: str | None = None, cwd: Path = tmp_path, **variables: str) -> Done:
        done = subprocess.run(
            [sys.executable, "-m", "fstc", *map(str, arguments)],
            cwd=cwd,
            input=text,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
            timeout=120,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    return call


def files_in(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
