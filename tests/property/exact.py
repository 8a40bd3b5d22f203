"""The best plan of a small region, exactly, under the planner's own prices.

Example: ``optimum(region.graph, device, Prices(device)).time``. Every plan is a chain of downsets of the dependency
order: what has run after one launch, after two, and so on; the step from one downset to the next is a launch. A
launch is one pattern at the best placement that the latency-evaluator finds, or independent patterns packed side by
side. An op that has several users may also be *folded*: every launch that wants it computes it again. All
folds of up to ``MOST_FOLDS`` such ops are tried, and all choices of reductions to split over the grid that the planner
itself considers.

The search is A* over downsets. Its bound, a launch and the bytes that surely cross the memory at the full rate, is
never above a price (asserted for each price asked for), so the result is exact. With a ``limit``, the time of a plan
that is known, what cannot undercut it is not looked at; mostly that proves that nothing does. With ``most`` steps the
search may end early; the least bound that is left is then still below every plan that was not found.
``cheapest_by_partitions`` finds the same by listing all set partitions, for tests of this module itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from heapq import heappop, heappush
from itertools import chain, combinations
from math import inf, prod

from fstc.device.device import Device
from fstc.ir.graph import Graph
from fstc.ir.ops.opdef import Form, Kind
from fstc.ir.pattern import Pattern, Refusal, make_pattern
from fstc.ir.rewrite import rewrite
from fstc.ir.subgraph import extract, structural_hash
from fstc.plan.candidate import Facts, Placed, best, facts_of
from fstc.plan.folding import folded_ops
from fstc.plan.launch import side_by_side
from fstc.plan.pack import THREADS
from fstc.plan.pricer import MOST_POINTERS
from fstc.plan.split import split_choices
from fstc.plan.work import slots_of
from tests.property.least import WHOLE, least_work

MOST_FOLDS = 5  # ops that may be folded beside the planner's own; those with the most users
OVERLAP = 0.05  # the share of each term that the latency-evaluator adds to the one that binds


@dataclass(frozen=True)
class Least:
    """What no placement of a pattern undercuts: microseconds alone, and those that it costs all SMs beside others."""

    alone: float
    share: float


@dataclass(frozen=True)
class Part:
    """The stand-alone graph of some ops, and its structural hash."""

    graph: Graph
    hash: str


@dataclass
class Prices:
    """Placements by structural hash and block size; one for many graphs, since patterns come again."""

    device: Device
    placed: dict[tuple[str, int | None], Placed | Refusal] = field(default_factory=dict)
    least: dict[str, Least] = field(default_factory=dict)

    def place(self, part: Part, threads: int | None = None) -> Placed | Refusal:
        key = part.hash, threads
        if key not in self.placed:
            self.placed[key] = best(make_pattern(part.graph), self.device, threads)
        return self.placed[key]

    def at_least(self, part: Part) -> Least:
        """Each term of the latency-evaluator at the rate of as many SMs as can have a block; infinite for no kernel.

        Bytes cross the DRAM and the L2 once, each phase waits for the memory once, and each op is executed once for
        each element of its result at the place where it is computed for fewest.
        """
        if part.hash not in self.least:
            self.least[part.hash] = self._at_least(make_pattern(part.graph))
        return self.least[part.hash]

    def _at_least(self, pattern: Pattern) -> Least:
        if pattern.refusal is not None:
            return Least(inf, inf)
        device, facts = self.device, facts_of(pattern, self.device)
        blocks = prod(pattern.extent(a) for a in pattern.used if a not in pattern.columns)
        memory, l2 = facts.bytes / (device.dram_gbps * 1e3), facts.bytes / (device.l2_gbps * 1e3)
        issue = self._work(facts) / (device.sms * device.fp32_per_clock * device.clock_ghz * 1e3)
        beside = OVERLAP * (memory + l2 + issue)
        busy = min(1.0, blocks / device.sms)
        latency = pattern.phases() * device.dram_latency_us
        alone = device.launch_us + max(max(memory, l2, issue) / busy, latency) + beside / busy
        return Least(alone, max(memory, l2, issue) + beside)

    def _work(self, facts: Facts) -> float:
        """Thread-instructions of the ops alone, without loads, stores and what is computed in several places."""
        pattern, graph = facts.pattern, facts.pattern.graph
        least: dict[int, float] = {}
        for instance in pattern.instances.values():
            node = graph.values[instance.value].node
            if instance.role == "op" and node >= 0:
                size = prod(pattern.extent(a) for a in instance.depends if a in pattern.axes.extents)
                least[node] = min(size, least.get(node, inf))
        return sum(size * slots_of(graph.nodes[n].op, self.device) for n, size in least.items())


@dataclass(frozen=True)
class Optimum:
    """Launches in order; each is its parts, sets of node ids of ``graph`` (without what is folded)."""

    time: float
    graph: Graph
    folded: frozenset[int]
    launches: tuple[tuple[tuple[int, ...], ...], ...]

    def __str__(self) -> str:
        def names(nodes: tuple[int, ...] | list[int]) -> str:
            return ", ".join(f"%{self.graph.values[self.graph.nodes[n].outputs[0]].name}" for n in nodes)

        launches = " | ".join(" + ".join(map(names, parts)) for parts in self.launches)
        return f"{launches}; folded: {names(sorted(self.folded)) or '-'}"


@dataclass(frozen=True)
class AtLeast:
    """No plan takes less than ``time``. ``proved``: that is the limit; otherwise the search ended early."""

    time: float
    proved: bool


def optimum(graph: Graph, device: Device, prices: Prices, limit: float = inf, most: float = inf) -> Optimum | AtLeast:
    """The least predicted time of a region's graph, over splits, folds and sets of launches, if it is below limit."""
    return cheapest(spaces(graph, device, prices), limit, most)


