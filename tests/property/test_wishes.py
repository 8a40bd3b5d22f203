"""Wishes on random graphs: kept or refused, never forgotten; and the plan computes what the reference does.

Which ops share a launch is read from the plan, not from the planner.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest

from fstc.analysis.run import analyze
from fstc.device.device import load_device
from fstc.ir.graph import Graph
from fstc.ir.literals import value_name
from fstc.ir.ops.opdef import Form
from fstc.ir.printer import print_graph
from fstc.plan.artefact import Plan
from fstc.plan.options import PlanOptions
from fstc.plan.run import make_plan
from fstc.report.launches import launches_of
from fstc.support.diagnostics import FstcError
from tests.property.graphs import random_graph
from tests.property.plan_rules import broken
from tests.property.roads import DEVICE
from tests.property.test_plans import interpreted

REFUSED = "FST0420"
PINS = 3


def kernels(graph: Graph, plan: Plan) -> list[list[frozenset[str]]]:
    """Names of the values that the parts of each launch compute."""
    made = launches_of(graph, plan)
    found = []
    for launch in made.steps:
        if launch.kernel is not None:
            place = made.places[launch.place].graph
            found.append(
                [
                    frozenset(
                        place.values[v].name
                        for n in part.nodes
                        if place.nodes[n].op.form is not Form.CONSTANT
                        for v in place.nodes[n].outputs
                    )
                    for part in launch.kernel.parts
                ]
            )
    return found


def share(graph: Graph, plan: Plan, names: Sequence[str]) -> bool:
    return any(set(names) <= frozenset().union(*parts) for parts in kernels(graph, plan))


def planned(graph: Graph, **options: tuple[str, ...]) -> Plan | None:
    """None where the wishes are refused, with a reason."""
    try:
        return make_plan(graph, analyze(graph), load_device(DEVICE), PlanOptions(**options))
    except FstcError as error:
        assert [d.code for d in error.diagnostics] == [REFUSED]
        assert len(error.diagnostics[0].message) > 20
        return None


def right(graph: Graph, plan: Plan, seed: int) -> None:
    found = broken(graph, plan, load_device(DEVICE)) or interpreted(graph, plan, seed)
    assert not found, "\n".join([*found[:5], print_graph(graph)])


def wish(names: Sequence[str]) -> str:
    return ",".join(map(value_name, names))


def check(graph: Graph, seed: int) -> dict[str, int]:
    """How many wishes of each kind were kept; a few pairs and pins of one graph."""
    r = Random(seed)
    free = planned(graph)
    assert free is not None
    known = sorted({name for parts in kernels(graph, free) for part in parts for name in part} & names_of(graph))
    counts = {"forced": 0, "forbidden": 0, "pinned": 0}
    if len(known) < 2:
        return counts
    for _ in range(3):
        pair = r.sample(known, 2)
        for kind, options in (("forced", {"force": (wish(pair),)}), ("forbidden", {"forbid": (wish(pair),)})):
            made = planned(graph, **options)
            if made is None:
                assert kind == "forced" or one_op(graph, pair), "two ops can always be two kernels"
                continue
            assert share(graph, made, pair) == (kind == "forced"), f"{kind} {pair}\n{print_graph(graph)}"
            right(graph, made, seed)
            counts[kind] += 1
    assert planned(graph, force=(wish(pair),), forbid=(wish(pair),)) is None
    pin = r.sample(known, min(PINS, len(known)))
    made = planned(graph, pins=(wish(pin),))
    if made is not None:
        rest = names_of(graph) - views(graph, pin)
        wanted = {graph.values[v].name for n in graph.nodes for v in n.outputs if whole(graph, n.outputs) & set(pin)}
        assert any(wanted == part & rest for parts in kernels(graph, made) for part in parts)
        right(graph, made, seed)
        counts["pinned"] += 1
    return counts


def whole(graph: Graph, outputs: Sequence[int]) -> set[str]:
    """All results of an op: they are computed together."""
    return {graph.values[v].name for v in outputs}


def one_op(graph: Graph, names: Sequence[str]) -> bool:
    return any(set(names) <= whole(graph, n.outputs) for n in graph.nodes)


def names_of(graph: Graph) -> set[str]:
    return {v.name for v in graph.values}


def views(graph: Graph, pin: Sequence[str]) -> set[str]:
    """Values that a pinned kernel computes for itself although no pin names them: always repeated by their readers."""
    from fstc.plan.folding import folded_ops

    folded = folded_ops(graph)
    return {graph.values[v].name for n in folded for v in graph.nodes[n].outputs} - set(pin)


def test_wishes_on_some_graphs() -> None:
    total = {"forced": 0, "forbidden": 0, "pinned": 0}
    for seed in (1, 3, 4, 7, 10, 11):
        for kind, n in check(random_graph(seed), seed).items():
            total[kind] += n
    assert all(total.values()), total


@pytest.mark.slow
@pytest.mark.parametrize("start", range(0, 100, 10))
def test_wishes_on_many_graphs(start: int) -> None:
    for seed in range(start, start + 10):
        check(random_graph(seed), seed)
