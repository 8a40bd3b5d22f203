"""What the code of a nest computes: its values in order, how wide each is, and how long it is alive.

Example: in a softmax the nest of the sum computes ``s - max`` and ``exp`` of it when ``s`` is held, and loads and adds
up ``s`` again when it is not. Registers (:mod:`fstc.plan.pressure`) and instructions (:mod:`fstc.plan.work`) are
both counted on this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import prod

from fstc.ir.ops.opdef import Form, Kind, OpDef
from fstc.ir.pattern import Instance, Key, Pattern, key_of
from fstc.plan.artefact import Nest
from fstc.plan.holds import Held, base_of

NOTHING, ADDRESS, LIGHT, EXPENSIVE, REDUCE, MOVE = "", "address", "light", "expensive", "reduce", "move"
BY_KIND = {Kind.LIGHT: LIGHT, Kind.EXPENSIVE: EXPENSIVE, Kind.REDUCTION: REDUCE}
ROUNDS = 4  # expensive ops that random bits cost
WORD = 4  # bytes of a register

Vectors = tuple[tuple[str, int], ...]
Costs = tuple[tuple[frozenset[str], str, int, int], ...]
"""Axes that ops depend on, their cost class, how many there are for an element, and what is loaded or stored, or -1."""


@dataclass(frozen=True)
class Step:
    """One value, or one step of a reduction."""

    axes: frozenset[str]  # that it depends on
    cost: str  # class of its instructions, as the device description has them
    times: int  # ops that it counts for
    taps: int  # how often it is computed for an element: in a window once for each of its taps
    words: int  # registers of an element; 0: an index, a literal or what is held or known already
    loaded: int  # bytes of an element in memory, when it is loaded
    last: int  # position of the step that reads it last
    branch: bool  # computed under a condition, an element at a time
    value: int = -1  # that it loads


@dataclass(frozen=True)
class Width:
    """What one pass through the vector loops of a nest keeps in registers."""

    accesses: int
    loaded: float  # words of the vectors that it loads
    alive: float  # words of values at the widest point


@dataclass
class Code:
    """``stored``: the values that the nest stores, and their axes."""

    steps: tuple[Step, ...]
    stored: tuple[tuple[frozenset[str], int], ...]
    widths: dict[Vectors, Width] = field(default_factory=dict)

    @cached_property
    def costs(self) -> Costs:
        """What depends on the same axes is counted together."""
        found: dict[tuple[frozenset[str], str, int], int] = {}
        for step in self.steps:
            if step.cost:
                key = step.axes, step.cost, step.value
                found[key] = found.get(key, 0) + step.times * step.taps
        for axes, value in self.stored:
            found[axes, ADDRESS, value] = 1
        return tuple((axes, cost, count, value) for (axes, cost, value), count in found.items())

    def width(self, vectors: Vectors) -> Width:
        """``vectors``: elements at once along each axis that has more than one."""
        if vectors not in self.widths:
            self.widths[vectors] = self._width(dict(vectors))
        return self.widths[vectors]

    def _width(self, vectors: Mapping[str, int]) -> Width:
        loaded = alive = widest = 0.0
        accesses = len(self.stored)
        ends: dict[int, int] = {}
        for n, step in enumerate(self.steps):
            count = 1 if step.branch else prod(v for axis, v in vectors.items() if axis in step.axes)
            if step.loaded:
                accesses += 1
                loaded += max(1.0, step.loaded * count / WORD)
            alive += step.words * count
            ends[step.last] = ends.get(step.last, 0) + step.words * count
            widest = max(widest, alive)
            alive -= ends.pop(n, 0)
        return Width(accesses, loaded, widest)


@dataclass
class Codes:
    """The nests of one pattern, each made once for every set of held values."""

    pattern: Pattern
    made: dict[tuple[tuple[int, ...], frozenset[int]], Code] = field(default_factory=dict)

    @cached_property
    def bases(self) -> dict[Key, Key]:
        """The canonical instance that holds an instance, where there is one."""
        found = {key: base_of(self.pattern, key) for key in self.pattern.instances}
        return {key: base[0] for key, base in found.items() if base is not None}

    @cached_property
    def whole(self) -> Code:
        """All roots as one nest: every value once."""
        roots = self.pattern.roots
        reduces = tuple(r.node for r in roots if r.node >= 0)
        stores = tuple(r.value for r in roots if r.node < 0)
        return self._make(Nest(phase=0, loops=(), reduces=reduces, stores=stores), frozenset())

    def of(self, nest: Nest, held: frozenset[int]) -> Code:
        """The code of a nest that finds these values at hand."""
        key = ((*nest.reduces, -1, *nest.stores), held)
        if key not in self.made:
            self.made[key] = self._make(nest, held)
        return self.made[key]

    def all(self, nests: Sequence[Nest], holds: Sequence[Held]) -> tuple[Code, ...]:
        """The code of every nest when these values are held from the phase that computes them on."""
        return tuple(self.of(n, frozenset(h.value for h in holds if h.first < n.phase <= h.last)) for n in nests)

    def _make(self, nest: Nest, held: frozenset[int]) -> Code:
        pattern = self.pattern
        kept = {key_of(v, pattern.native(v)) for v in held}
        stop = {key for key, base in self.bases.items() if base in kept} if kept else set()
        roots = [r for r in pattern.roots if (r.node in nest.reduces if r.node >= 0 else r.value in nest.stores)]
        keys = tuple(dict.fromkeys(k for r in roots for k in r.keys))
        order = list(pattern.reach(keys, stop))
        at = {key: n for n, key in enumerate(order)}
        last = dict.fromkeys(keys, len(order))
        always = set(keys)
        for key in reversed(order):
            instance = pattern.instances[key]
            for child in instance.children if instance.role == "op" and key not in stop else ():
                last[child] = max(last.get(child, 0), at[key])
                if key in always and not instance.guarded:
                    always.add(child)
        steps = [self._step(key, last.get(key, n), key in stop, key not in always) for n, key in enumerate(order)]
        for root in (r for r in roots if r.node >= 0):
            axes = frozenset(pattern.axes.members[pattern.graph.nodes[root.node].inputs[0]])
            steps.append(Step(axes, REDUCE, 1, 1, 0, 0, len(steps), False))
        stored = tuple((frozenset(r.axes), r.value) for r in roots if r.node < 0)
        return Code(tuple(steps), stored)

    def _step(self, key: Key, last: int, held: bool, branch: bool) -> Step:
        pattern = self.pattern
        instance = pattern.instances[key]
        axes = frozenset(a for a in instance.depends if a in pattern.axes.extents)
        size = pattern.graph.type(instance.value).dtype.size
        words = max(1, size // WORD)
        if held or instance.role not in ("load", "op"):
            return Step(axes, NOTHING, 1, 1, 0, 0, last, branch)
        often = taps(pattern, instance)
        if instance.role == "load":
            return Step(axes, ADDRESS, 1, often, words, size, last, branch, instance.value)
        op = pattern.graph.nodes[pattern.graph.values[instance.value].node].op
        cost, times = cost_of(op)
        return Step(axes, cost, times, often, words * (op.kind is not Kind.LAYOUT), 0, last, branch)


def cost_of(op: OpDef) -> tuple[str, int]:
    """(cost class, how many ops of it) of one op."""
    return (EXPENSIVE, ROUNDS) if op.form is Form.RNG else (BY_KIND.get(op.kind, MOVE), 1)


def taps(pattern: Pattern, instance: Instance) -> int:
    """How often one element is computed: once, but in a window once for each of its taps."""
    loops = {t.key: t.high + 1 for i in instance.at for t, _ in i.terms if t.key.startswith("w")}
    node = pattern.graph.values[instance.value].node
    if instance.role == "op" and pattern.graph.nodes[node].op.form is Form.REDUCE_WINDOW:
        return prod(pattern.graph.nodes[node].attr("window_dimensions")) * prod(loops.values())
    return prod(loops.values())
