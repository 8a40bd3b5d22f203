"""``fstc schema KIND``, and that what every stage, build and verify leave is valid by it."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from fstc.cli.schema import KINDS
from fstc.report.schema import schema
from tests.cli.conftest import SAMPLES, Fstc
from tests.unit.report.test_schema import KINDS as CLASSES

SMALL = (SAMPLES / "softmax_mask.fir", "--bind", "B=1", "--bind", "H=1", "--bind", "Q=4")


def errors(fstc: Fstc, kind: str, data: object) -> list[str]:
    validator = Draft202012Validator(json.loads(fstc("schema", kind).out))
    return [e.message for e in validator.iter_errors(data)]


def test_every_kind_is_printed(fstc: Fstc) -> None:
    assert set(KINDS) == set(CLASSES)
    for kind in KINDS:
        assert fstc("schema", kind).out == json.dumps(schema(CLASSES[kind]), indent=1, sort_keys=True) + "\n"


def test_files_of_all_stages(fstc: Fstc) -> None:
    assert fstc("codegen", *SMALL, "-o", "out").code == 0
    found = {}
    for path in Path("out").rglob("*.json"):
        data = json.loads(path.read_text())
        found[data["kind"]] = errors(fstc, data["kind"], data)
    assert found == {kind: [] for kind in ("graph", "analysis", "plan", "codegen", "map")}


@pytest.mark.nvrtc
def test_a_package_s_manifest(fstc: Fstc) -> None:
    assert fstc("build", *SMALL, "-o", "s.fpk").code == 0
    with zipfile.ZipFile("s.fpk") as package:
        assert errors(fstc, "package", json.loads(package.read("manifest.json"))) == []


def test_a_verification(fstc: Fstc) -> None:
    shown = fstc("verify", *SMALL, "--target", "host", "--format", "json")
    assert shown.code == 0, shown.err
    body = json.loads(shown.out)
    assert body.pop("ok") is True  # the report's verdict, not the artefact's
    version = CLASSES["verification"].VERSION
    document = {"kind": "verification", "format_version": version, "body": body}
    assert errors(fstc, "verification", document) == []
    body.pop("tensors")
    assert errors(fstc, "verification", document)
