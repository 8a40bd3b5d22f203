"""Values by name: which kernels compute them, and whether groups of them are together or apart.

Example: ``stitched(group, facts)`` is empty when some kernel computes all values of the group, else
``"in 2 kernels: k0_max (max), k1_probabilities (exp, probabilities)"``.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from fstc.ir.ops.opdef import Form
from fstc.ir.regions import is_library
from fstc.report.expect.facts import PlanFacts
from fstc.report.expect.parse import Group, Pattern
from fstc.support.suggest import clipped, did_you_mean

MOST_NAMES, MOST_KERNELS = 4, 8  # in one finding
WILD = frozenset("*?[")


def matching(pattern: Pattern, facts: PlanFacts) -> tuple[str, ...]:
    """The computed values of such a name, in the order in which kernels compute them."""
    if is_name(pattern):
        return (pattern.text,) if pattern.text in facts.places else ()
    return tuple(name for name in facts.places if fnmatchcase(name, pattern.text))


def is_name(pattern: Pattern) -> bool:
    """A plain name, which is looked up: files that are written from a plan have one for each value."""
    return WILD.isdisjoint(pattern.text)


def stitched(group: Group, facts: PlanFacts) -> str:
    """Why the group is not in one kernel, or nothing. Values that are computed again elsewhere may be."""
    wanted = dict.fromkeys(name for pattern in group.patterns for name in matching(pattern, facts))
    if not wanted or any(wanted.keys() <= launch.computes for launch in facts.places[next(iter(wanted))]):
        return ""
    first = {name: facts.places[name][0] for name in wanted}
    homes = {launch.number: launch for launch in first.values()}
    places = [f"{homes[n].name} ({few(v for v in wanted if first[v].number == n)})" for n in sorted(homes)]
    return f"in {len(places)} kernels: {_some(places)}{_reason(wanted, facts)}"


def apart(group: Group, facts: PlanFacts) -> str:
    """Which values share a kernel that should not, or nothing."""
    sides: dict[str, set[int]] = {}  # a name may match several patterns
    for n, pattern in enumerate(group.patterns):
        for m, name in enumerate(matching(pattern, facts)):
            sides.setdefault(name, set()).add(m if group.alone else n)
    for launch in facts.launches:
        first: dict[int, str] = {}  # of each side, what the launch computes first
        for name in dict.fromkeys(name for part in launch.parts for name in part if name in sides):
            for side in sorted(sides[name]):
                other = next((n for s, n in first.items() if s != side and n != name), None)
                if other is not None:
                    return f"{launch.name} computes both {other} and {name}"
                first.setdefault(side, name)
    return ""


def not_found(pattern: Pattern, facts: PlanFacts, hint: bool) -> tuple[str, str]:
    """Why a pattern has no value, and with ``hint`` what may have been meant: looking for it takes long."""
    graph = facts.graph
    if hint:
        for value in (v for v in graph.values if fnmatchcase(v.name, pattern.text)):
            maker = graph.nodes[value.node] if value.node >= 0 else None
            if maker is None:
                what = "an input"
            elif is_library(maker):
                what = "made by a library call"
            else:
                what = "a constant" if maker.op.form is Form.CONSTANT else "of no use to any result"
            return f"{clipped(value.name)} is {what}: no kernel computes it", ""
    message = f"no kernel computes a value called {clipped(pattern.text)}"
    return message, did_you_mean(pattern.text, facts.places, str) if hint else ""


def few(names: Iterable[str]) -> str:
    shown = list(names)
    more = f" and {len(shown) - MOST_NAMES} more" if len(shown) > MOST_NAMES else ""
    return ", ".join(shown[:MOST_NAMES]) + more


def _some(texts: list[str]) -> str:
    more = f", and {len(texts) - MOST_KERNELS} more" if len(texts) > MOST_KERNELS else ""
    return ", ".join(texts[:MOST_KERNELS]) + more


def _reason(wanted: Iterable[str], facts: PlanFacts) -> str:
    """The planner's own word for it: a declined decision between two values of the group."""
    names = {f"%{name}" for name in wanted}
    for d in facts.decisions:
        if not d.accepted and d.left in names and d.right in names:
            return f"; {d.code} {d.left} | {d.right}: {d.reason}"
    return ""
