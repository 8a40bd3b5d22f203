"""Stages as commands: files in, files out, the same bytes whichever way they are made."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import pytest

from tests.cli.conftest import SAMPLES, Fstc, files_in

SOFTMAX = SAMPLES / "softmax_mask.fir"
SMALL = ("--bind", "B=1", "--bind", "H=2")


def test_parse_writes_to_stdout_or_a_file(fstc: Fstc, tmp_path: Path) -> None:
    printed = fstc("parse", SOFTMAX)
    assert fstc("parse", SOFTMAX, "-o", "g.graph.json").out == ""
    assert (tmp_path / "g.graph.json").read_text() == printed.out
    assert fstc("parse", SOFTMAX, "--check").out == ""
    assert files_in(tmp_path) == ["g.graph.json"]


def test_the_formatter_is_idempotent(fstc: Fstc, tmp_path: Path) -> None:
    (tmp_path / "a.fir").write_text("func @f(%x:f32[4])->(f32[4]) {%y=exp %x:f32[4] // why\nreturn %y}\n")
    assert fstc("parse", "a.fir", "--emit", "fir", "--check").code == 1
    assert fstc("parse", "a.fir", "--emit", "fir", "-o", "a.fir").code == 0
    assert "// why" in (tmp_path / "a.fir").read_text()
    assert fstc("parse", "a.fir", "--emit", "fir", "--check").code == 0


def test_a_late_artefact_brings_what_it_was_made_from(fstc: Fstc, tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    assert fstc("plan", SOFTMAX, "-o", "p/m.plan.json").code == 0
    assert files_in(tmp_path) == ["p/m.analysis.json", "p/m.graph.json", "p/m.plan.json"]
    assert json.loads((tmp_path / "p/m.plan.json").read_text())["device"] == "h200"


def test_codegen_check_compares_a_folder(fstc: Fstc, tmp_path: Path) -> None:
    assert fstc("codegen", SOFTMAX, "-o", "k", "--check").code == 1
    assert files_in(tmp_path) == []
    assert fstc("codegen", SOFTMAX, "-o", "k").code == 0
    assert fstc("codegen", SOFTMAX, "-o", "k", "--check").code == 0
    [kernel] = (tmp_path / "k" / "kernels").glob("*.cu")
    kernel.write_text(kernel.read_text() + "// mine\n")
    assert fstc("codegen", SOFTMAX, "-o", "k", "--check").code == 1
    done = fstc("build", "k/softmax_mask.codegen.json")
    assert (done.code, "has changed since" in done.err) == (3, True)


def test_maps_lead_from_statements_to_ops(fstc: Fstc, tmp_path: Path) -> None:
    fstc("codegen", SOFTMAX, "-o", "k")
    [kernel] = (tmp_path / "k" / "kernels").glob("*.cu")
    lines = kernel.read_text().split("\n")
    found = json.loads(kernel.with_suffix(".map.json").read_text())
    assert (found["kind"], found["body"]["file"]) == ("map", f"kernels/{kernel.name}")
    statements = {s["line"]: s for s in found["body"]["statements"]}
    body = range(lines.index("{") + 2, len(lines))
    assert {n for n in body if lines[n - 1].partition("//")[0].rstrip().endswith(";")} <= set(statements)
    told = [(s["op"], lines[s["line"] - 1]) for s in statements.values() if s["kind"] == "op"]
    assert all(op.startswith("%") for op, _ in told)
    assert any("fst::exp(" in text and op == "%exp = exp" for op, text in told)
    assert any("store_vec(q0" in text and op.startswith("%probabilities") for op, text in told)


@pytest.mark.nvrtc
def test_a_package_brings_its_host_library(fstc: Fstc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its kernels run when this fstc would generate the same, else with --trust only; then no compiler is needed."""
    from fstc.build.package import MANIFEST, pack
    from fstc.support.files import sha256

    assert fstc("build", SOFTMAX, *SMALL, "--host", "-o", "s.fpk").code == 0
    check = ("--target", "host", "--orders", "forward")
    assert fstc("verify", "s.fpk", *check).code == 0
    with zipfile.ZipFile(tmp_path / "s.fpk") as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    assert {n.rpartition("/")[2] for n in entries if "/host/" in n} == {
        "about.json", "checked.so", "library.so", "unit0.cpp",
    }  # fmt: skip
    [kernel] = [name for name in entries if name.endswith(".cu")]
    assert kernel.replace(".cu", ".map.json") in entries
    before = sha256(entries[kernel])
    entries[kernel] += b"// mine\n"
    for name in (n for n in entries if n.endswith("codegen.json")):
        entries[name] = entries[name].replace(before.encode(), sha256(entries[kernel]).encode())
    manifest = json.loads(entries.pop(MANIFEST))
    manifest["body"]["entries"] = {name: sha256(data) for name, data in entries.items()}
    (tmp_path / "t.fpk").write_bytes(pack({**entries, MANIFEST: json.dumps(manifest).encode()}))
    done = fstc("verify", "t.fpk", *check)
    assert (done.code, "FST0523" in done.err) == (3, True)
    monkeypatch.setenv("FSTC_CXX", "no-such-compiler")
    assert fstc("verify", "t.fpk", *check, "--trust").code == 0


