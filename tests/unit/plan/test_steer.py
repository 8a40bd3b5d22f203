"""Wishes of a user: together, apart, as pinned, within a budget; and the reason where no plan can keep them."""

from __future__ import annotations

from pathlib import Path

import pytest

from fstc.analysis.run import analyze
from fstc.device.device import load_device
from fstc.ir.graph import Graph
from fstc.ir.parser import parse_text
from fstc.plan.artefact import Plan
from fstc.plan.options import PlanOptions
from fstc.plan.run import make_plan
from fstc.plan.wishes import parts_of
from fstc.report.launches import launches_of
from fstc.support.diagnostics import FstcError

SAMPLES = Path(__file__).resolve().parent.parent.parent.parent / "samples"
SOFTMAX = (SAMPLES / "softmax_mask.fir").read_text(encoding="utf-8")
BACKWARD = (SAMPLES / "layernorm_bwd.fir").read_text(encoding="utf-8")
SIDES = """func @main(%x: f32[512,1024], %y: f32[300,7]) -> (f32[512,1024], f32[300,7]) {
  %a = exp %x : f32[512,1024]
  %b = tanh %y : f32[300,7]
  return %a, %b
}
"""
CROSSED = """func @main(%x: f32[64,64], %y: f32[64,64]) -> (f32[64,64], f32[64,64]) {
  %a = exp %x : f32[64,64]
  %b = tanh %a : f32[64,64]
  %c = exp %y : f32[64,64]
  %d = tanh %c : f32[64,64]
  return %b, %d
}
"""
ARGMAX = """func @main(%x: f32[64,64]) -> (f32[64], i32[64]) {
  %m, %i = argmax %x {axis = 1} : f32[64], i32[64]
  return %m, %i
}
"""
PRODUCT = """func @main(%x: f32[64,64], %w: f32[64,64]) -> (f32[64,64]) {
  %one = constant {value = 1.0} : f32[64,64]
  %a = exp %x : f32[64,64]
  %p = dot_general %a, %w {lhs_contract = [1], rhs_contract = [0]} : f32[64,64]
  %y = add %a, %p : f32[64,64]
  %z = sub %y, %one : f32[64,64]
  return %z
}
"""
DEAD = """func @main(%x: f32[64,64]) -> (f32[64,64]) {
  %dead = exp %x : f32[64,64]
  %t = tanh %x : f32[64,64]
  %e = exp %t : f32[64,64]
  return %e
}
"""
TRANSPOSED = """func @main(%x: f32[256,256]) -> (f32[256,256]) {
  %s = reduce_sum %x {axes = [1]} : f32[256]
  %sb = broadcast_in_dim %s {dims = [1]} : f32[256,256]
  %y = add %x, %sb : f32[256,256]
  return %y
}
"""
SCATTER = """func @main(%x: f32[256,64], %i: i32[32,1] {low = 0, high = 255}, %u: f32[32,64]) -> (f32[256,64]) {
  %a = exp %x : f32[256,64]
  %v = tanh %u : f32[32,64]
  %y = scatter %a, %i, %v {update_window_dims = [1], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0],
    index_vector_dim = 1, unique_indices = true} (%p: f32[], %q: f32[]) {
    return %q
  } : f32[256,64]
  return %y
}
"""
LAYER = """  %m{n} = reduce_max %x{n} {{axes = [1]}} : f32[64]
  %b{n} = broadcast_in_dim %m{n} {{dims = [0]}} : f32[64,64]
  %e{n} = sub %x{n}, %b{n} : f32[64,64]
  %x{k} = dot_general %e{n}, %w {{lhs_contract = [1], rhs_contract = [0]}} : f32[64,64]
"""
LAYERS = (
    "func @main(%x0: f32[64,64], %w: f32[64,64]) -> (f32[64,64]) {\n"
    + "".join(LAYER.format(n=n, k=n + 1) for n in range(3))
    + "  return %x3\n}\n"
)


def plan(text: str, **options: object) -> tuple[Graph, Plan]:
    graph = parse_text(text)
    return graph, make_plan(graph, analyze(graph), load_device("h200"), PlanOptions(**options))  # type: ignore[arg-type]


