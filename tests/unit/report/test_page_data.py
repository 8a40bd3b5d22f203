"""What the page holds as data is the plan, whole, and the code beside its ops."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from fstc.codegen.artefact import KernelMap
from fstc.driver.work import Work
from fstc.report import detail
from fstc.report.detail import RECORDS, details, mixed
from fstc.support.artefact import decode
from fstc.support.codes import CODES
from tests.unit.report.made import launches, page, sample, work_of
from tests.unit.report.page_syntax import data_of, read_page
from tests.unit.report.stack import stacked

SAMPLES = ("layernorm_bwd", "bert_layer", "dien_attention", "cross_entropy")
TWICE = """func @main(%x: f32[64,128], %w: f32[128,128]) -> (f32[64,128], f32[64]) {
  %one = exp %x : f32[64,128]
  %product = dot_general %one, %w {lhs_contract = [1], rhs_contract = [0]} : f32[64,128]
  %two = exp %product : f32[64,128]
  %twice = dot_general %two, %w {lhs_contract = [1], rhs_contract = [0]} : f32[64,128]
  %three = exp %twice : f32[64,128]
  %sum = reduce_sum %product {axes = [1]} : f32[64]
  return %three, %sum
}
"""


def data(work: Work) -> Any:
    return data_of(read_page(page(work)))


@pytest.mark.parametrize("name", SAMPLES)
def test_the_whole_plan_is_there(name: str) -> None:
    plan = sample(name).value("plan")
    found = data(sample(name))
    assert len(found["regions"]) == len(plan.regions)
    for held, region in zip(found["regions"], plan.regions, strict=True):
        assert held["hash"] == region.hash
        assert [(k["name"], k["hash"], k["terms"]) for k in held["kernels"]] == [
            (k.name, k.hash, k.terms) for k in region.kernels
        ]
        assert [d[0] for d in held["decisions"]] == [d.code for d in region.decisions]
        for theirs, kernel in zip(held["kernels"], region.kernels, strict=True):
            for part, real in zip(theirs["parts"], kernel.parts, strict=True):
                assert part["words"] == real.words
                assert part["groups"] == [[g.root, g.kind, g.phase, list(g.ops)] for g in real.groups]
                assert [e[-1] for e in part["edges"]] == [e.why for e in real.edges]
                assert [a[4] for a in part["accesses"]] == [a.bytes for a in real.accesses]
                assert [a[0] for a in part["axes"]] == [p.axis for p in real.placement]
                assert [h[0] for h in part["holds"]] == [h.value for h in real.holds]
    assert found["codes"].keys() == {d.code for r in plan.regions for d in r.decisions} & CODES.keys()


@pytest.mark.parametrize("name", SAMPLES)
def test_texts_of_decisions_and_ops_read_as_in_the_plan(name: str) -> None:
    """Written out with the names of the first place, mixed texts are those of the plan."""
    plan = sample(name).value("plan")
    found = data(sample(name))
    for number, region in enumerate(plan.regions):
        place = next(p for p in found["places"] if p["region"] == number)

        def text(parts: list[str | int], names: list[str] = place["names"]) -> str:
            return "".join(p if isinstance(p, str) else f"%{names[p]}" for p in parts)

        held = found["regions"][number]
        assert [(text(d[2]), text(d[3]), text(d[5])) for d in held["decisions"]] == [
            (d.left, d.right, d.reason) for d in region.decisions
        ]
        lines = [line.partition(" loc(")[0] for line in region.text]
        assert [t for op in held["ops"] if (t := text(op["text"])) not in lines] == []


@pytest.mark.parametrize("kind", RECORDS)
def test_records_name_their_fields(kind: str) -> None:
    found = data(sample("layernorm_bwd"))
    places = [found, *found["regions"], *(p for r in found["regions"] for k in r["kernels"] for p in k["parts"])]
    rows = [row for place in places for row in place.get(kind, ())]
    assert rows
    assert {len(row) for row in rows} == {len(RECORDS[kind])}


@pytest.mark.parametrize("name", SAMPLES)
def test_lines_of_code_belong_to_the_values_that_the_map_names(name: str) -> None:
    work = sample(name)
    plan, code, texts = work.value("plan"), work.value("codegen"), work.texts("codegen")
    found = data(work)
    answers: dict[tuple[int, int, str], int] = {}
    seen = 0
    for step, theirs in zip(plan.steps, code.steps, strict=True):
        if step.region < 0:
            continue
        kernel = found["regions"][step.region]["kernels"][step.kernel]
        names = next(p for p in found["places"] if p["region"] == step.region)["names"]
        file = code.kernels[theirs.kernel].file
        source = found["sources"][kernel["source"]]
        assert source["file"] == file
        assert len(source["lines"]) == len(kernel["lines"])
        lines = texts[file].splitlines()
        assert all(line.startswith(shown) for line, shown in zip(lines, source["lines"], strict=True))
        made = decode(texts[f"{file.removesuffix('.cu')}.map.json"].encode(), KernelMap, file)
        told = {s.line: s.op for s in made.statements if s.op}
        for number, value in enumerate(kernel["lines"], 1):
            if number in told:
                assert value >= 0, f"{lines[number - 1]!r} belongs to nothing"
                called = told[number].split(" ")[0].rstrip(",")
                if code.kernels[theirs.kernel].name == kernel["name"]:
                    assert called == f"%{names[value]}"
                else:  # an equal kernel's text: its values answer to this one's, one to one
                    assert answers.setdefault((step.region, step.kernel, called), value) == value
                seen += 1
            else:
                assert value == -1
    assert seen
    kernels_and_values = [(*key[:2], value) for key, value in answers.items()]
    assert len(set(kernels_and_values)) == len(kernels_and_values)


def test_equal_kernels_of_different_regions_show_their_own_names() -> None:
    """The text of the second is that of the first; its lines belong to the second's values."""
    work = work_of(TWICE)
    found = data(work)
    exps = []
    for step in found["steps"]:
        if "place" not in step:
            continue
        place = found["places"][step["place"]]
        kernel = found["regions"][place["region"]]["kernels"][step["kernel"]]
        named = {place["names"][v] for v in kernel["lines"] if v >= 0}
        exps.append((kernel["source"], sorted(named & {"one", "two", "three"})))
    texts: dict[str, list[int]] = {"one": [], "two": [], "three": []}
    for source, names in exps:
        for name in names:
            texts[name].append(source)
    assert texts["one"] == texts["three"]
    assert all(texts.values())


