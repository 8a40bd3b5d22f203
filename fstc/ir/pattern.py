"""A fusion pattern as facts: what is read where, which reductions wait for which, what may be kept on chip.

A pattern is a stand-alone graph without library calls. Its *instances* are values at index expressions; two
uses of a value at the same expressions are one instance. Example: in a softmax the instance ``exp(x - max)``
at ``(i, j)`` is used by the sum and by the quotient; it is a candidate for a register array.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from fstc.ir.axes import Axes, coordinates, find_axes, reduced_dims
from fstc.ir.conditions import shares_of
from fstc.ir.graph import Graph, Node
from fstc.ir.indexing import CHOOSES, At, per_dim, reads, scatter_target
from fstc.ir.ops.monoid import body_monoid
from fstc.ir.ops.opdef import Form, Kind
from fstc.support.affine import ZERO, Index, ranged, var

Key = tuple[int, str]


@dataclass(frozen=True)
class Instance:
    """A value at an index. ``role``: load, literal, result (of a reduction or scan), op."""

    value: int
    at: At
    role: str
    children: tuple[Key, ...]
    depends: frozenset[str]  # axis variables
    guarded: bool = False  # some child is read under a condition
    within: tuple[
        tuple[Key, str, int, int], ...
    ] = ()  # (child, variable, low, high): read where low <= variable < high

    @property
    def key(self) -> Key:
        return key_of(self.value, self.at)


def key_of(value: int, at: At) -> Key:
    return value, ";".join(i.key for i in at)


@dataclass(frozen=True)
class Refusal:
    """Why a pattern cannot be one kernel: a decision code, the value it is about, and a sentence."""

    code: str
    value: int
    reason: str


@dataclass
class Root:
    """A value that a nest computes: an output to store, or the operands of a reduction."""

    phase: int
    node: int  # the reduction, or -1
    value: int  # the stored value, or the reduction's first operand
    keys: tuple[Key, ...]  # what it computes: the stored value, or operands and initial values
    axes: tuple[str, ...]


@dataclass
class Pattern:
    graph: Graph
    axes: Axes
    instances: dict[Key, Instance] = field(default_factory=dict)
    roots: list[Root] = field(default_factory=list)
    depth: dict[int, int] = field(default_factory=dict)  # reduction or scan node -> depth, from 1
    in_thread: set[str] = field(default_factory=set)  # axes that must have no parallel digit
    refusal: Refusal | None = None
    dynamic: dict[str, frozenset[str]] = field(default_factory=dict)  # run-time index -> axes it depends on
    looked_up: dict[Key, int] = field(default_factory=dict)  # instances that hold a run-time index, numbered
    bases: dict[Key, tuple[Key, tuple[str, ...]] | None] = field(default_factory=dict, init=False, repr=False)  # known

    @cached_property
    def reductions(self) -> tuple[Node, ...]:
        return tuple(n for n in self.graph.nodes if n.id in self.depth)

    @cached_property
    def last_use(self) -> dict[int, int]:
        """Per reduction the last phase whose roots read its result."""
        found: dict[int, int] = {}
        for root in self.roots:
            for key in self.reach(root.keys):
                if self.instances[key].role == "result":
                    node = self.graph.values[key[0]].node
                    found[node] = max(found.get(node, 0), root.phase)
        return found

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Axes that some reduction removes; they stay within a block."""
        return tuple(dict.fromkeys(a for n in self.reductions for a in self.reduced(n)))

    @cached_property
    def used(self) -> tuple[str, ...]:
        """Axes of the iteration spaces, outermost first as in the first root that has them."""
        return tuple(dict.fromkeys(a for root in self.roots for a in root.axes))

    def reduced(self, node: Node) -> tuple[str, ...]:
        return self.axes.reduced[node.id]

    def kept(self, node: Node) -> tuple[str, ...]:
        """Axes of a reduction's operand along which there is a partial result each."""
        gone = ordered_axes(self, node) if node.op.form is Form.SCAN else self.reduced(node)
        return tuple(a for a in self.axes.members[node.inputs[0]] if a not in gone)

    def extent(self, axis: str) -> int:
        return self.axes.extents[axis]

    def native(self, value: int) -> At:
        """Where a value is computed: its canonical index; a reduction's result follows its operand."""
        node = self.graph.values[value].node
        if node in self.depth and self.graph.nodes[node].op.form is Form.REDUCE:
            reduction = self.graph.nodes[node]
            first = self.axes.index[reduction.inputs[0]]
            gone = reduced_dims(reduction)
            return tuple(i for n, i in enumerate(first) if n not in gone)
        return self.axes.index[value]

    def reach(self, keys: tuple[Key, ...], stop: frozenset[Key] | set[Key] = frozenset()) -> dict[Key, None]:
        """Instances needed for ``keys``, in post-order; does not look behind ``stop`` or reduction results."""
        seen: dict[Key, None] = {}
        pending: list[tuple[Key, Iterator[Key]]] = []
        opened: set[Key] = set()

        def enter(key: Key) -> None:
            opened.add(key)
            instance = self.instances[key]
            below = () if instance.role != "op" or key in stop else instance.children
            pending.append((key, iter(below)))

        for key in keys:
            if key not in opened:
                enter(key)
            while pending:
                current, children = pending[-1]
                child = next((c for c in children if c not in opened), None)
                if child is None:
                    seen[current] = None
                    pending.pop()
                else:
                    enter(child)
        return seen

    def dynamic_name(self, key: Key, low: int, high: int) -> str:
        """The variable of a run-time index: what an instance holds, clamped."""
        return f"d{self.looked_up.setdefault(key, len(self.looked_up))}_{low}_{high}"

    def phases(self) -> int:
        return max((r.phase for r in self.roots), default=0) + 1


