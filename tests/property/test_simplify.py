"""Random graphs, simplified, give the bits that they gave before."""

from __future__ import annotations

import pytest

from fstc.frontends.passes.rewriter import Tensors
from fstc.frontends.passes.run import run_passes
from fstc.ir.printer import print_graph
from fstc.ir.verify import verify
from tests.property.bits import same_results
from tests.property.graphs import random_graph
from tests.property.test_random_graphs import first_seed

BATCH = 100


def judge(seed: int) -> None:
    graph = random_graph(seed, rows=seed % 20 == 19)
    simple, tensors = run_passes(graph, Tensors("m.safetensors", {}))
    verify(simple)
    assert len(simple.nodes) <= len(graph.nodes) + 8  # a rule may need two ops for one
    wrong = same_results(graph, simple, tensors, seed)
    assert not wrong, f"seed {seed}: {wrong}\n{print_graph(graph)}\n{print_graph(simple)}"
    assert run_passes(simple, tensors)[0] is simple, f"seed {seed}: a second run changes something"


@pytest.mark.parametrize("start", range(0, 600, BATCH))
def test_random_graphs(start: int, pytestconfig: pytest.Config) -> None:
    for seed in range(start, start + BATCH):
        judge(first_seed(pytestconfig) + seed)


@pytest.mark.slow
@pytest.mark.parametrize("start", range(1000, 11_000, 1000))
def test_many_random_graphs(start: int, pytestconfig: pytest.Config) -> None:
    for seed in range(start, start + 1000):
        judge(first_seed(pytestconfig) + seed)
