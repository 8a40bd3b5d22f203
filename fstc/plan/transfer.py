"""Plan a model at other extents with the placements of its real ones.

Example: a softmax over ``f32[32,12,128,128]`` is verified at ``B = 2``: the same digits, schemes and carriers,
a smaller grid. So the kernels that are checked are the kernels that ship. What may change: axes on the grid,
the number of parts of a split reduction, and how often a loop over a reduced axis goes round when nothing is
kept from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from fstc.analysis.artefact import Analysis
from fstc.device.device import Device
from fstc.ir.graph import Graph
from fstc.ir.pattern import Pattern, make_pattern
from fstc.ir.regions import Region, find_regions
from fstc.ir.rewrite import rewrite
from fstc.ir.subgraph import extract
from fstc.plan.artefact import AxisPlace, Kernel, Part, Plan, RegionPlan
from fstc.plan.candidate import Placed, place_as
from fstc.plan.options import PlanOptions
from fstc.plan.region import PlannedRegion, describe_launch
from fstc.plan.run import assemble
from fstc.plan.schedule import Schedule
from fstc.support.diagnostics import Diagnostic, FstcError


def transfer_plan(graph: Graph, analysis: Analysis, device: Device, real_graph: Graph, real: Plan) -> Plan:
    """``real``, the plan of ``real_graph``, carried over to ``graph``: the same model at smaller extents.

    Raises FstcError (FST0410) when some placement cannot stay what it is.
    """
    try:
        return _transferred(graph, analysis, device, real_graph, real)
    except _Changed as change:
        raise _refused(change, dict(real_graph.dims), dict(graph.dims)) from None


def _transferred(graph: Graph, analysis: Analysis, device: Device, real_graph: Graph, real: Plan) -> Plan:
    theirs = find_regions(real_graph)
    ours = find_regions(graph)
    if len(theirs) != len(ours):
        raise _Changed("the regions differ")
    plans = {r.hash: r for r in real.regions}
    planned: dict[str, PlannedRegion] = {}
    for small, large in zip(ours, theirs, strict=True):
        if small.hash not in planned:
            planned[small.hash] = _region(small, large, plans[large.hash], device)
    return assemble(
        graph, analysis, device, ours, planned, PlanOptions(index_bits=real.index_bits, strategy=real.strategy)
    )


class _Changed(Exception):
    """Something cannot stay; ``extents``: of the axis that is the reason, at the real extents and here."""

    def __init__(self, reason: str, extents: tuple[int, int] = (0, 0)) -> None:
        super().__init__(reason)
        self.extents = extents


def _refused(change: _Changed, real: Mapping[str, int], bound: Mapping[str, int]) -> FstcError:
    """Which named extents are the reason, as far as the numbers tell, and what to bind instead."""
    changed = {name: (real[name], n) for name, n in bound.items() if real.get(name, n) != n}
    vanished = [name for name, (_, n) in changed.items() if n == 1]
    blamed = [name for name, pair in changed.items() if pair == change.extents] or [
        name for name, (old, _) in changed.items() if old > 1 and change.extents[0] and change.extents[0] % old == 0
    ]
    reason = f"the placements of the real extents cannot be kept: {change}"
    if blamed:
        reason += f" ({_bindings(blamed, changed)})"
    if vanished and not change.extents[0]:
        help = f"an extent of 1 has no axis: bind 2 or more to {', '.join(vanished)}"
    elif blamed:
        help = f"leave {', '.join(blamed)} as in the file, or leave --as-real away; extents on the grid may be smaller"
    else:
        help = f"bind smaller values only to extents that lie on the grid; smaller here: {_bindings(changed, changed)}"
    return FstcError(Diagnostic("FST0410", reason, help=help))


def _bindings(names: Iterable[str], changed: Mapping[str, tuple[int, int]]) -> str:
    return ", ".join(f"{name} = {changed[name][0]} -> {changed[name][1]}" for name in names)


def _region(small: Region, large: Region, plan: RegionPlan, device: Device) -> PlannedRegion:
    splits = []
    for split in plan.rewrites:
        producer = large.graph.nodes[large.graph.values[split.value].node]
        real = -(-large.graph.type(producer.inputs[0]).shape[split.dim] // split.parts)
        extent = small.graph.type(producer.inputs[0]).shape[split.dim]
        chunk = real
        while chunk % 2 == 0 and (extent % chunk or extent < 2 * chunk):
            chunk //= 2  # a loop goes round half as often
        if extent % chunk:
            raise _Changed(
                f"%{large.graph.values[split.value].name} is reduced in chunks of {real}, {extent} is no multiple",
                (large.graph.type(producer.inputs[0]).shape[split.dim], extent),
            )
        splits.append((split.value, split.dim, extent // chunk))
    graph, back, _ = rewrite(small.graph, splits)
    if len(graph.nodes) != len(rewrite(large.graph, [(w.value, w.dim, w.parts) for w in plan.rewrites]).graph.nodes):
        raise _Changed("a split needs padding at one of them only")
    partials = frozenset((w.parts, parts) for w, (_, _, parts) in zip(plan.rewrites, splits, strict=True))
    kernels = tuple(_kernel(graph, n, kernel, device, partials) for n, kernel in enumerate(plan.kernels))
    moved = tuple(
        msgspec.structs.replace(w, parts=parts) for w, (_, _, parts) in zip(plan.rewrites, splits, strict=True)
    )
    made = msgspec.structs.replace(plan, hash=small.hash, rewrites=moved, kernels=kernels)
    return PlannedRegion(made, back, graph)


def _kernel(graph: Graph, number: int, kernel: Kernel, device: Device, partials: frozenset[tuple[int, int]]) -> Kernel:
    """``partials``: how many parts a split has there and here. They may be fewer: a guard leaves the rest out."""
    members = []
    for part in kernel.parts:
        cut, origin = extract(graph, part.nodes, keep=frozenset(part.outputs))
        again = frozenset(n for n, v in enumerate(origin) if v in part.again)
        placed = _placed(make_pattern(cut), part, kernel, device, partials, again)
        members.append((part.nodes, frozenset(part.outputs), placed))
    made = describe_launch(graph, number, members, device)
    if made.scheme != kernel.scheme or made.threads != kernel.threads:
        raise _Changed(f"{kernel.name} would use another scheme")
    return made


def _placed(
    pattern: Pattern,
    part: Part,
    kernel: Kernel,
    device: Device,
    partials: frozenset[tuple[int, int]],
    again: frozenset[int],
) -> Placed:
    places: list[AxisPlace] = []
    stride = 1
    if [p.axis for p in part.placement] != list(pattern.used):
        raise _Changed(_other_axes(kernel, part, pattern))
    for place in part.placement:
        extent = pattern.extent(place.axis)
        kept = extent == place.extent or (place.extent, extent) in partials
        if place.axis in pattern.columns and not kept:
            place = _fewer_steps(place, extent)
            kept = place.covered == extent
        grid = -(-extent // place.per_block)
        if place.axis in pattern.columns and not kept:
            raise _Changed(
                f"{place.axis} of {kernel.name} is reduced, {place.extent} elements at the real extents, here {extent}",
                (place.extent, extent),
            )
        places.append(msgspec.structs.replace(place, extent=extent, grid=grid, grid_stride=stride))
        stride *= grid
    placed = place_as(pattern, tuple(places), device, again=again)
    if isinstance(placed, str):
        raise _Changed(f"{kernel.name}: {placed}")
    if _arena(placed.schedule) != _arena(part):
        raise _Changed(f"{kernel.name} would keep its values elsewhere")
    return placed


def _other_axes(kernel: Kernel, part: Part, pattern: Pattern) -> str:
    """How the axes differ, by their extents."""
    real = ", ".join(str(place.extent) for place in part.placement)
    here = ", ".join(str(pattern.extent(axis)) for axis in pattern.used)
    return f"{kernel.name} has axes of {real} at the real extents, here {f'of {here}' if here else 'none'}"


def _arena(made: Schedule | Part) -> list[tuple[object, ...]]:
    """What is kept where, and where partial results cross warps."""
    kept: list[tuple[object, ...]] = [(h.carrier, h.elements, h.offset) for h in made.holds]
    return kept + [(e.offset, e.bytes, e.phase) for e in made.exchanges]


def _fewer_steps(place: AxisPlace, extent: int) -> AxisPlace:
    """The same digits, a loop that goes round less often (twice at least); or the place itself where that cannot be."""
    step = place.covered // place.serial
    if place.covered != place.extent or place.grid > 1 or place.serial < 2 or extent % step or extent < 2 * step:
        return place
    return msgspec.structs.replace(place, serial=extent // step)
