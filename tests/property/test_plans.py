"""Plans of random graphs: complete, in order, within limits, and interpreted they give what the reference gives.

The rules are in plan_rules.py, the interpreter in ``fstc/plan/interpret.py``; broken plans show that both notice.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from random import Random

import pytest

from fstc.device.device import load_device
from fstc.ir.graph import Graph
from fstc.ir.printer import print_graph
from fstc.ir.types import F32
from fstc.plan.artefact import Plan
from fstc.plan.interpret import interpret
from fstc.runtime.inputs import make_inputs
from fstc.support.diagnostics import FstcError, InternalError
from tests.property.builder import Builder
from tests.property.graphs import random_graph
from tests.property.oracle import judge
from tests.property.plan_mutants import MUTANTS, Mutant
from tests.property.plan_rules import broken
from tests.property.planners import at_random
from tests.property.roads import DEVICE, plan

REFUSED = "FST0411"  # of a pattern for which limits drawn at random leave no room
BATCH = 20


def odd_plan(graph: Graph, seed: int) -> Plan | None:
    """A plan under costs, limits, splits and placements drawn at random; None where they leave no room."""
    r = Random(seed)
    planner = at_random(
        seed,
        registers=r.choice((None, None, 48, 80)),
        shared=r.choice((None, None, 4096, 20_000)),
        splits=r.random() < 0.5,
        wild=r.random() < 0.5,
    )
    try:
        return planner(graph)
    except FstcError as error:
        assert all(d.code == REFUSED for d in error.diagnostics), error
        return None


def complaints(graph: Graph, made: Plan, seed: int) -> list[str]:
    """What the rules and the interpretation object to."""
    return broken(graph, made, load_device(DEVICE)) or interpreted(graph, made, seed, specials=True)


def interpreted(graph: Graph, made: Plan, seed: int, *, specials: bool = False) -> list[str]:
    """Broken plans get plain numbers: one NaN in a row, and everything that is made of it looks right."""
    feeds = make_inputs(graph, seed, specials=specials)
    try:
        values = interpret(graph, made, feeds)
    except InternalError as error:
        return [str(error)]
    return judge(graph, feeds, {v: x for v, x in values.items() if v < len(graph.values) and v not in feeds}, seed)


def check(seeds: range, *, rows: bool = False, odd: bool = False) -> None:
    for seed in seeds:
        graph = random_graph(seed, rows=rows)
        made = odd_plan(graph, seed) if odd else plan(graph)
        if made is not None:
            found = complaints(graph, made, seed)
            assert not found, f"seed {seed}\n" + "\n".join(found[:5]) + f"\n{print_graph(graph)}"


@pytest.mark.parametrize(("rows", "odd"), [(False, False), (True, False), (False, True), (True, True)])
def test_plans_of_some_graphs(rows: bool, odd: bool) -> None:
    check(range(10), rows=rows, odd=odd)


@pytest.mark.slow
@pytest.mark.parametrize("start", range(0, 500, BATCH))
def test_plans_of_many_graphs(start: int) -> None:
    check(range(start, start + BATCH))


@pytest.mark.slow
@pytest.mark.parametrize("start", range(0, 100, BATCH))
@pytest.mark.parametrize(("rows", "odd"), [(True, False), (False, True), (True, True)])
def test_more_plans(start: int, rows: bool, odd: bool) -> None:
    check(range(start, start + BATCH), rows=rows, odd=odd)


# -- broken plans -----------------------------------------------------------------------------------------------------

SITES = 3  # plans that each mutant is tried on


def softmax() -> Graph:
    """Rows that find no room in registers: held in shared memory beside the exchanges of two reductions."""
    b = Builder()
    x = b.input(F32, (3, 12_000))
    most = b.op("broadcast_in_dim", b.op("reduce_max", x, axes=(1,)), declared=[b.types[x]], dims=(0,))
    e = b.op("exp", b.op("sub", x, most))
    total = b.op("broadcast_in_dim", b.op("reduce_sum", e, axes=(1,)), declared=[b.types[x]], dims=(0,))
    return b.graph([b.op("div", e, total)])


@cache
def plans() -> tuple[tuple[int, Graph, Plan], ...]:
    """Good plans with all kinds of carriers, packed launches and several steps."""
    rows = softmax()
    found = [(seed, rows, at_random(seed, registers=40)(rows)) for seed in range(6)]
    for seed in range(24):
        graph = random_graph(seed, rows=seed % 2 == 0)
        made = odd_plan(graph, seed) if seed % 3 else plan(graph)
        if made is not None:
            found.append((seed, graph, made))
    return tuple(found)


def sites(mutant: Mutant) -> Iterator[tuple[int, Graph, Plan]]:
    for seed, graph, made in plans():
        changed = mutant(graph, made)
        if changed is not None:
            yield seed, graph, changed


@pytest.mark.parametrize("name", MUTANTS)
def test_a_broken_plan_is_noticed(name: str) -> None:
    tried = 0
    for seed, graph, changed in sites(MUTANTS[name]):
        noticed = broken(graph, changed, load_device(DEVICE)) or interpreted(graph, changed, seed)
        assert noticed, f"{name}: seed {seed} goes unnoticed"
        tried += 1
        if tried == SITES:
            break
    assert tried, f"{name}: no plan has a place for it"


@pytest.mark.parametrize("name", [n for n, m in MUTANTS.items() if m.runs_wrong])
def test_a_broken_plan_computes_wrong(name: str) -> None:
    """The interpreter alone notices these, without the rules."""
    tried = 0
    for seed, graph, changed in sites(MUTANTS[name]):
        assert interpreted(graph, changed, seed), f"{name}: seed {seed} computes what the reference does"
        tried += 1
        if tried == SITES:
            break
    assert tried
