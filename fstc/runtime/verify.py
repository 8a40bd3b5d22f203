"""Verify: run a model's kernels on fresh random inputs and judge every result by the oracle.

Example: ``verify(graph, plan, codegen, {"forward": launcher}, VerifyOptions(seeds=(0, 1))).ok``.

Two comparisons. *Local*: the oracle computes what one kernel computes from the very values that the kernel read, so
nothing accumulates, and the tolerance is that of the kernel's own roundings. *End to end*: the oracle starts from
the model's inputs; its tolerance has to allow for all roundings before. A wrong kernel shows in the first, a wrong
edge between kernels in the second. Thread orders after the first replay each kernel on the first order's values and
must give the same bits. The checker comes before them: what it objects to is not run on bare memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, Protocol

from fstc.codegen.artefact import Codegen, Step
from fstc.ir.constants import ConstantStore
from fstc.ir.graph import Graph
from fstc.ir.ops.steps import jumps
from fstc.ir.reference import evaluate
from fstc.ir.subgraph import extract
from fstc.plan.artefact import Plan
from fstc.runtime.artefact import Comparison, Fault, OrderCheck, PeerCheck, TensorCheck, Traffic, Verification
from fstc.runtime.bounds import Roughness, roughness
from fstc.runtime.compare import compare, tolerance
from fstc.runtime.inputs import make_inputs
from fstc.runtime.noise import Noise
from fstc.runtime.peers import judge
from fstc.runtime.run import Array, Feeds, Launcher, LaunchFault, buffers, execute, skipped

TENSORS = ("outputs", "kernel-edges", "all")
TRAFFIC_TOLERANCE = 0.01


@dataclass(frozen=True)
class Counted:
    """What the checker saw of one launch."""

    bytes: int
    l2_bytes: int
    fault: LaunchFault | None = None


class Checker(Protocol):
    """Runs one kernel with every access looked at."""

    def check(self, step: Step, buffers: Sequence[Array]) -> Counted:
        """Run a step's kernel once; a fault is returned, not raised."""


@dataclass(frozen=True)
class VerifyOptions:
    """``tensors``: outputs; kernel-edges, which adds every value that a kernel writes; all, library calls too."""

    seeds: tuple[int, ...] = (0,)
    tensors: str = "outputs"
    specials: bool = False  # NaN, Inf, -0.0 and subnormals among the inputs
    strict_traffic: bool = False  # bytes other than predicted are a finding, not a note


Peer = Callable[[Mapping[str, Array]], Sequence[Array]]
"""A framework: inputs by name to its results, in order of the graph's outputs."""


@dataclass
class _Findings:
    tensors: list[TensorCheck] = field(default_factory=list)
    peers: list[PeerCheck] = field(default_factory=list)
    orders: list[OrderCheck] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    traffic: list[Traffic] = field(default_factory=list)


def verify(
    graph: Graph,
    plan: Plan,
    codegen: Codegen,
    launchers: Mapping[str, Launcher],
    options: VerifyOptions,
    *,
    target: str = "host",
    constants: ConstantStore | None = None,
    checker: Checker | None = None,
    given: Feeds | None = None,
    peer: tuple[str, Peer] | None = None,
) -> Verification:
    """Everything that was found; ``launchers`` by the name of their thread order, the first one leads.

    ``given``: inputs instead of random ones. ``peer``: a framework by its name, which runs the same model.
    """
    run = _Run(graph, plan, codegen, options, constants, given, peer[1] if peer else None)
    for seed in options.seeds:
        run.one(seed, launchers, checker if seed == options.seeds[0] else None)
    found = run.found
    return Verification(
        target=target,
        runs=(*launchers, *(["checker"] if checker else [])),
        seeds=options.seeds,
        tensors=tuple(sorted(found.tensors, key=lambda t: (t.comparison.ok, -t.comparison.excess))),
        orders=tuple(found.orders),
        faults=tuple(found.faults),
        traffic=tuple(found.traffic),
        strict_traffic=options.strict_traffic,
        peer=peer[0] if peer else "",
        peers=tuple(sorted(found.peers, key=lambda p: (p.ok, -p.ours_rms))),
    )


