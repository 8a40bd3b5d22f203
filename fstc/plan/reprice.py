"""The price of a plan as it was compiled: the same placements, with measured resources in the place of estimates.

Example: ``repriced(graph, plan, device, record)`` is ``plan.summary.predicted_us`` when the record says nothing new;
``record`` is what the kernels of this very plan compiled to.
"""

from __future__ import annotations

from collections.abc import Iterable

from fstc.device.device import Device
from fstc.ir.graph import Graph
from fstc.ir.pattern import make_pattern
from fstc.ir.regions import find_regions
from fstc.ir.rewrite import apply_rewrites
from fstc.ir.subgraph import extract
from fstc.plan.artefact import AxisPlace, Kernel, Measurement, Plan
from fstc.plan.candidate import Placed, place_as
from fstc.plan.launch import side_by_side
from fstc.plan.measured import Measured, Real, real


class AsCompiled(Measured):
    """Each placement as it was compiled, spills and all: no other way to compile it is considered."""

    def reals(
        self, pattern: str, placement: tuple[AxisPlace, ...], threads: int, shared: int, device: Device
    ) -> tuple[Real, ...]:
        return tuple(real(item) for item in self.compiled(pattern, placement))

    def bias(self, pattern: str) -> int:
        return 0


def repriced(graph: Graph, plan: Plan, device: Device, record: Iterable[Measurement]) -> float:
    """Microseconds of all launches of a plan."""
    measured = AsCompiled(tuple(record))
    first: dict[str, Graph] = {}
    for region in find_regions(graph):
        first.setdefault(region.hash, region.graph)
    times: dict[tuple[int, int], float] = {}
    for number, region_plan in enumerate(plan.regions):
        rewritten = apply_rewrites(first[region_plan.hash], [(w.value, w.dim, w.parts) for w in region_plan.rewrites])
        for k, kernel in enumerate(region_plan.kernels):
            times[number, k] = _time(rewritten, kernel, device, measured)
    return sum(times[s.region, s.kernel] for s in plan.steps if s.kind == "kernel")


def _time(graph: Graph, kernel: Kernel, device: Device, measured: Measured) -> float:
    placed: list[Placed] = []
    for part in kernel.parts:
        cut, origin = extract(graph, part.nodes, keep=frozenset(part.outputs))
        again = frozenset(n for n, v in enumerate(origin) if v in part.again)
        found = place_as(make_pattern(cut), part.placement, device, measured, again)
        assert isinstance(found, Placed), found
        placed.append(found)
    return side_by_side(placed, device)
