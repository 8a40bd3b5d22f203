"""Fusible regions: what lies between library calls, one region for each library depth.

Example: in a BERT layer the softmax lies at depth 2 (two GEMMs above it on some path). No region has a path through a
library call, so any part of it may become one kernel. An op with slack moves down to its first user; inline constants
belong to every region that uses them, ops that nothing needs to none.
"""

from __future__ import annotations

from dataclasses import dataclass

from fstc.ir.graph import Graph, Node
from fstc.ir.ops.opdef import Form, Kind
from fstc.ir.subgraph import extract, structural_hash
from fstc.support.profile import timed


@dataclass(frozen=True)
class Region:
    """A stand-alone graph, where its values are in the whole graph, and the hash that equal regions share."""

    graph: Graph
    origin: tuple[int, ...]  # local value id -> value id of the whole graph
    nodes: tuple[int, ...]  # node ids of the whole graph, inline constants included
    depth: int
    hash: str


def is_library(node: Node) -> bool:
    if node.op.form is Form.SCATTER:
        return not scatters_in_place(node)
    return node.op.kind is Kind.LIBRARY or node.op.form is Form.LIBRARY


def scatters_in_place(node: Node) -> bool:
    """A scatter of one tensor whose indices are unique: its updates meet in no element, so a kernel may make them."""
    return (
        node.op.form is Form.SCATTER
        and bool(node.attr("unique_indices"))
        and len(node.inputs) == 3
        and all(n.op.form in (Form.ELEMENTWISE, Form.CONSTANT) for n in node.regions[0].graph.nodes)
    )


def is_inline_constant(node: Node) -> bool:
    """A splat that is written into the kernels that use it; other constants are buffers."""
    return node.op.form is Form.CONSTANT and node.attr("data") is None and not isinstance(node.attr("value"), tuple)


def depths(graph: Graph) -> list[int]:
    """Library depth of every node: library calls count one more than what they read."""
    value_depth = [0] * len(graph.values)
    depth = [0] * len(graph.nodes)
    for node in graph.nodes:
        above = max((value_depth[v] for v in node.inputs), default=0)
        depth[node.id] = above + 1 if is_library(node) else above
        for v in node.outputs:
            value_depth[v] = depth[node.id]
    users = graph.users()
    results = set(graph.outputs)
    for node in reversed(graph.nodes):
        if is_library(node) or node.op.form is Form.CONSTANT:
            continue
        below = [depth[u] - (1 if is_library(graph.nodes[u]) else 0) for v in node.outputs for u in users[v]]
        if below and not results & set(node.outputs):
            depth[node.id] = max(depth[node.id], min(below))
    return depth


def _live(graph: Graph) -> set[int]:
    """Nodes that a result or a library call needs; the others are left out of every region."""
    wanted = set(graph.outputs)
    found: set[int] = set()
    for node in reversed(graph.nodes):
        if is_library(node) or not wanted.isdisjoint(node.outputs):
            found.add(node.id)
            wanted.update(node.inputs)
    return found


def find_regions(graph: Graph) -> tuple[Region, ...]:
    """The regions in order of depth; deterministic."""
    with timed("regions"):
        return _find(graph)


def _find(graph: Graph) -> tuple[Region, ...]:
    depth = depths(graph)
    live = _live(graph)
    slices: dict[int, list[int]] = {}
    for node in graph.nodes:
        if node.id in live and not is_library(node) and node.op.form is not Form.CONSTANT:
            slices.setdefault(depth[node.id], []).append(node.id)
    users = graph.users()
    results = set(graph.outputs)
    found = []
    for level in sorted(slices):
        inside = set(slices[level])
        constants = {
            graph.values[v].node
            for n in slices[level]
            for v in graph.nodes[n].inputs
            if graph.values[v].node >= 0 and is_inline_constant(graph.nodes[graph.values[v].node])
        }
        outputs = frozenset(
            v
            for n in slices[level]
            for v in graph.nodes[n].outputs
            if v in results or any(u in live and u not in inside for u in users[v])
        )
        nodes = sorted(inside | constants)
        part, origin = extract(graph, nodes, keep=outputs)
        found.append(Region(part, tuple(origin), tuple(nodes), level, structural_hash(part)))
    return tuple(found)
