"""A .fir is imported: simplified, its tensors gathered in one file, its origin kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fstc.cli.main import main
from fstc.driver.imports import write_imported
from fstc.frontends.artefact import ImportOptions
from fstc.frontends.run import import_model
from fstc.ir.parser import parse_file
from fstc.ir.safetensors import read_header, write_tensors
from fstc.support.diagnostics import FstcError

TEXT = """module @m {frontend = "onnx", sha256 = "00", source = "m.onnx"}
dim N
func @main(%x: f32[N]) -> (f32[N]) {
  %a = constant {data = "one.safetensors:w"} : f32[N]
  %b = constant {data = "two.safetensors:w"} : f32[N]
  %c = constant {data = "one.safetensors:w"} : f32[N]
  %d = mul %x, %a : f32[N]
  %e = add %d, %b : f32[N]
  %y = sub %e, %c : f32[N]
  return %y
}
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    for name, first in (("one", 0), ("two", 1)):
        with (tmp_path / f"{name}.safetensors").open("wb") as stream:
            write_tensors(stream, {"w": np.arange(first, first + 32, dtype=np.float32)})
    path = tmp_path / "m.fir"
    path.write_text(TEXT)
    return path


def test_tensors_of_two_files_meet_in_one(model: Path, tmp_path: Path) -> None:
    imported = import_model(model, ImportOptions({"N": 32}), "new.safetensors")
    assert sorted(imported.tensors) == ["w", "w.1"] and not imported.coverage.rows
    target = tmp_path / "sub" / "new.fir"
    target.parent.mkdir()
    write_imported(imported, target)
    graph = parse_file(target)
    assert dict(graph.attrs) == {"frontend": "onnx", "sha256": "00", "source": "../m.onnx"}
    assert sorted(read_header(target.with_name("new.safetensors"))) == ["w", "w.1"]
    assert [n.op.name for n in graph.nodes].count("constant") == 2  # %c is %a


def test_the_command_does_not_overwrite_what_it_reads(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(model.parent)
    assert main(["import", "m.fir", "--bind", "N=32"]) == 0
    assert "no operators to map -> 5 ops" in capsys.readouterr().out
    assert model.read_text() == TEXT and (model.parent / "m.simple.fir").exists()


def test_a_tensor_that_is_not_there(model: Path) -> None:
    (model.parent / "two.safetensors").unlink()
    with pytest.raises(FstcError) as caught:
        import_model(model, ImportOptions({"N": 32}), "new.safetensors")
    assert caught.value.diagnostics[0].code == "FST0320"
