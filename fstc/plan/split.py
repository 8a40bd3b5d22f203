"""Which reductions to split over the grid: those with too few results to keep the device busy.

Example: dbias, ``f32[4096]`` out of ``f32[4096,4096]``, has 32 tiles of columns for 132 SMs; in 8 parts it has 256
blocks, and a second, small launch adds the parts.
"""

from __future__ import annotations

from dataclasses import dataclass

from fstc.device.device import Device
from fstc.ir.axes import reduced_dims
from fstc.ir.graph import Graph, Node
from fstc.ir.ops.opdef import Form

SMALL = 1 << 18  # bytes below which one launch is cheaper than two
TILE = 128  # results of a column reduction that one block makes
LEAST = 1024  # elements a part should have
WAVES = (0, 2, 8, 32)  # blocks an SM that the parts should make; each is planned, the fastest plan stays
MANY = 1024  # ops of a region that is planned for one choice only
MIDDLE = 8  # of these, for what is split beside a mixed pass
MIXED = (2, 8, 16)  # blocks an SM of a pass that reduces rows and columns

Space = tuple[tuple[int, ...], tuple[int, ...]]
"""Shape of a reduction's operand, and the dimensions that it removes."""


@dataclass(frozen=True)
class Split:
    value: int
    dim: int
    parts: int
    reason: str


def split_choices(graph: Graph, device: Device) -> tuple[tuple[Split, ...], ...]:
    """Distinct sets of splits of a region's graph that are worth planning; the first is to split nothing."""
    ways = [(waves, 0) for waves in WAVES] + [(MIDDLE, mixed) for mixed in MIXED]
    if len(graph.nodes) > MANY:
        ways = [(MIDDLE, 0)]
    return tuple(dict.fromkeys(_choose(graph, device, waves, mixed) for waves, mixed in ways))


def _choose(graph: Graph, device: Device, waves: int, mixed: int) -> tuple[Split, ...]:
    """Splits in program order. A reduction over the rows of one that stays whole stays whole with it.

    ``mixed``: blocks an SM, where a reduction down the columns meets one along the rows of the same space: one
    pass can make both when a block has all columns of some rows, so that a part is a block. 0: not looked for.
    """
    below = _largest_below(graph)
    crossing = _crossing(graph) if mixed else frozenset()
    if mixed and not crossing:
        return ()
    found: list[Split] = []
    whole: set[Space] = set()
    for node in graph.nodes:
        if waves and node.op.form is Form.REDUCE and len(node.outputs) == 1:
            key = graph.type(node.inputs[0]).shape, reduced_dims(node)
            split = None
            if node.op.monoid and not node.regions:
                split = _split(graph, node, below, device, waves, mixed if key in crossing else 0)
            if split:
                found.append(split)
            elif _meets_operand(graph, node, below):
                whole.add(key)
    return tuple(s for s in found if _space(graph, s) not in whole)


def _space(graph: Graph, split: Split) -> Space:
    node = graph.nodes[graph.values[split.value].node]
    return graph.type(node.inputs[0]).shape, reduced_dims(node)


def _crossing(graph: Graph) -> frozenset[Space]:
    """Spaces of reductions that meet another reduction of the same operand shape over other dimensions."""
    spaces = {(graph.type(n.inputs[0]).shape, reduced_dims(n)) for n in graph.nodes if n.op.form is Form.REDUCE}
    by_shape: dict[tuple[int, ...], list[tuple[int, ...]]] = {}
    for shape, axes in spaces:
        by_shape.setdefault(shape, []).append(axes)
    return frozenset(
        (shape, axes) for shape, axes in spaces if any(set(axes).isdisjoint(other) for other in by_shape[shape])
    )


def _split(graph: Graph, node: Node, below: list[int], device: Device, waves: int, mixed: int) -> Split | None:
    operand, result = graph.type(node.inputs[0]), graph.type(node.outputs[0])
    if not operand.elements or operand.nbytes < SMALL:
        return None
    axes = [a for a in reduced_dims(node) if operand.shape[a] > 1]
    if not axes:
        return None
    inner = max(n for n, e in enumerate(operand.shape) if e > 1)
    blocks = result.elements if inner in axes else -(-result.elements // TILE)
    stitched = _meets_operand(graph, node, below)
    if blocks >= device.sms or (stitched and _alone(operand.nbytes, blocks, device)):
        return None
    each = operand.elements // max(result.elements, 1)
    wanted = mixed * device.sms if mixed and inner not in axes else waves * device.sms // max(blocks, 1)
    target = min(wanted, each * (1 if inner in axes else TILE) // LEAST)
    dim = max(axes, key=lambda a: (operand.shape[a], -a))
    parts = _parts(operand.shape[dim], target)
    if parts < 2:
        return None
    return Split(
        node.outputs[0],
        dim,
        parts,
        f"{blocks} blocks for {device.sms} SMs; in {parts} parts {blocks * parts}, and a second launch adds them",
    )


def _alone(size: int, blocks: int, device: Device) -> bool:
    """Whether few blocks, which keep their rows on chip, beat two more launches and reading the operand again."""
    stream = size / (device.dram_gbps * 1e3)
    return stream * (device.sms / blocks - 1) < 2 * device.launch_us + stream


def _parts(extent: int, target: int) -> int:
    """The divisor of the extent that is nearest to the target, or the target where no divisor is near."""
    target = min(target, extent)
    if target < 2:
        return 1
    divisors = {d for k in range(1, int(extent**0.5) + 1) if extent % k == 0 for d in (k, extent // k)}
    near = [d for d in divisors if target / 2 <= d <= 2 * target]
    return min(near, key=lambda d: (abs(d - target), d)) if near else target


def _largest_below(graph: Graph) -> list[int]:
    """Per value the elements of the largest value that is computed from it."""
    found = [0] * len(graph.values)
    for node in reversed(graph.nodes):
        largest = max((max(graph.type(v).elements, found[v]) for v in node.outputs), default=0)
        for v in node.inputs:
            found[v] = max(found[v], largest)
    return found


def _meets_operand(graph: Graph, node: Node, below: list[int]) -> bool:
    """Whether some user of the result is as large as the operand: it would read it again."""
    return below[node.outputs[0]] >= graph.type(node.inputs[0]).elements
