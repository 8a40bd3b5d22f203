"""What the documents show is what the commands print, codes and links are real, and the wheel works on its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fstc.cli.group import COMMANDS
from fstc.support.codes import CODES
from tests.cli.conftest import ROOT, SAMPLES, Fstc
from tests.cli.documents import renewed
from tests.conftest import Golden

DOCUMENTS = (*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md")))
COMPARES = ("diff",)  # may end with a finding
CODE = re.compile(r"\bFS[TN]\d{3,4}\b")


@pytest.mark.nvrtc
@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
def test_shown_output_is_real(path: Path, fstc: Fstc, golden: Golden, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    Path("samples").symlink_to(SAMPLES)  # commands run in an empty folder

    def run(arguments: list[str]) -> str:
        done = fstc(*arguments)
        assert done.code == 0 or (arguments[0] in COMPARES and done.code == 1), done.err
        return done.out

    golden(path, renewed(path.read_text(encoding="utf-8"), run))


def test_example_files_are_right(fstc: Fstc) -> None:
    for path in DOCUMENTS:
        for text in re.findall(r"^```fir\n(.*?)^```$", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
            Path("example.fir").write_text(text, encoding="utf-8")
            done = fstc("parse", "example.fir", "--check")
            assert done.code == 0, done.err


def test_links_lead_somewhere() -> None:
    for path in DOCUMENTS:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
            assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_codes_are_declared_and_declared_codes_are_used() -> None:
    """FST0900 stands for every exception, FST0602 for a result of verify: neither is raised by its name."""
    table = ROOT / "fstc" / "support" / "codes.py"
    sources = [p for p in (ROOT / "fstc").rglob("*.py") if p != table]
    used = {c for p in sources for c in CODE.findall(p.read_text(encoding="utf-8"))}
    named = {c for p in DOCUMENTS for c in CODE.findall(p.read_text(encoding="utf-8"))}
    examples = {c for c in used | named if c not in CODES}
    assert not examples, "declare it in fstc/support/codes.py"
    assert CODES.keys() - used == UNNAMED


UNNAMED = {"FST0602", "FST0900"}


def test_documents_name_real_commands() -> None:
    for path in DOCUMENTS:
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
    on_host = ("verify", *small, "--target", "host")
    page = ("plan", *small, "--emit", "html")
    for command in (("build", *small, "-o", "s.fpk"), on_host, page, ("ops",), ("doctor",)):
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