def test_every_place_has_names_of_its_own() -> None:
    found = data(work_of(stacked(3)))
    names = [step["name"] for step in found["steps"] if "place" in step]
    assert "k0_layer0_probabilities" in names
    assert "k0_layer2_probabilities" in names
    probabilities = [s for s in found["steps"] if s["name"].endswith("_probabilities")]
    regions = {found["places"][s["place"]]["region"] for s in probabilities}
    assert len(probabilities) == 3
    assert len(regions) == 1
    for layer, step in enumerate(probabilities):
        assert f"layer{layer}.exp" in found["places"][step["place"]]["names"]


def test_reads_and_writes_fit_together() -> None:
    found = data(sample("bert_layer"))
    made = set()
    for number, step in enumerate(found["steps"]):
        for t in step["reads"]:
            source = found["tensors"][t][3]
            assert source == -1 or source in range(number)
            assert source == -1 or t in made
        made |= set(step["writes"])
        assert all(found["tensors"][t][3] == number for t in step["writes"])


def test_kernel_texts_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detail, "CODE_BUDGET", 3000)
    found = data(sample("dien_attention"))
    kernels = [k for r in found["regions"] for k in r["kernels"]]
    assert {k["source"] < 0 for k in kernels} == {True, False}
    assert sum(len(line) + 1 for s in found["sources"] for line in s["lines"]) <= 3000


def test_terms_limits_and_path_of_a_decision() -> None:
    work = sample("layernorm_bwd")
    plan = work.value("plan")
    region = plan.regions[0]
    told = msgspec.structs.replace(
        region.decisions[0], terms={"memory": 1.5}, limits={"shared": (5.0, 4.0)}, path=("%dx", "%elsewhere")
    )
    changed = msgspec.structs.replace(plan, regions=(msgspec.structs.replace(region, decisions=(told,)),))
    base = launches(work)
    held = details(
        type(base)(base.graph, changed, base.steps, base.places, base.tensors),
        work.value("codegen"),
        work.texts("codegen"),
    )
    (decision,) = held["regions"][0]["decisions"]
    dx = base.places[0].graph
    number = next(v.id for v in dx.values if v.name == "dx")
    assert decision[6:] == [{"memory": 1.5}, {"shared": (5.0, 4.0)}, [[number], ["%elsewhere"]]]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("%a", [0]),
        ("%a in 32, %b in 4", [0, " in 32, ", 1, " in 4"]),
        ("%ab is not %a.", ["%ab is not %a."]),
        ('from %"c d" on', ["from ", 2, " on"]),
        ("50% of %b", ["50% of ", 1]),
        ("", []),
    ],
)
def test_names_in_texts_are_found(text: str, parts: list[str | int]) -> None:
    assert mixed(text, {"%a": 0, "%b": 1, '%"c d"': 2}) == parts
