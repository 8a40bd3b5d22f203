"""``fstc plan --explain A,B``: are two values in one kernel, and what led there.

Example, the verdict: ``%max and %exp are in one kernel, k0_probabilities``; or ``%dx and %dgamma are apart: k0_dx |
k1_dgamma``. Then the way from the one to the other, terms, limits with what is left of them, and the decisions about
their kernels in the order in which they were taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import msgspec

from fstc.ir.graph import Graph
from fstc.ir.regions import is_library
from fstc.plan.artefact import Edge, Kernel
from fstc.report.apart import Told
from fstc.report.plan import COLUMNS, kernel_row
from fstc.report.questions.compare import limits_of, limits_table, terms_of, terms_table
from fstc.report.questions.homes import Home, Homes
from fstc.report.table import Report, Table

MOST = 20  # decisions of the trail
DECIDED = ("code", "", "between", "and", "gain us", "reason")
OTHER_CHOICES = "FSN032"


@dataclass(frozen=True)
class Step:
    """A value on the way from one to another, and how it gets to its reader."""

    value: str
    edge: Edge | None


def explain_report(homes: Homes, names: Sequence[str]) -> Report:
    """``names`` are one or two values, as :meth:`Homes.resolved` gives them."""
    found = [homes.of(name) for name in names]
    shared = _shared(found)
    kernels = _distinct([shared] if shared else [h for hs in found for h in hs])
    way = _way(shared, names) if shared and len(names) == 2 else []
    passing = [] if shared or len(names) < 2 else _passing(homes, found)
    told = _trail(homes, found, shared)
    verdict = _verdict(homes, names, found, shared)
    path = next((t.decision.path for t in told if t.decision.path and _between(t, found)), ())
    blocks: list[str | Table] = [verdict]
    if kernels:
        blocks.append(Table(COLUMNS, tuple(kernel_row(k) for k in kernels)))
    if way:
        blocks.append(Table(("from", "to", "carrier", "scheme", "bytes a block", "because"), tuple(_rows(way))))
    blocks += [f"between them: {line}" for line in passing]
    blocks.append(f"on a cycle: {' -> '.join(path)}" if path else "")
    if kernels:
        blocks.append(terms_table(kernels))
        if homes.plan.constants:
            blocks.append(limits_table(kernels, homes.plan.constants))
    blocks += _decisions(told)
    data = {
        "question": "explain",
        "values": list(names),
        "verdict": verdict,
        "together": bool(shared) if len(names) == 2 else None,
        "kernels": [_kernel_data(k, homes) for k in kernels],
        "homes": {name: [h.launch.name for h in hs] for name, hs in zip(names, found, strict=True)},
        "way": [{"value": s.value, "edge": msgspec.to_builtins(s.edge) if s.edge else None} for s in way],
        "between": passing,
        "path": list(path),
        "decisions": [msgspec.to_builtins(t.decision) for t in told],
    }
    return Report(data, tuple(blocks))


def _shared(found: Sequence[tuple[Home, ...]]) -> Home | None:
    """The first launch that computes all of the values."""
    if not all(found):
        return None
    steps = [{h.launch.step for h in homes} for homes in found]
    return next((h for h in found[0] if all(h.launch.step in s for s in steps)), None)


def _distinct(homes: Iterable[Home | None]) -> list[Kernel]:
    return list({id(h.kernel): h.kernel for h in homes if h}.values())


def _verdict(homes: Homes, names: Sequence[str], found: Sequence[tuple[Home, ...]], shared: Home | None) -> str:
    """One sentence, and one more for each value that several kernels compute, or none."""
    said = []
    outside = [f"%{name} is {homes.outside(name)}" for name, hs in zip(names, found, strict=True) if not hs]
    if outside:
        said.append(f"{', '.join(outside)}: no kernel computes it")
    elif shared and len(names) == 2:
        parts = [next(h.part for h in hs if h.launch.step == shared.launch.step) for hs in found]
        how = "one kernel" if parts[0] == parts[1] else "one launch, packed side by side"
        said.append(f"%{names[0]} and %{names[1]} are in {how}: {shared.launch.name}")
    elif len(names) == 2:
        places = " | ".join(_places(hs) for hs in found)
        said.append(f"%{names[0]} and %{names[1]} are apart: {places}")
    else:
        said.append(f"%{names[0]} is computed in {_places(found[0])}")
    for name, hs in zip(names, found, strict=True):
        if len(hs) > 1 and len(names) == 2:
            said.append(f"%{name} is computed again in each of {_places(hs)}")
    return "\n".join(said)


def _places(homes: Sequence[Home]) -> str:
    return ", ".join(dict.fromkeys(h.launch.name for h in homes))


# -- the way from one value to another ----------------------------------------------------------------------------


def _way(shared: Home, names: Sequence[str]) -> list[Step]:
    """A shortest chain of reads within the kernel, from whichever of the two comes first; its carriers."""
    graph, nodes = shared.place.graph, set(shared.launch.nodes)
    ids = [next(v.id for v in graph.values if v.name == name) for name in names]
    chain = _chain(graph, nodes, ids[0], ids[1]) or _chain(graph, nodes, ids[1], ids[0])
    edges = [e for part in shared.kernel.parts for e in part.edges]
    steps = []
    for value, reader in zip(chain, [*chain[1:], -1], strict=True):
        user = graph.values[reader].node if reader >= 0 else -1
        kept = [e for e in edges if e.value == value and e.user in (user, -1)] if reader >= 0 else []
        steps.append(Step(f"%{graph.values[value].name}", kept[0] if kept else None))
    return steps


def _chain(graph: Graph, nodes: set[int], first: int, last: int) -> list[int]:
    users = graph.users()
    came = {first: -1}
    queue = [first]
    for value in queue:
        if value == last:
            chain = [value]
            while came[chain[-1]] >= 0:
                chain.append(came[chain[-1]])
            return chain[::-1]
        for made in (v for u in users[value] if u in nodes for v in graph.nodes[u].outputs if v not in came):
            came[made] = value
            queue.append(made)
    return []


def _rows(way: Sequence[Step]) -> Iterator[tuple[str, str, str, str, int | None, str]]:
    """One row for each value that is read on the way."""
    for step, following in pairwise(way):
        if step.edge is None:
            yield step.value, following.value, "-", "thread", None, "its reader is the same thread, at once"
        else:
            edge = step.edge
            yield step.value, following.value, edge.carrier, edge.scheme, edge.bytes, edge.why


def _passing(homes: Homes, found: Sequence[tuple[Home, ...]]) -> list[str]:
    """Tensors that one kernel writes and the other reads, or both read; library calls on the way."""
    if not all(found):
        return []
    a, b = found[0][0].launch, found[1][0].launch
    first, last = sorted((a, b), key=lambda launch: launch.step)
    tensors = homes.launches.tensors
    said = [f"%{tensors[k].name} {tensors[k].type} is written and read again" for k in first.writes if k in last.reads]
    said += [f"%{tensors[k].name} {tensors[k].type} is read by both" for k in first.reads if k in last.reads]
    if first.place != last.place:
        calls = [s for s in homes.launches.steps[first.step : last.step] if s.call is not None and is_library(s.call)]
        names = ", ".join(f"{s.name} %{tensors[s.writes[0]].name}" for s in calls[:3])
        more = f" and {len(calls) - 3} more" if len(calls) > 3 else ""
        said.append(f"library calls run between their kernels: {names}{more}" if calls else "another region")
    return said or ["no tensor"]


# -- the trail ----------------------------------------------------------------------------------------------------


def _trail(homes: Homes, found: Sequence[tuple[Home, ...]], shared: Home | None) -> list[Told]:
    """Decisions about their kernels in order, and what else the region was planned with."""
    if not all(found):
        return []
    if len(found) == 2 and not shared and (between := [t for t in homes.told if _between(t, found)]):
        told = between
    else:
        told = list(homes.about((shared,) if shared else tuple(h for hs in found for h in hs)))
    regions = {homes.launches.places[h.launch.place].region for hs in found for h in hs}
    return told + [t for t in homes.told if t.region in regions and t.decision.code == OTHER_CHOICES and t not in told]


def _between(told: Told, found: Sequence[tuple[Home, ...]]) -> bool:
    """Its sides lie in the kernels of the one and of the other value."""
    if len(found) < 2 or not told.left or not told.right:
        return False
    a, b = ({h.launch.number for h in homes} for homes in found)
    ways = ((told.left, told.right), (told.right, told.left))
    return any(not left.isdisjoint(a) and not right.isdisjoint(b) for left, right in ways)


def _decisions(told: Sequence[Told]) -> list[str | Table]:
    """The trail, then what each decision that has a price rests on: terms and limits."""
    if not told:
        return ["no decision is about these kernels: nothing was to be chosen"]
    shown = [t.decision for t in told[:MOST]]
    rows = tuple((d.code, "joined" if d.accepted else "apart", d.left, d.right, d.gain_us, d.reason) for d in shown)
    blocks: list[str | Table] = [Table(DECIDED, rows, title="decisions about their kernels")]
    if len(told) > MOST:
        blocks.append(f"and {len(told) - MOST} more: --explain")
    priced = []
    for d in shown:
        terms = ", ".join(f"{name} {us:+.4g}" for name, us in d.terms.items() if abs(us) >= 5e-4)
        limits = ", ".join(f"{name} {used:g} of {limit:g}" for name, (used, limit) in d.limits.items())
        if terms or limits:
            priced.append((d.code, d.left, d.right, terms or "-", limits or "-"))
    if priced:
        title = "terms of their price, us: one kernel less the kernels apart; limits of the one kernel"
        blocks.append(Table(("code", "between", "and", "terms", "limits"), tuple(priced), title=title))
    return blocks


def _kernel_data(kernel: Kernel, homes: Homes) -> dict[str, Any]:
    return {
        "name": kernel.name,
        "predicted_us": kernel.predicted_us,
        "bound": kernel.bound,
        "terms": terms_of([kernel]),
        "limits": {
            name: {"used": used, "limit": limit, "left": limit - used}
            for name, used, limit in limits_of(kernel, homes.plan.constants)
        },
    }
