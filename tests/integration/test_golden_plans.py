"""Plans of all samples as text, for two devices: a change of planner or device shows as a readable difference."""

from __future__ import annotations

from dataclasses import replace
from difflib import unified_diff

import pytest

from fstc.analysis.run import analyze
from fstc.device.device import load_device
from fstc.plan.run import make_plan
from fstc.report.plan_text import plan_text
from fstc.support.codes import CODES
from tests.conftest import ROOT, Golden
from tests.integration.shipped import SAMPLES, real_plan

FOLDER = ROOT / "tests" / "golden" / "plan"
GOLDEN_DEVICES = ("h200", "a100")
LONGEST = 100  # lines; who reads more?

each_device = pytest.mark.parametrize("device", GOLDEN_DEVICES)
each_sample = pytest.mark.parametrize("sample", SAMPLES)


@each_device
@each_sample
def test_the_plan_is_the_golden_one(sample: str, device: str, golden: Golden) -> None:
    graph, plan = real_plan(sample, device)
    text = plan_text(sample, graph, plan)
    assert text.count("\n") <= LONGEST
    golden(FOLDER / device / f"{sample}.txt", text)


def test_every_decision_has_a_page() -> None:
    plans = [real_plan(sample, device)[1] for sample in SAMPLES for device in GOLDEN_DEVICES]
    assert {d.code for plan in plans for region in plan.regions for d in region.decisions} <= set(CODES)


def test_no_golden_is_left_over() -> None:
    wanted = {f"{device}/{sample}.txt" for device in GOLDEN_DEVICES for sample in SAMPLES}
    assert {path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.txt")} == wanted


def test_a_changed_cost_shows_as_changed_times() -> None:
    """Launches get a quarter of a microsecond slower: the same kernels, each a line with another time."""
    device = load_device("h200")
    graph, before = real_plan("bert_layer", "h200")
    after = make_plan(graph, analyze(graph), replace(device, launch_us=device.launch_us + 0.25))
    old, new = (plan_text("bert_layer", graph, plan).splitlines() for plan in (before, after))
    changed = [line for line in unified_diff(old, new, lineterm="", n=0) if line[0] in "+-" and line[:3] not in _HEAD]
    removed = [line[1:] for line in changed if line[0] == "-"]
    added = [line[1:] for line in changed if line[0] == "+"]
    assert len(removed) == len(added) == 1 + before.summary.kernels, "the sum, and each kernel"
    for a, b in zip(removed, added, strict=True):
        (time_a, _, rest_a), (time_b, _, rest_b) = (line.strip().partition(" us") for line in (a, b))
        assert float(time_b) > float(time_a)
        assert rest_a == rest_b
    total = after.summary.predicted_us - before.summary.predicted_us
    assert total == pytest.approx(0.25 * before.summary.kernels, rel=0.05)


_HEAD = ("---", "+++")
