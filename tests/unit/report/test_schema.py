"""JSON Schemas: whatever fstc writes is valid, and what it would refuse is not."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from fstc.analysis.artefact import Analysis
from fstc.analysis.run import analyze
from fstc.build.artefact import Manifest
from fstc.codegen.artefact import Codegen, KernelMap
from fstc.codegen.maps import kernel_maps
from fstc.codegen.run import generate
from fstc.device.device import load_device
from fstc.ir.artefact import GraphFile, to_file_form
from fstc.plan.artefact import Plan
from fstc.report.schema import schema
from fstc.runtime.artefact import Verification
from fstc.support.artefact import Artefact, Input, decode, encode
from fstc.support.diagnostics import FstcError
from tests.integration.shipped import SAMPLES, real_plan

KINDS: dict[str, type[Artefact]] = {
    "graph": GraphFile,
    "analysis": Analysis,
    "plan": Plan,
    "codegen": Codegen,
    "map": KernelMap,
    "package": Manifest,
    "verification": Verification,
}


def document(artefact: Artefact) -> Any:
    inputs = (Input(role="graph", sha256="0" * 64, name="a.graph.json"),)
    return json.loads(encode(artefact, device="h200", inputs=inputs, options={"strategy": "stitch"}))


def errors(kind: str, data: Any) -> list[str]:
    validator = Draft202012Validator(schema(KINDS[kind]))
    return [f"{'.'.join(map(str, e.absolute_path))}: {e.message}"[:200] for e in validator.iter_errors(data)]


@pytest.mark.parametrize("kind", KINDS)
def test_is_a_schema(kind: str) -> None:
    Draft202012Validator.check_schema(schema(KINDS[kind]))


@pytest.mark.parametrize("sample", SAMPLES)
def test_every_plan_is_valid(sample: str) -> None:
    _, plan = real_plan(sample, "h200")
    assert errors("plan", document(plan)) == []


@pytest.mark.parametrize("sample", ["bert_layer", "layernorm_bwd", "cross_entropy"])
def test_what_the_other_stages_write_is_valid(sample: str) -> None:
    graph, plan = real_plan(sample, "h200")
    assert errors("graph", document(to_file_form(graph))) == []
    assert errors("analysis", document(analyze(graph))) == []
    code, sources = generate(graph, plan, load_device("h200"))
    assert errors("codegen", document(code)) == []
    for text in kernel_maps(graph, code, sources).values():
        assert errors("map", json.loads(text)) == []


Edit = Callable[[Any], object]
BROKEN: dict[str, Edit] = {
    "no body": lambda d: d.pop("body"),
    "another kind": lambda d: d.update(kind="graph"),
    "another major version": lambda d: d.update(format_version="2.0"),
    "no version": lambda d: d.update(format_version=1.1),
    "a figure as text": lambda d: d["body"]["summary"].update(kernels="two"),
    "half a kernel": lambda d: d["body"]["summary"].update(kernels=1.5),
    "no summary": lambda d: d["body"].pop("summary"),
    "a misspelt field": lambda d: _kernel(d).update(thread=_kernel(d).pop("threads")),
    "a field too many": lambda d: _kernel(d).update(colour="red"),
    "an optional one misspelt": lambda d: _kernel(d).update(hsah=_kernel(d).pop("hash")),
    "a list for a mapping": lambda d: _kernel(d).update(terms=[]),
    "a decision without a code": lambda d: d["body"]["regions"][0]["decisions"][0].pop("code"),
    "an input without a digest": lambda d: d["inputs"][0].pop("sha256"),
    "null": lambda d: _kernel(d).update(parts=None),
}


def _kernel(document: Any) -> Any:
    return document["body"]["regions"][0]["kernels"][0]


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_plan_is_refused(name: str) -> None:
    """By the schema, and by fstc itself: the two agree."""
    _, plan = real_plan("layernorm_bwd", "h200")
    good = document(plan)
    bad = copy.deepcopy(good)
    BROKEN[name](bad)
    assert errors("plan", good) == []
    assert errors("plan", bad)
    with pytest.raises(FstcError):
        decode(json.dumps(bad).encode(), Plan, "p.json")


def test_an_older_minor_version_is_valid() -> None:
    _, plan = real_plan("layernorm_bwd", "h200")
    old = document(plan)
    old["format_version"] = "1.0"
    for kernel in (k for region in old["body"]["regions"] for k in region["kernels"]):
        kernel.pop("hash", None)
    old["body"].pop("constants")
    assert errors("plan", old) == []
    decode(json.dumps(old).encode(), Plan, "p.json")


def test_fields_are_described() -> None:
    defined = schema(Plan)["$defs"]
    assert defined["Kernel"]["properties"]["shared"]["description"] == "dynamic, bytes"
    assert defined["Decision"]["description"].startswith("Something joined or kept apart")
    assert "\n    " not in json.dumps(schema(Plan)).replace("\\n", "\n"), "as indented in the code"
    for kind, cls in KINDS.items():
        described = [p for name, p in _properties(schema(cls)) if "description" in p]
        assert len(described) >= 7, kind


def _properties(document: Any) -> Iterator[tuple[str, Any]]:
    for entry in (document, *document["$defs"].values()):
        yield from entry.get("properties", {}).items()
