"""Axis analysis against brute force, on random graphs.

A value's canonical index must visit every element exactly once; no tensor may carry an axis twice; and every operand
that is not renamed is read, by an element-wise op, at its own canonical index.
"""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given

from fstc.ir.axes import Axes, coordinates, find_axes
from fstc.ir.graph import Graph
from fstc.ir.ops.opdef import Form
from fstc.ir.pattern import make_pattern
from fstc.support.affine import Index
from tests.property.graphs import graphs, random_graph

MOST = 3000  # elements of a value that brute force walks


def at(index: Index, where: dict[str, int]) -> int:
    """The number that an index expression is at given axis coordinates."""
    total = index.const
    for term, c in index.terms:
        if term.arg is None:
            value = where[term.key]
        else:
            inner = at(term.arg, where)
            value = inner // term.by if term.kind == "div" else inner % term.by
        total += c * value
    return total


def walk(axes: Axes, value: int, graph: Graph) -> list[tuple[int, ...]]:
    names = axes.members[value]
    places = product(*(range(axes.extents[a]) for a in names))
    return [tuple(at(i, dict(zip(names, p, strict=True))) for i in axes.index[value]) for p in places]


def check(graph: Graph) -> None:
    axes = find_axes(graph)
    for value in graph.values:
        names = axes.members[value.id]
        assert len(set(names)) == len(names), f"%{value.name} carries an axis twice: {names}"
        if not value.type.elements or value.type.elements > MOST:
            continue
        visited = walk(axes, value.id, graph)
        assert sorted(visited) == list(product(*map(range, value.type.shape))), f"%{value.name} is not visited once"
        assert visited == sorted(visited), f"%{value.name}: axes are not in the order of its dimensions"
    renamed = set(axes.renamed)
    for node in graph.nodes:
        for k, operand in enumerate(node.inputs):
            same = graph.type(operand).shape == graph.type(node.outputs[0]).shape
            if node.op.form is Form.ELEMENTWISE and same and (node.id, k) not in renamed:
                assert axes.index[operand] == axes.index[node.outputs[0]], f"node {node.id}, operand {k}"
        for name in axes.reduced[node.id]:
            assert all(name not in axes.members[v] for v in node.outputs), "a reduced axis is in the result"


@pytest.mark.parametrize("seed", range(0, 300, 3))
def test_axes_of_random_graphs(seed: int) -> None:
    check(random_graph(seed))


@given(graphs())
def test_axes(graph: Graph) -> None:
    check(graph)


@given(graphs())
def test_coordinates_are_where_they_say(graph: Graph) -> None:
    """Where an instance's place can be told in axis coordinates, the canonical index at them is that place."""
    pattern = make_pattern(graph)
    for instance in pattern.instances.values():
        value = instance.value
        canonical = pattern.axes.index[value]
        found = coordinates(canonical, graph.type(value).shape, instance.at)
        if found is None or not graph.type(value).elements:
            continue
        names = sorted({n for i in instance.at for n in i.variables})
        if any(n not in pattern.axes.extents for n in names):
            continue  # run-time indices and window positions have no extent of their own
        first = dict.fromkeys(names, 0)
        last = {n: pattern.axes.extents[n] - 1 for n in names}
        for where in (first, last):
            there = {axis: at(i, where) for axis, i in found.items()}
            place = [at(i, where) for i in instance.at]
            if any(not 0 <= p < e for p, e in zip(place, graph.type(value).shape, strict=True)):
                continue  # a condition keeps this read from being made
            if all(0 <= there.get(a, 0) < pattern.axes.extents[a] for a in pattern.axes.members[value]):
                there = {a: there.get(a, 0) for a in pattern.axes.members[value]}
                assert [at(i, there) for i in canonical] == place