def spaces(graph: Graph, device: Device, prices: Prices) -> list[Space]:
    """A search space for each choice of splits and folds."""
    found = []
    for splits in split_choices(graph, device):
        split, _, pairs = rewrite(graph, [(s.value, s.dim, s.parts) for s in splits])
        found += [Space(split, folded, frozenset(pairs), prices) for folded in fold_sets(split)]
    return found


def fold_sets(graph: Graph) -> list[frozenset[int]]:
    """What the planner folds, alone and with every choice of further ops of which each would be computed again."""
    always = frozenset(folded_ops(graph))
    users = graph.users()
    results = set(graph.outputs)
    copies: dict[int, int] = {}  # how many users would each compute the op if all candidates were folded
    for node in reversed(graph.nodes):
        if node.id in always or node.op.form in (Form.REDUCE, Form.SCAN, Form.SCATTER, Form.REDUCE_WINDOW):
            continue
        if node.op.kind is Kind.LIBRARY or results & set(node.outputs):
            continue
        count = len({r for v in node.outputs for u in users[v] for r in _computing(graph, users, u, always, copies)})
        if count > 1:
            copies[node.id] = count
    chosen = sorted(copies, key=lambda n: (-copies[n], n))[:MOST_FOLDS]
    sets = chain.from_iterable(combinations(sorted(chosen), k) for k in range(len(chosen) + 1))
    return [always | set(more) for more in sets]


def _computing(
    graph: Graph, users: tuple[tuple[int, ...], ...], user: int, always: frozenset[int], folded: dict[int, int]
) -> set[int]:
    """The ops with a place of their own that a user's result ends in."""
    if user not in always and user not in folded:
        return {user}
    return {r for v in graph.nodes[user].outputs for u in users[v] for r in _computing(graph, users, u, always, folded)}


