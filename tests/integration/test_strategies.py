"""What stitching is worth on the samples, and what it leaves on the table: sums over all 24, by prediction."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from fstc.analysis.run import analyze
from fstc.device.device import load_device
from fstc.ir.parser import parse_file
from fstc.plan.artefact import Plan, Summary
from fstc.plan.options import CLASSIC, NONE, STITCH, PlanOptions
from fstc.plan.run import make_plan
from tests.samples import SAMPLES_DIR

DEVICE = "h200"
SAMPLES = tuple(sorted(p.stem for p in Path(SAMPLES_DIR).glob("*.fir")))
KERNELS = 0.38  # of those of one kernel an op, over all samples
NEAR = 1.02  # of the floor
SCHEMES = ("cluster", "grid", "loop over rows", "staging")


@cache
def planned(sample: str, strategy: str) -> Plan:
    graph = parse_file(SAMPLES_DIR / f"{sample}.fir", {})
    return make_plan(graph, analyze(graph), load_device(DEVICE), PlanOptions(strategy=strategy))


def summary(sample: str, strategy: str) -> Summary:
    return planned(sample, strategy).summary


def test_there_are_as_many_as_it_says() -> None:
    assert len(SAMPLES) == 24


@pytest.mark.parametrize("sample", SAMPLES)
def test_stitching_is_never_predicted_slower(sample: str) -> None:
    """More choices never make a plan worse: of none within classic, and of classic within stitch."""
    none, classic, stitch = (summary(sample, s).predicted_us for s in (NONE, CLASSIC, STITCH))
    assert stitch <= classic <= none


def test_kernels_of_all_samples() -> None:
    stitched = sum(summary(s, STITCH).kernels for s in SAMPLES)
    apart = sum(summary(s, NONE).kernels for s in SAMPLES)
    assert stitched <= KERNELS * apart, f"{stitched} of {apart}"


@pytest.mark.parametrize("sample", SAMPLES)
def test_what_is_above_the_floor_is_explained(sample: str) -> None:
    """Bytes beyond the floor need a reason: the scheme that would save them, and what it costs to do without."""
    plan = planned(sample, STITCH)
    told = [d for r in plan.regions for d in r.decisions if d.code == "FSN050"]
    if plan.summary.bytes <= NEAR * plan.summary.bytes_min:
        assert not told
        return
    assert told, f"{plan.summary.bytes} bytes, floor {plan.summary.bytes_min}, and no decision says why"
    for decision in told:
        assert decision.gain_us < 0
        assert any(scheme in decision.reason for scheme in SCHEMES)
    bytes_told = sum(float(d.reason.split(" MB")[0]) for d in told) * 1e6
    assert bytes_told >= 0.8 * (plan.summary.bytes - plan.summary.bytes_min), "the lines make up the difference"
