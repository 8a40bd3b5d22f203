"""Plans with one thing broken: each mutant gives the changed plan, or None where a plan has no place for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from fstc.ir.graph import Graph
from fstc.plan.artefact import Kernel, Part, Plan

replace = msgspec.structs.replace


@dataclass(frozen=True)
class Mutant:
    """``runs_wrong``: the interpreter must notice by itself; other mutants are what only the rules can see."""

    change: Callable[[Graph, Plan], Plan | None]
    runs_wrong: bool = True

    def __call__(self, graph: Graph, plan: Plan) -> Plan | None:
        return self.change(graph, plan)


def parts(plan: Plan) -> Iterator[tuple[int, int, int, Kernel, Part]]:
    for r, region in enumerate(plan.regions):
        for k, kernel in enumerate(region.kernels):
            for p, part in enumerate(kernel.parts):
                yield r, k, p, kernel, part


def swapped(items: tuple[Any, ...], at: int, new: Any) -> tuple[Any, ...]:
    return (*items[:at], new, *items[at + 1 :])


def with_kernel(plan: Plan, r: int, k: int, **changes: Any) -> Plan:
    kernel = replace(plan.regions[r].kernels[k], **changes)
    region = replace(plan.regions[r], kernels=swapped(plan.regions[r].kernels, k, kernel))
    return replace(plan, regions=swapped(plan.regions, r, region))


def with_part(plan: Plan, r: int, k: int, p: int, **changes: Any) -> Plan:
    kernel = plan.regions[r].kernels[k]
    return with_kernel(plan, r, k, parts=swapped(kernel.parts, p, replace(kernel.parts[p], **changes)))


def exchange_onto_another(graph: Graph, plan: Plan) -> Plan | None:
    """Two exchanges of one phase at the same bytes."""
    for r, k, p, _, part in parts(plan):
        for n, a in enumerate(part.exchanges):
            for m, b in enumerate(part.exchanges):
                if n < m and a.phase == b.phase and a.bytes and b.bytes:
                    return with_part(plan, r, k, p, exchanges=swapped(part.exchanges, m, replace(b, offset=a.offset)))
    return None


def exchange_onto_hold(graph: Graph, plan: Plan) -> Plan | None:
    """An exchange at the bytes of a hold that is read afterwards."""
    for r, k, p, _, part in parts(plan):
        shared = [h for h in part.holds if h.carrier == "shared"]
        if shared and part.exchanges:
            moved = replace(part.exchanges[-1], offset=shared[0].offset)
            return with_part(plan, r, k, p, exchanges=(*part.exchanges[:-1], moved))
    return None


def no_hold(graph: Graph, plan: Plan) -> Plan | None:
    """It is computed again instead, which is right, but not what the edges say."""
    for r, k, p, _, part in parts(plan):
        if part.holds:
            return with_part(plan, r, k, p, holds=part.holds[1:])
    return None


def small_hold(graph: Graph, plan: Plan) -> Plan | None:
    for r, k, p, _, part in parts(plan):
        for n, hold in enumerate(part.holds):
            if hold.elements > 1:
                halved = replace(hold, elements=hold.elements // 2)
                return with_part(plan, r, k, p, holds=swapped(part.holds, n, halved))
    return None


def steps_swapped(graph: Graph, plan: Plan) -> Plan | None:
    for n, (a, b) in enumerate(zip(plan.steps, plan.steps[1:], strict=False)):
        if set(a.writes) & set(b.reads):
            return replace(plan, steps=(*plan.steps[:n], b, a, *plan.steps[n + 2 :]))
    return None


def no_step(graph: Graph, plan: Plan) -> Plan | None:
    for n, step in enumerate(plan.steps):
        if set(step.writes) & set(graph.outputs):
            return replace(plan, steps=(*plan.steps[:n], *plan.steps[n + 1 :]))
    return None


def no_output(graph: Graph, plan: Plan) -> Plan | None:
    for r, k, p, _, part in parts(plan):
        if len(part.outputs) > 1:
            return with_part(plan, r, k, p, outputs=part.outputs[1:])
    return None


def no_input(graph: Graph, plan: Plan) -> Plan | None:
    for r, k, p, kernel, part in parts(plan):
        others = {v for q, other in enumerate(kernel.parts) if q != p for v in other.inputs}
        if part.inputs and part.inputs[0] not in others and all(graph.type(v).elements for v in graph.outputs):
            return with_part(plan, r, k, p, inputs=part.inputs[1:])
    return None


def no_exchange(graph: Graph, plan: Plan) -> Plan | None:
    for r, k, p, _, part in parts(plan):
        if part.exchanges:
            return with_part(plan, r, k, p, exchanges=part.exchanges[1:])
    return None


def small_exchange(graph: Graph, plan: Plan) -> Plan | None:
    for r, k, p, _, part in parts(plan):
        for n, e in enumerate(part.exchanges):
            return with_part(plan, r, k, p, exchanges=swapped(part.exchanges, n, replace(e, bytes=e.bytes // 2)))
    return None


def small_arena(graph: Graph, plan: Plan) -> Plan | None:
    for r, k, _, kernel, part in parts(plan):
        if part.exchanges:
            return with_kernel(plan, r, k, shared=kernel.shared // 2)
    return None


def nest_left_out(graph: Graph, plan: Plan) -> Plan | None:
    for r, k, p, _, part in parts(plan):
        if part.blocks and len(part.nests) > 1:
            return with_part(plan, r, k, p, nests=part.nests[:-1])
    return None


def nests_too_early(graph: Graph, plan: Plan) -> Plan | None:
    """The last phase runs with the first one, before its reductions are finished."""
    for r, k, p, _, part in parts(plan):
        if part.blocks and part.nests[-1:] and part.nests[-1].phase > 0:
            early = replace(part.nests[-1], phase=0)
            return with_part(plan, r, k, p, nests=(*part.nests[:-1], early))
    return None


def blocks_missing(graph: Graph, plan: Plan) -> Plan | None:
    for r, k, p, _, part in parts(plan):
        for n, place in enumerate(part.placement):
            if place.grid > 1 and sum(q.grid > 1 for q in part.placement) == 1:
                fewer = swapped(part.placement, n, replace(place, grid=place.grid - 1))
                return with_part(plan, r, k, p, placement=fewer, blocks=part.blocks - 1)
    return None


def lanes_overlap(graph: Graph, plan: Plan) -> Plan | None:
    for r, k, p, _, part in parts(plan):
        found = [n for n, place in enumerate(part.placement) if place.lanes > 1]
        if len(found) > 1:
            moved = replace(part.placement[found[1]], lane_stride=part.placement[found[0]].lane_stride)
            return with_part(plan, r, k, p, placement=swapped(part.placement, found[1], moved))
    return None


def too_many_threads(graph: Graph, plan: Plan) -> Plan | None:
    for r, k, _, _, _ in parts(plan):
        return with_kernel(plan, r, k, threads=2048)
    return None


def op_in_no_kernel(graph: Graph, plan: Plan) -> Plan | None:
    for r, k, p, _, part in parts(plan):
        if len(part.nodes) > 1:
            return with_part(plan, r, k, p, nodes=part.nodes[:-1])
    return None


MUTANTS: dict[str, Mutant] = {
    "an exchange at another's bytes": Mutant(exchange_onto_another),
    "an exchange at a hold's bytes": Mutant(exchange_onto_hold),
    "a hold left out": Mutant(no_hold, runs_wrong=False),
    "a hold too small": Mutant(small_hold),
    "steps swapped": Mutant(steps_swapped),
    "a step left out": Mutant(no_step),
    "an output left out": Mutant(no_output),
    "an input left out": Mutant(no_input),
    "an exchange left out": Mutant(no_exchange),
    "an exchange too small": Mutant(small_exchange),
    "an arena too small": Mutant(small_arena),
    "a nest left out": Mutant(nest_left_out),
    "a nest too early": Mutant(nests_too_early),
    "a block too few": Mutant(blocks_missing),
    "lanes that overlap": Mutant(lanes_overlap, runs_wrong=False),
    "too many threads": Mutant(too_many_threads, runs_wrong=False),
    "an op in no kernel": Mutant(op_in_no_kernel, runs_wrong=False),
}
