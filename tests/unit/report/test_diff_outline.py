"""The text of a region as names, compared with the graph that it was printed from."""

from __future__ import annotations

from pathlib import Path

import pytest

from fstc.analysis.run import analyze
from fstc.device.device import load_device
from fstc.ir.parser import parse_file
from fstc.ir.regions import find_regions
from fstc.ir.rewrite import apply_rewrites
from fstc.plan.run import make_plan
from fstc.report.diff.outline import Outline

SAMPLES = sorted((Path(__file__).resolve().parents[3] / "samples").glob("*.fir"))


@pytest.mark.parametrize("path", SAMPLES[::4], ids=lambda p: p.stem)
def test_names_and_kinds_are_those_of_the_graph(path: Path) -> None:
    graph = parse_file(path)
    plan = make_plan(graph, analyze(graph), load_device("h200"))
    regions = {r.hash: r for r in find_regions(graph)}
    for planned in plan.regions:
        splits = [(w.value, w.dim, w.parts) for w in planned.rewrites]
        real = apply_rewrites(regions[planned.hash].graph, splits)
        outline = Outline(planned.text)
        assert [outline.name(v.id) for v in real.values] == [f"%{v.name}" for v in real.values]
        assert outline.kinds(range(len(real.nodes))) == tuple(n.op.name for n in real.nodes)
        for node in real.nodes:
            assert outline.results((node.id,)) == tuple(f"%{real.values[v].name}" for v in node.outputs)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda p: p.stem)
def test_equal_text_hashes_mean_equal_structure(path: Path) -> None:
    """The hash that files of 1.0 get partitions kernels as their structural hash does."""
    graph = parse_file(path)
    plan = make_plan(graph, analyze(graph), load_device("h200"))
    pairs = {(k.hash, Outline(r.text).kernel_hash(k)) for r in plan.regions for k in r.kernels}
    assert len({a for a, _ in pairs}) == len({b for _, b in pairs}) == len(pairs)
