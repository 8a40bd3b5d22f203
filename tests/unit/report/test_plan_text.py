"""The brief text of a plan: complete, stable, and equal things told once."""

from __future__ import annotations

import re

from fstc.report.plan_text import MOST_DECLINED, plan_text
from fstc.support.text import filled
from tests.integration.shipped import SAMPLES, real_plan
from tests.unit.report.expecting import facts


def brief(strategy: str = "stitch") -> str:
    found = facts(strategy)
    return plan_text("two", found.graph, found.plan)


def test_an_equal_layer_is_told_once() -> None:
    lines = brief().splitlines()
    assert lines[0] == "two: 16 ops, 2 kernels, 2 library calls on h200 (stitch)"
    assert sum(line.startswith("k0_a_y: ") for line in lines) == 1
    assert [line for line in lines if line.startswith(("library:", "again:"))] == [
        "library: %a.product",
        "library: %b.product",
        "again: k0_a_y x1",
    ]


def test_every_op_of_every_kernel_is_named() -> None:
    for sample in SAMPLES:
        graph, plan = real_plan(sample, "h200")
        words = set(re.findall(r"[^\s:]+", plan_text(sample, graph, plan)))
        assert {v.name for v in graph.values if v.id in graph.outputs} - words == {
            graph.values[v].name for v in graph.outputs if graph.values[v].node < 0
        }


def test_strategies_differ_in_their_kernels() -> None:
    heads = [line for line in brief("none").splitlines() if re.match(r"k\d+_", line)]
    assert len(heads) == 7, "one an op of a layer"
    assert "(none)" in brief("none").splitlines()[0]


def test_kernels_are_whole_paragraphs() -> None:
    [kernel] = [p for p in brief("stitch").split("\n\n") if p.startswith("k0_a_y")]
    head, cost, ops, *carriers = kernel.splitlines()
    found = facts().kernels[0].kernel
    assert head == (
        f"k0_a_y: {found.scheme}, {found.blocks} x {found.threads}, {found.registers} registers, "
        f"{found.shared} B shared, occupancy {found.occupancy:.0%}"
    )
    assert cost == f"  {found.predicted_us:.4g} us {found.bound}, 1.049 MB (1.000 of the floor), L2 0 MB"
    assert ops == f"  {found.parts[0].words}: a.max a.max_b a.shifted a.exp a.sum a.sum_b a.y"
    assert carriers and all(re.match(r"    (register|shuffle|shared|recompute): ", line) for line in carriers)


def test_declined_decisions_are_few() -> None:
    for sample in SAMPLES:
        graph, plan = real_plan(sample, "h200")
        lines = plan_text(sample, graph, plan).splitlines()
        declined = sum(not d.accepted for region in plan.regions for d in region.decisions)
        shown = [line for line in lines if line.startswith("  FSN")]
        assert len(shown) == min(declined, MOST_DECLINED)
        assert (f"  and {declined - MOST_DECLINED} more" in lines) is (declined > MOST_DECLINED)


def test_filled() -> None:
    assert filled("  a: ", ["bb"] * 5, 12) == ("  a: bb bb", "    bb bb bb")
    assert filled("a: ", ["b" * 30, "c"], 12) == ("a:", "  " + "b" * 30, "  c")
    assert filled("a: ", []) == ()
