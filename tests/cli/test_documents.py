"""What the documents show is what the commands print, codes and links are real, and the wheel works on its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from fstc.cli.group import COMMANDS
from fstc.report.codes import codes_markdown
from fstc.support.codes import CODES, Code
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


def used_codes() -> set[str]:
    """Every code that the program names outside the tables."""
    tables = {ROOT / "fstc" / "support" / name for name in ("codes.py", "decisions.py")}
    sources = [p for p in (ROOT / "fstc").rglob("*.py") if p not in tables]
    return {c for p in sources for c in CODE.findall(p.read_text(encoding="utf-8"))}


def without_page(used: set[str], codes: Mapping[str, Code], page: str) -> list[str]:
    """What lacks an entry, a text, for a decision one of its paragraphs, or a place in the document and its index."""
    found = sorted(f"{code}: not declared" for code in used if code not in codes)
    for code, entry in codes.items():
        paragraphs = entry.text.split("\n\n")
        if len(entry.text) < 30 or not entry.meaning:
            found.append(f"{code}: no text")
        if code.startswith("FSN") and [p.split(":")[0] for p in paragraphs[1:]] != ["Shown", "To do"]:
            found.append(f"{code}: not its meaning, `Shown:` and `To do:`")
        if f"\n### {code}\n\n**{entry.meaning}**" not in page:
            found.append(f"{code}: not in docs/diagnostics.md")
        if f"\n| [{code}](#{code.lower()}) | {entry.meaning} |" not in page:
            found.append(f"{code}: not in the index")
    return found


def test_every_code_has_its_page(fstc: Fstc) -> None:
    page = (ROOT / "docs" / "diagnostics.md").read_text(encoding="utf-8")
    assert without_page(used_codes(), CODES, page) == []
    for code, entry in CODES.items():
        shown = fstc("explain", code)
        assert (shown.code, shown.err) == (0, "")
        assert shown.out.startswith(f"{code}: {entry.meaning}\n\n{entry.text}\n")


def test_a_missing_page_is_found() -> None:
    page = codes_markdown()
    used = {"FSN021", "FST0202"}
    assert without_page(used, CODES, page) == []
    less = {code: entry for code, entry in CODES.items() if code != "FSN021"}
    assert without_page(used, less, page) == ["FSN021: not declared"]
    entry = CODES["FSN021"]
    assert without_page(used, CODES | {"FSN021": replace(entry, text="")}, page)[0] == "FSN021: no text"
    short = replace(entry, text=entry.text.split("\n\nTo do")[0])
    assert without_page(used, CODES | {"FSN021": short}, page) == ["FSN021: not its meaning, `Shown:` and `To do:`"]
    assert without_page(used, CODES, page.replace("### FST0202", "### FST")) == ["FST0202: not in docs/diagnostics.md"]
    assert without_page(used, CODES, page.replace("[FST0202]", "[FST]")) == ["FST0202: not in the index"]


def test_codes_are_declared_and_declared_codes_are_used() -> None:
    """FST0900 stands for every exception, FST0602 for a result of verify: neither is raised by its name."""
    used = used_codes()
    named = {c for p in DOCUMENTS for c in CODE.findall(p.read_text(encoding="utf-8"))}
    examples = {c for c in used | named if c not in CODES}
    assert not examples, "declare it in fstc/support/codes.py or decisions.py"
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
