"""Plan files with a field changed or gone: refused as damaged, or a plan that code can be made for; never a bug."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest

from fstc.analysis.run import analyze
from fstc.codegen.run import generate
from fstc.device.device import load_device
from fstc.ir.graph import Graph
from fstc.ir.parser import parse_file
from fstc.plan.artefact import Plan
from fstc.plan.check import check_plan
from fstc.plan.options import PlanOptions
from fstc.plan.run import make_plan
from fstc.support.artefact import decode, encode
from fstc.support.diagnostics import FstcError
from tests.property.graphs import random_graph
from tests.property.test_random_graphs import first_seed

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
MODELS = ("softmax_mask", "layernorm_bwd", "cross_entropy", "crnn_lstm_cells", "bias_gelu_bwd", "moe_combine_rmsnorm")
DEVICE = "h200"
NUMBERS = (0, -1, 1, 2, 3, 7, 31, 33, 64, 1 << 20, 1 << 40)


@cache
def planned(name: str) -> tuple[Graph, dict[str, Any]]:
    graph = parse_file(SAMPLES / f"{name}.fir")
    plan = make_plan(graph, analyze(graph), load_device(DEVICE), PlanOptions())
    return graph, json.loads(encode(plan, device=DEVICE))


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value in a document, but not into what is only told."""
    if at and at[-1] in ("decisions", "terms", "constants", "summary", "text", "measured", "hash"):
        return
    yield at
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*at, key))


def mutated(body: dict[str, Any], random: Random) -> tuple[dict[str, Any], str]:
    found = deepcopy(body)
    *way, last = random.choice([p for p in places(found) if p])
    holder: Any = found
    for key in way:
        holder = holder[key]
    value = holder[last]
    kind = random.random()
    if kind < 0.1:
        del holder[last]
    elif isinstance(value, bool) or value is None:
        holder[last] = not value
    elif isinstance(value, int):
        holder[last] = random.choice([value + 1, value - 1, value * 2, value // 2, *NUMBERS])
    elif isinstance(value, str):
        holder[last] = random.choice(["", "x", value + "0", "register", "shared", "kernel", "library", "r0", "c0"])
    elif isinstance(value, list):
        copy = list(value)
        random.choice((copy.reverse, lambda: copy.extend(copy[:1]), copy.clear, lambda: copy.pop() if copy else None))()
        holder[last] = copy
    elif isinstance(value, dict):
        others = [
            v for k, v in (holder.items() if isinstance(holder, dict) else enumerate(holder)) if isinstance(v, dict)
        ]
        holder[last] = deepcopy(random.choice(others))
    return (
        found,
        f"{'.'.join(map(str, (*way, last)))}: {str(value)[:60]} -> {str(holder[last] if kind >= 0.1 else 'gone')[:60]}",
    )


def judge(graph: Graph, document: dict[str, Any], random: Random) -> str:
    """ "refused", or "plan" where code was generated for it."""
    body, what = mutated(document["body"], random)
    data = json.dumps(document | {"body": body}).encode()
    try:
        plan = decode(data, Plan, "m.plan.json")
        check_plan(graph, plan, "m.plan.json")
    except FstcError as error:
        assert {d.code for d in error.diagnostics} == {"FST0004"}, what
        return "refused"
    except Exception as error:
        raise AssertionError(f"the check fails at {what}") from error
    try:
        generate(graph, plan, load_device(DEVICE))
    except Exception as error:
        raise AssertionError(f"code generation fails at {what}") from error
    return "plan"


@pytest.mark.parametrize("name", MODELS)
def test_as_it_was_made(name: str) -> None:
    graph, document = planned(name)
    check_plan(graph, decode(json.dumps(document).encode(), Plan, "m"), "m")


@pytest.mark.parametrize("name", MODELS)
def test_one_change(name: str, pytestconfig: pytest.Config) -> None:
    graph, document = planned(name)
    random = Random(first_seed(pytestconfig))
    found = [judge(graph, document, random) for _ in range(60)]
    assert found.count("refused") > 20 and "plan" in found  # names and predictions may be anything


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("seed", range(1, 6))
def test_many_changes(name: str, seed: int, pytestconfig: pytest.Config) -> None:
    graph, document = planned(name)
    random = Random(first_seed(pytestconfig) + seed)
    for _ in range(300):
        judge(graph, document, random)


@pytest.mark.slow
@pytest.mark.parametrize("start", range(0, 100, 20))
def test_plans_of_random_graphs(start: int, pytestconfig: pytest.Config) -> None:
    """Every plan that is made passes; its changes are refused or lowered."""
    device = load_device(DEVICE)
    for seed in range(first_seed(pytestconfig) + start, first_seed(pytestconfig) + start + 20):
        graph = random_graph(seed, rows=seed % 4 == 3)
        plan = make_plan(graph, analyze(graph), device, PlanOptions())
        check_plan(graph, plan, f"seed {seed}")
        document = json.loads(encode(plan, device=DEVICE))
        random = Random(seed)
        for _ in range(10):
            judge(graph, document, random)
