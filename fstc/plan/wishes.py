"""What the user wants of a plan, by name: values in one kernel, in different ones, kernels as they shall be.

Example: ``wishes_of(graph, regions, PlanOptions(forbid=("%max,%exp",)))`` names two ops of a region that stay apart.
Equal regions have one plan, so that a wish for one layer holds for all layers like it. What cannot be is refused with
the reason (FST0420). How wishes bind the search is :mod:`fstc.plan.steer`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from fstc.ir.graph import Graph, Node
from fstc.ir.literals import value_name
from fstc.ir.ops.opdef import Form
from fstc.ir.regions import Region, depths, is_library
from fstc.plan.options import PlanOptions
from fstc.support.diagnostics import Diagnostic, FstcError, Label, Note
from fstc.support.suggest import did_you_mean

Group = tuple[int | str, ...]
"""Values by id; by name those that only a rewritten region has, such as the partial results of a split reduction."""

K = TypeVar("K", int, str)
MADE = ("wide", "neutral", "padded", "parts", "partial", "total")  # what a split calls its own values, after a dot
_ITEM = re.compile(r'\s*(?:%?("(?:[^"\\]|\\.)*")|([^",|]*))\s*')


class Refused(FstcError):
    """A wish that no plan can keep. ``because`` is the code of the reason (FSN...), where there is one; ``why`` the
    reason without the names that the wish has.
    """

    def __init__(self, message: str, because: str = "", why: str = "", help: str = "", **more: Any) -> None:
        said = ": ".join(part for part in (message, why) if part) + (f" ({because})" if because else "")
        help = help or (f"`fstc explain {because}` says what that means" if because else "leave one of the wishes away")
        super().__init__(Diagnostic("FST0420", said, help=help, **more))
        self.because, self.why = because, why or message


class NotSplit(Refused):
    """A wish about a split that the choice at hand does not make; another may."""


@dataclass(frozen=True)
class Wishes:
    """Wishes for one region, in value ids of its graph before any rewrite. ``launched``: groups that share a launch,
    whether as one kernel's values or packed.
    """

    together: tuple[Group, ...] = ()
    apart: tuple[Group, ...] = ()
    pinned: tuple[Group, ...] = ()
    launched: tuple[Group, ...] = ()

    def moved(self, where: Mapping[int, int], graph: Graph) -> Wishes:
        """The same for a rewritten graph; ``where`` has the new id of each value.

        Raises FstcError (FST0420) for a name of a split that this rewrite does not have.
        """
        names = {v.name: v.id for v in graph.values} if any(self._named(str)) else {}

        def moved(v: int | str) -> int:
            if isinstance(v, int):
                return where[v]
            if v not in names:
                raise NotSplit(f"--pins: %{v} is part of a split reduction, and none is split so")
            return names[v]

        def all_of(groups: tuple[Group, ...]) -> tuple[Group, ...]:
            return tuple(tuple(map(moved, group)) for group in groups)

        return Wishes(all_of(self.together), all_of(self.apart), all_of(self.pinned), all_of(self.launched))

    def by_packing(self) -> Wishes:
        """What is wanted in one kernel may also be independent parts of one launch."""
        return Wishes((), self.apart, self.pinned, (*self.launched, *self.together))

    def ops(self, graph: Graph) -> frozenset[int]:
        """Nodes that a wish names; of a graph to which the wishes were moved."""
        return frozenset(graph.values[v].node for v in self._named(int))

    def _named(self, kind: type[K]) -> Iterator[K]:
        groups = (*self.together, *self.apart, *self.pinned, *self.launched)
        return (v for group in groups for v in group if isinstance(v, kind))


NOTHING = Wishes()


@dataclass
class _Collected:
    together: list[Group] = field(default_factory=list)
    apart: list[Group] = field(default_factory=list)
    pinned: list[Group] = field(default_factory=list)
    launched: list[Group] = field(default_factory=list)
    places: dict[Group, int] = field(default_factory=dict)  # of pins: the first region that has it

    def pin(self, group: Group, place: int) -> None:
        """Equal regions have one plan: a pin of the one is a pin of the other, and may be given for both."""
        if group in self.places:
            return
        for other, there in self.places.items():
            if there != place and not set(other).isdisjoint(group):
                raise Refused("--pins: layers that are alike have one plan, and their pins differ")
        self.places[group] = place
        self.pinned.append(group)


def parts_of(text: str) -> list[list[str]]:
    """Names of a wish without their ``%``: ``%a,%b`` is one kernel; ``%a,%b|%c`` one launch of two. Quoted names may
    hold anything.
    """
    parts: list[list[str]] = [[]]
    at = 0
    while at <= len(text):
        match = _ITEM.match(text, at)
        assert match is not None
        name = _unquoted(match[1]) if match[1] else match[2].strip().removeprefix("%")
        if name:
            parts[-1].append(name)
        if text[match.end() : match.end() + 1] == "|":
            parts.append([])
        at = match.end() + 1
    return [part for part in parts if part]


def _unquoted(text: str) -> str:
    """The name in a JSON string; a text that is none stands for itself, and names nothing."""
    try:
        return str(json.loads(text))
    except json.JSONDecodeError:
        return text


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
            parts = parts_of(text)
            values = dict.fromkeys(named(names, name, flag) for part in parts for name in part)
            if len(values) < (1 if attribute == "pinned" else 2):
                help = f"give two values or more, for example {flag} %a,%b"
                raise FstcError(Diagnostic("FST0420", f"{flag} {text}: nothing to put together or apart", help=help))
            places = [_region(graph, regions, v if isinstance(v, int) else names[_base(v)], flag) for v in values]
            if any(place is not places[0] for place in places):
                if attribute == "apart":
                    continue  # what lies in two regions is apart
                raise _two_regions(graph, [v for v in values if isinstance(v, int)], flag)
            local = {g: n for n, g in enumerate(places[0].origin)}
            of_region = found.setdefault(places[0].hash, _Collected())
            groups = [[named(names, name, flag) for name in part] for part in parts]
            made = [tuple(dict.fromkeys(local[v] if isinstance(v, int) else v for v in g)) for g in groups]
            if attribute == "pinned":
                for group in made:
                    of_region.pin(group, places[0].depth)
                of_region.launched += [tuple(v for g in made for v in g)] if len(made) > 1 else []
            else:
                getattr(of_region, attribute).append(tuple(dict.fromkeys(v for g in made for v in g)))
    return {h: Wishes(tuple(c.together), tuple(c.apart), tuple(c.pinned), tuple(c.launched)) for h, c in found.items()}


def named(names: Mapping[str, int], name: str, flag: str) -> int | str:
    """The value of a name; a pin may also name what a split makes, and then the name stays."""
    if name in names:
        return names[name]
    if flag == "--pins" and _base(name) in names:
        return name
    help = did_you_mean(name, names, lambda n: f"%{n}") or "names are those of the .fir"
    raise FstcError(Diagnostic("FST0420", f"{flag}: there is no value called %{name}", help=help))


def _base(name: str) -> str:
    """The reduction that a split's value belongs to; empty for any other name."""
    base, _, made = name.rpartition(".")
    return base if made in MADE else ""


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
    for region in regions:
        if node in region.nodes:
            return region
    raise FstcError(Diagnostic("FST0420", f"{flag}: {name} is of no use to any result; no kernel computes it", label))