@dataclass
class Space:
    """A graph's ops that are not folded, numbered; sets of them are bit masks."""

    graph: Graph
    folded: frozenset[int]
    apart: frozenset[tuple[int, int]]
    prices: Prices
    parts: dict[int, Part] = field(default_factory=dict)
    bounds: dict[int, float] = field(default_factory=dict)
    leasts: dict[int, Least] = field(default_factory=dict)
    groupings: dict[int, list[tuple[float, list[list[int]]]]] = field(default_factory=dict)
    known: dict[int, float] = field(default_factory=dict)
    above: dict[int, float] = field(default_factory=dict)  # what a launch takes at least, where that was enough to know
    chosen: dict[int, list[list[int]]] = field(default_factory=dict)  # the parts of a priced launch

    def __post_init__(self) -> None:
        self.members = [n.id for n in self.graph.nodes if n.id not in self.folded]
        self.rank = {n: i for i, n in enumerate(self.members)}
        self.users = self.graph.users()
        self.results = set(self.graph.outputs)
        self.full = (1 << len(self.members)) - 1
        self.device = self.prices.device

    def nodes(self, mask: int) -> tuple[int, ...]:
        return tuple(n for i, n in enumerate(self.members) if mask >> i & 1)

    @cached_property
    def work(self) -> dict[int, float]:
        return least_work(self.graph, self.device)

    @cached_property
    def computed(self) -> dict[int, frozenset[int]]:
        """Per member: itself and the folded ops that it computes for itself."""
        found = {}
        for n in self.members:
            closure = {n}
            stack = list(self.graph.nodes[n].inputs)
            while stack:
                producer = self.graph.values[stack.pop()].node
                if producer in self.folded and producer not in closure:
                    closure.add(producer)
                    stack += self.graph.nodes[producer].inputs
            found[n] = frozenset(closure)
        return found

    @cached_property
    def readers(self) -> dict[int, int]:
        """Per value of a member: the members that read it, themselves or through folded ops."""
        found: dict[int, int] = {}
        for n in self.members:
            for c in self.computed[n]:
                for v in self.graph.nodes[c].inputs:
                    if self.graph.values[v].node in self.rank:
                        found[v] = found.get(v, 0) | 1 << self.rank[n]
        return found

    @cached_property
    def before(self) -> list[int]:
        """Per member: the members whose results it reads."""
        found = [0] * len(self.members)
        for v, mask in self.readers.items():
            producer = self.rank[self.graph.values[v].node]
            for i in bits(mask):
                found[i] |= 1 << producer
        return found

    @cached_property
    def downsets(self) -> list[int]:
        """All sets of members that are closed downwards, the smaller first."""
        found = {0}
        for i, below in enumerate(self.before):
            found |= {d | 1 << i for d in found if below & ~d == 0}
        return sorted(found, key=lambda d: (d.bit_count(), d))

    def outputs(self, mask: int) -> list[int]:
        """Values that a launch of these members must store."""
        return [
            v
            for n in self.nodes(mask)
            for v in self.graph.nodes[n].outputs
            if v in self.results or self.readers.get(v, 0) & ~mask
        ]

    def inputs(self, mask: int) -> list[int]:
        """Values that a launch of these members reads."""
        inside = frozenset().union(*(self.computed[n] for n in self.nodes(mask)))
        read = (v for n in sorted(inside) for v in self.graph.nodes[n].inputs)
        return [v for v in dict.fromkeys(read) if self.graph.values[v].node not in inside]

    def part(self, mask: int) -> Part:
        if mask not in self.parts:
            inside = frozenset().union(*(self.computed[n] for n in self.nodes(mask)))
            graph, _ = extract(self.graph, inside, keep=frozenset(self.outputs(mask)))
            self.parts[mask] = Part(graph, structural_hash(graph))
        return self.parts[mask]

    def least(self, mask: int) -> Least:
        if mask not in self.leasts:
            self.leasts[mask] = self.prices.at_least(self.part(mask))
        return self.leasts[mask]

    def components(self, mask: int) -> list[int]:
        """Connected parts along dependencies."""
        found: list[int] = []
        for i in bits(mask):
            joined = 1 << i
            for other in [f for f in found if f & self.before[i]]:
                found.remove(other)
                joined |= other
            found.append(joined)
        return sorted(found)

    def bound(self, mask: int) -> float:
        """Microseconds that launches of these members take at least, however they are arranged.

        Outputs are written and inputs read once, except where an op reads a part of its operand, and ops are executed
        once. The loads of phases that follow each other wait for the memory one after the other.
        """
        if mask not in self.bounds:
            inside = frozenset().union(*(self.computed[n] for n in self.nodes(mask)))
            moved = self.outputs(mask)
            if all(self.graph.nodes[n].op.form in WHOLE for n in inside):
                moved += self.inputs(mask)
            device = self.device
            memory = sum(self.graph.type(v).nbytes for v in moved) / (device.dram_gbps * 1e3)
            work = sum(self.work.get(n, 0.0) for n in self.nodes(mask))
            issue = work / (device.sms * device.fp32_per_clock * device.clock_ghz * 1e3)
            latency = self.phases(mask) * device.dram_latency_us
            waits = any(mask >> self.rank[a] & mask >> self.rank[b] & 1 for a, b in self.apart)
            least = max(memory, issue, latency) + OVERLAP * (memory + issue)
            self.bounds[mask] = (1 + waits) * device.launch_us + least
        return self.bounds[mask] if mask else 0.0

    def phases(self, mask: int) -> int:
        """The most reductions that follow each other, and what comes behind the last."""
        found: dict[int, tuple[int, bool]] = {}
        for i in bits(mask):
            number, _ = max((found[p] for p in bits(self.before[i] & mask)), default=(0, False))
            reduces = self.graph.nodes[self.members[i]].op.form is Form.REDUCE
            found[i] = (number + 1, False) if reduces else (number, True)
        return max((number + behind for number, behind in found.values()), default=0)

    def legal(self, mask: int) -> bool:
        if any(mask >> self.rank[a] & mask >> self.rank[b] & 1 for a, b in self.apart):
            return False
        scatters = sum(self.graph.nodes[n].op.form is Form.SCATTER for n in self.nodes(mask))
        return not scatters or mask.bit_count() == 1

    def floor(self, mask: int) -> float:
        """A bound of :meth:`price` that knows the patterns, but no placement."""
        return self.ways(mask)[0][0]

    def ways(self, mask: int) -> list[tuple[float, list[list[int]]]]:
        """Every grouping of the connected parts into patterns of one launch, with what it takes at least; by that."""
        if mask not in self.groupings:
            found = []
            for groups in partitions(self.components(mask)):
                least = [self.least(sum(g)) for g in groups]
                shared = self.device.launch_us + sum(p.share for p in least)
                found.append((max(shared, *(p.alone for p in least)), groups))
            self.groupings[mask] = sorted(found, key=lambda way: way[0])
        return self.groupings[mask]

    def price(self, mask: int, budget: float = inf) -> float:
        """Microseconds of one launch of these members at its best: one pattern, or several packed.

        Infinite where that is ``budget`` or more.
        """
        if mask in self.known:
            return self.known[mask]
        if self.above.get(mask, 0.0) >= budget:
            return inf
        found = inf
        for least, groups in self.ways(mask):
            if least >= min(found, budget):
                break
            time = self._launch(groups, min(found, budget))
            assert time >= max(least, self.bound(mask)) * (1 - 1e-9), "a bound is above a price"
            if time < found:
                found, self.chosen[mask] = time, groups
        if found >= budget < inf:
            self.above[mask] = budget
            return inf
        self.known[mask] = found
        return found

    def _launch(self, groups: list[list[int]], budget: float) -> float:
        """Infinite where some part alone takes ``budget`` or more."""
        parts = [self.part(sum(g)) for g in groups]
        if sum(len(p.graph.inputs) + len(p.graph.outputs) for p in parts) > MOST_POINTERS:
            return inf
        placed: list[Placed] = []
        for part in sorted(parts, key=lambda p: -self.prices.at_least(p).alone):
            own = self.prices.place(part)
            if isinstance(own, Refusal) or (own.estimate.time >= budget and len(parts) > 1):
                return inf
            placed.append(own)
        if len(placed) == 1:
            return placed[0].estimate.time
        common = {p.schedule.threads for p in placed}
        sizes = tuple(common) if len(common) == 1 else THREADS
        return min(self._packed(parts, threads) for threads in sizes)

    def _packed(self, parts: list[Part], threads: int) -> float:
        made = []
        for part in parts:
            own = self.prices.place(part)
            again = own if isinstance(own, Placed) and own.schedule.threads == threads else None
            again = again or self.prices.place(part, threads)
            if isinstance(again, Refusal):
                return inf
            made.append(again)
        return side_by_side(made, self.device)