def launches(text: str, **options: object) -> list[set[str]]:
    """Names of what each launch computes."""
    graph, made = plan(text, **options)
    places = launches_of(graph, made)
    return [
        {places.places[s.place].name(v) for n in s.nodes for v in places.places[s.place].graph.nodes[n].outputs}
        for s in places.steps
        if s.kernel
    ]


def together(text: str, *names: str, **options: object) -> bool:
    return any(set(names) <= found for found in launches(text, **options))


def refused(text: str, **options: object) -> str:
    with pytest.raises(FstcError) as error:
        plan(text, **options)
    [found] = error.value.diagnostics
    assert found.code == "FST0420"
    assert error.value.exit_code == 3
    return f"{found.message}; {found.help}; {'; '.join(n.text for n in found.notes)}"


def test_force_joins_what_the_planner_keeps_apart() -> None:
    assert not together(BACKWARD, "dx", "dgamma")
    assert together(BACKWARD, "dx", "dgamma", force=("%dx,%dgamma",))
    assert together(SOFTMAX, "max", "exp", force=("max,exp",), strategy="none")


def test_force_of_what_is_together_changes_nothing() -> None:
    assert plan(SOFTMAX)[1].regions[0].kernels == plan(SOFTMAX, force=("max,exp",))[1].regions[0].kernels
    assert plan(SIDES)[1].regions[0].kernels == plan(SIDES, force=("a,b",))[1].regions[0].kernels


def test_forbid_keeps_apart_in_clusters_and_in_packed_launches() -> None:
    assert together(SOFTMAX, "max", "exp")
    assert not together(SOFTMAX, "max", "exp", forbid=("%max, %exp",))
    assert together(SIDES, "a", "b")
    assert not together(SIDES, "a", "b", forbid=("a,b",))
    assert not together(SOFTMAX, "max", "exp", forbid=("max,exp,probabilities",))


def test_a_wish_for_one_layer_holds_for_all_like_it() -> None:
    assert [set(found) for found in launches(LAYERS)] == [{f"m{n}", f"b{n}", f"e{n}"} for n in range(3)]
    for options in ({"forbid": ("m1,e1",)}, {"forbid": ("m1,e1", "m2,e2")}, {"pins": ("m0,b0", "e0")}):
        assert not any(together(LAYERS, f"m{n}", f"e{n}", **options) for n in range(3))


