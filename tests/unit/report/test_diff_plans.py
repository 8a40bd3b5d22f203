"""Two plans compared: what is matched with what, what is no difference, what a change costs and why it came."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from plan_example import (
    CHAIN,
    EXP,
    MAX,
    SCALED,
    W,
    X,
    first_half,
    kernel,
    part,
    plan,
    region,
    renamed,
    second_half,
    unhashed,
    whole,
)  # fmt: skip

from fstc.plan.artefact import AxisPlace, Decision, Hold, Kernel, Plan, Step
from fstc.report.diff.compare import compare
from fstc.report.diff.model import Change, Delta, Diff
from fstc.report.diff.side import Side
from fstc.report.diff.text import diff_report, github
from fstc.report.table import as_text

ROWS = AxisPlace(axis="a0", extent=64, grid=64)


def diff(old: Plan, new: Plan, only: str = "", **more: Any) -> Diff:
    return compare("plan", {"": (Side(old), Side(new, **more))}, only)


def changes(old: Plan, new: Plan, only: str = "") -> tuple[Change, ...]:
    return diff(old, new, only).plans[0].changes


def the_change(old: Plan, new: Plan, only: str = "") -> Change:
    [change] = changes(old, new, only)
    return change


def fields(change: Change) -> dict[str, tuple[object, object]]:
    return {f.name: (f.old, f.new) for f in change.fields}


def both(old: Kernel, new: Kernel) -> dict[str, tuple[object, object]]:
    return fields(the_change(plan([old]), plan([new])))


def test_equal_plans_do_not_differ() -> None:
    found = diff(plan([whole()]), plan([whole()]))
    assert not found.different
    assert as_text(diff_report(found)) == "no difference: 1 kernels, 5 us, 0.06554 MB\n"


def test_numbers_and_names_are_no_difference() -> None:
    names = {"%scaled": "%z", "%exp": "%out", "%max": "%m"}
    other = plan(region([whole("k7_out")], renamed(CHAIN, names)))
    assert "%m_b" not in " ".join(other.regions[0].text)
    assert not changes(plan([whole()]), other)


def test_other_ids_are_no_difference() -> None:
    """An input more in front of the region moves every value by one."""
    text = (CHAIN[0], "%unused: f32[1],", *CHAIN[1:])
    hold = Hold(value=SCALED + 1, axes=("a1",), carrier="register", elements=4)
    moved = part(range(6), (X + 1, W + 1), (EXP + 1,), holds=(hold,))
    assert not changes(plan([whole()]), plan(region([kernel("k1_exp", moved)], text)))


def test_renaming_hides_no_change_and_adds_none() -> None:
    names = {"%scaled": "%z", "%exp": "%out", "%max": "%m"}
    change = the_change(plan([whole()]), plan(region([whole("k7_out", shared=64)], renamed(CHAIN, names))))
    assert fields(change) == {"shared": (0, 64)}
    assert (change.old, change.new) == (("k0_exp",), ("k7_out",))


def test_the_order_of_a_packed_launch_is_no_difference() -> None:
    left, right = part((0, 1, 2), (X, W), (SCALED, MAX)), part((3, 4, 5), (SCALED, MAX), (EXP,), blocks=7)
    assert not changes(plan([kernel("k0_a", left, right, hash="h")]), plan([kernel("k0_b", right, left, hash="h")]))


def test_digits_that_files_do_not_keep_are_no_difference() -> None:
    assert not changes(plan([whole(predicted_us=5.0)]), plan([whole(predicted_us=5.00004)]))
    assert changes(plan([whole(predicted_us=5.0)]), plan([whole(predicted_us=5.001)]))


def test_decisions_alone_are_no_difference() -> None:
    told = Decision(code="FSN021", accepted=False, left="%max", right="%exp", gain_us=-1.0, reason="slower")
    assert not diff(plan([whole()]), plan(region([whole()], decisions=[told]))).different


def test_resources_are_named_and_priced() -> None:
    change = the_change(
        plan([whole()]), plan([whole(shared=32768, predicted_us=5.4, blocks_per_sm=6, occupancy=0.375)])
    )
    assert change.kind == "changed"
    assert fields(change) == {
        "shared": (0, 32768), "blocks_per_sm": (12, 6), "occupancy": (0.75, 0.375), "predicted_us": (5.0, 5.4),
    }  # fmt: skip
    assert change.price["predicted_us"].change == pytest.approx(0.4)
    text = as_text(diff_report(diff(plan([whole()]), plan([whole(shared=32768, predicted_us=5.4)]))))
    assert "~  k0_exp  +0.4 us  shared 0 -> 32,768\n" in text
    assert text.endswith("1 change, predicted +0.4 us (+8 %), HBM +0 MB\n")


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"placement": (ROWS, AxisPlace(axis="a1", extent=128, lanes=32, serial=4))},
         {"a1.vector": (4, 1), "a1.serial": (1, 4)}),
        ({"holds": (Hold(value=SCALED, axes=("a1",), carrier="shared", elements=4),)},
         {"%scaled held in": ("register", "shared")}),
        ({"blocks": 32}, {"blocks": (64, 32)}),
        ({"holds": ()}, {"%scaled held in": ("register", None)}),
    ],
)  # fmt: skip
def test_placements_and_carriers_are_compared(more: dict[str, Any], expected: dict[str, object]) -> None:
    made = whole().parts[0]
    assert both(whole(), kernel("k0_exp", replace(made, **more))) == expected


def test_vector_widths_are_named_by_tensor() -> None:
    made = whole().parts[0]
    narrow = tuple(replace(a, vector=1) if a.value == X else a for a in made.accesses)
    assert both(whole(), kernel("k0_exp", replace(made, accesses=narrow))) == {"read %x vector": (4, 1)}


def test_nothing_that_code_depends_on_is_overlooked() -> None:
    """Every field of a part, changed alone, is a difference, whatever it means."""
    made = replace(
        whole().parts[0],
        exchanges=(),
    )
    nest = made.nests[0]
    for other in (
        replace(made, nests=(replace(nest, unroll=8),)),
        replace(made, nests=(replace(nest, loops=("a1",)),)),
        replace(made, nests=(nest, nest)),
        replace(made, holds=(replace(made.holds[0], carrier="shared"),)),
        replace(made, placement=tuple(replace(p, lane_stride=2) for p in made.placement)),
    ):
        assert changes(plan([whole()]), plan([kernel("k0_exp", other)])), other


def test_a_split_is_one_change_with_its_decision() -> None:
    told = [
        Decision(code="FSN021", accepted=False, left="%other", right="%exp", gain_us=-9.0, reason="elsewhere"),
        Decision(
            code="FSN014", accepted=False, left="%max", right="%exp", gain_us=-3.9, reason="cycle through %cast.7"
        ),
    ]
    new = plan(region([first_half(), second_half(predicted_us=3.9)], decisions=told))
    change = the_change(plan([whole()]), new)
    assert (change.kind, change.old, change.new) == ("split", ("k0_exp",), ("k0_max", "k1_exp"))
    assert change.price["predicted_us"].change == pytest.approx(3.9)
    assert (change.price["launches"].old, change.price["launches"].new) == (1, 2)
    assert (change.because[0].code, change.because[0].plan) == ("FSN014", "new")
    text = as_text(diff_report(diff(plan([whole()]), new)))
    assert "-  k0_exp\n+  k0_max + k1_exp  +3.9 us  +0.06554  FSN014 %max | %exp: cycle through %cast.7\n" in text
    assert "1 change, predicted +3.9 us (+78 %), HBM +0.06554 MB, launches +1" in text


def test_a_merge_is_one_change() -> None:
    change = the_change(plan([first_half(), second_half()]), plan([whole()]))
    assert (change.kind, change.old, change.new) == ("merged", ("k0_max", "k1_exp"), ("k0_exp",))
    assert change.price["predicted_us"].change == -5


def test_what_kept_them_apart_before_explains_a_merge() -> None:
    told = Decision(code="FSN021", accepted=False, left="%max", right="%exp", gain_us=-1.0, reason="slower")
    change = the_change(plan(region([first_half(), second_half()], decisions=[told])), plan([whole()]))
    assert [(b.plan, b.code) for b in change.because] == [("old", "FSN021")]


def test_an_op_that_moved_changes_two_kernels() -> None:
    """%max_b from the second to the first: no split, both stay mostly what they were."""
    wider = kernel("k0_max", part((0, 1, 2, 3), (X, W), (SCALED, 5)))
    narrower = kernel("k1_exp", part((4, 5), (SCALED, 5), (EXP,)))
    found = changes(plan([first_half(), second_half()]), plan([wider, narrower]))
    assert [(c.kind, c.old, c.new, fields(c)["ops"]) for c in found] == [
        ("changed", ("k0_max",), ("k0_max",), (None, "%max_b")),
        ("changed", ("k1_exp",), ("k1_exp",), ("%max_b", None)),
    ]


def test_an_op_that_several_kernels_repeat_ties_nothing() -> None:
    """Both kernels compute %w_b for themselves; both are split, and that is two splits."""
    old = plan([kernel("k0_a", part((0, 1, 2), (X, W), (MAX,))), kernel("k1_b", part((0, 3, 4, 5), (W, MAX), (EXP,)))])
    pieces = ((0, 1), (2,), (0, 3), (4, 5))
    new = plan([kernel(f"k{n}_{nodes}", part(nodes, (X, W), (SCALED,))) for n, nodes in enumerate(pieces)])
    assert [(c.kind, c.old, len(c.new)) for c in changes(old, new)] == [
        ("split", ("k0_a",), 2),
        ("split", ("k1_b",), 2),
    ]


def test_neighbours_are_the_last_resort() -> None:
    """Nothing in common but the tensor that is read."""
    made = kernel("k0_y", part((0,), (0,), (1,)), hash="exp")
    text = ("func @main(%x: f32[4]) -> (f32[4]) {", "%y = exp %x : f32[4]", "return %y", "}")
    other = tuple(line.replace("%y", "%z").replace("exp", "tanh") for line in text)
    change = the_change(plan(region([made], text)), plan(region([replace(made, name="k0_z", hash="tanh")], other)))
    assert (change.kind, change.old, change.new) == ("changed", ("k0_y",), ("k0_z",))


def test_kernels_without_a_counterpart_come_and_go() -> None:
    extra = ("func @main(%a: f32[4]) -> (f32[4]) {", "%b = tanh %a : f32[4]", "return %b", "}")
    more = region([kernel("k0_b", part((0,), (0,), (1,)), hash="tanh")], extra)
    assert [c.kind for c in changes(plan([whole()]), plan([whole()], more))] == ["added"]
    assert [c.kind for c in changes(plan([whole()], more), plan([whole()]))] == ["removed"]


def test_equal_layers_are_matched_as_often_as_they_run() -> None:
    """Twelve layers; one of them is computed otherwise now."""
    other = region([whole(hash="other", predicted_us=7.0)], CHAIN)
    eleven = plan([whole()], times=11)
    steps = (*eleven.steps, Step(kind="kernel", region=1, kernel=0))
    change = the_change(plan([whole()], times=12), replace(eleven, regions=(*eleven.regions, other), steps=steps))
    assert (change.kind, change.count) == ("changed", 1)
    assert change.price["predicted_us"] == Delta(5.0, 7.0)


def test_a_change_of_all_layers_is_priced_for_all() -> None:
    found = diff(plan([whole()], times=12), plan([whole(predicted_us=6.0)], times=12))
    [change] = found.plans[0].changes
    assert change.count == 12
    assert change.price["predicted_us"] == Delta(60.0, 72.0)
    assert "k0_exp x 12" in as_text(
        diff_report(diff(plan([whole()], times=12), plan([whole(predicted_us=6.0)], times=12)))
    )


def test_constants_are_named_before_what_follows() -> None:
    old = plan([whole()], constants={"launch_us": 2.2, "sms": 132.0})
    new = plan(
        [whole(predicted_us=6.8, terms={"launch": 4.0, "memory": 3.0})], constants={"launch_us": 4.0, "sms": 132.0}
    )
    text = as_text(diff_report(diff(old, new)))
    assert text.startswith("constant launch_us: 2.2 -> 4\n\n")
    assert "~  k0_exp  +1.8 us  launch term 2 -> 4\n" in text


def test_tool_and_options_are_named_but_change_nothing() -> None:
    found = compare(
        "plan", {"": (Side(plan([whole()]), "fstc 1"), Side(plan([whole()]), "fstc 2", "1.1", {"top_k": 5}))}
    )
    assert [(c.what, c.name, c.old, c.new) for c in found.context] == [
        ("tool", "", "fstc 1", "fstc 2"),
        ("option", "top_k", None, 5),
    ]
    assert not found.different
    assert as_text(diff_report(found)).startswith("tool: fstc 1 -> fstc 2\noption top_k: default -> 5\n\nno difference")


def test_another_device_is_a_difference_and_its_constants_are_counted() -> None:
    old, new = plan([whole()], constants={"sms": 1.0}), plan([whole()], device="a100", constants={"sms": 2.0})
    found = diff(old, new)
    assert found.different
    assert as_text(diff_report(found)).startswith("device: h200 -> a100\nconstants: 1 differ\n")


@pytest.mark.parametrize(("name", "value"), [("policy", "fast"), ("index_bits", 64)])
def test_what_code_means_is_a_difference(name: str, value: object) -> None:
    assert diff(plan([whole()]), plan([whole()], **{name: value})).different


def test_only_one_aspect() -> None:
    old, new = plan([whole()]), plan([whole(shared=1024, registers=40, predicted_us=6.0)])
    assert set(fields(the_change(old, new, "structure"))) == {"shared"}
    assert set(fields(the_change(old, new, "cost"))) == {"registers", "predicted_us"}
    assert not changes(plan([whole()]), plan([whole(predicted_us=6.0)]), "structure")
    assert not changes(plan([whole()]), plan([whole(shared=1024)]), "cost")


def test_a_library_call_is_called_by_its_tensors() -> None:
    """A kernel reads value 50, as %x, which a call makes in one plan and which is given in the other."""
    reading = Step(kind="kernel", region=0, kernel=0, reads=(50, 51), writes=(52,))
    again = Step(kind="kernel", region=0, kernel=0, reads=(60, 61), writes=(62,))  # an equal layer: other tensors
    call = Step(kind="library", node=3, reads=(40,), writes=(50,))
    change = the_change(plan([whole()], steps=(call, reading, again)), plan([whole()], steps=(reading, again)))
    assert (change.kind, change.old) == ("removed", ("library call of %x",))


def test_what_joined_a_kernel_does_not_explain_its_new_launch() -> None:
    joined = Decision(code="FSN002", accepted=True, left="%max", right="%exp", gain_us=9.0, reason="one launch")
    dropped = Decision(code="FSN041", accepted=False, left="%scaled", right="", gain_us=0.0, reason="no room")
    change = the_change(plan([whole()]), plan(region([whole(shared=64)], decisions=[joined, dropped])))
    assert [b.code for b in change.because] == ["FSN041"]


def test_a_cycle_is_shown_with_its_way() -> None:
    told = Decision(
        code="FSN014", accepted=False, left="%max", right="%exp", gain_us=0.0, reason="a cycle", path=("%y", "%z")
    )
    found = diff(plan([whole()]), plan(region([first_half(), second_half()], decisions=[told])))
    assert "FSN014 %max | %exp: a cycle (through %y, %z)" in as_text(diff_report(found))


def test_library_calls_that_came_or_went() -> None:
    change = the_change(plan([whole()], calls=2), plan([whole()], calls=3))
    assert (change.kind, change.new) == ("added", ("library call at step 3",))
    assert not changes(plan([whole()], calls=2), plan([whole()], calls=2))


def test_files_without_hashes_are_matched_by_what_they_compute() -> None:
    """A plan of version 1.0 against one of today, with other names and numbers."""
    names = {"%scaled": "%z", "%max": "%m", "%exp": "%out"}
    new = plan(region([first_half("k3_m"), second_half("k4_out")], renamed(CHAIN, names)), constants={"sms": 1.0})
    found = diff(unhashed(plan([first_half(), second_half()])), new)
    assert not found.different
    assert not found.context
    assert not changes(new, unhashed(new))


def test_the_meaning_of_an_op_that_changed_is_shown() -> None:
    text = tuple(line.replace("reduce_max", "reduce_min") for line in CHAIN)
    change = the_change(plan([whole()]), plan(region([whole(hash="other")], text)))
    assert fields(change) == {
        "op %max": ("reduce_max %scaled {axes = [1]} : f32[64]", "reduce_min %scaled {axes = [1]} : f32[64]")
    }


def test_renamed_and_changed_kernels_are_matched_by_their_ops() -> None:
    names = {"%w_b": "%1", "%scaled": "%2", "%max_b": "%4", "%max": "%3", "%shifted": "%5", "%exp": "%6"}
    text = [line.replace("128", "256") for line in renamed(CHAIN, names)]
    change = the_change(plan([whole()]), plan(region([whole("k0_6", hash="other")], text)))
    assert (change.kind, change.old, change.new) == ("changed", ("k0_exp",), ("k0_6",))


def test_text_that_is_no_region_is_no_crash() -> None:
    for text in ((), ("{",), ("}",), ("%a = ",), ("func @f(%x: f32[4]) -> () {", "%% = ] : [", '"', "} : x {")):
        assert not changes(plan(region([whole()], text)), plan(region([whole()], text)))
        assert changes(plan([whole()]), plan(region([first_half(), second_half()], text)))


def test_steps_that_name_what_is_not_there_are_no_crash() -> None:
    wrong = plan([whole()], steps=(Step(kind="kernel", region=7, kernel=0), Step(kind="kernel", region=0, kernel=9)))
    assert [c.kind for c in changes(wrong, plan([whole()]))] == ["added"]


def test_annotations_put_the_dearest_first() -> None:
    new = plan([first_half("k0_max", predicted_us=5.1), second_half("k1_exp", predicted_us=9.0)])
    lines = github(diff(plan([first_half(), second_half()]), new), "a,b.plan.json").splitlines()
    assert lines[0] == "::warning file=a%2Cb.plan.json,title=fstc diff::~ k1_exp: +4 us"
    assert lines[1] == "::warning file=a%2Cb.plan.json,title=fstc diff::~ k0_max: +0.1 us"
    assert lines[2].startswith("::notice ")


def test_the_shape_of_the_data() -> None:
    """Programs rely on it: docs/ci.md lists the fields."""
    data = diff(plan([whole()]), plan([whole(registers=40)])).as_data()
    assert set(data) == {"kind", "only", "different", "context", "plans", "checks"}
    [compared] = data["plans"]
    assert set(compared) == {"device", "total", "changes"}
    [change] = compared["changes"]
    assert set(change) == {"kind", "count", "old", "new", "fields", "price", "because", "code"}
    assert change["fields"] == [{"name": "registers", "aspect": "cost", "old": 32, "new": 40}]
    assert set(change["price"]) == {"predicted_us", "bytes", "l2_bytes", "launches"}
    assert compared["total"]["registers"] == {"old": 32, "new": 40}