def cheapest(found: Sequence[Space], limit: float = inf, most: float = inf) -> Optimum | AtLeast:
    """A* over the downsets of all spaces at once; ends after ``most`` entries were pushed.

    The heap has states (a downset twice) and steps between two: first at their bound, then at the floor of their
    patterns, then at their price.
    """
    reached = {(n, 0): 0.0 for n in range(len(found))}
    came: dict[tuple[int, int], int] = {}
    done: set[tuple[int, int]] = set()
    heap: list[tuple[float, int, int, int]] = []

    pushed = 0

    def push(time: float, n: int, state: int, goal: int) -> None:
        nonlocal pushed
        if time < limit:
            pushed += 1
            heappush(heap, (time, n, state, goal))

    for n, space in enumerate(found):
        push(space.bound(space.full), n, 0, 0)
    while heap:
        least, n, state, goal = heappop(heap)
        if pushed > most:
            return AtLeast(least, proved=False)
        space = found[n]
        if (n, goal) in done:
            continue
        if state == goal == space.full:
            return Optimum(reached[n, goal], space.graph, space.folded, _path(space, n, came))
        ahead = space.bound(space.full ^ goal)
        if state != goal:
            step = goal ^ state
            floor = space.floor(step) if step not in space.known else 0.0
            if reached[n, state] + floor + ahead > least:
                push(reached[n, state] + floor + ahead, n, state, goal)
                continue
            time = reached[n, state] + space.price(step, limit - reached[n, state] - ahead)
            if time < reached.get((n, goal), inf):
                reached[n, goal], came[n, goal] = time, state
                push(time + ahead, n, goal, goal)
            continue
        done.add((n, state))
        for after in space.downsets:
            if after != state and after & state == state and space.legal(after ^ state):
                step = after ^ state
                time = space.known[step] if step in space.known else space.bound(step)
                push(time + reached[n, state] + space.bound(space.full ^ after), n, state, after)
    return AtLeast(limit, proved=True)


