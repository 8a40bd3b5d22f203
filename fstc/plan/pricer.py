"""What a set of ops costs as one kernel: the latency-evaluator behind two memos, by members and by structure.

Example: ``pricer.place(frozenset({3, 4})).estimate.time`` is microseconds. Ops that every user repeats (*folded*)
have no kernel of their own; :meth:`Pricer.nodes_of` adds them to whoever reads them. Equal patterns are placed once,
across regions too: ``equal`` may be shared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import inf

from fstc.device.device import Device
from fstc.ir.graph import Graph
from fstc.ir.ops.opdef import Form
from fstc.ir.pattern import Refusal, make_pattern
from fstc.ir.subgraph import extract, structural_hash
from fstc.plan.candidate import Placed, best
from fstc.plan.measured import NOTHING, Measured
from fstc.support.profile import count, timed

MOST_POINTERS = 240  # tensors of one launch, of 4 KB of parameters

Members = frozenset[int]
"""Node ids of a kernel without what it folds in."""

Equal = dict[tuple[str, int | None], Placed | Refusal]
"""(structural hash, threads) -> placement."""


@dataclass
class Pricer:
    graph: Graph
    device: Device
    folded: frozenset[int]
    equal: Equal = field(default_factory=dict)
    measured: Measured = NOTHING
    _placed: dict[tuple[Members, int | None], Placed | Refusal] = field(default_factory=dict)
    _shapes: dict[Members, str] = field(default_factory=dict)
    _outputs: dict[Members, frozenset[int]] = field(default_factory=dict)
    _reads: dict[Members, frozenset[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.users = self.graph.users()
        self.results = frozenset(self.graph.outputs)
        self._readers: dict[int, tuple[int, ...]] = {}
        self.work = 0  # ops in all that were asked for, each time in other company: what bounds a search

    # -- what a set of ops is ---------------------------------------------------------------------------------

    def readers(self, value: int) -> tuple[int, ...]:
        """Ops with a kernel that read a value, through ops that are folded into them; in order, each once."""
        if value not in self._readers:
            found: dict[int, None] = {}
            stack = list(reversed(self.users[value]))
            while stack:
                user = stack.pop()
                if user in self.folded:
                    stack += [u for v in self.graph.nodes[user].outputs for u in self.users[v]]
                else:
                    found[user] = None
            self._readers[value] = tuple(sorted(found))
        return self._readers[value]

    def nodes_of(self, members: Iterable[int]) -> frozenset[int]:
        """The members and the folded ops that they read."""
        found = set(members)
        stack = [v for n in found for v in self.graph.nodes[n].inputs]
        while stack:
            node = self.graph.values[stack.pop()].node
            if node in self.folded and node not in found:
                found.add(node)
                stack += self.graph.nodes[node].inputs
        return frozenset(found)

    def outputs_of(self, members: Members) -> frozenset[int]:
        """Values that leave them: results, and what others read."""
        if members not in self._outputs:
            nodes = self.graph.nodes
            self._outputs[members] = frozenset(v for n in members for v in nodes[n].outputs if self._leaves(v, members))
        return self._outputs[members]

    def _leaves(self, value: int, members: Members) -> bool:
        return value in self.results or any(u not in members for u in self.readers(value))

    def reads_of(self, members: Members) -> frozenset[int]:
        """Values that they take from outside."""
        if members not in self._reads:
            nodes, graph = self.nodes_of(members), self.graph
            inputs = (v for n in nodes for v in graph.nodes[n].inputs)
            self._reads[members] = frozenset(v for v in inputs if graph.values[v].node not in nodes)
        return self._reads[members]

    def pointers(self, members: Members) -> int:
        """Tensors that one launch of them takes."""
        return len(self.reads_of(members)) + len(self.outputs_of(members))

    def name(self, members: Members) -> str:
        """The last result that leaves them."""
        outputs = sorted(self.outputs_of(members)) or [self.graph.nodes[max(members)].outputs[0]]
        return "%" + self.graph.values[outputs[-1]].name

    def producers(self, value: int) -> tuple[int, ...]:
        """Ops with a kernel that a value rests on: its own, or those behind an op that its readers repeat."""
        node = self.graph.values[value].node
        if node not in self.folded:
            return (node,) if node >= 0 else ()
        found: dict[int, None] = {}
        stack = list(self.graph.nodes[node].inputs)
        while stack:
            below = self.graph.values[stack.pop()].node
            if below in self.folded:
                stack += self.graph.nodes[below].inputs
            elif below >= 0:
                found[below] = None
        return tuple(found)

    def extracted(self, members: Members) -> tuple[Graph, list[int]]:
        """The stand-alone graph of some ops and of the folded ops that they read, and where its values are here."""
        return extract(self.graph, self.nodes_of(members), keep=self.outputs_of(members))

    def part(self, members: Members) -> Graph:
        return self.extracted(members)[0]

    def shape(self, members: Members) -> str:
        """The structural hash of :meth:`part`."""
        if members not in self._shapes:
            self._shapes[members] = structural_hash(self.part(members))
        return self._shapes[members]

    def scatters(self, members: Members) -> bool:
        return any(self.graph.nodes[n].op.form is Form.SCATTER for n in members)

    # -- what it costs ----------------------------------------------------------------------------------------

    def place(self, members: Members, threads: int | None = None, beat: float = inf) -> Placed | Refusal:
        """Their best placement. ``threads`` and ``beat`` as in :func:`fstc.plan.candidate.best`."""
        key = (members, threads)
        if key not in self._placed:
            self.work += len(self.nodes_of(members))
            shape = (self.shape(members), threads)
            found = self.equal.get(shape)
            count("patterns placed" if found is None else "patterns known")
            if found is None:
                with timed("place"):
                    found = best(make_pattern(self.part(members)), self.device, threads, beat, self.measured)
                if beat < inf and isinstance(found, Refusal):
                    return found  # it may still be the right kernel against other alternatives
                self.equal[shape] = found
            self._placed[key] = found
        return self._placed[key]

    def time(self, members: Members) -> float:
        """Microseconds of one launch; infinite where there is no placement."""
        placed = self.place(members)
        return placed.estimate.time if isinstance(placed, Placed) else inf

    @contextmanager
    def folding(self, nodes: Members) -> Iterator[None]:
        """Within, more ops are folded. Placements stay known by their shape."""
        if not nodes:
            yield
            return
        before = self.folded, self._placed, self._shapes, self._outputs, self._reads, self._readers
        self.fold(nodes)
        try:
            yield
        finally:
            self.folded, self._placed, self._shapes, self._outputs, self._reads, self._readers = before

    def fork(self) -> Pricer:
        """The same, with a choice of folded ops of its own; placements are shared."""
        return Pricer(self.graph, self.device, self.folded, self.equal, self.measured)

    def fold(self, nodes: Members) -> None:
        """From now on every user repeats these ops."""
        self.folded |= nodes
        self._placed, self._shapes, self._outputs, self._reads, self._readers = {}, {}, {}, {}, {}


def users_of(pricer: Pricer, ops: Iterable[int]) -> dict[int, tuple[int, ...]]:
    """For each op those that read its results, through folded ops."""
    nodes = pricer.graph.nodes
    return {n: tuple(dict.fromkeys(u for v in nodes[n].outputs for u in pricer.readers(v))) for n in ops}