def make_pattern(graph: Graph, axes: Axes | None = None) -> Pattern:
    """Facts of a stand-alone graph, whose axes may be known. ``pattern.refusal`` says why it cannot be one kernel."""
    pattern = Pattern(graph, axes or find_axes(graph))
    try:
        _Walker(pattern).run()
    except _TooMany:
        refusal = Refusal("FSN012", -1, "values are read at so many places that computing them at each would never end")
        return Pattern(graph, pattern.axes, refusal=refusal)
    if len(graph.nodes) > 1 and _repeated(pattern) > STATEMENTS:
        reason = "its text would repeat what several branches of a concatenation or a pad read"
        pattern.refusal = pattern.refusal or Refusal("FSN012", -1, reason)
    return pattern


def _repeated(pattern: Pattern) -> int:
    """Statements of the kernel's text beyond one for each value: every branch that reads a value repeats it."""
    times: dict[Key, int] = {}
    roots = tuple(dict.fromkeys(k for root in pattern.roots for k in root.keys))
    total = 0
    for key in reversed(list(pattern.reach(roots))):
        instance = pattern.instances[key]
        own = times.get(key, 1)
        node = pattern.graph.values[instance.value].node
        heavy = node >= 0 and pattern.graph.nodes[node].op.kind is Kind.EXPENSIVE
        total += (own - 1) * (EXPENSIVE if heavy else 1)
        for child in instance.children if instance.role == "op" else ():
            times[child] = times.get(child, 0) + own if instance.guarded else max(times.get(child, 1), own)
    return total


@dataclass
class _Below:
    """What an instance is made of."""

    role: str
    children: list[tuple[int, At]]
    depends: set[str]
    guarded: bool = False
    within: list[tuple[Key, str, int, int]] = field(default_factory=list)


INSTANCES = 512  # of a pattern, and 16 more for each operand: beyond that, values are computed over and over
STATEMENTS, EXPENSIVE = 700, 12  # repeated in a kernel's text at most; an expensive op counts as so many
INDEX_LENGTH = 4000  # characters of an index expression's key: nested reshapes that do not simplify


class _TooMany(Exception):
    """Values are read at so many places that computing them at each is no longer sensible."""