@pytest.mark.parametrize(
    ("text", "options", "reason"),
    [
        (PRODUCT, {"force": ("a,z",)}, "library calls lie between, dot_general %p"),
        (PRODUCT, {"force": ("x,a",)}, "%x is an input"),
        (PRODUCT, {"force": ("one,z",)}, "%one is a constant"),
        (DEAD, {"force": ("dead,e",)}, "%dead is of no use to any result; no kernel computes it"),
        (DEAD, {"forbid": ("e,dead",)}, "%dead is of no use to any result"),
        (DEAD, {"pins": ("dead",)}, "%dead is of no use to any result"),
        (DEAD, {"force": ('"\\q",e',)}, 'no value called %"\\q"'),
        (PRODUCT, {"forbid": ("p,z",)}, "%p is made by a library call, dot_general"),
        (PRODUCT, {"forbid": ("a,zz",)}, "no value called %zz; did you mean %z?"),
        (PRODUCT, {"pins": ("a,y",)}, "library calls lie between"),
        (SOFTMAX, {"force": ("max",)}, "give two values or more"),
        (SOFTMAX, {"force": ("max,max",)}, "give two values or more"),
        (SOFTMAX, {"force": ("max,exp",), "forbid": ("max,exp",)}, "in one kernel and in different ones"),
        (SOFTMAX, {"force": ("max,exp",), "forbid": ("shifted,exp",)}, "in one kernel and in different ones"),
        (SOFTMAX, {"pins": ("max,exp",)}, "%shifted lies between them"),
        (SOFTMAX, {"pins": ("max,max_b,shifted",), "force": ("max,exp",)}, "a pin has fewer ops than another wish"),
        (SOFTMAX, {"pins": ("max,max_b", "max,scaled")}, "%max is in several pins; it is made by reduce_max"),
        (CROSSED, {"pins": ("a,d", "b,c")}, "kernels of %a, %d and %b, %c would wait for each other"),
        (SOFTMAX, {"pins": ("max|probabilities",)}, "cannot share a launch: one waits for the other"),
        (TRANSPOSED, {"force": ("s,y",)}, "%s is reduced in this kernel and read elsewhere along a0 (FSN010)"),
        (SCATTER, {"force": ("a,y",)}, "a scatter works in place on a copy of its operand (FSN015)"),
        (SCATTER, {"pins": ("v,y",)}, "(FSN015)"),
        (ARGMAX, {"forbid": ("m,i",)}, "%m, %i cannot be apart: two of them are results of one op"),
        (LAYERS, {"pins": ("m0,b0,e0", "m1,b1")}, "layers that are alike have one plan, and their pins differ"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_the_reason(text: str, options: dict[str, tuple[str, ...]], reason: str) -> None:
    assert reason in refused(text, **options)


def test_partial_results_stay_apart_from_their_sum() -> None:
    """A pin that names both halves of a split leaves no choice of splits."""
    assert plan(BACKWARD)[1].regions[0].rewrites
    said = refused(BACKWARD, pins=("dgamma.partial,dgamma",))
    assert "%dgamma.partial, %dgamma cannot be one kernel: partial results wait for all blocks (FSN031)" in said


def test_pins_are_kernels_as_they_are_told_and_the_rest_is_free() -> None:
    made = launches(SOFTMAX, pins=("max,max_b,shifted,exp",))
    pinned = next(found for found in made if "max" in found)
    assert {"max", "max_b", "shifted", "exp"} <= pinned
    assert not {"sum", "probabilities"} & pinned
    assert together(SOFTMAX, "sum", "probabilities", pins=("max,max_b,shifted,exp",))


def test_pins_of_a_packed_launch() -> None:
    assert together(SIDES, "a", "b", pins=("a|b",))
    assert not together(SIDES, "a", "b", pins=("a", "b"))


def test_a_value_of_several_pins_is_computed_by_each() -> None:
    made = launches(SOFTMAX, pins=("masked,max", "masked,max_b,shifted,exp"))
    assert [("masked" in found, "max" in found) for found in made[:2]] == [(True, True), (True, False)]
    _, plan_made = plan(SOFTMAX, pins=("masked,max", "masked,max_b,shifted,exp"))
    assert [d.left for d in plan_made.regions[0].decisions if d.code == "FSN005"] == ["%masked"]


def test_names_of_a_wish() -> None:
    assert parts_of("%a, b ,%c") == [["a", "b", "c"]]
    assert parts_of("a|%b,c|") == [["a"], ["b", "c"]]
    assert parts_of('%"a, b|c",d') == [["a, b|c", "d"]]
    assert parts_of(" , ") == []


@pytest.mark.parametrize("sample", ["softmax_mask", "layernorm_bwd", "groupnorm_silu", "transformer_loss", "adam"])
def test_a_budget_holds_for_every_kernel(sample: str) -> None:
    text = (SAMPLES / f"{sample}.fir").read_text(encoding="utf-8")
    _, made = plan(text, budget="smem=8K,regs=64,threads=128")
    for region in made.regions:
        for kernel in region.kernels:
            assert (kernel.shared <= 8192, kernel.registers <= 64, kernel.threads <= 128) == (True, True, True)
    free = plan(text)[1]
    assert made.summary.predicted_us >= free.summary.predicted_us * 0.999


@pytest.mark.parametrize(
    ("budget", "reason"),
    [
        ("regs=8", "needs 24 at least"),
        ("threads=64", "needs 128 at least"),
        ("smem=lots", "'smem=lots' is no limit"),
        ("blocks=3", "'blocks=3' is no limit"),
        ("smem=-1", "'smem=-1' is no limit"),
    ],
)
def test_a_budget_that_is_none(budget: str, reason: str) -> None:
    with pytest.raises(FstcError, match="FST0014") as error:
        plan(SOFTMAX, budget=budget)
    assert reason in error.value.diagnostics[0].message
