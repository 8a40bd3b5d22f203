"""What noise excuses, and what not."""

from __future__ import annotations

import numpy as np
import pytest

from fstc.ir.parser import parse_text
from fstc.ir.reference import evaluate
from fstc.ir.types import F32
from fstc.runtime.compare import compare, tolerance
from fstc.runtime.noise import Noise, distance

CANCELS = """func @main(%x: f32[4,1024]) -> (f32[4], f32[4]) {
  %y = reverse %x {dimensions = [1]} : f32[4,1024]
  %d = sub %x, %y : f32[4,1024]
  %e = exp %d : f32[4,1024]
  %l = log %e : f32[4,1024]
  %s = reduce_sum %l {axes = [1]} : f32[4]
  %m = reduce_max %x {axes = [1]} : f32[4]
  return %s, %m
}"""


def judged(number: int, error: float) -> tuple[bool, float]:
    """Output ``number`` of the graph when it is off by ``error``."""
    graph = parse_text(CANCELS)
    feeds = {0: np.random.default_rng(0).standard_normal((4, 1024)).astype(np.float32)}
    exact = evaluate(graph, feeds, wide=True)
    value = graph.outputs[number]
    got = (exact[value] + error).astype(np.float32)
    found = compare("y", got, exact[value], tolerance(F32, 1024, 4), F32)
    assert not found.ok
    after = Noise(graph, feeds, None, exact).judged(value, got, found)
    return after.ok, after.unstable


def test_a_sum_that_cancels_is_worth_what_its_terms_are() -> None:
    ok, unstable = judged(0, 3e-6)
    assert ok and 0 < unstable <= 1


def test_an_error_beyond_rounding_stays_one() -> None:
    ok, unstable = judged(0, 1e-2)
    assert not ok and unstable > 1


def test_a_stable_result_is_not_excused() -> None:
    ok, unstable = judged(1, 1e-3)
    assert not ok and unstable > 1


def test_infinities_that_disagree_are_not_excused() -> None:
    graph = parse_text("func @main(%x: f32[2]) -> (f32[2]) { %y = exp %x : f32[2] return %y }")
    feeds = {0: np.zeros(2, np.float32)}
    exact = evaluate(graph, feeds, wide=True)
    got = np.array([np.inf, 1], np.float32)
    found = compare("y", got, exact[1], tolerance(F32), F32)
    assert not Noise(graph, feeds, None, exact).judged(1, got, found).ok


def test_the_distance_looks_at_finite_elements() -> None:
    found = distance(np.array([1.0, np.nan, 5.0]), np.array([1.0, 0.0, 2.0]))
    assert found.largest == 3
    assert found.rms == pytest.approx(np.sqrt(4.5))
