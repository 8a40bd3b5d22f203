"""Bad input: exit 3, a place and a help line, and no file left behind, whichever command reads it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import ROOT, SAMPLES, Fstc, files_in

ERRORS = ROOT / "tests" / "errors"
SOFTMAX = SAMPLES / "softmax_mask.fir"
WRITERS = (
    ("parse", "-o", "out/x.graph.json"),
    ("parse", "--emit", "fir", "-o", "out/x.fir"),
    ("analyze", "-o", "out/x.analysis.json"),
    ("plan", "-o", "out/x.plan.json"),
    ("codegen", "-o", "out"),
    ("build", "-o", "out/x.fpk"),
    ("run", "--save", "out/x.npz"),
    ("verify", "-o", "out/x.json"),
)


def call(fstc: Fstc, writer: tuple[str, ...], path: object) -> Any:
    Path("out").mkdir(exist_ok=True)
    return fstc(writer[0], path, *writer[1:])


@pytest.mark.parametrize("writer", WRITERS, ids=lambda w: " ".join(w[:2]))
def test_folders_are_not_made_up(fstc: Fstc, tmp_path: Path, writer: tuple[str, ...]) -> None:
    """A mistyped folder is refused before anything is computed; `codegen -o` names the folder to make."""
    done = fstc(writer[0], ERRORS / "syntax.fir", *writer[1:])
    if writer[0] == "codegen":
        assert done.code == 3
    else:
        assert (done.code, "there is no folder out; make it first" in done.err) == (2, True)
    assert not (tmp_path / "out").exists()


def test_codegen_makes_its_folder(fstc: Fstc, tmp_path: Path) -> None:
    assert fstc("codegen", SOFTMAX, "-o", "out").code == 0
    assert (tmp_path / "out" / "softmax_mask.codegen.json").is_file()


@pytest.mark.parametrize("writer", WRITERS, ids=lambda w: " ".join(w[:2]))
@pytest.mark.parametrize("case", ["syntax", "truncated", "latin1"])
def test_every_command_refuses_a_bad_text(fstc: Fstc, tmp_path: Path, writer: tuple[str, ...], case: str) -> None:
    done = call(fstc, writer, ERRORS / f"{case}.fir")
    assert done.code == 3
    assert done.out == ""
    assert done.err.startswith("error[FST")
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("case", sorted(p.stem for p in ERRORS.glob("*.fir")))
def test_a_bad_text_never_reaches_a_file(fstc: Fstc, tmp_path: Path, case: str) -> None:
    first = (ERRORS / f"{case}.fir").read_text(encoding="latin-1").partition("\n")[0]
    binds = first.removeprefix("// bind: ").split(",") if first.startswith("// bind: ") else ()
    bound = [word for bind in binds for word in ("--bind", bind)]
    done = fstc("plan", ERRORS / f"{case}.fir", *bound, "-o", "x.plan.json")
    assert done.code == 3, done.err
    assert " --> " in done.err
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("writer", WRITERS, ids=lambda w: " ".join(w[:2]))
def test_missing_files_and_folders(fstc: Fstc, tmp_path: Path, writer: tuple[str, ...]) -> None:
    assert call(fstc, writer, "nothing.fir").code == 3
    assert call(fstc, writer, tmp_path).code == 3
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("head", [b"\x00\xff", b"{", b"PK\x03\x04", b"func @f("])
def test_junk_of_a_hundred_megabytes(fstc: Fstc, tmp_path: Path, head: bytes) -> None:
    (tmp_path / "junk").write_bytes(head + b"j" * 100_000_000)
    done = fstc("build", "junk", "-o", "x.fpk")
    assert done.code == 3
    assert len(done.err) < 2000
    assert files_in(tmp_path) == ["junk"]


def edited(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], object]:
    """An edit of an artefact as its user would make it."""

    def edit(path: Path) -> None:
        document = json.loads(path.read_text())
        change(document)
        path.write_text(json.dumps(document))

    return edit


DAMAGE: dict[str, Callable[[Path], object]] = {
    "newer major version": edited(lambda d: d.update(format_version="2.0")),
    "no version": edited(lambda d: d.update(format_version="new")),
    "foreign kind": edited(lambda d: d.update(kind="recipe")),
    "no body": edited(lambda d: d.update(body=None)),
    "a field of another type": edited(lambda d: d["body"].update(steps=7)),
    "an unknown field": edited(lambda d: d["body"].update(secret=1)),
    "no inputs": edited(lambda d: d.update(inputs=[])),
    "inputs elsewhere": edited(lambda d: [i.update(name="../x.graph.json") for i in d["inputs"]]),
    "cut off": lambda path: path.write_text(path.read_text()[:500]),
    "not UTF-8": lambda path: path.write_bytes(path.read_bytes().replace(b"plan", b"pl\xffan")),
    "nested": lambda path: path.write_text("{" + '"a":[' * 100_000),
    "changed graph": lambda path: (path.parent / "m.graph.json").write_text("{}"),
    "missing analysis": lambda path: (path.parent / "m.analysis.json").unlink(),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_damaged_and_stale_artefacts(fstc: Fstc, tmp_path: Path, damage: Callable[[Path], object]) -> None:
    assert fstc("plan", SOFTMAX, "-o", "m.plan.json").code == 0
    damage(tmp_path / "m.plan.json")
    before = files_in(tmp_path)
    done = fstc("build", "m.plan.json", "-o", "x.fpk")
    assert done.code == 3, done.err
    assert done.err.startswith("error[FST00")
    assert "help: " in done.err
    assert files_in(tmp_path) == before


def test_a_graph_refuses_its_changed_text(fstc: Fstc, tmp_path: Path) -> None:
    shutil.copy(SOFTMAX, tmp_path / "m.fir")
    assert fstc("parse", "m.fir", "-o", "m.graph.json").code == 0
    assert fstc("plan", "m.graph.json").code == 0
    (tmp_path / "m.fir").write_text((tmp_path / "m.fir").read_text() + "// more\n")
    done = fstc("plan", "m.graph.json")
    assert (done.code, "has changed since" in done.err, "fstc parse" in done.err) == (3, True, True)
    (tmp_path / "m.fir").unlink()  # a graph may travel without its text
    assert fstc("plan", "m.graph.json").code == 0


def test_later_artefacts_are_for_their_device_and_bound(fstc: Fstc) -> None:
    assert fstc("plan", SOFTMAX, "-o", "m.plan.json").code == 0
    assert fstc("build", "m.plan.json", "--device", "a100").code == 2
    assert fstc("build", "m.plan.json", "--bind", "B=2").code == 2
    assert fstc("parse", "m.plan.json", "--emit", "fir").code == 0


def test_a_folder_that_cannot_be_written(fstc: Fstc, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert fstc("plan", SOFTMAX, "-o", "file/m.plan.json").code == 2
    assert fstc("build", SOFTMAX, "-o", "file/x.fpk").code == 2
    assert fstc("codegen", SOFTMAX, "-o", "file/k").code == 3
    assert files_in(tmp_path) == ["file"]


def test_names_never_become_code(fstc: Fstc, tmp_path: Path) -> None:
    evil = r"x */ #include <secret> ??/ \\"
    text = f'func @f(%"{evil}": f32[4]) -> (f32[4]) {{ %y = exp %"{evil}" : f32[4] return %y }}'
    (tmp_path / "evil.fir").write_text(text)
    done = fstc("codegen", "evil.fir", "-o", "k")
    assert done.code == 0, done.err
    for kernel in (tmp_path / "k" / "kernels").glob("*.cu"):
        code = [line.split("//")[0] for line in kernel.read_text().splitlines()]
        assert not any("secret" in line for line in code)
        assert not any(line.endswith("\\") for line in kernel.read_text().splitlines())


def test_a_model_that_fits_no_memory(fstc: Fstc, tmp_path: Path) -> None:
    type = "f32[100000,100000,100]"
    (tmp_path / "huge.fir").write_text(f"func @f(%x: {type}) -> ({type}) {{ %y = neg %x : {type} return %y }}")
    for command in (("run", "--target", "reference"), ("run", "--target", "host"), ("verify", "--target", "host")):
        done = fstc(command[0], "huge.fir", *command[1:])
        assert done.code == 5
        assert done.err.startswith("error[FST0604]: ")
        assert "inputs and results need 7.3 TiB, this machine has" in done.err
    done = fstc("plan", "huge.fir")
    assert done.code == 0
    assert "note: the tensors need 7.3 TiB, h200 has 140.4 GiB: bind smaller extents\n" in done.out
    assert files_in(tmp_path) == ["huge.fir"]


def test_a_file_whose_name_is_no_text(fstc: Fstc) -> None:
    """Files of fstc name one another, so that a name must be text."""
    strange = os.fsdecode(b"m\xff")
    try:
        shutil.copy(SOFTMAX, f"{strange}.fir")
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    shutil.copy(SOFTMAX, "m.fir")
    for arguments in (
        ("parse", f"{strange}.fir"), ("plan", f"{strange}.fir"), ("verify", f"{strange}.fir"),
        ("import", f"{strange}.fir"),
        ("plan", "m.fir", "-o", f"{strange}.plan.json"), ("import", "m.fir", "-o", f"{strange}.fir"),
    ):  # fmt: skip
        done = fstc(*arguments)
        assert done.code == 3 and "FST0008" in done.err and "is not UTF-8" in done.err, (arguments, done)


EDITED: dict[str, tuple[Callable[[Any], object], str]] = {
    "a kernel that is not there": (lambda b: b["steps"][0].update(kernel=7), "there is no kernel 7 in region 0"),
    "a region of another graph": (lambda b: b["regions"][0].update(hash="0"), "region 0 is not in the graph"),
    "an op twice": (lambda b: part(b)["nodes"].append(part(b)["nodes"][0]), "one of them twice"),
    "an op left out": (lambda b: part(b)["nodes"].pop(), "is not"),
    "a list cut off": (lambda b: part(b)["placement"].pop(), "is not placed"),
    "a value of nowhere": (lambda b: part(b)["inputs"].append(99), "a value that its region does not have"),
    "an output that nobody writes": (lambda b: b["steps"].pop(), "nothing writes the output"),
    "too many threads": (lambda b: b["regions"][0]["kernels"][0].update(threads=2048), "2048 threads"),
    "blocks that are not there": (lambda b: part(b).update(blocks=3), "not the product of its digits"),
    "held beside the memory": (
        lambda b: b["regions"][0]["kernels"][0].update(shared=0), "outside of the shared memory",
    ),
}  # fmt: skip


def part(body: Any) -> Any:
    return body["regions"][0]["kernels"][0]["parts"][0]


@pytest.mark.parametrize("what", EDITED)
def test_a_plan_that_was_edited_wrongly(fstc: Fstc, what: str) -> None:
    change, words = EDITED[what]
    shutil.copy(SAMPLES / "layernorm_bwd.fir" if "held" in what else SOFTMAX, "m.fir")
    assert fstc("plan", "m.fir", "-o", "m.plan.json").code == 0
    document = json.loads(Path("m.plan.json").read_text())
    change(document["body"])
    Path("m.plan.json").write_text(json.dumps(document))
    for command in ("codegen", "build", "plan"):
        done = fstc(command, "m.plan.json")
        assert done.code == 3 and "FST0004" in done.err and words in done.err, done
