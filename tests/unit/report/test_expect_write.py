"""What --write-expect writes: a file that its plan meets, and another plan does not."""

from __future__ import annotations

import pytest
import yaml

from fstc.report.expect.check import check
from fstc.report.expect.facts import PlanFacts, plan_facts
from fstc.report.expect.parse import parse_expectations
from fstc.report.expect.write import write_expectations
from tests.integration.shipped import SAMPLES, real_plan
from tests.unit.report.expecting import broken, facts


def sample(name: str, device: str = "h200") -> PlanFacts:
    return plan_facts(*real_plan(name, device))


def failing(text: str, about: PlanFacts) -> list[str]:
    return [v.line for v in check(parse_expectations(text.encode(), "e.yaml"), about) if not v.holds]


@pytest.mark.parametrize("name", SAMPLES)
def test_its_plan_meets_it(name: str) -> None:
    found = sample(name)
    text = write_expectations(found, name)
    assert failing(text, found) == []
    assert text == write_expectations(sample(name), name)
    assert max(map(len, text.splitlines())) <= 120
    data = yaml.safe_load(text)
    kernels = [k for region in found.plan.regions for k in region.kernels]
    groups = {frozenset(group) for group in data["stitched"]} if "stitched" in data else set()
    assert len(groups) == len(data.get("stitched", ())), "no group twice"
    large = [p for k in kernels for p in k.parts if len(p.nodes) > 1]
    assert bool(groups) == bool(large)


def test_a_worse_plan_breaks_it() -> None:
    text = write_expectations(facts(), "two")
    for strategy in ("classic", "none"):
        lines = broken(text, facts(strategy))
        assert any(": kernels is" in line for line in lines)
        assert any(": bytes is" in line for line in lines)
        assert any(": predicted_us is" in line for line in lines)
        assert any(": stitched [a.max" in line for line in lines)


def test_another_device_breaks_it() -> None:
    text = write_expectations(sample("softmax_mask"), "softmax_mask")
    assert any("device is a100" in line for line in failing(text, sample("softmax_mask", "a100")))


def test_equal_layers_are_told_once() -> None:
    data = yaml.safe_load(write_expectations(facts(), "two"))
    assert [group[0] for group in data["stitched"]] == ["a.max"]


def test_partial_results_are_not_named() -> None:
    """A plan that does not split, or splits into other parts, computes the same values of the model."""
    data = yaml.safe_load(write_expectations(sample("layernorm_bwd"), "layernorm_bwd"))
    names = {name for group in data["stitched"] for name in group}
    assert "dx" in names
    assert not [name for name in names if name.endswith((".partial", ".parts"))]


def test_names_that_yaml_or_a_shell_would_read_otherwise() -> None:
    text = """func @f(%x: f32[64]) -> f32[64] {
      %"a[0] *" = exponential %x : f32[64]
      %"no: #\\u00fc?" = log %"a[0] *" : f32[64]
      %1 = exponential %"no: #\\u00fc?" : f32[64]
      return %1
    }
    """
    found = facts(text=text)
    written = write_expectations(found, "odd")
    assert failing(written, found) == []
    assert yaml.safe_load(written)["stitched"] == [["a[[]0] [*]", "no: #ü[?]", "1"]]


def test_it_is_commented() -> None:
    lines = write_expectations(facts(), "two").splitlines()
    assert sum(line.startswith("# ") for line in lines) >= 4
    assert not [line for line in lines if line != line.rstrip()]
