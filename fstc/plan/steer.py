"""What the user wants of a plan: values in one kernel, in different ones, kernels as they shall be, smaller limits.

Example: ``wishes_of(graph, regions, PlanOptions(forbid=("%max,%exp",)))`` names two ops of a region that stay apart.
Equal regions have one plan, so that a wish for one layer holds for all layers like it. What cannot be is refused with
the reason (FST0420).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches

from fstc.device.device import Device
from fstc.ir.graph import Graph, Node
from fstc.ir.ops.opdef import Form
from fstc.ir.regions import Region, depths, is_library
from fstc.plan.options import PlanOptions
from fstc.plan.partition import Partition, circles
from fstc.plan.pricer import Members, Pricer
from fstc.support.diagnostics import Diagnostic, FstcError, Label, Note

Group = tuple[int, ...]


@dataclass(frozen=True)
class Wishes:
    """Wishes for one region, in value ids of its graph before any rewrite."""

    together: tuple[Group, ...] = ()
    apart: tuple[Group, ...] = ()
    pinned: tuple[Group, ...] = ()

    @property
    def named(self) -> frozenset[int]:
        return frozenset(v for group in (*self.together, *self.apart, *self.pinned) for v in group)

    def moved(self, where: Mapping[int, int]) -> Wishes:
        """The same for a rewritten graph; ``where`` has the new id of each value."""

        def all_of(groups: tuple[Group, ...]) -> tuple[Group, ...]:
            return tuple(tuple(where[v] for v in group) for group in groups)

        return Wishes(all_of(self.together), all_of(self.apart), all_of(self.pinned))


NOTHING = Wishes()


@dataclass
class _Collected:
    together: list[Group] = field(default_factory=list)
    apart: list[Group] = field(default_factory=list)
    pinned: list[Group] = field(default_factory=list)


def wishes_of(graph: Graph, regions: Sequence[Region], options: PlanOptions) -> dict[str, Wishes]:
    """Wishes by the hash of the region that they are about.

    Raises FstcError (FST0420): an unknown name, a value that no kernel computes, values on two sides of a library call.
    """
    found: dict[str, _Collected] = {}
    names = {v.name: v.id for v in graph.values}
    for attribute, flag, texts in (
        ("together", "--force", options.force),
        ("apart", "--forbid", options.forbid),
        ("pinned", "--pins", options.pins),
    ):
        for text in texts:
            values = [_named(graph, names, name, flag) for name in text.split(",") if name.strip()]
            if len(set(values)) < (1 if attribute == "pinned" else 2):
                help = f"give two values or more, for example {flag} %a,%b"
                raise FstcError(Diagnostic("FST0420", f"{flag} {text}: nothing to put together or apart", help=help))
            places = [_region(graph, regions, v, flag) for v in values]
            if any(place is not places[0] for place in places):
                if attribute == "apart":
                    continue  # what lies in two regions is apart
                raise _two_regions(graph, values, flag)
            local = {g: n for n, g in enumerate(places[0].origin)}
            group = tuple(dict.fromkeys(local[v] for v in values))
            getattr(found.setdefault(places[0].hash, _Collected()), attribute).append(group)
    return {h: Wishes(tuple(c.together), tuple(c.apart), tuple(c.pinned)) for h, c in found.items()}


def _named(graph: Graph, names: Mapping[str, int], text: str, flag: str) -> int:
    name = text.strip().removeprefix("%")
    if name not in names:
        close = get_close_matches(name, names, 1)
        help = f"did you mean %{close[0]}?" if close else "names are those of the .fir"
        raise FstcError(Diagnostic("FST0420", f"{flag}: there is no value called %{name}", help=help))
    return names[name]


def _region(graph: Graph, regions: Sequence[Region], value: int, flag: str) -> Region:
    """The region whose kernels compute a value."""
    node = graph.values[value].node
    name = f"%{graph.values[value].name}"
    span = graph.values[value].span
    label = Label(span, "here") if span else None
    if node < 0:
        raise FstcError(Diagnostic("FST0420", f"{flag}: {name} is an input; no kernel computes it", label))
    op = graph.nodes[node]
    if is_library(op):
        raise FstcError(Diagnostic("FST0420", f"{flag}: {name} is made by a library call, {op.op.name}", label))
    if op.op.form is Form.CONSTANT:
        raise FstcError(Diagnostic("FST0420", f"{flag}: {name} is a constant; whoever reads it has it", label))
    return next(r for r in regions if node in r.nodes)


def _two_regions(graph: Graph, values: Sequence[int], flag: str) -> FstcError:
    """Which library calls lie between values that are wanted in one kernel."""
    depth = depths(graph)
    first, last = (pick(values, key=lambda v: depth[graph.values[v].node]) for pick in (min, max))
    names = ", ".join(f"%{graph.values[v].name}" for v in values)
    between = _library_path(graph, first, last)
    notes = tuple(Note(f"{n.op.name} %{graph.values[n.outputs[0]].name} lies between", n.span) for n in between[:3])
    message = f"{flag} {names}: they cannot share a kernel, library calls lie between"
    if not between:
        message = f"{flag} {names}: they cannot share a kernel, one waits for more library calls than the other"
    help = "a kernel holds ops of one region; `fstc analyze` lists the regions"
    return FstcError(Diagnostic("FST0420", message, notes=notes, help=help))


def _library_path(graph: Graph, first: int, last: int) -> list[Node]:
    """Library calls on a path from one value to another, in order."""
    came: dict[int, int] = {first: -1}
    start = graph.values[first].node
    for node in graph.nodes[start + 1 :]:
        source = next((v for v in node.inputs if v in came), None)
        if source is not None:
            for v in node.outputs:
                came.setdefault(v, source)
    found = []
    at = last if last in came else -1
    while at >= 0:
        node = graph.nodes[graph.values[at].node]
        if is_library(node):
            found.append(node)
        at = came[at]
    return found[::-1]


@dataclass(frozen=True)
class Steering:
    """Wishes as the search takes them, in ops: ``kept`` groups start as one cluster and stay whole, ``pinned`` ops
    join no other.
    """

    kept: tuple[Members, ...] = ()
    apart: dict[int, frozenset[int]] = field(default_factory=dict)
    pinned: frozenset[int] = frozenset()


def steered(pricer: Pricer, wishes: Wishes) -> Steering:
    """The wishes for a graph whose folded ops are known. A group takes in what lies between its ops.

    Raises FstcError (FST0420) where wishes contradict each other, or nothing may lie between and something does.
    """
    graph = pricer.graph

    def ops(group: Group) -> set[int]:
        return {graph.values[v].node for v in group}

    apart: dict[int, set[int]] = {}
    for group in wishes.apart:
        for a in ops(group):
            apart.setdefault(a, set()).update(ops(group) - {a})
    groups = [_closed(pricer, ops(group)) for group in wishes.together]
    pinned: set[int] = set()
    for group in wishes.pinned:
        wanted = ops(group)
        closed = _closed(pricer, wanted)
        if closed != wanted:
            extra = ", ".join(_name(graph, n) for n in sorted(closed - wanted))
            raise _refused(f"{_names(graph, wanted)} cannot be one kernel alone: {extra} lies between them")
        groups.append(closed)
        pinned |= closed
    kept = _united(pricer, groups)
    for members in kept:
        for a in sorted(members):
            if not apart.get(a, set()).isdisjoint(members):
                b = min(apart[a] & members)
                raise _refused(f"{_name(graph, a)} and {_name(graph, b)} are to be in one kernel and in different ones")
        if not pinned.isdisjoint(members) and not any(members == ops(group) for group in wishes.pinned):
            raise _refused(f"{_names(graph, members)}: a pin has fewer ops than another wish puts together")
    return Steering(tuple(kept), {a: frozenset(found) for a, found in apart.items()}, frozenset(pinned))


def _closed(pricer: Pricer, ops: set[int]) -> Members:
    """The ops and all that lies on a path between two of them."""
    graph = pricer.graph
    below, above = set(ops), set(ops)
    for node in graph.nodes:
        if node.id not in pricer.folded and any(p in below for v in node.inputs for p in pricer.producers(v)):
            below.add(node.id)
    for node in reversed(graph.nodes):
        if node.id in above:
            above.update(p for v in node.inputs for p in pricer.producers(v))
    return frozenset(below & above)


def _united(pricer: Pricer, groups: Sequence[Members]) -> list[Members]:
    """Groups that share an op are one; what then lies between its ops is taken in again."""
    made: list[Members] = []
    for group in groups:
        joined = set(group)
        while True:
            touching = [m for m in made if not m.isdisjoint(joined)]
            if not touching:
                break
            made = [m for m in made if m not in touching]
            joined = set(_closed(pricer, joined.union(*touching)))
        made.append(frozenset(joined))
    return made


def check_order(alone: Partition, steering: Steering, graph: Graph) -> None:
    """Refuse groups that wait for each other (FST0420). ``alone``: every op a cluster."""
    home = {op: -1 - n for n, members in enumerate(steering.kept) for op in members}
    for circle in circles(alone, home):
        names = " and ".join(_names(graph, steering.kept[-1 - k]) for k in sorted(circle, reverse=True) if k < 0)
        raise _refused(f"kernels of {names} would wait for each other")


def _name(graph: Graph, op: int) -> str:
    return "%" + graph.values[graph.nodes[op].outputs[0]].name


def _names(graph: Graph, ops: set[int] | Members) -> str:
    return ", ".join(_name(graph, n) for n in sorted(ops))


def _refused(message: str) -> FstcError:
    return FstcError(Diagnostic("FST0420", message, help="leave one of the wishes away"))


# -- limits -------------------------------------------------------------------------------------------------------

BUDGETS = {"smem": "shared_per_block_max", "regs": "registers_per_thread_max", "threads": "max_threads_per_block"}
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20}


def budgeted(device: Device, budget: str) -> Device:
    """The device with a block's limits lowered: ``smem=48K,regs=128,threads=512``. Limits are never raised.

    Raises FstcError (FST0014) for a text that is no such list.
    """
    changes: dict[str, int] = {}
    for item in (part.strip() for part in budget.split(",") if part.strip()):
        key, _, text = item.partition("=")
        number = re.fullmatch(r"(\d{1,9})([KM]?)B?", text.strip())
        if key.strip() not in BUDGETS or number is None:
            message = f"--budget: {item!r} is no limit"
            help = "for example --budget smem=48K,regs=128,threads=512; K is 1024 bytes"
            raise FstcError(Diagnostic("FST0014", message, help=help))
        name = BUDGETS[key.strip()]
        limit = int(number[1]) * UNITS[number[2]]
        least = {"smem": 0, "regs": 24, "threads": 32}[key.strip()]
        if limit < least:
            raise FstcError(Diagnostic("FST0014", f"--budget: {item}: no kernel takes less than {least}"))
        changes[name] = min(limit, getattr(device, name))
    return replace(device, **changes)  # type: ignore[arg-type]
