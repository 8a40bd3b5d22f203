"""Verdicts on our error beside a framework's, and where the framework's result comes from."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fstc.cli.main import main
from fstc.driver import peers
from fstc.driver.imports import digest
from fstc.driver.peers import find_peer
from fstc.ir.parser import parse_text
from fstc.ir.types import F32, I32, DType
from fstc.runtime.compare import tolerance
from fstc.runtime.peers import judge
from fstc.support.diagnostics import FstcError

RNG = np.random.default_rng(0)
WANT = RNG.standard_normal(1000)
UNIT = 2.0**-23


def verdict(ours: Any, theirs: Any, want: Any = WANT, dtype: DType = F32, jump: str = "", depth: int = 10) -> str:
    allowed = tolerance(dtype, reduction=100, depth=depth)
    found = judge("%y", ours, theirs, want, allowed, dtype, jump=jump)
    assert found.ok == (found.verdict not in ("further", "disagrees"))
    return found.verdict


def off(units: float) -> Any:
    """The reference with a relative error of about so many units in the last place."""
    return (WANT * (1 + units * UNIT * RNG.choice([-1, 1], WANT.shape))).astype(np.float32)


def spiked(units: float) -> Any:
    found = WANT.astype(np.float32)
    found[7] += np.float32(units * UNIT * np.abs(WANT).max())
    return found


@pytest.mark.parametrize(
    "ours, theirs, expected",
    [
        (1, 3, "closer"), (6, 4, "alike"), (30, 16, "alike"), (0.6, 0, "rounding"), (30, 4, "further"),
        (8, 0, "further"), (4, 1e5, "disagrees"), (1e5, 1e5, "disagrees"),
    ],
)  # fmt: skip
def test_floats(ours: float, theirs: float, expected: str) -> None:
    assert verdict(off(ours), off(theirs)) == expected


def test_the_same_bits_are_alike() -> None:
    assert verdict(off(0), off(0)) == "alike"


def test_one_wrong_element_is_seen() -> None:
    """Of the root mean square it is a thirtieth; the largest error tells."""
    assert verdict(spiked(20), off(1)) == "further"
    assert verdict(spiked(3), off(0)) == "rounding"


def test_what_is_not_finite() -> None:
    ours, want = off(1), WANT.copy()
    ours[3] = np.nan
    assert verdict(ours, off(1)) == "further"
    assert verdict(off(1), ours) == "disagrees"
    want[3] = np.nan
    assert verdict(ours, ours, want) == "alike"
    want[3], ours[3] = 1e39, np.inf  # overflows in f32
    assert verdict(ours, ours, want) == "alike"


def test_zeros() -> None:
    zero = np.zeros(10, np.float32)
    assert verdict(zero, zero, np.zeros(10)) == "alike"
    assert verdict(zero + 1, zero, np.zeros(10)) == "further"


def test_huge_errors_stay_numbers() -> None:
    found = judge("%y", np.full(4, 3e38, np.float32), np.ones(4, np.float32), np.ones(4), tolerance(F32), F32)
    assert found.verdict == "further" and np.isfinite([found.ours_rms, found.ours_max, found.ours_peak]).all()


def test_integers() -> None:
    want = np.arange(1000)
    right = want.astype(np.int32)
    wrong = right.copy()
    wrong[5] += 1
    assert verdict(right, right, want, I32) == "alike"
    assert verdict(wrong, right, want, I32) == "further"
    assert verdict(right, wrong, want, I32) == "disagrees"
    assert verdict(wrong, right, want, I32, jump="%v convert") == "rounding"  # one of a thousand fell beside a step
    assert verdict(right, wrong, want, I32, jump="%v convert") == "closer"


def test_nothing_to_compare() -> None:
    none = np.zeros((0, 3), np.float32)
    assert verdict(none, none, none) == "alike"


FIR = """module @m {{{attrs}}}
func @main(%x: f32[64]) -> (f32[64], i32[64]) {{
  %y = exp %x : f32[64]
  %i = convert %y : i32[64]
  return %y, %i
}}
"""
Run = Callable[..., Any]


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """A .fir with its origin; a framework that is not there is played by ``run``."""

    def make(run: Run, frontend: str = "onnx", **attrs: str) -> Path:
        path = tmp_path / "m.onnx"
        path.write_bytes(b"a model")
        said = {"frontend": frontend, "source": "m.onnx", "sha256": digest(path)} | attrs
        (tmp_path / "m.fir").write_text(FIR.format(attrs=", ".join(f'{k} = "{v}"' for k, v in said.items() if v)))
        monkeypatch.setattr(peers, "import_module", lambda name: SimpleNamespace(run_peer=run))
        return tmp_path / "m.fir"

    return make


def right(model: Path, feeds: Any, binds: Any) -> list[Any]:
    x = next(iter(feeds.values())) if isinstance(feeds, dict) else feeds[0]
    y = np.exp(x)
    return [y, y.astype(np.int32)]


def failing(model: Path, feeds: Any, binds: Any) -> list[Any]:
    raise RuntimeError("no kernel for Exp\nand a long story")


def test_the_table_and_the_data(model: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = model(right)
    assert main(["verify", str(path), "--against", "onnxruntime", "-o", str(tmp_path / "v.json")]) == 0
    assert "errors against float64: ours and those of onnxruntime" in capsys.readouterr().out
    body = json.loads((tmp_path / "v.json").read_text())["body"]
    assert body["peer"] == "onnxruntime" and sorted(p["name"] for p in body["peers"]) == ["%i", "%y"]


def test_another_model_is_a_finding(model: Any, capsys: pytest.CaptureFixture[str]) -> None:
    path = model(lambda m, feeds, binds: [np.exp(feeds["x"]) * 1.01, np.exp(feeds["x"]).astype(np.int32)])
    assert main(["verify", str(path), "--against", "onnxruntime"]) == 1
    assert "m: %y is not what onnxruntime computes" in capsys.readouterr().out


@pytest.mark.parametrize("against, frontend", [("onnxruntime", "onnx"), ("jax", "stablehlo")])
def test_binds_and_feeds_arrive(model: Any, against: str, frontend: str) -> None:
    seen = {}

    def run(model: Path, feeds: Any, binds: Any) -> list[Any]:
        seen.update(binds=binds, model=model.name)
        return right(model, feeds, binds)

    path = model(run, frontend, binds="B=4,S=16")
    assert main(["verify", str(path), "--against", against]) == 0
    assert seen == {"binds": {"B": 4, "S": 16}, "model": "m.onnx"}


def test_a_function_that_makes_the_model(model: Any) -> None:
    seen = []

    def run(model: Path | None, factory: str, feeds: Any, binds: Any) -> list[Any]:
        seen.append((model, factory))
        return right(Path(), feeds, binds)

    path = model(run, "torch", source="package.module:make", sha256="")
    assert main(["verify", str(path), "--against", "torch"]) == 0
    assert seen == [(None, "package.module:make")]


REFUSED = {
    "gone": (right, {"source": "other.onnx"}, "onnxruntime", "there is no model"),
    "changed": (right, {"sha256": "00"}, "onnxruntime", "its content has changed"),
    "of another framework": (right, {}, "torch", "it was imported from onnx"),
    "of none": (right, {"frontend": "", "source": "", "sha256": ""}, "onnxruntime", "does not say"),
    "without a source": (right, {"source": ""}, "onnxruntime", "does not say which model"),
    "it cannot": (failing, {}, "onnxruntime", "cannot run the model: no kernel for Exp"),
    "too few": (lambda *a: right(*a)[:1], {}, "onnxruntime", "gives 1 results, the .fir returns 2"),
    "shape": (lambda *a: [v[None] for v in right(*a)], {}, "onnxruntime", "gives float32[1,64] for %y, the .fir f32"),
    "type": (lambda *a: right(*a)[::-1], {}, "onnxruntime", "gives int32[64] for %y"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_compared(model: Any, what: str, capsys: pytest.CaptureFixture[str]) -> None:
    run, attrs, against, words = REFUSED[what]
    path = model(run, **attrs)
    assert main(["verify", str(path), "--against", against]) == 3
    err = capsys.readouterr().err
    assert "error[FST0810]" in err and words in err, err


def test_model_says_where_it_is(model: Any, tmp_path: Path) -> None:
    path = model(right, source="gone.onnx", sha256="00")
    assert main(["verify", str(path), "--against", "onnxruntime", "--model", str(tmp_path / "m.onnx")]) == 0
    assert main(["verify", str(path), "--model", str(tmp_path / "m.onnx")]) == 2  # of nothing


def test_a_package_that_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def missing(name: str) -> Any:
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(peers, "import_module", missing)
    (tmp_path / "m.mlir").write_text("")
    graph = parse_text(
        FIR.format(attrs=f'frontend = "stablehlo", source = "m.mlir", sha256 = "{digest(tmp_path / "m.mlir")}"')
    )
    with pytest.raises(FstcError) as caught:
        find_peer(graph, tmp_path / "m.fir", "jax")
    assert caught.value.diagnostics[0].code == "FST0801" and "fstc[jax]" in caught.value.diagnostics[0].help


def test_inputs_of_a_file(model: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seen = []

    def run(model: Path, feeds: Any, binds: Any) -> list[Any]:
        seen.append(feeds["x"])
        return right(model, feeds, binds)

    path, given = model(run), np.linspace(0, 1, 64, dtype=np.float32)
    np.savez(tmp_path / "x.npz", x=given)
    assert main(["verify", str(path), "--against", "onnxruntime", "--inputs", str(tmp_path / "x.npz")]) == 0
    assert "inputs of x.npz; " in capsys.readouterr().out and np.array_equal(seen[0], given)
    assert main(["verify", str(path), "--inputs", str(tmp_path / "x.npz"), "--seeds", "2"]) == 2
    np.savez(tmp_path / "x.npz", y=given)
    assert main(["verify", str(path), "--inputs", str(tmp_path / "x.npz")]) == 3