class _Run:
    """One verification; holds what seeds have in common."""

    def __init__(
        self,
        graph: Graph,
        plan: Plan,
        codegen: Codegen,
        options: VerifyOptions,
        constants: ConstantStore | None,
        given: Feeds | None,
        peer: Peer | None,
    ) -> None:
        self.given, self.peer = given, peer
        self.graph, self.plan, self.codegen = graph, plan, codegen
        self.options, self.constants = options, constants
        self.rough = roughness(graph)
        self.found = _Findings()

    def one(self, seed: int, launchers: Mapping[str, Launcher], checker: Checker | None) -> None:
        (name, first), *others = launchers.items()
        feeds = self.given if self.given is not None else make_inputs(self.graph, seed, self.options.specials)
        if checker and not self._passes(feeds, checker):
            return
        earlier = set(feeds)

        def judge(number: int, step: Step, values: Mapping[int, Array]) -> None:
            if step.kernel >= 0 and self.options.tensors != "outputs":
                self._local(seed, step, values, earlier)
            earlier.update(step.writes)

        try:
            values = execute(self.graph, self.codegen, first, feeds, self.constants, judge)
        except LaunchFault as fault:
            self._fault(fault, name)
            return
        self._end_to_end(seed, feeds, values)
        for step in self.codegen.steps:
            if step.kernel < 0 or skipped(self.codegen, step, values):
                continue
            for order, launcher in others:
                self._replay(seed, step, values, order, launcher)

    def _local(self, seed: int, step: Step, values: Mapping[int, Array], earlier: set[int]) -> None:
        """The oracle computes what this kernel computes, from what it read."""
        written = [v for v in step.writes if v < len(self.graph.values)]
        nodes = self._between(written, earlier)
        if not nodes:
            return
        part, origin = extract(self.graph, nodes)
        place = {v: i for i, v in enumerate(origin)}
        wanted = [v for v in written if v in place]
        feeds = {i: values[origin[i]] for i in part.inputs}
        want = evaluate(part, feeds, self.constants, [place[v] for v in wanted], wide=True)
        rough = roughness(part)
        noise = Noise(part, feeds, self.constants, want)
        for v in wanted:
            found = self._compare(v, values[v], want[place[v]], rough[place[v]])
            self._note(v, noise.judged(place[v], values[v], found), seed, step, earlier)

    def _between(self, written: Sequence[int], known: Set[int]) -> set[int]:
        """The nodes that lead from known values to written ones."""
        nodes: set[int] = set()
        todo = list(written)
        while todo:
            producer = self.graph.values[todo.pop()].node
            if producer >= 0 and producer not in nodes:
                nodes.add(producer)
                todo += [i for i in self.graph.nodes[producer].inputs if i not in known]
        return nodes

    def _end_to_end(self, seed: int, feeds: Feeds, values: Mapping[int, Array]) -> None:
        writer = {v: s for s in self.codegen.steps for v in s.writes if v < len(self.graph.values)}
        wanted = dict.fromkeys(self.graph.outputs)
        if self.options.tensors != "outputs":
            wanted |= dict.fromkeys(v for v, s in writer.items() if s.kernel >= 0 or self.options.tensors == "all")
        want = evaluate(self.graph, feeds, self.constants, list(wanted), wide=True)
        noise = Noise(self.graph, feeds, self.constants, want)
        for v in wanted:
            found = noise.judged(v, values[v], self._compare(v, values[v], want[v], self.rough[v]))
            self._note(v, found, seed, writer.get(v), None)
        if self.peer:
            self._beside(self.peer, seed, feeds, values, noise)

    def _beside(self, peer: Peer, seed: int, feeds: Feeds, values: Mapping[int, Array], noise: Noise) -> None:
        """Each output beside the framework's."""
        theirs = peer({self.graph.values[i].name: x for i, x in feeds.items()})
        for v, other in dict(zip(self.graph.outputs, theirs, strict=True)).items():
            rough, dtype = self.rough[v], self.graph.type(v).dtype
            allowed = tolerance(dtype, rough.reduction, rough.depth, rough.coarsest, rough.narrow)
            name, jump = f"%{self.graph.values[v].name}", self._jump(v, set())
            found = judge(name, values[v], other, noise.exact[v], allowed, dtype, seed=seed, jump=jump)
            if not found.ok and dtype.is_float:
                spread = noise.spread(v)
                found = judge(
                    name, values[v], other, noise.exact[v], allowed, dtype, seed=seed, jump=jump, spread=spread
                )
            self.found.peers.append(found)

    def _compare(self, value: int, got: Array, want: Array, rough: Roughness) -> Comparison:
        dtype = self.graph.type(value).dtype
        allowed = tolerance(dtype, rough.reduction, rough.depth, rough.coarsest, rough.narrow)
        return compare(f"%{self.graph.values[value].name}", got, want, allowed, dtype)

    def _note(self, value: int, comparison: Comparison, seed: int, step: Step | None, known: Set[int] | None) -> None:
        """``known``: the values that the oracle started from, where those are not the model's inputs."""
        kernel = self.codegen.kernels[step.kernel].name if step and step.kernel >= 0 else ""
        jump = "" if comparison.ok and not comparison.unstable else self._jump(value, known or set())
        check = TensorCheck(comparison=comparison, seed=seed, local=known is not None, kernel=kernel, jump=jump)
        self.found.tensors.append(check)

    def _jump(self, value: int, known: Set[int]) -> str:
        """The last discontinuous op between known values and this one: a tolerance cannot allow for its steps."""
        for number in sorted(self._between([value], known), reverse=True):
            node = self.graph.nodes[number]
            operands, results = ([self.graph.type(v).dtype for v in vs] for vs in (node.inputs, node.outputs))
            if jumps(node.op, operands, results):
                return f"%{self.graph.values[node.outputs[0]].name} {node.op.name}"
        return ""

    def _replay(self, seed: int, step: Step, values: Mapping[int, Array], order: str, launcher: Launcher) -> None:
        """The kernel alone, on the first order's values: other bits mean that threads race."""
        again = dict(values)
        try:
            launcher.launch(step.kernel, buffers(self.graph, self.codegen, step, again))
        except LaunchFault as fault:
            self._fault(fault, order)
            return
        for v in step.writes:
            differing = _different(values[v], again[v])
            if differing:
                kernel = self.codegen.kernels[step.kernel].name
                name = self.graph.values[v].name if v < len(self.graph.values) else f"scratch {v}"
                entry = OrderCheck(kernel=kernel, order=order, value=f"%{name}", seed=seed, differing=differing)
                self.found.orders.append(entry)

    def _passes(self, feeds: Feeds, checker: Checker) -> bool:
        """Whether every kernel keeps to its memory and its barriers; one that does not stays off the bare memory."""
        watched = Watched(self.codegen, checker)
        try:
            execute(self.graph, self.codegen, watched, feeds, self.constants)
        except LaunchFault as fault:
            self._fault(fault, "checker")
            return False
        for number, counted in watched.counted:
            self._traffic(number, counted)
        return True

    def _traffic(self, number: int, counted: Counted) -> None:
        planned, step = self.plan.steps[number], self.codegen.steps[number]
        predicted = self.plan.regions[planned.region].kernels[planned.kernel]
        near = _near(counted.bytes, predicted.bytes) and _near(counted.l2_bytes, predicted.l2_bytes)
        self.found.traffic.append(
            Traffic(
                kernel=self.codegen.kernels[step.kernel].name,
                bytes=counted.bytes,
                predicted_bytes=predicted.bytes,
                l2_bytes=counted.l2_bytes,
                predicted_l2_bytes=predicted.l2_bytes,
                bytes_min=predicted.bytes_min,
                ok=near,
            )
        )

    def _fault(self, fault: LaunchFault, order: str) -> None:
        self.found.faults.append(Fault(kernel=fault.kernel, kind=fault.kind, message=f"{order}: {fault}"))


@dataclass
class Watched:
    """A launcher that has the checker run every kernel and keeps what it counted, by number of the step."""

    codegen: Codegen
    checker: Checker
    counted: list[tuple[int, Counted]] = field(default_factory=list)

    def launch(self, kernel: int, buffers: Sequence[Array]) -> None:
        after = self.counted[-1][0] + 1 if self.counted else 0
        number = next(n for n, s in enumerate(self.codegen.steps) if n >= after and s.kernel == kernel)
        counted = self.checker.check(self.codegen.steps[number], buffers)
        if counted.fault:
            raise counted.fault
        self.counted.append((number, counted))


def _near(counted: int, predicted: int) -> bool:
    return abs(counted - predicted) <= TRAFFIC_TOLERANCE * max(counted, predicted)


def _different(one: Any, other: Any) -> int:
    """Elements whose bits differ."""
    import numpy as np

    size = one.dtype.itemsize
    rows = [np.ascontiguousarray(a).reshape(-1).view(np.uint8).reshape(-1, size) for a in (one, other)]
    return int(np.count_nonzero((rows[0] != rows[1]).any(axis=1)))