def _two_regions(graph: Graph, values: Sequence[int], flag: str) -> FstcError:
    """Which library calls lie between values that are wanted in one kernel."""
    depth = depths(graph)
    first, last = (pick(values, key=lambda v: depth[graph.values[v].node]) for pick in (min, max))
    names = ", ".join(f"%{graph.values[v].name}" for v in values)
    between = _library_path(graph, first, last)
    notes = tuple(Note(f"{n.op.name} %{graph.values[n.outputs[0]].name} lies between", n.span) for n in between[:3])
    calls = ", ".join(f"{n.op.name} {value_name(graph.values[n.outputs[0]].name)}" for n in between[:3])
    more = f" and {len(between) - 3} more" if len(between) > 3 else ""
    why = f"library calls lie between, {calls}{more}" if between else "one waits for more library calls than the other"
    help = "a kernel holds ops of one region; `fstc analyze` lists the regions"
    return Refused(f"{flag} {names}: they cannot share a kernel", why=why, help=help, notes=notes)


def _library_path(graph: Graph, first: int, last: int) -> list[Node]:
    """Library calls on the ways from one value to another, in order."""
    after, before = {first}, {last}
    for node in graph.nodes:
        if not after.isdisjoint(node.inputs):
            after.update(node.outputs)
    for node in reversed(graph.nodes):
        if not before.isdisjoint(node.outputs):
            before.update(node.inputs)
    between = after & before
    return [n for n in graph.nodes if is_library(n) and not between.isdisjoint(n.outputs)]
