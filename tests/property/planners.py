"""Planners that choose otherwise than by cost, so that every placement, carrier and cut that is legal gets compiled.

Example: ``Case("seed 3", graph, planner=at_random(3))``. Costs are drawn at random, which makes the placement and the
fusion of every pattern random; limits may be tight, indices wide and reductions split where no model would split them.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from random import Random
from typing import Any

import msgspec

from fstc.device.device import Device, load_device
from fstc.ir.axes import reduced_dims
from fstc.ir.graph import Graph
from fstc.ir.ops.opdef import Form
from fstc.plan import candidate, run
from fstc.plan.artefact import Plan
from fstc.plan.split import Split
from tests.property.roads import DEVICE, Planner, plan, replaced


def at_random(seed: int, *, registers: int | None = None, shared: int | None = None, splits: bool = False) -> Planner:
    """Random costs; ``registers`` a thread and ``shared`` bytes a block instead of the device's own limits."""

    def planner(graph: Graph) -> Plan:
        random = Random(seed)
        device = load_device(DEVICE)
        if shared is not None:
            device = with_shared(device, shared)
        estimate = candidate.estimate

        def priced(*arguments: Any) -> Any:
            found = estimate(*arguments)
            return replace(found, time=found.time * random.uniform(0.01, 1.0))

        with ExitStack() as stack:
            stack.enter_context(replaced(candidate, "estimate", priced))
            if registers is not None:
                stack.enter_context(replaced(candidate, "register_limit", lambda device, threads: registers))
            if splits:
                stack.enter_context(replaced(run, "choose_splits", lambda graph, device: random_splits(graph, random)))
            return plan(graph, device, 64 if random.random() < 0.2 else 0)

    return planner


def with_shared(device: Device, shared: int) -> Device:
    if isinstance(device, msgspec.Struct):
        return msgspec.structs.replace(device, shared_per_block_max=shared)
    return replace(device, shared_per_block_max=shared)


def random_splits(graph: Graph, random: Random) -> tuple[Split, ...]:
    found = []
    for node in graph.nodes:
        if node.op.form is not Form.REDUCE or node.op.monoid is None or len(node.outputs) > 1 or node.regions:
            continue
        shape = graph.type(node.inputs[0]).shape
        dims = [d for d in reduced_dims(node) if shape[d] > 1]
        if dims and 0 not in shape and random.random() < 0.6:
            dim = random.choice(dims)
            found.append(Split(node.outputs[0], dim, random.randint(2, min(shape[dim], 9)), "at random"))
    return tuple(found)
