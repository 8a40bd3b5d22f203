"""Random inputs: domains, specials, determinism; inputs of files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from fstc.ir.parser import parse_text
from fstc.ir.types import DTYPES
from fstc.runtime.inputs import load_inputs, make_inputs
from fstc.support.diagnostics import FstcError


def inputs(
    signature: str, body: str = "", result: str = "%x", type: str = "", specials: bool = False, seed: int = 0
) -> dict[str, Any]:
    graph = parse_text(f"func @main({signature}) -> ({type}) {{ {body} return {result} }}")
    made = make_inputs(graph, seed, specials)
    assert list(made) == list(graph.inputs)
    for i, x in made.items():
        assert x.dtype == graph.type(i).dtype.numpy() and x.shape == graph.type(i).shape
    return {graph.values[i].name: x for i, x in made.items()}


@pytest.mark.parametrize("dtype", sorted(DTYPES))
def test_defaults(dtype: str) -> None:
    x = inputs(f"%x: {dtype}[1000]", type=f"{dtype}[1000]")["x"].astype(np.float64)
    low, high = {"f": (-2, 2), "i": (-8, 8), "u": (0, 16), "b": (0, 1)}[DTYPES[dtype].kind]
    assert low <= x.min() < x.max() <= high
    assert len(np.unique(x)) >= min(high - low, 3) - (dtype == "bool")


def test_attributes_come_first() -> None:
    made = inputs(
        """%x: f32[1000] {low = 3.0, high = 4.0}, %i: i32[1000] {low = 1, high = 4}, %p: i64[50] {high = 60,
        domain = "permutation"}, %q: bf16[1000] {domain = "probability"}, %v: f32[1000] {domain = "positive"},
        %o: f32[1000] {low = 10.0}, %u: u8[1000] {low = -5, high = 300}""",
        type="f32[1000]",
    )
    assert made["x"].min() >= 3 and made["x"].max() <= 4
    assert set(made["i"].tolist()) == {1, 2, 3}
    assert len(set(made["p"].tolist())) == 50 and made["p"].min() >= 0 and made["p"].max() < 60
    assert made["q"].astype(float).min() >= 0 and made["q"].astype(float).max() <= 1
    assert made["v"].min() > 0
    assert made["o"].min() >= 10 and made["o"].max() <= 14
    assert made["u"].max() > 250


@pytest.mark.parametrize("attrs", ['domain = "prime"', "low = 2.0, high = 1.0"])
def test_attributes_that_no_value_meets(attrs: str) -> None:
    with pytest.raises(FstcError, match="FST0305"):
        inputs(f"%x: f32[3] {{{attrs}}}", type="f32[3]")


@pytest.mark.parametrize("attrs", ['domain = "permutation", high = 2', "low = 2, high = 2"])
def test_integer_attributes_that_no_value_meets(attrs: str) -> None:
    with pytest.raises(FstcError, match="FST0305"):
        inputs(f"%x: i32[3] {{{attrs}}}", type="i32[3]")


GATHER = (
    "offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1, slice_sizes = [1, 2]"
)


def test_indices_stay_inside_what_they_index() -> None:
    made = inputs(
        "%x: f32[90,2], %i: i16[4,500]",
        f"""%t = transpose %i {{permutation = [1, 0]}} : i16[500,4]
            %r = reshape %t : i16[2000]
            %c = convert %r : i64[2000]
            %g = gather %x, %c {{{GATHER}}} : f32[2000,2]""",
        "%g",
        "f32[2000,2]",
    )
    assert made["i"].min() >= 0 and made["i"].max() == 89 and len(np.unique(made["i"])) == 90


def test_starts_fit() -> None:
    made = [
        inputs(
            "%x: f32[9,9], %i: i32[], %j: u8[]",
            "%g = dynamic_slice %x, %i, %j {sizes = [7, 9]} : f32[7,9]",
            "%g",
            "f32[7,9]",
            seed=seed,
        )
        for seed in range(30)
    ]
    assert {int(m["i"]) for m in made} == {0, 1, 2} and {int(m["j"]) for m in made} == {0}


SCATTER = (
    "update_window_dims = [1], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1"
)


def test_unique_scatter_gets_distinct_indices() -> None:
    made = inputs(
        "%x: f32[60,2], %i: i32[50], %u: f32[50,2]",
        f"""%y = scatter %x, %i, %u {{{SCATTER}, unique_indices = true}} (%a: f32[], %b: f32[]) {{
              return %b }} : f32[60,2]""",
        "%y",
        "f32[60,2]",
    )
    assert len(np.unique(made["i"])) == 50 and made["i"].max() < 60


def test_ops_ask_for_their_domain() -> None:
    made = inputs("%x: f32[1000]", "%r = reshape %x : f32[10,100] %y = log %r : f32[10,100]", "%y", "f32[10,100]")
    assert made["x"].min() > 0 and made["x"].max() <= 2


@pytest.mark.parametrize("dtype", [d for d in DTYPES if DTYPES[d].is_float])
def test_float_specials(dtype: str) -> None:
    x = inputs(f"%x: {dtype}[50000]", type=f"{dtype}[50000]", specials=True)["x"]
    wide = x.astype(np.float64)
    tiny = float(ml_dtypes.finfo(x.dtype).smallest_normal)
    assert np.isnan(wide).any() and (np.isinf(wide).any() or dtype == "f8e4m3fn")
    assert ((wide == 0) & np.signbit(wide)).any()
    assert ((np.abs(wide) < tiny) & (wide != 0)).any()
    assert np.isnan(wide).sum() < 500


def test_integer_specials() -> None:
    made = inputs("%x: i8[9000], %i: i8[9000] {low = 0, high = 5}", type="i8[9000]", specials=True)
    assert made["x"].min() == -128 and made["x"].max() == 127
    assert made["i"].min() == 0 and made["i"].max() == 4


def test_a_tensor_depends_on_seed_and_name_only() -> None:
    first = inputs("%a: f32[5], %x: f32[5]", type="f32[5]")
    second = inputs("%x: f32[5], %b: i32[7], %a: f32[5]", type="f32[5]")
    np.testing.assert_array_equal(first["x"], second["x"])
    np.testing.assert_array_equal(first["a"], second["a"])
    assert (first["x"] != first["a"]).any()
    assert (inputs("%x: f32[5]", type="f32[5]", seed=1)["x"] != first["x"]).any()


def test_empty_and_scalar_inputs() -> None:
    made = inputs("%x: f32[0,3], %s: bf16[], %i: i32[0]", type="f32[0,3]", specials=True)
    assert made["x"].size == 0 and made["s"].shape == ()


GRAPH = parse_text("func @main(%x: f32[2], %h.0: bf16[2]) -> (f32[2]) { return %x }")
X, H = np.array([1, 2], np.float32), np.array([3, 4], ml_dtypes.bfloat16)


def test_npz(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **{"x": X, "h.0": H})  # bf16 is stored as raw bytes
    found = load_inputs(tmp_path / "a.npz", GRAPH)
    np.testing.assert_array_equal(found[0], X)
    np.testing.assert_array_equal(found[1], H)
    assert found[1].dtype == H.dtype


def test_safetensors(tmp_path: Path) -> None:
    header = b"""{"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
                  "h.0": {"dtype": "BF16", "shape": [2], "data_offsets": [8, 12]}}"""
    (tmp_path / "a.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + X.tobytes() + H.tobytes())
    found = load_inputs(tmp_path / "a.safetensors", GRAPH)
    np.testing.assert_array_equal(found[0], X)
    np.testing.assert_array_equal(found[1], H)


def test_all_that_is_wrong_with_a_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=X.astype(np.float64), h0=H, x2=X)
    with pytest.raises(FstcError) as caught:
        load_inputs(tmp_path / "a.npz", GRAPH)
    found = [(d.code, d.message, d.help) for d in caught.value.diagnostics]
    assert {c for c, _, _ in found} == {"FST0603"} and caught.value.exit_code == 3
    text = "\n".join(m + h for _, m, h in found)
    for part in ("has 'h0', which is no inputdid you mean 'h.0'?", "'x' in a.npz is float64[2], expected f32[2]",
                 "lacks the input 'h.0'", "'x2'"):  # fmt: skip
        assert part in text


@pytest.mark.parametrize("name, data", [("a.npz", b"junk"), ("a.npz", b"PK\x03\x04junk"), ("a.npz", b""),
                                        ("a.safetensors", b"junk"), ("a.safetensors", b"")])  # fmt: skip
def test_junk_files(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(FstcError, match="FST0603"):
        load_inputs(tmp_path / name, GRAPH)
    with pytest.raises(FstcError, match="FST0603"):
        load_inputs(tmp_path / f"missing-{name}", GRAPH)
