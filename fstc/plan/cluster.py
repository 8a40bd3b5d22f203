"""Grow kernels: clusters of ops, merged along edges while the evaluator says that one launch is faster than two.

Example: a LayerNorm starts as four clusters (mean, variance, two outputs) and ends as one. Every refusal and every
merge that would lose time is a :class:`Decision`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from math import inf

from fstc.device.device import Device
from fstc.ir.graph import Graph, Node
from fstc.ir.ops.opdef import Form, Kind
from fstc.ir.pattern import Refusal, make_pattern
from fstc.ir.subgraph import extract, structural_hash
from fstc.plan.artefact import Decision
from fstc.plan.candidate import Placed, best
from fstc.plan.folding import constants, folded_ops
from fstc.plan.options import CLASSIC, NONE, STITCH

MOST_POINTERS = 240  # tensors of one launch, of 4 KB of parameters

Equal = dict[tuple[str, int | None], Placed | Refusal]
"""(structural hash, threads) -> placement; regions and choices may share it."""

SLOWER = ("FSN020", "FSN021")  # refusals that depend on sizes, not on what lies around


@dataclass
class Cluster:
    """Nodes of one future kernel. ``nodes`` excludes what every user folds in for itself."""

    nodes: set[int]


@dataclass
class Grower:
    graph: Graph
    device: Device
    apart: frozenset[tuple[int, int]] = frozenset()  # (partial, final) reductions that were split on purpose
    strategy: str = STITCH
    equal: Equal = field(default_factory=dict)
    shapes: dict[frozenset[int], str] = field(default_factory=dict)
    clusters: dict[int, Cluster] = field(default_factory=dict)  # by smallest node id when made
    home: dict[int, int] = field(default_factory=dict)  # node -> cluster
    decisions: list[Decision] = field(default_factory=list)
    memo: dict[tuple[frozenset[int], int | None], Placed | Refusal] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.users = self.graph.users()
        self.results = set(self.graph.outputs)
        self.folded = constants(self.graph) if self.strategy == NONE else folded_ops(self.graph)

    # -- clusters ---------------------------------------------------------------------------------------------

    def run(self) -> list[Cluster]:
        """Clusters in an order in which they can run."""
        self._seed()
        if self.strategy != NONE:
            self._break_up()
            self._join_depths()
            self._merge()
        return self.ordered()

    def _seed(self) -> None:
        """Every reduction, shared value and output starts a cluster; what has one user's cluster joins it."""
        for node in reversed(self.graph.nodes):
            if node.id in self.folded:
                continue
            homes = {self.home[u] for v in node.outputs for u in self._real_users(v)}
            kept = any(v in self.results for v in node.outputs)
            alone = kept or node.op.form in (Form.REDUCE, Form.SCAN, Form.SCATTER) or len(homes) != 1
            alone |= any(self.graph.nodes[h].op.form is Form.SCATTER for h in homes)
            target = next(iter(homes)) if not alone else node.id
            if not alone and (self.strategy == NONE or self._repeats(node)):
                target = node.id
            self.home[node.id] = target
            self.clusters.setdefault(target, Cluster(set())).nodes.add(node.id)

    def _break_up(self) -> None:
        """A cluster that no placement fits starts as single ops, each of which always has one."""
        for key, cluster in list(self.clusters.items()):
            if len(cluster.nodes) > 1 and isinstance(self.place(cluster.nodes), Refusal):
                del self.clusters[key]
                for n in sorted(cluster.nodes):
                    self.clusters[n] = Cluster({n})
                    self.home[n] = n

    def _join_depths(self) -> None:
        """Try connected clusters of one reduction depth as a whole before going pair by pair.

        A path between two ops of one depth stays at that depth, so such a group never closes a cycle.
        """
        depth: dict[int, int] = {}
        for node in self.graph.nodes:
            above = [(self.graph.values[v].node, v) for v in node.inputs if self.graph.values[v].node >= 0]
            depth[node.id] = max(
                (depth[n] + (self.graph.nodes[n].op.form in (Form.REDUCE, Form.SCAN)) for n, _ in above), default=0
            )
        root = {k: k for k in self.clusters}

        def find(k: int) -> int:
            while root[k] != k:
                root[k] = root[root[k]]
                k = root[k]
            return k

        level = {k: {depth[n] for n in c.nodes} for k, c in self.clusters.items()}
        for a, b in self._edges():
            if level[a] == level[b] and len(level[a]) == 1:
                root[find(b)] = find(a)
        groups: dict[int, list[int]] = {}
        for k in sorted(self.clusters):
            groups.setdefault(find(k), []).append(k)
        for members in groups.values():
            if len(members) > 2:
                self._join_group(members)

    def _join_group(self, members: list[int]) -> None:
        union = set().union(*(self.clusters[k].nodes for k in members))
        names = [self._name(self.clusters[k].nodes) for k in members]
        verdict = self._verdict(
            [self.clusters[k].nodes for k in members], names[0], f"{names[-1]} and {len(names) - 2} more"
        )
        if verdict.accepted:
            self.decisions.append(verdict)
            self._replace(members, union)

    def _replace(self, members: list[int], union: set[int]) -> None:
        self.clusters[members[0]].nodes = union
        for k in members[1:]:
            del self.clusters[k]
        for n in union:
            self.home[n] = members[0]

    def _real_users(self, value: int) -> list[int]:
        """Users of a value, through ops that are folded into theirs."""
        found: list[int] = []
        stack = list(self.users[value])
        while stack:
            user = stack.pop()
            if user in self.folded:
                stack += [u for v in self.graph.nodes[user].outputs for u in self.users[v]]
            else:
                found.append(user)
        return found

    def _repeats(self, node: Node) -> bool:
        """Whether a user would evaluate this op several times for one element: overlapping windows."""
        if node.op.kind is Kind.LAYOUT:
            return False
        return any(self.graph.nodes[u].op.form is Form.REDUCE_WINDOW for v in node.outputs for u in self.users[v])

    def nodes_of(self, members: set[int]) -> frozenset[int]:
        """The members and the folded ops that they read."""
        found = set(members)
        stack = [v for n in members for v in self.graph.nodes[n].inputs]
        while stack:
            node = self.graph.values[stack.pop()].node
            if node in self.folded and node not in found:
                found.add(node)
                stack += self.graph.nodes[node].inputs
        return frozenset(found)

    def outputs_of(self, members: set[int]) -> frozenset[int]:
        return frozenset(
            v
            for n in members
            for v in self.graph.nodes[n].outputs
            if v in self.results or any(u not in members for u in self._real_users(v))
        )

    def place(self, members: set[int], threads: int | None = None, beat: float = inf) -> Placed | Refusal:
        """The placement of some nodes; equal patterns share one. ``beat`` as in :func:`fstc.plan.candidate.best`."""
        key = (frozenset(members), threads)
        if key not in self.memo:
            shape = (self._shape(key[0]), threads)
            found = self.equal.get(shape)
            if found is None:
                found = best(make_pattern(self._part(key[0])), self.device, threads, beat)
                if beat < inf and isinstance(found, Refusal):
                    return found  # it may still be the right kernel against other alternatives
                self.equal[shape] = found
            self.memo[key] = found
        return self.memo[key]

    # -- merging ----------------------------------------------------------------------------------------------

    def _edges(self) -> list[tuple[int, int]]:
        """(producer, user) clusters in order of the producer's first op."""
        found: dict[tuple[int, int], None] = {}
        for node in self.graph.nodes:
            if node.id in self.folded:
                continue
            for v in node.outputs:
                for u in sorted(self._real_users(v)):
                    if self.home[u] != self.home[node.id]:
                        found[self.home[node.id], self.home[u]] = None
        return list(found)

    def _siblings(self) -> list[tuple[int, int]]:
        """Clusters that read a common tensor, and neither of which needs the other."""
        readers: dict[int, dict[int, None]] = {}
        for key, cluster in sorted(self.clusters.items()):
            part = self.nodes_of(cluster.nodes)
            for n in sorted(part):
                for v in self.graph.nodes[n].inputs:
                    if self.graph.values[v].node not in part and self.graph.type(v).elements > 1:
                        readers.setdefault(v, {})[key] = None
        pairs: dict[tuple[int, int], None] = {}
        for keys in readers.values():
            ordered = list(keys)
            for a, b in pairwise(ordered):
                pairs[a, b] = None
        return list(pairs)

    def _merge(self) -> None:
        """Three sweeps; a pair that was refused is not asked again in the same sweep, however its sides have grown.

        Neither is a pair like it: of two hundred equal tensors that feed one norm, the first that is better left
        apart speaks for all. So the number of placements that are tried stays linear in the number of edges.
        """
        last: dict[tuple[int, int], Decision] = {}
        for pairs in (self._edges, self._siblings, self._edges):
            refused: dict[tuple[int, int], Decision] = {}
            alike: dict[tuple[str | int, str | int], Decision] = {}
            again = True
            while again:
                again = False
                for a, b in pairs():
                    if a in self.clusters and b in self.clusters and a != b and (a, b) not in refused:
                        kinds = ((self._cluster_shape(a), b), (a, self._cluster_shape(b)))
                        verdict = alike.get(kinds[0]) or alike.get(kinds[1]) or self._try(a, b)
                        again |= verdict.accepted
                        if not verdict.accepted:
                            refused[a, b] = verdict
                            if verdict.code in SLOWER:
                                alike |= dict.fromkeys(kinds, verdict)
            last |= refused
        self.decisions += [d for (a, b), d in last.items() if a in self.clusters and b in self.clusters]

    def _part(self, members: frozenset[int]) -> Graph:
        """The stand-alone graph of some nodes and the folded ops that they read."""
        return extract(self.graph, self.nodes_of(set(members)), keep=self.outputs_of(set(members)))[0]

    def _shape(self, members: frozenset[int]) -> str:
        """The structural hash of :meth:`_part`."""
        if members not in self.shapes:
            self.shapes[members] = structural_hash(self._part(members))
        return self.shapes[members]

    def _cluster_shape(self, key: int) -> str:
        return self._shape(frozenset(self.clusters[key].nodes))

    def _try(self, a: int, b: int) -> Decision:
        left, right = self.clusters[a].nodes, self.clusters[b].nodes
        if self._cycle(a, b):
            reason = "another kernel lies between them, and would both wait and be waited for"
            verdict = self._no("FSN014", self._name(left), self._name(right), reason)
        else:
            verdict = self._verdict([left, right], self._name(left), self._name(right))
        if verdict.accepted:
            self.decisions.append(verdict)
            self._replace([a, b], left | right)
        return verdict

    def _verdict(self, members: list[set[int]], left: str, right: str) -> Decision:
        """Whether these clusters become one kernel, and what that gains."""
        union = set().union(*members)
        if any(a in union and b in union for a, b in self.apart):
            reason = "partial results from all blocks must be there before they are added: a second launch"
            return self._no("FSN031", left, right, reason)
        if any(self.graph.nodes[n].op.form is Form.SCATTER for n in union):
            return self._no("FSN015", left, right, "a scatter works in place on a copy of its operand")
        pointers = self._pointers(union)
        if pointers > MOST_POINTERS:
            return self._no("FSN022", left, right, f"one launch would take {pointers} tensors, limit {MOST_POINTERS}")
        apart = [p.estimate.time for p in map(self.place, members) if isinstance(p, Placed)]
        joined = self.place(union, beat=sum(apart) if len(apart) == len(members) else inf)
        if isinstance(joined, Refusal):
            return self._no(joined.code, left, right, joined.reason)
        if self.strategy == CLASSIC and joined.pattern.phases() > 1:
            return self._no("FSN023", left, right, "strategy classic: a value passes from one thread to others")
        gain = sum(apart) - joined.estimate.time
        if gain <= 0 and len(apart) == len(members):
            reason = (
                f"one kernel is {joined.estimate.bound}-bound at {joined.estimate.time:.1f} us, "
                f"{len(members)} take {sum(apart):.1f} us"
            )
            return self._no("FSN021", left, right, reason, gain)
        return Decision(
            code="FSN002",
            accepted=True,
            left=left,
            right=right,
            gain_us=max(gain, 0.0),
            reason="one launch, and what passes between stays on chip",
        )

    @staticmethod
    def _no(code: str, left: str, right: str, reason: str, gain: float = 0.0) -> Decision:
        return Decision(code=code, accepted=False, left=left, right=right, gain_us=gain, reason=reason)

    def _pointers(self, members: set[int]) -> int:
        nodes = self.nodes_of(members)
        read = {v for n in nodes for v in self.graph.nodes[n].inputs if self.graph.values[v].node not in nodes}
        return len(read) + len(self.outputs_of(members))

    def _name(self, members: set[int]) -> str:
        outputs = sorted(self.outputs_of(members)) or [self.graph.nodes[max(members)].outputs[0]]
        return "%" + self.graph.values[outputs[-1]].name

    # -- order ------------------------------------------------------------------------------------------------

    def successors(self) -> dict[int, set[int]]:
        found: dict[int, set[int]] = {k: set() for k in self.clusters}
        for a, b in self._edges():
            found[a].add(b)
        return found

    def _cycle(self, a: int, b: int) -> bool:
        """Whether a path of other clusters leads from one to the other."""
        after = self.successors()
        for start, goal in ((a, b), (b, a)):
            stack = [c for c in after[start] if c != goal]
            seen = set(stack)
            while stack:
                for c in after[stack.pop()]:
                    if c == goal:
                        return True
                    if c not in seen:
                        seen.add(c)
                        stack.append(c)
        return False

    def ordered(self) -> list[Cluster]:
        after = self.successors()
        before = dict.fromkeys(self.clusters, 0)
        for users in after.values():
            for u in users:
                before[u] += 1
        ready = sorted((min(self.clusters[k].nodes), k) for k, n in before.items() if n == 0)
        out: list[Cluster] = []
        while ready:
            _, key = ready.pop(0)
            out.append(self.clusters[key])
            for u in after[key]:
                before[u] -= 1
                if before[u] == 0:
                    ready.append((min(self.clusters[u].nodes), u))
            ready.sort()
        assert len(out) == len(self.clusters), "clusters form a cycle"
        return out

    def levels(self, clusters: list[Cluster]) -> list[int]:
        """Longest path to each cluster; clusters of one level do not wait for each other."""
        home = {n: i for i, c in enumerate(clusters) for n in c.nodes}
        level = [0] * len(clusters)
        for i, cluster in enumerate(clusters):
            for n in self.nodes_of(cluster.nodes):
                for v in self.graph.nodes[n].inputs:
                    producer = home.get(self.graph.values[v].node)
                    if producer is not None and producer != i:
                        level[i] = max(level[i], level[producer] + 1)
        return level
