"""analyze: regions between library calls, their axes, op classes, users, post-dominance and bytes.

Example: ``analyze(graph).regions[0].floor``. Nothing here depends on a device.
"""

from __future__ import annotations

from bisect import bisect_left

from fstc.analysis.artefact import Analysis, AxisFact, OpFact, RegionFact
from fstc.ir.axes import Axes, find_axes
from fstc.ir.graph import Graph
from fstc.ir.ops.opdef import Form
from fstc.ir.pattern import make_pattern
from fstc.ir.regions import find_regions
from fstc.ir.traffic import floor_bytes
from fstc.support.profile import count, timed


def analyze(graph: Graph) -> Analysis:
    """Facts of a graph. Pure; near-linear in its size."""
    regions = find_regions(graph)
    count("regions", len(regions))
    count("distinct regions", len({r.hash for r in regions}))
    home: dict[int, int] = {}
    first: dict[str, int] = {}
    facts: list[RegionFact] = []
    axes: dict[str, Axes] = {}
    for number, region in enumerate(regions):
        same = first.setdefault(region.hash, number)
        if same == number:
            with timed("axes"):
                axes[region.hash] = find_axes(region.graph)
            with timed("floors"):
                floor, unfused = _floor(region.graph, axes[region.hash]), _unfused(region.graph)
        else:
            floor, unfused = facts[same].floor, facts[same].unfused
        found = axes[region.hash]
        local = {n: k for k, n in enumerate(region.nodes)}
        home |= {n: number for n in region.nodes if graph.nodes[n].op.form is not Form.CONSTANT}
        back = {k: n for n, k in local.items()}
        facts.append(
            RegionFact(
                hash=region.hash,
                same_as=same,
                depth=region.depth,
                nodes=region.nodes,
                inputs=tuple(region.origin[v] for v in region.graph.inputs),
                outputs=tuple(region.origin[v] for v in region.graph.outputs),
                axes=tuple(AxisFact(name=a.name, extent=a.extent) for a in found.axes),
                renamed=tuple((back[n], k) for n, k in found.renamed),
                floor=floor,
                unfused=unfused,
            )
        )
    users = graph.users()
    after = _post_dominators(graph, users)
    ops = []
    for node in graph.nodes:
        number = home.get(node.id, -1)
        members: tuple[str, ...] = ()
        reduced: tuple[str, ...] = ()
        if number >= 0:
            region = regions[number]
            k = bisect_left(region.nodes, node.id)
            local_node = region.graph.nodes[k]
            members = axes[region.hash].members[local_node.outputs[0]]
            reduced = axes[region.hash].reduced[k]
        ops.append(
            OpFact(
                node=node.id,
                op=node.op.name,
                kind=node.op.kind.value,
                region=number,
                users=sum(len(users[v]) for v in node.outputs),
                dominator=after[node.id],
                axes=members,
                reduced=reduced,
                bytes=sum(graph.type(v).nbytes for v in node.outputs),
            )
        )
    return Analysis(ops=tuple(ops), regions=tuple(facts), value_bytes=tuple(v.type.nbytes for v in graph.values))


def _floor(graph: Graph, axes: Axes) -> int:
    return floor_bytes(make_pattern(graph, axes))


def _unfused(graph: Graph) -> int:
    """Every op reads its operands and writes its results; inline constants and iota cost nothing to read."""
    total = 0
    for node in graph.nodes:
        if node.op.form is Form.CONSTANT:
            continue
        total += sum(graph.type(v).nbytes for v in node.outputs)
        for v in dict.fromkeys(node.inputs):
            producer = graph.values[v].node
            if producer < 0 or graph.nodes[producer].op.form is not Form.CONSTANT:
                total += graph.type(v).nbytes
    return total


def _post_dominators(graph: Graph, users: tuple[tuple[int, ...], ...]) -> list[int]:
    """Immediate post-dominator of every node (Cooper, Harvey, Kennedy 2001); -1 is the common exit."""
    results = set(graph.outputs)
    found = [-1] * len(graph.nodes)
    depth = [0] * (len(graph.nodes) + 1)  # of the dominator tree; the last entry is the exit
    for node in reversed(graph.nodes):
        below = sorted({u for v in node.outputs for u in users[v]})
        if results & set(node.outputs) or not below:
            found[node.id] = -1
        else:
            meet = below[0]
            for other in below[1:]:
                while meet != other and meet >= 0 and other >= 0:
                    if depth[meet] >= depth[other]:
                        meet = found[meet]
                    else:
                        other = found[other]
                meet = meet if meet == other else -1
            found[node.id] = meet
        depth[node.id] = depth[found[node.id]] + 1 if found[node.id] >= 0 else 1
    return found
