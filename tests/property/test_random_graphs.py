"""Random graphs through plan, codegen and the host build, against the strict reference; see oracle.py.

Batches share one library, so that compiling does not dominate. ``make test`` takes 100 graphs and a share of them under
odd placements and the checker, ``make test-full`` 1,000; ``make fuzz`` goes on with other seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from fstc.device.device import load_device
from fstc.ir.graph import Graph
from fstc.ir.parser import parse_file
from fstc.ir.printer import print_graph
from tests.property.graphs import random_graph
from tests.property.planners import at_random
from tests.property.roads import DEVICE, Case, failures, plan

BATCH = 20
CASES = sorted((Path(__file__).parent / "cases").glob("*.fir"))
REFUSED = "has no placement"  # said of a pattern for which tight limits leave no room


def first_seed(config: pytest.Config) -> int:
    """``--hypothesis-seed`` moves the seeds on: each round of ``make fuzz`` sees other graphs."""
    given = config.getoption("--hypothesis-seed", default=None)
    return int(given) * 10_000 if given not in (None, "random") else 0


def odd(name: str, graph: Graph, seed: int) -> Case:
    """A case under a placement, limits and splits drawn at random."""
    random = Random(seed)
    knobs: dict[str, Any] = {
        "registers": random.choice((None, None, 48, 80)),
        "shared": random.choice((None, None, 4096, 20_000)),
        "splits": random.random() < 0.5,
        "wild": random.random() < 0.5,
    }
    text = ", ".join(f"{k}={v}" for k, v in knobs.items())
    return Case(f"{name} at_random({seed}, {text})", graph, planner=at_random(seed, **knobs), seed=seed)


def judge(cases: Sequence[Case], folder: Path, *, checked: bool = False) -> None:
    found = [f for f in failures(cases, folder, checked=checked) if not (REFUSED in f and "at_random" in f)]
    graphs = {case.name: case.graph for case in cases}
    texts = [f"{f}\n{print_graph(graphs[f.split(':')[0]])}" if f.split(":")[0] in graphs else f for f in found]
    assert not found, "\n".join(texts)


def batch(kind: str, start: int) -> list[Case]:
    seeds = range(start, start + BATCH)
    rows = kind.startswith("rows")
    graphs = {seed: random_graph(seed, rows=rows) for seed in seeds}
    word = "rows " if rows else ""
    if kind.endswith("odd"):
        return [odd(f"{word}seed {s}", g, s) for s, g in graphs.items()]
    return [Case(f"{word}seed {s}", g, seed=s) for s, g in graphs.items()]


KINDS = ("graphs", "rows", "odd", "rows odd")


@pytest.mark.parametrize("kind", KINDS)
def test_random_graphs(kind: str, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    judge(batch(kind, first_seed(pytestconfig)), tmp_path)


def test_one_more_batch(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    judge(batch("graphs", first_seed(pytestconfig) + BATCH), tmp_path)


@pytest.mark.parametrize("kind", ("graphs", "rows odd"))
def test_under_the_checker(kind: str, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    judge(batch(kind, first_seed(pytestconfig) + 100), tmp_path, checked=True)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("start", range(200, 200 + 250, BATCH))
def test_many_random_graphs(kind: str, start: int, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    judge(batch(kind, first_seed(pytestconfig) + start), tmp_path, checked=start % 100 == 0)


def test_cases(tmp_path: Path) -> None:
    """What random graphs have found, each under the planner's placement and some at random."""
    graphs = {path.stem: parse_file(path, {}) for path in CASES}
    cases = [Case(name, graph) for name, graph in graphs.items()]
    cases += [odd(name, graph, seed) for name, graph in graphs.items() for seed in (1, 2)]
    judge(cases, tmp_path)


def test_same_seed_same_graph() -> None:
    assert random_graph(5) == random_graph(5)
    assert plan(random_graph(5)) == plan(random_graph(5), load_device(DEVICE))