def test_a_plan_carried_over(fstc: Fstc, tmp_path: Path) -> None:
    """--as-real keeps the placements of the file's extents; what cannot keep them is refused."""
    places = []
    for more in ((), ("--bind", "B=2", "--as-real")):
        plan = json.loads(fstc("plan", SOFTMAX, *more, "-o", "-").out)["body"]["regions"][0]["kernels"][0]
        keys = ("vector", "lanes", "lane_stride", "warps", "warp_stride", "serial")
        places.append([[p[k] for k in keys] for p in plan["parts"][0]["placement"]])
    assert places[0] == places[1]
    done = fstc("plan", SOFTMAX, "--bind", "K=64", "--as-real", "-o", "x.plan.json")
    assert (done.code, "FST0410" in done.err) == (3, True)
    assert "K = 128 -> 64" in done.err
    assert "help: leave K as in the file" in done.err
    done = fstc("plan", SOFTMAX, "--bind", "B=1", "--as-real", "-o", "x.plan.json")
    assert (done.code, "FST0410" in done.err) == (3, True)
    assert "help: an extent of 1 has no axis: bind 2 or more to B\n" in done.err
    assert files_in(tmp_path) == []


@pytest.mark.nvrtc
def test_stage_by_stage_and_in_one_go(fstc: Fstc, tmp_path: Path) -> None:
    fstc("build", SOFTMAX, *SMALL, "-o", "one.fpk")
    fstc("parse", SOFTMAX, *SMALL, "-o", "a.graph.json")
    fstc("analyze", "a.graph.json", "-o", "b.analysis.json")
    (tmp_path / "elsewhere").mkdir()
    fstc("plan", "b.analysis.json", "-o", "elsewhere/c.plan.json")
    fstc("codegen", "elsewhere/c.plan.json", "-o", "d")
    fstc("build", "d/c.codegen.json", "-o", "many.fpk")
    fstc("build", "elsewhere/c.plan.json", "-o", "half.fpk")
    one = (tmp_path / "one.fpk").read_bytes()
    assert (tmp_path / "many.fpk").read_bytes() == one
    assert (tmp_path / "half.fpk").read_bytes() == one
    fstc("build", "one.fpk", "-o", "again.fpk")
    assert (tmp_path / "again.fpk").read_bytes() == one


@pytest.mark.nvrtc
def test_same_input_same_bytes(process: Fstc, tmp_path: Path) -> None:
    """Hash seeds, folders, locales and the cache do not show."""
    packages = []
    for number, (seed, locale) in enumerate((("0", "C"), ("1", "C.UTF-8"), ("4242", "tr_TR.UTF-8"))):
        folder = tmp_path / f"some folder {number}"
        folder.mkdir()
        shutil.copy(SOFTMAX, folder)
        variables = {"PYTHONHASHSEED": seed, "LC_ALL": locale, "FSTC_CACHE_DIR": str(folder / "cache")}
        done = process("build", "softmax_mask.fir", "--device", "a100,h200", "-o", "s.fpk", cwd=folder, **variables)
        assert done.code == 0, done.err
        packages.append((folder / "s.fpk").read_bytes())
    assert packages[0] == packages[1] == packages[2]