def _path(space: Space, n: int, came: dict[tuple[int, int], int]) -> tuple[tuple[tuple[int, ...], ...], ...]:
    steps: list[tuple[tuple[int, ...], ...]] = []
    goal = space.full
    while goal:
        steps.append(tuple(space.nodes(sum(g)) for g in space.chosen[goal ^ came[n, goal]]))
        goal = came[n, goal]
    return tuple(reversed(steps))


def cheapest_by_partitions(space: Space) -> float:
    """The same by brute force: all set partitions of the members whose groups do not wait in a circle."""
    least = inf
    for groups in partitions([1 << i for i in range(len(space.members))]):
        masks = [sum(g) for g in groups]
        if all(map(space.legal, masks)) and _runs(space, masks):
            least = min(least, sum(map(space.price, masks)))
    return least


def _runs(space: Space, masks: list[int]) -> bool:
    """Whether some order of these launches gives each what it reads."""
    done, left = 0, list(masks)
    while left:
        ready = [m for m in left if all(space.before[i] & ~(done | m) == 0 for i in bits(m))]
        if not ready:
            return False
        left = [m for m in left if m not in ready]
        done |= sum(ready)
    return True


def bits(mask: int) -> Iterator[int]:
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def partitions(items: list[int]) -> Iterator[list[list[int]]]:
    """All ways to put items into groups; everything in one group comes first."""
    if len(items) <= 1:
        yield [list(items)] if items else []
        return
    first, rest = items[0], items[1:]
    for groups in partitions(rest):
        for n, group in enumerate(groups):
            yield [*groups[:n], [first, *group], *groups[n + 1 :]]
        yield [[first], *groups]
