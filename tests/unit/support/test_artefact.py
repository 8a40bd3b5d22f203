"""The envelope: byte-stable, atomic, and refused with what to rerun."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest

from fstc.support.artefact import (
    Artefact,
    Input,
    check_inputs,
    decode,
    decode_envelope,
    encode,
    input_of,
    read,
    write,
)
from fstc.support.diagnostics import FstcError, InternalError


class Sample(Artefact, frozen=True, kw_only=True):
    KIND: ClassVar[str] = "plan"
    VERSION: ClassVar[str] = "1.2"

    name: str
    sizes: tuple[int, ...] = ()
    times: dict[str, float] = {}  # noqa: RUF012


SAMPLE = Sample(name="a", sizes=(1, 2), times={"b": 1 / 3, "a": 2.0})


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(FstcError) as caught:
        action()
    (found,) = caught.value.diagnostics
    assert caught.value.exit_code == 3
    assert "rerun" in found.help
    return found.code


def edited(edit: Callable[[dict[str, Any]], object]) -> bytes:
    document = json.loads(encode(SAMPLE))
    edit(document)
    return json.dumps(document).encode()


def test_form() -> None:
    data = encode(SAMPLE, device="h200", inputs=(Input(role="graph", sha256="ab", name="g"),), options={"z": 1, "a": 2})
    document = json.loads(data)
    assert list(document) == ["body", "device", "format_version", "inputs", "kind", "options", "tool"]
    assert (document["kind"], document["format_version"], document["device"]) == ("plan", "1.2", "h200")
    assert data.startswith(b'{\n "body": {\n  "name": "a"')
    assert data.endswith(b"}\n")
    assert list(document["options"]) == ["a", "z"]


def test_floats_are_rounded() -> None:
    assert b"0.333333\n" in encode(SAMPLE)
    assert decode(encode(SAMPLE), Sample, "s").times == {"a": 2.0, "b": 0.333333}
    with pytest.raises(InternalError):
        encode(Sample(name="a", times={"x": float("inf")}))


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "a.plan.json"
    sample = Sample(name="\u00e9\u0000", sizes=(2**62,))
    data = write(path, sample)
    assert path.read_bytes() == data
    assert read(path, Sample) == sample
    assert os.listdir(tmp_path) == ["a.plan.json"]  # noqa: PTH208


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[1]", b"null", b"\xff", b'{"kind": 1}', b"[" * 100000, b'{"a":' * 100000]
)
def test_what_is_no_artefact(data: bytes) -> None:
    assert code_of(lambda: decode(data, Sample, "x")) == "FST0004"


def test_every_truncation_is_refused() -> None:
    data = encode(SAMPLE)
    for end in range(len(data) - 2):
        assert code_of(partial(decode, data[:end], Sample, "x")) == "FST0004"


def test_other_kinds_and_versions() -> None:
    assert code_of(lambda: decode(edited(lambda d: d.update(kind="graph")), Sample, "x")) == "FST0005"
    for version in ("2.0", "0.9", "one", "1", "1.-1", "", "1.2.3"):
        document = json.loads(encode(SAMPLE)) | {"format_version": version}
        assert code_of(partial(decode, json.dumps(document).encode(), Sample, "x")) == "FST0006"


def test_unknown_fields_need_a_newer_minor_version() -> None:
    def add(document: dict[str, Any]) -> None:
        document["body"]["extra"] = 1

    assert code_of(lambda: decode(edited(add), Sample, "x")) == "FST0004"
    newer = json.loads(edited(add)) | {"format_version": "1.3"}
    assert decode(json.dumps(newer).encode(), Sample, "x") == decode(encode(SAMPLE), Sample, "x")


def test_wrong_types_are_named() -> None:
    with pytest.raises(FstcError, match=r"sizes\[1\]"):
        decode(edited(lambda d: d["body"].update(sizes=[1, "2"])), Sample, "x")


def test_stale_inputs(tmp_path: Path) -> None:
    graph, path = tmp_path / "a.graph.json", tmp_path / "a.plan.json"
    graph.write_bytes(b"one")
    envelope = decode_envelope(write(path, SAMPLE, inputs=(input_of("graph", graph),)), "x")
    check_inputs(path, envelope)
    graph.write_bytes(b"two")
    assert code_of(lambda: check_inputs(path, envelope)) == "FST0007"
    check_inputs(path, envelope, roles=("source",))
    graph.unlink()
    assert code_of(lambda: check_inputs(path, envelope)) == "FST0007"
    outside = decode_envelope(encode(SAMPLE, inputs=(Input(role="graph", sha256="", name="../a"),)), "x")
    assert code_of(lambda: check_inputs(path, outside)) == "FST0007"


def test_a_failed_write_leaves_the_target(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    target.mkdir()
    with pytest.raises(FstcError, match="FST0002"):
        write(target, SAMPLE)
    with pytest.raises(FstcError, match="FST0002"):
        write(tmp_path / "missing" / "a.json", SAMPLE)
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FstcError, match="FST0001"):
        read(tmp_path / "none", Sample)
