"""Verdicts: what holds, what is broken and by how much, and what cannot be checked."""

from __future__ import annotations

import json
import time
from fnmatch import fnmatchcase
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fstc.plan.artefact import Plan
from fstc.report.expect.check import MOST_HINTS
from fstc.report.expect.facts import plan_facts
from fstc.support.artefact import decode, encode
from fstc.support.diagnostics import FstcError, render_github
from tests.unit.report.expecting import FILE, broken, built, facts, verdicts


def test_what_a_launch_computes_has_the_names_of_its_layer() -> None:
    computed = [launch.computes for launch in facts().launches]
    names = ("max", "max_b", "shifted", "exp", "sum", "sum_b", "y")
    assert computed == [{f"{layer}.{name}" for name in names} for layer in "ab"]
    assert len(facts().kernels) == 1, "equal layers share a kernel"


def test_every_computed_value_is_in_some_launch() -> None:
    """Counted in the plan's own steps: what they write is computed by the kernel of the step."""
    for strategy in ("stitch", "classic", "none"):
        found = facts(strategy)
        launches = iter(found.launches)
        for step in found.plan.steps:
            if step.kind == "kernel":
                launch = next(launches)
                assert {found.graph.values[v].name for v in step.writes} <= launch.computes
                assert launch.kernel.kernel == found.plan.regions[step.region].kernels[step.kernel]
        assert next(launches, None) is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("device: a100", "device is h200, expected a100"),
        ("kernels: <= 1", "kernels is 2, expected <= 1: 1 more (+100 %)"),
        ("library_calls: 3", "library_calls is 2, expected 3: 1 less (-33.3 %)"),
        ("bytes: <= 1 MiB", "bytes is 2 MiB, expected <= 1 MiB: 1 MiB more (+100 %)"),
        ("bytes: 2 MB", "bytes is 2.097 MB, expected 2 MB: 0.09715 MB more (+4.86 %)"),
        ('bytes_over_floor: ">= 1.5"', "bytes_over_floor is 1, expected >= 1.5: 0.5 less (-33.3 %)"),
        ("l2_bytes: 1 KB", "l2_bytes is 0 KB, expected 1 KB: 1 KB less (-100 %)"),
        ("stitched: [[a.max, b.max]]", "stitched [a.max, b.max]: in 2 kernels: k0_a_y (a.max), k0_b_y (b.max)"),
        ("stitched: ['*.exp']", "stitched *.exp: in 2 kernels: k0_a_y (a.exp), k0_b_y (b.exp)"),
        ("stitched: [a.mx]", "stitched a.mx: no kernel computes a value called a.mx"),
        ("stitched: [x]", "stitched x: x is an input: no kernel computes it"),
        ("stitched: [a.product]", "a.product is made by a library call: no kernel computes it"),
        ("apart: [[a.max, a.sum]]", "apart [a.max, a.sum]: k0_a_y computes both a.max and a.sum"),
        ("apart: ['a.max*']", "apart a.max*: k0_a_y computes both a.max and a.max_b"),
        ("apart: [[a.max, b.max, b.sum]]", "k0_b_y computes both b.max and b.sum"),
        ("apart: [[a.max, zz]]", "no kernel computes a value called zz"),
        ("kernel: {k0_a_y: {scheme: [thread, warp]}}", "k0_a_y: scheme is block, expected thread or warp"),
        ("kernel: {k*: {threads: < 1}}", "k0_a_y: threads is"),
        ("kernel: {'[a]*': {threads: 1}}", "the plan has no kernel of such a name; its kernels: k0_a_y"),
        ("decisions: {FSN002: 0}", "FSN002 is"),
    ],
)
def test_broken(text: str, says: str) -> None:
    [line] = broken(text)
    assert line.startswith("1: ")
    assert says in line


@pytest.mark.parametrize(
    "text",
    [
        "device: h200", "kernels: 2", "kernels: ['>= 2', <= 2]", "bytes: 2 MiB", "bytes_over_floor: 100%",
        "stitched: [a.*, 'b.*', [a.max, '%a.exp'], b.y]", "apart: [[a.max, b.max], '*.sum', [a.*, b.*]]",
        "kernel: {k?_a_y: {scheme: [warp, block], bytes: 1 MiB, ops: '> 3'}}", "decisions: {FSN021: 0, FSN002: '> 0'}",
    ],
)  # fmt: skip
def test_met(text: str) -> None:
    assert verdicts(text)
    assert not broken(text)


def test_strategy_none_stitches_nothing() -> None:
    assert broken("stitched: [[a.max, a.exp]]", facts("none"))
    assert not broken("apart: [a.*, b.*]", facts("none"))
    assert broken("stitched: [[a.shifted, a.exp]]", facts("none"))
    assert not broken("stitched: [[a.shifted, a.exp]]", facts("classic"))


