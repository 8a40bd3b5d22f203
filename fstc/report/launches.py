"""The launches of a plan as a graph: kernels and library calls in order, and the tensors that pass between them.

Example: ``launches_of(graph, plan).links()[0].tensors``. Equal regions of a model share one plan; here each has a
*place* of its own, the region's graph as planned with the names that it has there. Pages are drawn from this.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from fstc.ir.graph import Graph, Node
from fstc.ir.ops.opdef import Form
from fstc.ir.regions import find_regions
from fstc.ir.rewrite import apply_rewrites
from fstc.ir.types import DTYPES, TensorType
from fstc.plan.artefact import Kernel, Plan, Step

OUTSIDE = -1  # in place of a step: an input or a constant of the model


@dataclass(frozen=True)
class Place:
    """A region of the model, planned by ``plan.regions[region]``; its values are numbered as in that plan."""

    region: int
    graph: Graph

    def name(self, value: int) -> str:
        return self.graph.values[value].name


@dataclass(frozen=True)
class Tensor:
    """A value that launches read or write; ``source`` is the step that makes it."""

    name: str
    type: TensorType
    source: int
    users: tuple[int, ...]  # steps
    result: bool  # the model returns it


@dataclass(frozen=True)
class Launch:
    """One step of a run. ``tensors`` has the values of the place's graph that come in or go out."""

    step: int
    name: str
    reads: tuple[int, ...]  # keys of Launches.tensors
    writes: tuple[int, ...]
    call: Node | None  # of the model's graph; of a library call
    kernel: Kernel | None = None
    number: int = -1  # of the kernel in its region
    place: int = -1
    tensors: dict[int, int] = field(default_factory=dict)  # value of the place's graph -> key of Launches.tensors

    @cached_property
    def nodes(self) -> tuple[int, ...]:
        """Nodes of the place's graph, in order."""
        return tuple(dict.fromkeys(n for p in self.kernel.parts for n in p.nodes)) if self.kernel else ()


@dataclass(frozen=True)
class Link:
    """Everything that one step makes for another."""

    source: int
    target: int
    tensors: tuple[int, ...]


@dataclass(frozen=True)
class Launches:
    graph: Graph
    plan: Plan
    steps: tuple[Launch, ...]
    places: tuple[Place, ...]
    tensors: dict[int, Tensor]  # by value id of the graph or scratch id, in order of first use

    def links(self) -> tuple[Link, ...]:
        """By target, then source: the order of a run."""
        found: dict[tuple[int, int], list[int]] = {}
        for step in self.steps:
            for key in dict.fromkeys(step.reads):
                if self.tensors[key].source != OUTSIDE:
                    found.setdefault((step.step, self.tensors[key].source), []).append(key)
        return tuple(Link(source, target, tuple(keys)) for (target, source), keys in sorted(found.items()))

    @property
    def outside(self) -> tuple[int, ...]:
        """What launches read that no launch makes: inputs and constants of the model."""
        return tuple(key for key, tensor in self.tensors.items() if tensor.source == OUTSIDE)


def launches_of(graph: Graph, plan: Plan) -> Launches:
    """The steps of a plan, each with the names of its own place in the model."""
    places, where = _places(graph, plan)
    named: dict[int, int] = {}  # region -> the place whose names its plan has
    for number, place in enumerate(places):
        named.setdefault(place.region, number)
    steps = tuple(
        _launch(graph, plan, n, step, places, where[n], named.get(step.region) == where[n])
        for n, step in enumerate(plan.steps)
    )
    source = {key: step.step for step in reversed(steps) for key in step.writes}
    users: dict[int, list[int]] = {}
    for step in steps:
        for key in dict.fromkeys(step.reads):
            users.setdefault(key, []).append(step.step)
    results = frozenset(graph.outputs)
    tensors = {}
    for key in dict.fromkeys(key for step in steps for key in (*step.reads, *step.writes)):
        name, ttype = _identity(graph, plan, key)
        made = source.get(key, OUTSIDE)
        tensors[key] = Tensor(name, ttype, made, tuple(users.get(key, ())), key in results)
    return Launches(graph, plan, steps, tuple(places), tensors)


def _places(graph: Graph, plan: Plan) -> tuple[list[Place], list[int]]:
    """The regions that launch something, and for each step the place that it belongs to."""
    equal: dict[str, list[Graph]] = {}
    for found in find_regions(graph):
        equal.setdefault(found.hash, []).append(found.graph)
    waiting = {key: iter(graphs) for key, graphs in equal.items()}
    places: list[Place] = []
    where = []
    for step in plan.steps:
        if step.region >= 0 and step.kernel == 0:
            region = plan.regions[step.region]
            rewrites = [(w.value, w.dim, w.parts) for w in region.rewrites]
            places.append(Place(step.region, apply_rewrites(next(waiting[region.hash]), rewrites)))
        where.append(len(places) - 1 if step.region >= 0 else -1)
    return places, where


def _launch(graph: Graph, plan: Plan, number: int, step: Step, places: list[Place], where: int, first: bool) -> Launch:
    if step.region < 0:
        call = graph.nodes[step.node]
        return Launch(number, call.op.name, step.reads, step.writes, call)
    kernel = plan.regions[step.region].kernels[step.kernel]
    name = kernel.name if first else _renamed(kernel, places[where])
    tensors = dict(zip(_read(kernel, places[where].graph), step.reads, strict=True))
    tensors |= zip(dict.fromkeys(v for p in kernel.parts for v in p.outputs), step.writes, strict=True)
    return Launch(number, name, step.reads, step.writes, None, kernel, step.kernel, where, tensors)


def _read(kernel: Kernel, graph: Graph) -> tuple[int, ...]:
    """What a kernel reads, in the order of its step: inputs of its parts, then operands that scatters update."""
    inputs = dict.fromkeys(v for p in kernel.parts for v in p.inputs)
    nodes = sorted({n for p in kernel.parts for n in p.nodes})
    return (*inputs, *(graph.nodes[n].inputs[0] for n in nodes if graph.nodes[n].op.form is Form.SCATTER))


def _renamed(kernel: Kernel, place: Place) -> str:
    """A kernel's name at another place: its number, and what its last result is called there, in letters and digits."""
    outputs = kernel.parts[-1].outputs
    text = "".join(c if c.isalnum() else "_" for c in place.name(outputs[-1])) if outputs else "nothing"
    return f"{kernel.name.partition('_')[0]}_{text[:32]}"


def _identity(graph: Graph, plan: Plan, key: int) -> tuple[str, TensorType]:
    if key < len(graph.values):
        return graph.values[key].name, graph.type(key)
    scratch = plan.scratch[key - len(graph.values)]
    return scratch.name, TensorType(DTYPES[scratch.dtype], scratch.shape)


def is_constant(launches: Launches, key: int) -> bool:
    """Is a tensor from outside a constant, not an input?"""
    node = launches.graph.values[key].node
    return node >= 0 and launches.graph.nodes[node].op.form is Form.CONSTANT
