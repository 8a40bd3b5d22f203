"""Kernel packing: independent kernels of one level share a launch, each on its own range of blocks.

Example: twelve Adam updates from 64 to 9.4 million elements become one launch of twelve ranges.
"""

from __future__ import annotations

from fstc.device.device import Device
from fstc.ir.ops.opdef import Form
from fstc.ir.pattern import Refusal
from fstc.plan.artefact import Decision
from fstc.plan.candidate import Placed
from fstc.plan.cluster import MOST_POINTERS, Cluster, Grower
from fstc.plan.options import STITCH
from fstc.support.diagnostics import Diagnostic, FstcError

MOST_PARTS = 64
THREADS = (256, 128, 512)


def pack(grower: Grower, clusters: list[Cluster], device: Device) -> list[list[tuple[Cluster, Placed]]]:
    """Launches in an order in which they can run; each is a list of clusters with their placements."""
    levels = grower.levels(clusters)
    launches: list[tuple[int, list[tuple[Cluster, Placed]]]] = []
    for level in range(max(levels, default=-1) + 1):
        members = [c for c, at in zip(clusters, levels, strict=True) if at == level]
        for group in _groups(grower, members, device):
            launches.append((level, group))
    return [group for _, group in launches]


def _groups(grower: Grower, members: list[Cluster], device: Device) -> list[list[tuple[Cluster, Placed]]]:
    packed: list[tuple[Cluster, Placed]] = []
    for cluster in members:
        placed = grower.place(cluster.nodes)
        if isinstance(placed, Refusal):
            raise FstcError(Diagnostic("FST0411", f"{grower._name(cluster.nodes)} fits no kernel: {placed.reason}"))
        packed.append((cluster, placed))
    if len(packed) < 2 or grower.strategy != STITCH:
        return [[item] for item in packed]
    open_groups: list[list[tuple[Cluster, Placed]]] = []
    in_place = [i for i in packed if any(grower.graph.nodes[n].op.form is Form.SCATTER for n in i[0].nodes)]
    for item in (i for i in packed if i not in in_place):
        for group in open_groups:
            joined = _join(grower, [*group, item], device)
            if joined is not None:
                group[:] = joined
                break
        else:
            open_groups.append([item])
    return open_groups + [[item] for item in in_place]


def _join(grower: Grower, items: list[tuple[Cluster, Placed]], device: Device) -> list[tuple[Cluster, Placed]] | None:
    """The items placed for one block size, when a single launch of them is predicted to be faster."""
    pointers = sum(len(p.pattern.graph.inputs) + len(p.pattern.graph.outputs) for _, p in items)
    if len(items) > MOST_PARTS or pointers > MOST_POINTERS:
        return None
    now = sum(p.estimate.time for _, p in items)
    best: tuple[float, list[tuple[Cluster, Placed]]] | None = None
    common = {p.schedule.threads for _, p in items}
    sizes = (common.pop(),) if len(common) == 1 else THREADS
    for threads in sizes:
        made: list[tuple[Cluster, Placed]] = []
        for cluster, placed in items:
            again = placed if placed.schedule.threads == threads else grower.place(cluster.nodes, threads)
            if isinstance(again, Refusal):
                break
            made.append((cluster, again))
        else:
            time = side_by_side([p for _, p in made], device)
            if time < now and (best is None or time < best[0]):
                best = (time, made)
    if best is None:
        return None
    left, right = grower._name(items[0][0].nodes), grower._name(items[-1][0].nodes)
    grower.decisions.append(
        Decision(
            code="FSN003",
            accepted=True,
            left=left,
            right=right,
            gain_us=now - best[0],
            reason="independent kernels share one launch",
        )
    )
    return best[1]


def side_by_side(placed: list[Placed], device: Device) -> float:
    """Microseconds of one launch of independent parts: they fill the device together, the longest is waited for.

    A part that uses a share of the SMs costs that share of its time; the parts with the least room slow the others.
    """
    resident = min(p.estimate.blocks_per_sm for p in placed)
    longest = total = 0.0
    for p in placed:
        slowed = max(1.0, min(p.estimate.blocks_per_sm, 4) / max(resident, 1))
        body = (p.estimate.time - device.launch_us) * slowed
        longest = max(longest, body)
        total += body * min(1.0, p.blocks / device.sms)
    return device.launch_us + max(longest, total)