class _Walker:
    def __init__(self, pattern: Pattern) -> None:
        self.limit = INSTANCES + 16 * sum(1 + len(n.inputs) for n in pattern.graph.nodes)
        self.p = pattern
        self.graph = pattern.graph
        self.looked_up: dict[str, Key] = {}  # run-time index variable -> the instance that holds it
        self.deepest: dict[Key, int] = {}  # instance -> depth of the deepest reduction at or below it

    def run(self) -> None:
        graph, p = self.graph, self.p
        reduced_values = {}
        for node in graph.nodes:
            if node.op.form is Form.SCAN and node.outputs[0] not in graph.outputs:
                continue  # whoever reads it refuses it
            if (
                node.op.form in (Form.REDUCE, Form.SCAN)
                and graph.type(node.outputs[0]).elements
                and (graph.type(node.inputs[0]).elements)
            ):
                at = scan_index(graph, node, p.axes.index[node.inputs[0]])
                keys = [self.instance(v, at) for v in operands(graph, node)]
                keys += [self.instance(v, ()) for v in initials(graph, node)]
                reduced_values[node.id] = tuple(keys)
                if in_order(node):
                    p.in_thread.update(ordered_axes(p, node))
                p.depth[node.id] = 1 + self._deepest(reduced_values[node.id])
        for node_id, computed in reduced_values.items():
            first = graph.nodes[node_id].inputs[0]
            p.roots.append(Root(p.depth[node_id] - 1, node_id, first, computed, p.axes.members[first]))
        for value in graph.outputs:
            if not graph.type(value).elements or graph.values[value].node < 0:
                continue
            if graph.nodes[graph.values[value].node].op.form is Form.SCAN:
                continue  # a scan stores its own result as it goes
            producer = graph.nodes[graph.values[value].node]
            if producer.op.form is Form.SCATTER:
                self._scatter_root(producer)
                continue
            at = p.native(value)
            key = self.instance(value, at)
            phase = self._deepest((key,))
            members = tuple(dict.fromkeys(t for i in at for t in _ordered_variables(i)))
            p.roots.append(Root(phase, -1, value, (key,), members))
        if len(set(graph.outputs)) < 1:
            p.refusal = p.refusal or Refusal("FSN001", -1, "it has no output")

    def _scatter_root(self, node: Node) -> None:
        """A scatter runs over its updates; the operand is not read here, the launch works on a copy of it."""
        updates = node.inputs[2]
        at = self.p.axes.index[updates]
        starts = scatter_target(self.graph, node, at).starts
        keys = (self.instance(updates, at), *(self.instance(node.inputs[1], where) for _, where in starts))
        self.p.roots.append(Root(self._deepest(keys), -1, node.outputs[0], keys, self.p.axes.members[updates]))

    def _deepest(self, keys: tuple[Key, ...]) -> int:
        return max((self.deepest[key] for key in keys), default=0)

    def instance(self, value: int, at: At) -> Key:
        """The instance and everything below it; iterative, since chains may be thousands of ops deep."""
        stack: list[tuple[int, At, _Below | None, Iterator[tuple[int, At]]]] = [(value, at, None, iter(()))]
        while stack:
            v, a, below, children = stack.pop()
            key = key_of(v, a)
            if key in self.p.instances:
                continue
            if len(self.p.instances) >= self.limit or len(key[1]) > INDEX_LENGTH:
                raise _TooMany
            if below is None:
                below = self._below(v, a)
                children = iter(below.children)
            waiting = next((c for c in children if key_of(*c) not in self.p.instances), None)
            if waiting is not None:
                stack.append((v, a, below, children))
                stack.append((*waiting, None, iter(())))
                continue
            self._finish(v, a, key, below)
        return key_of(value, at)

    def _finish(self, value: int, at: At, key: Key, below: _Below) -> None:
        p = self.p
        keys = tuple(dict.fromkeys(key_of(*c) for c in below.children))
        depends = set(below.depends)
        for child in keys:
            depends |= p.instances[child].depends
        node = p.graph.values[value].node
        own = f"w{node}_"
        if below.role == "result":
            self._judge(value, at)
            self.deepest[key] = p.depth.get(node, 0)
        else:
            self.deepest[key] = self._deepest(keys) if below.role == "op" else 0
        p.instances[key] = Instance(
            value,
            at,
            below.role,
            keys,
            frozenset(n for n in depends if not n.startswith(own)),
            below.guarded,
            tuple(below.within),
        )

    def _variables(self, at: At) -> set[str]:
        found: set[str] = set()
        for index in at:
            for name in index.variables:
                if name in self.looked_up:
                    found |= self.p.instances[self.looked_up[name]].depends
                else:
                    found.add(name)
        return found

    def _below(self, value: int, at: At) -> _Below:
        graph = self.graph
        node_id = graph.values[value].node
        if node_id < 0:
            return _Below("load", [], self._variables(at))
        node = graph.nodes[node_id]
        form = node.op.form
        if form is Form.CONSTANT:
            return _Below("literal", [], set())
        if node_id in self.p.depth or form is Form.SCAN:
            return _Below("result", [], self._variables(at))
        if form is Form.REDUCE:  # of nothing: the initial value
            inits: list[tuple[int, At]] = [(v, ()) for v in initials(graph, node)]
            return _Below("op", inits, set())
        if form is Form.IOTA:
            return _Below("op", [], self._variables(at))
        if form is Form.RNG:
            return _Below("op", [(node.inputs[0], (Index(k),)) for k in range(2)], self._variables(at))
        if form is Form.REDUCE_WINDOW:
            inits = [(v, ()) for v in node.inputs[1:]]
            if not graph.type(node.inputs[0]).elements:
                return _Below("op", inits, set())
            inner, _ = window_read(graph, node, at)
            return _Below("op", [(node.inputs[0], inner), *inits], self._variables((*at, *inner)), True)
        children: list[tuple[int, At]] = []

        def dynamic(operand: int, where: At, low: int, high: int) -> Index:
            if low == high:
                return Index(low)
            children.append((node.inputs[operand], where))
            key = self.instance(node.inputs[operand], where)
            name = self.p.dynamic_name(key, low, high)
            self.looked_up[name] = key
            self.p.dynamic[name] = self.p.instances[key].depends
            return ranged(name, low, high)

        found = [r for r in reads(graph, node, at, dynamic) if not r.never]
        depends: set[str] = set()
        guarded = False
        shares = shares_of(tuple(found)) if form in CHOOSES else ()
        within = [(key_of(node.inputs[r.operand], r.at), *s) for r, s in zip(found, shares, strict=False) if s]
        for read in found:
            children.append((node.inputs[read.operand], read.at))
            if form is not Form.ELEMENTWISE:
                depends |= self._variables(read.at)
            for condition in read.when:
                if not condition.always:
                    guarded = True
                    depends |= self._variables((condition.index,))
            if read.always and form in CHOOSES:
                break
        return _Below("op", children, depends, guarded, within)

    def _judge(self, value: int, at: At) -> None:
        """A reduction's result is at hand where it was computed, or at a fixed digit held in the thread."""
        native = self.p.native(value)
        if self.graph.nodes[self.graph.values[value].node].op.form is Form.SCAN:
            self.p.refusal = self.p.refusal or Refusal(
                "FSN011", value, f"%{self.graph.values[value].name} is a running sum, stored as it is made"
            )
            return
        if at == native:
            return
        found = coordinates(native, self.graph.type(value).shape, at)
        name = self.graph.values[value].name
        if found is None:
            self.p.refusal = self.p.refusal or Refusal(
                "FSN010", value, f"%{name} is reduced in this kernel and read at another position of it"
            )
            return
        for axis, where in found.items():
            if where == var(axis, self.p.extent(axis)):
                continue
            if where.is_const:
                self.p.in_thread.add(axis)
            else:
                self.p.refusal = self.p.refusal or Refusal(
                    "FSN010", value, f"%{name} is reduced in this kernel and read elsewhere along {axis}"
                )