@pytest.mark.nvrtc
def test_a_package_is_a_zip_for_every_device(fstc: Fstc, tmp_path: Path) -> None:
    done = fstc("build", SOFTMAX, "--device", "h200,a100", "-o", "s.fpk", "--report")
    assert done.code == 0
    assert "h200 (sm_90)" in done.out
    with zipfile.ZipFile(tmp_path / "s.fpk") as archive:
        assert archive.testzip() is None
        names = archive.namelist()
    assert {"graph.json", "manifest.json", "devices/h200/plan.json", "devices/a100/plan.json"} <= set(names)
    assert "a100" in fstc("run", "s.fpk", "--device", "b200").err


@pytest.mark.nvrtc
def test_frozen_builds_only_from_the_cache(fstc: Fstc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FSTC_CACHE_DIR", str(tmp_path / "cache"))
    assert fstc("build", SOFTMAX, "--frozen", "-o", "s.fpk").code != 0
    assert not (tmp_path / "s.fpk").exists()
    assert fstc("build", SOFTMAX, "-o", "s.fpk").code == 0
    assert fstc("build", SOFTMAX, "--frozen", "-o", "t.fpk").code == 0
    assert (tmp_path / "t.fpk").read_bytes() == (tmp_path / "s.fpk").read_bytes()


def test_profile_goes_to_stderr_and_changes_no_output(fstc: Fstc) -> None:
    plain = fstc("plan", SOFTMAX, "--format", "json")
    done = fstc("plan", SOFTMAX, "--format", "json", "--profile")
    assert (done.code, done.out) == (0, plain.out)
    names = [line.split()[0] for line in done.err.splitlines() if line.strip()]
    assert names[:3] == ["where", "fstc", "parse"]
    assert {"syntax", "analyze", "axes", "floors", "plan", "encode", "decode", "regions"} <= set(names)


def test_profile_of_a_refused_file(fstc: Fstc, tmp_path: Path) -> None:
    (tmp_path / "bad.fir").write_text("func @f(%x: f32[4]) -> (f32[4]) { return %y }")
    done = fstc("plan", "bad.fir", "--profile")
    assert done.code == 3
    assert "FST0202" in done.err
    assert "syntax" in done.err


def test_dump_and_time_observe(fstc: Fstc, tmp_path: Path) -> None:
    done = fstc("plan", SOFTMAX, "--dump", "d", "--time")
    assert [line.split()[0] for line in done.err.splitlines()] == ["parse", "analyze", "plan"]
    assert files_in(tmp_path / "d") == ["01-parse.graph.json", "02-analyze.analysis.json", "03-plan.plan.json"]


def test_standard_input_and_output(process: Fstc) -> None:
    text = SOFTMAX.read_text(encoding="utf-8")
    from_file = json.loads(process("plan", SOFTMAX, "-o", "-").out)
    from_stdin = json.loads(process("plan", "-", "-o", "-", text=text).out)
    assert from_stdin["body"] == from_file["body"]


def test_run_saves_outputs(fstc: Fstc, tmp_path: Path) -> None:
    import numpy as np

    assert fstc("run", SOFTMAX, *SMALL, "--target", "host", "--save", "h.npz").code == 0
    assert fstc("run", SOFTMAX, *SMALL, "--target", "reference", "--save", "r.safetensors").code == 0
    with np.load(tmp_path / "h.npz") as host:
        assert host["probabilities"].shape == (1, 2, 128, 128)
        np.testing.assert_allclose(host["probabilities"].sum(-1), 1, rtol=1e-5)
    assert (tmp_path / "r.safetensors").exists()


def test_verify_passes_and_counts_traffic(fstc: Fstc) -> None:
    done = fstc("verify", SOFTMAX, *SMALL, "--seeds", "2", "--target", "host", "--format", "json")
    found = json.loads(done.out)
    assert done.code == 0
    assert found["ok"]
    assert [t["bytes"] for t in found["traffic"]] == [t["predicted_bytes"] for t in found["traffic"]]
    assert {t["local"] for t in found["tensors"]} == {True, False}


def test_wrong_prediction_is_a_note_unless_strict(fstc: Fstc, monkeypatch: pytest.MonkeyPatch) -> None:
    """With no difference at all tolerated, every prediction is wrong."""
    monkeypatch.setattr("fstc.runtime.verify.TRAFFIC_TOLERANCE", -1)
    arguments = ("verify", SOFTMAX, *SMALL, "--target", "host", "--orders", "forward")
    done = fstc(*arguments)
    assert done.code == 0
    assert "passed" in done.out
    [marked] = [line for line in done.out.splitlines() if line.startswith("~")]
    assert f"predicted traffic is off by more than 1 %: {marked.split()[1]}\n" in done.out
    strict = fstc(*arguments, "--strict-traffic")
    assert strict.code == 1
    assert "FAILED" in strict.out
    assert "predicted traffic is off" in strict.out


def test_a_step_upstream_is_named(fstc: Fstc, tmp_path: Path) -> None:
    """In f32, 0.1 times 10 is exactly 1; the reference in f64 starts from a rounded 0.1 and lands beside it."""
    (tmp_path / "step.fir").write_text("""func @f(%x: f32[64]) -> (f32[64]) {
      %tenth = constant {value = 0.1} : f32[64]
      %ten = constant {value = 10.0} : f32[64]
      %whole = floor %x : f32[64]
      %small = mul %whole, %tenth : f32[64]
      %large = mul %small, %ten : f32[64]
      %step = floor %large : f32[64]
      %z = neg %step : f32[64]
      return %z
    }""")
    done = fstc("verify", "step.fir", "--target", "host", "--orders", "forward")
    assert done.code == 0, "rounding decides on which side an element falls"
    assert done.out.count("beyond the tolerance, and right: %z; ") == 1
    assert done.out.count("%z: a discontinuous op lies upstream: %step floor; ") == 1


def test_verify_finds_a_wrong_kernel(fstc: Fstc, tmp_path: Path) -> None:
    """A kernel edited together with its digest: the package is consistent, the result is wrong."""
    from fstc.support.files import sha256

    fstc("codegen", SOFTMAX, *SMALL, "-o", "k")
    [kernel] = (tmp_path / "k" / "kernels").glob("*.cu")
    before = kernel.read_text()
    after = before.replace("fst::exp(", "1.0001f * fst::exp(1.001f * ", 1)
    assert after != before
    kernel.write_text(after)
    codegen = tmp_path / "k" / "softmax_mask.codegen.json"
    codegen.write_text(codegen.read_text().replace(sha256(before.encode()), sha256(after.encode())))
    done = fstc("verify", codegen, "--target", "host")
    assert done.code == 1
    assert "FAILED" in done.out
    assert done.out.splitlines()[3].startswith("BAD")


def test_gathers_in_a_long_chain(fstc: Fstc, tmp_path: Path) -> None:
    """What a gather reads lies at an index of run time, which is not there before the gather."""
    lines = [f"  %g{n} = gather %x, %i {{{ROWS}}} : f32[8,4]" for n in range(9)]
    lines += ["  %s0 = mul %g0, %w : f32[8,4]"]
    for n in range(1, 9):
        lines += [f"  %p{n} = mul %g{n}, %w : f32[8,4]", f"  %s{n} = add %s{n - 1}, %p{n} : f32[8,4]"]
    for n in range(9):
        lines += [f"  %h{n} = gather %s8, %j{n} {{{COLUMNS}}} : f32[8,2]"]
    lines += ["  %t0 = neg %h0 : f32[8,2]"]
    lines += [f"  %t{n} = add %t{n - 1}, %h{n} : f32[8,2]" for n in range(1, 9)]
    indices = ", ".join(f"%j{n}: i64[2]" for n in range(9))
    head = f"func @f(%x: f32[4,4], %i: i64[8], %w: f32[8,4], {indices}) -> (f32[8,2]) {{"
    (tmp_path / "chain.fir").write_text("\n".join([head, *lines, "  return %t8", "}"]))
    done = fstc("verify", "chain.fir", "--target", "host", "--orders", "forward")
    assert done.code == 0, done.err


ROWS = (
    "offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1, slice_sizes = [1, 4]"
)
COLUMNS = (
    "offset_dims = [0], collapsed_slice_dims = [1], start_index_map = [1], index_vector_dim = 1, slice_sizes = [8, 1]"
)
