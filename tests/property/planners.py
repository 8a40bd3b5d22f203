"""Planners that choose otherwise than by cost, so that every placement, carrier and cut that is legal gets compiled.

Example: ``Case("seed 3", graph, planner=at_random(3))``. Costs are drawn at random, which makes the placement and the
fusion of every pattern random; limits may be tight, indices wide and reductions split where no model would split them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from random import Random
from typing import Any

import msgspec

from fstc.device.device import Device, load_device
from fstc.ir.axes import reduced_dims
from fstc.ir.graph import Graph
from fstc.ir.ops.opdef import Form
from fstc.ir.pattern import Pattern
from fstc.plan import candidate, placement, region
from fstc.plan.artefact import AxisPlace, Plan
from fstc.plan.split import Split
from tests.property.roads import DEVICE, Planner, plan, replaced


def at_random(
    seed: int, *, registers: int | None = None, shared: int | None = None, splits: bool = False, wild: bool = False
) -> Planner:
    """Random costs; ``registers`` a thread and ``shared`` bytes a block instead of the device's own limits.

    ``wild`` draws the placements themselves, beside the planner's own.
    """

    def planner(graph: Graph) -> Plan:
        random = Random(seed)
        device = load_device(DEVICE)
        if shared is not None:
            device = with_shared(device, shared)
        estimate = candidate.estimate

        def priced(*arguments: Any) -> Any:
            found = estimate(*arguments)
            return replace(found, time=found.time * random.uniform(0.01, 1.0))

        def either(pattern: Pattern, device: Device, threads: int | None = None) -> Iterator[tuple[AxisPlace, ...]]:
            yield from random_placements(pattern, random)
            yield from placement.candidates(pattern, device, threads)

        with ExitStack() as stack:
            stack.enter_context(replaced(candidate, "estimate", priced))
            stack.enter_context(replaced(candidate, "least_time", lambda *_: 0.0))  # no bound on random prices
            if registers is not None:
                stack.enter_context(replaced(candidate, "register_limit", lambda device, threads: registers))
            if splits:
                splitting = lambda graph, device: (random_splits(graph, random),)  # noqa: E731
                stack.enter_context(replaced(region, "split_choices", splitting))
            if wild:
                stack.enter_context(replaced(candidate, "candidates", either))
            return plan(graph, device, 64 if random.random() < 0.2 else 0)

    return planner


def random_placements(pattern: Pattern, random: Random) -> Iterator[tuple[AxisPlace, ...]]:
    """Placements that no rule would make: vectors, lanes, warps and serial steps on any axis, in any order."""
    columns = frozenset(a for a in (*pattern.columns, *pattern.in_thread) if a in pattern.used)
    for _ in range(40):
        draft = placement._Draft({a: pattern.extent(a) for a in pattern.used}, {}, {}, {}, {})
        for axis in random.sample(pattern.used, len(pattern.used)):
            if axis in pattern.in_thread:
                continue
            if random.random() < 0.5:
                draft.vector[axis] = min(random.choice((1, 2, 4, 8)), max(1, draft.left(axis)))
                draft.vector[axis] = 1 << (draft.vector[axis].bit_length() - 1)
            if random.random() < 0.6:
                draft.give_lanes(axis, random.choice((2, 4, 8, 16, 32)))
            if random.random() < 0.5:
                draft.give_warps(axis, max(1, random.choice((2, 3, 4, 8)) if draft.used_warps <= 4 else 1))
            if random.random() < 0.4:
                draft.serial[axis] = min(random.choice((2, 3, 5)), max(1, draft.left(axis)))
        yield placement._finish(draft, columns, list(pattern.used))


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
