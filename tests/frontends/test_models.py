"""Whole models through every command: import, plan, build, and verify on the CPU against their framework."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT, Fstc

HUGGING = ("bert", "bert_base", "gpt2", "llama", "t5", "marian", "whisper", "conformer", "vit", "clip", "mamba")
PLAIN = ("crnn", "dien", "dlrm")
STRATEGIES = ("none", "classic", "stitch")
PAGE = ROOT / "docs" / "models.md"
JAX = ("bert_layer", "bert_layer_grad", "resnet_block", "resnet_block_grad", "adamw_step", "gru_scan")


def through_every_command(fstc: Fstc, fir: str, peer: str) -> None:
    stem = Path(fir).stem
    for arguments in (("plan", fir, "-o", f"{stem}.plan.json"), ("build", fir, "-o", f"{stem}.fpk")):
        done = fstc(*arguments)
        assert done.code == 0, done.err
    done = fstc("verify", fir, "--target", "host", "--against", peer, "--format", "json")
    assert done.code == 0, (done.err, done.out[-3000:])
    assert json.loads(done.out)["ok"]
    found = json.loads(fstc("plan", fir, "--compare", "--format", "json").out)["strategies"]
    kernels, moved = ([found[s][figure] for s in STRATEGIES] for figure in ("kernels", "bytes"))
    assert kernels == sorted(kernels, reverse=True)
    row = next(line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith(f"| `{stem}` "))
    shown = [cell.strip() for cell in row.split("|")[5:11]]
    assert shown == [*map(str, kernels), *(f"{size / 1e6:.1f}" for size in moved)], "python bench/models.py --write"


def imported_from_torch(fstc: Fstc, monkeypatch: pytest.MonkeyPatch, module: str, name: str) -> str:
    monkeypatch.syspath_prepend(ROOT)
    done = fstc("import", "--torch", f"tests.frontends.models.{module}:{name}", "-o", f"{name}.fir")
    assert done.code == 0, done.err
    return f"{name}.fir"


def test_dlrm(fstc: Fstc, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    through_every_command(fstc, imported_from_torch(fstc, monkeypatch, "plain", "dlrm"), "torch")


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in PLAIN if n != "dlrm"])
def test_recognition_and_recommendation(fstc: Fstc, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    pytest.importorskip("torch")
    through_every_command(fstc, imported_from_torch(fstc, monkeypatch, "plain", name), "torch")


@pytest.mark.slow
@pytest.mark.parametrize("name", HUGGING)
def test_transformers(fstc: Fstc, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    through_every_command(fstc, imported_from_torch(fstc, monkeypatch, "hugging", name), "torch")


@pytest.mark.slow
@pytest.mark.parametrize("name", JAX)
def test_jax_programs(fstc: Fstc, name: str) -> None:
    jax = pytest.importorskip("jax")
    from tests.frontends import jax_programs

    function, args = jax_programs.PROGRAMS[name](jax_programs.WIDE)
    Path(f"{name}.mlir").write_text(jax.jit(function).lower(*args).as_text())
    done = fstc("import", f"{name}.mlir")
    assert done.code == 0, done.err
    through_every_command(fstc, f"{name}.fir", "jax")
