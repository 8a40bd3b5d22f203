"""Registers of a thread: what is alive at the widest point of its code.

    base + tensor x accesses + loaded x loaded words + alive x words alive + partial x partial results + results + held

Example: a bf16 row with 8 elements a thread that is held has 4 held words, 4 loaded ones, 8 to 16 alive and a partial
sum. The weights are in the device description, fitted to the compiler, which moves loads up and reuses registers
sooner or later than the text says (docs/planning.md, "How good the model is").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fstc.device.device import Device
from fstc.ir.graph import Node
from fstc.ir.pattern import Pattern
from fstc.plan.artefact import AxisPlace, Nest
from fstc.plan.code import WORD, Codes
from fstc.plan.holds import Held


def accumulators(pattern: Pattern, node: Node, places: Mapping[str, AxisPlace]) -> int:
    """Partial results of a reduction that one thread carries: its kept vector and serial digits."""
    count = 1
    for axis in pattern.kept(node):
        count *= places[axis].per_thread
    return count


def component_bytes(pattern: Pattern, node: Node) -> int:
    """Bytes of one partial result, all components: f32 accumulators for narrow floats, value and index for argmax."""
    total = 0
    for value in node.outputs:
        dtype = pattern.graph.type(value).dtype
        total += max(4, dtype.size) if dtype.is_float else dtype.size
    return total if node.op.monoid is not None else total + 1


def working(
    device: Device, codes: Codes, nests: Sequence[Nest], held: Sequence[Held], places: Mapping[str, AxisPlace]
) -> list[float]:
    """Registers of each phase when ``held`` values are at hand, without those that hold them."""
    pattern = codes.pattern
    widest = [0.0] * pattern.phases()
    for nest, code in zip(nests, codes.all(nests, held), strict=True):
        width = code.width(tuple((a, places[a].vector) for a in nest.loops if places[a].vector > 1))
        words = (
            device.registers_tensor * width.accesses
            + device.registers_loaded * width.loaded
            + device.registers_alive * width.alive
        )
        widest[nest.phase] = max(widest[nest.phase], words)
    for node in pattern.reductions:
        words = accumulators(pattern, node, places) * max(WORD, component_bytes(pattern, node)) / WORD
        first = pattern.depth[node.id] - 1
        widest[first] += device.registers_partial * words
        for phase in range(first + 1, pattern.last_use.get(node.id, first) + 1):
            widest[phase] += words
    return [device.registers_base + words for words in widest]


def between(working: Sequence[float], crossing: Sequence[int]) -> float:
    """Registers at the widest point, with what is held after each phase but the last."""
    ends = (0, *crossing, 0)
    return max(words + max(ends[phase], ends[phase + 1]) for phase, words in enumerate(working))
