"""Where each value of a model is computed, and which decisions of the plan are about it.

Example: ``homes_of(graph, plan).of("max")[0].launch.name == "k0_probabilities"``. A light op may have several homes:
kernels that compute it again. A kernel's name stands for its last result.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from fstc.ir.graph import Graph
from fstc.ir.ops.opdef import Form
from fstc.ir.regions import is_library
from fstc.plan.artefact import Kernel, Plan
from fstc.report.apart import Told, told_by
from fstc.report.launches import Launch, Launches, Place, launches_of
from fstc.support.diagnostics import Diagnostic, FstcError
from fstc.support.suggest import clipped, did_you_mean

CODE = "FST0422"


@dataclass(frozen=True)
class Home:
    """A value in a launch that computes it; ``value`` is its id in the place's graph."""

    launch: Launch
    place: Place
    value: int
    part: int

    @property
    def kernel(self) -> Kernel:
        assert self.launch.kernel is not None
        return self.launch.kernel


@dataclass(frozen=True)
class Homes:
    graph: Graph
    plan: Plan
    launches: Launches

    @cached_property
    def by_name(self) -> Mapping[str, tuple[Home, ...]]:
        found: dict[str, list[Home]] = {}
        for launch in self.launches.steps:
            if launch.kernel is None:
                continue
            place = self.launches.places[launch.place]
            for number, part in enumerate(launch.kernel.parts):
                for value in (v for n in part.nodes for v in place.graph.nodes[n].outputs):
                    if place.graph.nodes[place.graph.values[value].node].op.form is not Form.CONSTANT:
                        found.setdefault(place.name(value), []).append(Home(launch, place, value, number))
        return {name: tuple(homes) for name, homes in found.items()}

    @cached_property
    def by_kernel(self) -> Mapping[str, str]:
        """The last result of each launch, by the launch's name; a name that several have is the first one's."""
        found: dict[str, str] = {}
        for launch in self.launches.steps:
            if launch.kernel is not None and launch.kernel.parts[-1].outputs:
                name = self.launches.places[launch.place].name(launch.kernel.parts[-1].outputs[-1])
                found.setdefault(launch.name, name)
        return found

    def of(self, name: str) -> tuple[Home, ...]:
        return self.by_name.get(name, ())

    def resolved(self, text: str) -> str:
        """A value's name without its ``%``. Raises FstcError (FST0422) for what the model does not have."""
        name = text.strip().removeprefix("%")
        if name in self.by_name or name in self._values:
            return name
        if name in self.by_kernel:
            return self.by_kernel[name]
        known = tuple(dict.fromkeys((*self._values, *self.by_name)))
        help = did_you_mean(name, known, lambda n: f"%{n}") or did_you_mean(name, self.by_kernel, str)
        help = help or "names are those of the .fir, or of the plan's kernels"
        raise FstcError(Diagnostic(CODE, f"there is no value or kernel called {clipped(name)}", help=help))

    def outside(self, name: str) -> str:
        """Why no kernel computes a value: ``an input``."""
        value = self._values[name]
        node = self.graph.values[value].node
        if node < 0:
            return "an input"
        op = self.graph.nodes[node]
        if is_library(op):
            return f"made by a library call, {op.op.name}"
        return "a constant" if op.op.form is Form.CONSTANT else "of no use to any result"

    @cached_property
    def _values(self) -> Mapping[str, int]:
        return {v.name: v.id for v in self.graph.values}

    @cached_property
    def told(self) -> tuple[Told, ...]:
        return told_by(self.plan)

    def about(self, homes: tuple[Home, ...]) -> Iterator[Told]:
        """Decisions that name something which these launches compute."""
        kernels = {(self.launches.places[h.launch.place].region, h.launch.number) for h in homes}
        return (t for t in self.told if any((t.region, k) in kernels for k in t.kernels))


def homes_of(graph: Graph, plan: Plan) -> Homes:
    return Homes(graph, plan, launches_of(graph, plan))
