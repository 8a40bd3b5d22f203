from __future__ import annotations

import re

import pytest

from fstc.report.dot import EXPANDED, plan_dot
from tests.unit.report.dot_syntax import read_dot, shown
from tests.unit.report.made import AWKWARD, awkward, launches, sample, work_of
from tests.unit.report.stack import stacked

SAMPLES = ("layernorm_bwd", "bert_layer", "dien_attention", "moe_combine_rmsnorm", "crnn_lstm_cells")


@pytest.mark.parametrize("name", SAMPLES)
def test_kernels_are_clusters_of_their_ops(name: str) -> None:
    found = launches(sample(name))
    dot = read_dot(plan_dot(name, found))
    kernels = [step for step in found.steps if step.kernel]
    assert [len(ops) for ops in dot.clusters.values()] == [len(step.nodes) for step in kernels]
    assert [shown(label)[0] for label in dot.labels.values()] == [step.name for step in kernels]
    calls = [a for a in dot.nodes.values() if a.get("shape") == "component"]
    assert len(calls) == found.plan.summary.library_calls


@pytest.mark.parametrize("limit", [EXPANDED, 0])
@pytest.mark.parametrize("name", SAMPLES)
def test_edges_are_tensors_with_type_and_bytes(name: str, limit: int) -> None:
    dot = read_dot(plan_dot(name, launches(sample(name)), limit))
    assert dot.edges
    for _, _, attributes in dot.edges:
        what, size = shown(attributes["label"])
        assert re.fullmatch(r"%\S+ [a-z0-9]+\[[0-9,]*\]", what), what
        assert re.fullmatch(r"[0-9.]+ (bytes|kB|MB|GB)", size), size


@pytest.mark.parametrize("name", SAMPLES)
def test_every_read_has_its_edge(name: str) -> None:
    """Collapsed: an edge for each tensor and reader; expanded: for each operand of each op."""
    found = launches(sample(name))
    results = sum(t.result and t.source >= 0 for t in found.tensors.values())
    reads = sum(len(set(step.reads)) for step in found.steps)
    assert len(read_dot(plan_dot(name, found, 0)).edges) == reads + results
    operands = sum(
        len(set(found.places[step.place].graph.nodes[n].inputs)) for step in found.steps for n in step.nodes
    ) + sum(len(set(step.reads)) for step in found.steps if not step.kernel)
    assert len(read_dot(plan_dot(name, found)).edges) == operands + results


def test_a_scatter_reads_what_it_updates() -> None:
    work = work_of("""func @main(%x: f32[64,32], %i: i32[8,1] {low = 0, high = 63}, %u: f32[8,32]) -> (f32[64,32]) {
  %y = scatter %x, %i, %u {update_window_dims = [1], inserted_window_dims = [0],
      scatter_dims_to_operand_dims = [0], index_vector_dim = 1, unique_indices = true} (%a: f32[], %b: f32[]) {
    return %b
  } : f32[64,32]
  return %y
}
""")
    found = launches(work)
    (step,) = found.steps
    assert step.kernel, "a scatter with unique indices is a kernel"
    dot = read_dot(plan_dot("m", found))
    assert {source for source, target, _ in dot.edges if target in dot.clusters["cluster_0"]} == {"t0", "t1", "t2"}


def test_names_survive() -> None:
    text = plan_dot("m", launches(awkward()))
    lines = {line for a in read_dot(text).nodes.values() for line in shown(a["label"])}
    for name in AWKWARD:
        assert any(name.replace("\t", "?") in line for line in lines), name


def test_a_large_model_is_collapsed() -> None:
    found = launches(work_of(stacked(6)))
    assert sum(len(step.nodes) for step in found.steps) > EXPANDED
    dot = read_dot(plan_dot("stack", found))
    assert not dot.clusters
    steps = [name for name in dot.nodes if name.startswith("s")]
    assert steps == [f"s{n}" for n in range(len(found.steps))]


def test_same_bytes() -> None:
    assert plan_dot("m", launches(awkward())) == plan_dot("m", launches(awkward()))
