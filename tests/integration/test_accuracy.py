"""The cost model is as good as the documents say; ``make accuracy`` prints the figures."""

from __future__ import annotations

from math import isclose
from pathlib import Path

import msgspec
import pytest

from fstc.analysis.run import analyze
from fstc.device.device import load_device
from fstc.ir.parser import parse_file
from fstc.plan.run import make_plan
from tests.integration.accuracy import Verdict, compiled, judge, random_kernels, rank_correlation, sample_kernels
from tests.integration.timings import Timing, Timings, against, load, results
from tests.samples import SAMPLES_DIR

STEP = 0.9  # share of kernels whose occupancy step is as planned


def good(found: Verdict) -> None:
    assert found.right >= STEP, found
    assert found.lower <= 1 - STEP, found
    assert found.registers_off <= 6, found
    assert 0.7 <= found.text_ratio <= 1.4, found
    assert found.text_rank >= 0.8, found


@pytest.mark.nvrtc
def test_the_samples_as_they_ship() -> None:
    device = load_device("h200")
    found = judge(compiled(sample_kernels(device, ("stitch",)), device))
    assert found.kernels >= 24
    assert found.spilling == 0
    assert found.lower <= 1 - STEP, found


@pytest.mark.nvrtc
@pytest.mark.parametrize("name", ["h200", pytest.param("a100", marks=pytest.mark.slow)])
def test_the_samples_under_every_strategy(name: str) -> None:
    device = load_device(name)
    good(judge(compiled(sample_kernels(device), device)))


@pytest.mark.nvrtc
@pytest.mark.slow
def test_random_patterns() -> None:
    device = load_device("h200")
    found = judge(compiled(random_kernels(device, 500), device))
    assert found.kernels == 500
    good(found)


def test_rank_correlation() -> None:
    assert rank_correlation([1, 2, 3, 4], [10, 20, 30, 40]) == 1
    assert rank_correlation([1, 2, 3, 4], [9, 7, 5, 1]) == -1
    assert isclose(rank_correlation([1, 2, 2, 3], [1, 2, 3, 4]), 0.9486832980505138)  # scipy.stats.spearmanr
    assert rank_correlation([1, 1, 1], [1, 2, 3]) == 0


def test_times_are_compared_by_hash(tmp_path: Path) -> None:
    """Made-up times: twice the prediction, and one of a kernel that nobody plans."""
    graph = parse_file(SAMPLES_DIR / "softmax_mask.fir", {})
    kernels = [k for r in make_plan(graph, analyze(graph), load_device("h200")).regions for k in r.kernels]
    rows = [
        Timing(sample="softmax_mask", kernel=k.name, hash=k.hash, measured_us=2 * k.predicted_us) for k in kernels
    ] + [Timing(sample="softmax_mask", kernel="old", hash="gone", measured_us=1.0)]
    run = Timings(device="h200", driver="0", versions={}, date="2000-01-01", command="made up", rows=tuple(rows))
    (tmp_path / "h200.json").write_bytes(msgspec.json.encode(run))
    (found,) = against(load(path) for path in results(tmp_path))
    assert (found.device, found.kernels, found.gone) == ("h200", len(kernels), 1)
    assert isclose(found.error, 0.5, rel_tol=1e-9)


def test_a_result_file_with_something_else_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "h200.json").write_text('{"device": "h200", "rows": []}')
    with pytest.raises(msgspec.ValidationError):
        load(tmp_path / "h200.json")