def test_spills_need_a_compiler() -> None:
    for text in ("spills: 0", "spills: '>= 0'", "kernel: {k*: {spills: <= 1 GB}}"):
        [verdict] = verdicts(text)
        assert not verdict.holds, "never silently passed"
        assert verdict.code == "FST0432"
        assert "fstc build --expect" in verdict.line
        assert not broken(text, built(spilled=0))
    assert broken("spills: 0", built(spilled=16)) == ["1: spills is 32 B, expected 0 B: 32 B more"]
    assert not broken("spills: 32", built(spilled=16)), "stores and loads; equal kernels were compiled once"


def test_with_a_package_resources_are_the_compiler_s() -> None:
    [kernel] = facts().kernels
    planned = kernel.kernel
    assert not broken(f"kernel: {{k*: {{registers: {planned.registers}}}}}")
    assert broken("kernel: {k*: {registers: <= 63}}", built(registers=64))
    half = planned.blocks_per_sm // 2
    text = f"kernel: {{k*: {{occupancy: '>= {planned.occupancy:.0%}'}}}}"
    assert not broken(text)
    [line] = broken(text, built(blocks_per_sm=half))
    assert f"occupancy is {planned.occupancy / 2:.0%}" in line


def test_a_package_of_another_plan_is_refused() -> None:
    with pytest.raises(FstcError) as caught:
        built(plan="none")
    assert caught.value.diagnostics[0].code == "FST0007"


def test_figures_are_those_of_the_plan_file() -> None:
    """A plan that went through its file is judged by the figures that the file shows."""
    data = encode(facts().plan)
    read = plan_facts(facts().graph, decode(data, Plan, "two.plan.json"))
    shown = json.loads(data)["body"]["summary"]["predicted_us"]
    assert not broken(f"predicted_us: {shown}", read)
    assert len(broken(f"predicted_us: ['> {shown}', < {shown}]", read)) == 2


def test_annotations_have_file_and_line() -> None:
    text = "# first\nkernels: <= 1\nstitched:\n  - ['a.max', 'b.max']\n"
    shown = render_github(v.diagnostic() for v in verdicts(text) if not v.holds)
    first, second = shown.splitlines()
    assert first == (f"::error file={FILE},line=2,col=10,title=FST0431::kernels is 2, expected <= 1: 1 more (+100 %25)")
    assert second.startswith(f"::error file={FILE},line=4,col=5,title=FST0431::stitched [a.max, b.max]: in 2 kernels")


def test_as_data() -> None:
    found = [v.as_dict() for v in verdicts("kernels: 2\nspills: 0\n")]
    assert found == [
        {"what": "kernels", "expected": "2", "message": "kernels is 2", "holds": True, "file": FILE, "line": 1},
        {
            "what": "spills", "expected": "0 B", "holds": False, "file": FILE, "line": 2, "code": "FST0432",
            "message": "spills, expected 0 B, is not known before kernels are compiled",
        },
    ]  # fmt: skip


def test_the_planner_s_reason_stands_beside_what_it_kept_apart() -> None:
    """Two values between which a decision was declined."""
    text = """func @f(%x: f32[64,64]) -> (f32[64,64], f32[64]) {
      %r = reduce_sum %x {axes = [1]} : f32[64]
      %b = broadcast_in_dim %r {dims = [1]} : f32[64,64]
      %y = add %x, %b : f32[64,64]
      %s = reduce_sum %y {axes = [1]} : f32[64]
      return %y, %s
    }
    """
    found = facts(text=text)
    declined = [d for d in found.decisions if not d.accepted and d.right]
    assert declined, "a row's sum that is read along the columns"
    pair = f"[{declined[0].left[1:]}, {declined[0].right[1:]}]"
    [line] = broken(f"stitched: [{pair}]", found)
    assert line.endswith(f"; {declined[0].code} {declined[0].left} | {declined[0].right}: {declined[0].reason}")


@given(st.lists(st.lists(st.sampled_from(["a.max", "a.sum", "b.max", "a.*", "*.exp"]), min_size=2), min_size=1))
def test_apart_is_what_it_says(groups: list[list[str]]) -> None:
    """Against the definition: no kernel computes two values that different patterns name."""
    found = verdicts("apart: " + json.dumps(groups))
    for group, verdict in zip(groups, found, strict=True):
        matched = [{n for n in facts().places if fnmatchcase(n, pattern)} for pattern in group]
        meets = any(
            x != y and {x, y} <= launch.computes
            for launch in facts().launches
            for left, right in combinations(matched, 2)
            for x in left
            for y in right
        )
        assert verdict.holds is not meets


def test_many_names_that_are_gone_are_told_soon() -> None:
    """What may have been meant is looked for a few times only: it takes a look at every name."""
    start = time.perf_counter()
    found = verdicts("stitched: [" + ", ".join(f"a.mx{n}" for n in range(50_000)) + "]")
    assert time.perf_counter() - start < 10
    assert len(found) == 50_000
    assert sum(bool(v.help) for v in found) == MOST_HINTS
