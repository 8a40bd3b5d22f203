"""Constants files: every element type, and every way in which a file can be wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fstc.ir.constants import ConstantStore
from fstc.ir.safetensors import STORED, Refused, read_header
from fstc.ir.types import DTYPES, F32, F64, TensorType
from fstc.support.diagnostics import FstcError


def write(path: Path, header: Any, data: bytes = b"", length: int | None = None) -> None:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes((len(text) if length is None else length).to_bytes(8, "little") + text + data)


def refused(store: ConstantStore, data: str, type: TensorType = TensorType(F32, (2,))) -> str:  # noqa: B008
    with pytest.raises(FstcError) as caught:
        store.load(data, type)
    return f"{caught.value.diagnostics[0].code} {caught.value.diagnostics[0].message}"


def test_every_element_type(tmp_path: Path) -> None:
    assert set(STORED.values()) == set(DTYPES.values())
    header, data = {}, b""
    for name, dtype in STORED.items():
        header[name] = {"dtype": name, "shape": [3], "data_offsets": [len(data), len(data) + 3 * dtype.size]}
        data += np.ones(3).astype(dtype.numpy()).tobytes()
    write(tmp_path / "a.safetensors", {"__metadata__": {"format": "pt"}, **header}, data)
    for name, dtype in STORED.items():
        got = ConstantStore(tmp_path).load(f"a.safetensors:{name}", TensorType(dtype, (3,)))
        assert got.dtype == dtype.numpy() and (got.astype(np.float32) == 1).all()
        with pytest.raises(ValueError, match="read-only"):
            got[0] = 0


ENTRY = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.mark.parametrize("header, data, length, expected", [
    (b"", b"", None, "damaged"),
    (b"[]", b"", None, "damaged"),
    (b"{", b"", None, "damaged"),
    (b"\xff\xfe", b"", None, "damaged"),
    (b"[" * 100_000, b"", None, "damaged"),
    ({"w": ENTRY}, b"1234", None, "offsets are out of range"),
    ({"w": ENTRY | {"shape": [3]}}, b"12345678", None, "does not have 8 bytes"),
    ({"w": ENTRY | {"shape": [-2]}}, b"12345678", None, "out of range"),
    ({"w": ENTRY | {"data_offsets": [4, 0]}}, b"12345678", None, "out of range"),
    ({"w": ENTRY | {"data_offsets": [0]}}, b"12345678", None, "damaged"),
    ({"w": {}}, b"", None, "damaged"),
    ({"w": 3}, b"", None, "damaged"),
    ({"w": ENTRY}, b"12345678", 10**9, "cut off"),
    ({"w": ENTRY}, b"12345678", 2**64 - 1, "cut off"),
])  # fmt: skip
def test_damaged_files(tmp_path: Path, header: Any, data: bytes, length: int | None, expected: str) -> None:
    write(tmp_path / "a.safetensors", header, data, length)
    with pytest.raises(Refused, match=expected):
        read_header(tmp_path / "a.safetensors")
    assert refused(ConstantStore(tmp_path), "a.safetensors:w").startswith("FST0320 ")


def test_what_is_not_there(tmp_path: Path) -> None:
    write(tmp_path / "a.safetensors", {"w": ENTRY}, b"12345678")
    store = ConstantStore(tmp_path)
    assert refused(store, "b.safetensors:w") == "FST0320 cannot read b.safetensors: No such file or directory"
    assert refused(store, "a.safetensors:v") == "FST0321 a.safetensors has no tensor 'v'"
    assert "is f32[2], f64[2] is declared" in refused(store, "a.safetensors:w", TensorType(F64, (2,)))
    assert refused(store, "a.npz:w").startswith("FST0320 ")
    (tmp_path / "empty.safetensors").write_bytes(b"")
    assert "no safetensors file" in refused(store, "empty.safetensors:w")


def test_only_the_folder_and_below(tmp_path: Path) -> None:
    inside = tmp_path / "models"
    (inside / "sub").mkdir(parents=True)
    write(tmp_path / "a.safetensors", {"w": ENTRY}, b"12345678")
    write(inside / "sub" / "a.safetensors", {"w": ENTRY}, b"12345678")
    (inside / "link.safetensors").symlink_to(tmp_path / "a.safetensors")
    store = ConstantStore(inside)
    assert store.load("sub/a.safetensors:w", TensorType(F32, (2,))).shape == (2,)
    for name in ("../a", "sub/../../a", str(tmp_path / "a"), "link"):
        assert "leads out of the folder" in refused(store, f"{name}.safetensors:w")


def test_unaligned_tensors_are_copied(tmp_path: Path) -> None:
    text = json.dumps({"w": ENTRY}).encode()
    text += b" " * ((1 - 8 - len(text)) % 4)
    write(tmp_path / "a.safetensors", text, np.array([1, 2], np.float32).tobytes())
    assert ConstantStore(tmp_path).load("a.safetensors:w", TensorType(F32, (2,))).tolist() == [1, 2]