def in_order(node: Node) -> bool:
    """Running sums and bodies that are no known combiner go through one thread, in index order."""
    return node.op.form is Form.SCAN or (node.op.monoid is None and body_monoid(node.regions[0]) is None)


def ordered_axes(pattern: Pattern, node: Node) -> tuple[str, ...]:
    if node.op.form is Form.SCAN:
        return tuple(_ordered_variables(pattern.axes.index[node.inputs[0]][node.attr("axis")]))
    return pattern.reduced(node)


def scan_index(graph: Graph, node: Node, at: At) -> At:
    """Where a scan reads and stores at its step: from the end when it is reversed."""
    if node.op.form is not Form.SCAN or not node.attr("reverse"):
        return at
    axis = node.attr("axis")
    extent = graph.type(node.inputs[0]).shape[axis]
    return (*at[:axis], at[axis] * -1 + (extent - 1), *at[axis + 1 :])


def operands(graph: Graph, node: Node) -> tuple[int, ...]:
    """Values that a reduction combines (without initial values)."""
    if node.op.monoid is None and node.regions:
        return node.inputs[: len(node.inputs) // 2]
    return node.inputs[:1]


def initials(graph: Graph, node: Node) -> tuple[int, ...]:
    """Initial values of a reduction with a body, one an operand that it combines."""
    return node.inputs[len(operands(graph, node)) :]


def _ordered_variables(index: Index) -> list[str]:
    out: list[str] = []
    for term, _ in sorted(index.terms, key=lambda t: -t[1]):
        if term.arg is None:
            out.append(term.key)
        else:
            out += _ordered_variables(term.arg)
    return out


def window_read(graph: Graph, node: Node, at: At) -> tuple[At, tuple[tuple[str, int], ...]]:
    """Operand index of a reduce_window and its loop variables (name, extent); padding is not yet excluded."""
    sizes = node.attr("window_dimensions")
    rank = len(sizes)
    strides = per_dim(node, "window_strides", rank, 1)
    spread = per_dim(node, "window_dilations", rank, 1)
    base = per_dim(node, "base_dilations", rank, 1)
    padding = node.attr("padding") or ((0, 0),) * rank
    loops: list[tuple[str, int]] = []
    inner: list[Index] = []
    for n in range(rank):
        offset = ZERO
        if sizes[n] > 1:
            loops.append((f"w{node.id}_{n}", sizes[n]))
            offset = var(f"w{node.id}_{n}", sizes[n]) * spread[n]
        position = at[n] * strides[n] + offset - padding[n][0]
        if base[n] > 1:
            lift = -min(position.low // base[n], 0)
            position = (position + lift * base[n]) // base[n] - lift
        inner.append(position)
    return tuple(inner), tuple(loops)


__all__ = [
    "Form",
    "Instance",
    "Key",
    "Kind",
    "Pattern",
    "Refusal",
    "Root",
    "key_of",
    "make_pattern",
    "operands",
    "window_read",
]
