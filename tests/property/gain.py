"""How much of the optimum's gain over one kernel an op the planner finds on a small graph.

Example: ``measure(6, load_device("h200"), prices).share`` is 0.98 when the plan saves 98 % of what could be saved.
"""

from __future__ import annotations

from dataclasses import dataclass

from fstc.analysis.run import analyze
from fstc.device.device import Device
from fstc.ir.graph import Graph
from fstc.ir.regions import find_regions
from fstc.plan.artefact import Plan
from fstc.plan.options import NONE, PlanOptions
from fstc.plan.run import make_plan
from tests.property.exact import Optimum, Prices, optimum
from tests.property.small import small_graph

ALIKE = 1e-3  # best() keeps the first of placements that are this close, so equal plans may differ by it
MOST = 400_000  # steps of the exact search, about a minute
SLACK = 1e-3  # of a plan's gain: what is better by less is not looked for, and counts as if it were there


@dataclass(frozen=True)
class Gain:
    """Predicted microseconds of the plan, of one kernel an op, and of the best plan there is, where that is better."""

    seed: int
    graph: Graph
    plan: Plan
    none_us: float
    best_us: float  # of the optimum, or what no plan undercuts
    optimum: Optimum | None
    proved: bool = True  # false where the search for something better ended early, with ``best_us`` as its bound

    @property
    def plan_us(self) -> float:
        return self.plan.summary.predicted_us

    @property
    def share(self) -> float:
        """Of what could be saved. One where nothing can be."""
        possible = self.none_us - self.best_us
        if possible <= ALIKE * self.none_us:
            return 1.0 if self.plan_us <= self.none_us * (1 + ALIKE) else 0.0
        return (self.none_us - self.plan_us) / possible

    def __str__(self) -> str:
        found = "no plan is better"
        if self.optimum:
            found = f"optimum {self.best_us:.2f} us in {len(self.optimum.launches)}"
        elif not self.proved:
            found = f"undecided: no plan is below {self.best_us:.2f} us"
        return (
            f"seed {self.seed}: share {self.share:.4f}; plan {self.plan_us:.2f} us in {self.plan.summary.kernels}, "
            f"{found}, none {self.none_us:.2f} us"
        )


def measure(seed: int, device: Device, prices: Prices) -> Gain:
    graph = small_graph(seed)
    analysis = analyze(graph)
    planned = make_plan(graph, analysis, device)
    plan = planned.summary.predicted_us
    none = make_plan(graph, analysis, device, PlanOptions(strategy=NONE)).summary.predicted_us
    (region,) = find_regions(graph)
    limit = plan - max(SLACK * (none - plan), ALIKE * plan)
    better = optimum(region.graph, device, prices, limit, MOST)
    if isinstance(better, Optimum):
        return Gain(seed, graph, planned, none, better.time, better)
    return Gain(seed, graph, planned, none, better.time, None, better.proved)


def launches(plan: Plan) -> list[str]:
    """What the kernels compute, a line each: the names of the values, parts of a packed launch apart."""
    (region,) = plan.regions
    names = [line.split(" = ")[0] for line in region.text if " = " in line]
    return [" + ".join(" ".join(names[n] for n in p.nodes if n < len(names)) for p in k.parts) for k in region.kernels]
