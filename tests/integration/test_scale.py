"""Time and memory grow with the graph as promised: a doubling costs at most 2.3 times as much.

Figures are seconds of the processor in a process of their own, so that a busy machine does not fail them. ``make bench
ARGS=--scale`` prints them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "bench"))

from graphs import BY_OPS  # noqa: E402
from scale import GROWTH, LARGE_MB, SMALL, SMALL_SECONDS, growth, in_fresh_process  # noqa: E402

from fstc.analysis.run import analyze  # noqa: E402
from fstc.ir.ops.opdef import Form  # noqa: E402
from fstc.ir.parser import parse_text  # noqa: E402


@pytest.mark.parametrize("family", BY_OPS)
def test_generated_graphs_are_sound(family: str) -> None:
    """They parse, are as large as asked for, and the same each time."""
    graph = parse_text(BY_OPS[family](2000))
    ops = sum(node.op.form is not Form.CONSTANT for node in graph.nodes)
    assert 1700 < ops < 2400
    assert analyze(graph) == analyze(parse_text(BY_OPS[family](2000)))


@pytest.mark.parametrize("family", BY_OPS)
def test_stages_around_the_search_need_no_stack_and_little_time(family: str) -> None:
    """Far more ops than Python has stack frames; each stage is near linear in any region's size."""
    costs = [in_fresh_process(family, n, "none") for n in (1000, 4000)]
    assert costs[0] and costs[1]
    assert growth([costs[0], costs[1]]) <= GROWTH


@pytest.mark.slow
@pytest.mark.parametrize("family", BY_OPS)
def test_growth_of_a_doubling(family: str) -> None:
    costs = [in_fresh_process(family, n) for n in (500, 2000)]
    assert costs[0] and costs[1]
    assert growth([costs[0], costs[1]]) <= GROWTH


@pytest.mark.slow
@pytest.mark.parametrize("family", ["training", "unclipped"])
def test_a_training_graph_of_ten_thousand_ops(family: str) -> None:
    cost = in_fresh_process(family, SMALL)
    assert cost
    assert cost.total <= SMALL_SECONDS
    assert cost.megabytes <= LARGE_MB
