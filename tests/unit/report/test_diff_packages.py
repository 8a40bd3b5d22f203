"""Two packages compared: the plans inside for each device, resources as compiled, generated code."""

from __future__ import annotations

import msgspec
from plan_example import plan, whole

from fstc.build.artefact import Estimate, Instructions, KernelEntry, Resources
from fstc.codegen.artefact import Codegen, KernelCode, Step
from fstc.report.diff.compare import compare, compare_plans
from fstc.report.diff.model import Change, PlanDiff
from fstc.report.diff.side import Built, Side
from fstc.report.diff.text import diff_report
from fstc.report.table import as_markdown, as_text

USED = Resources(
    registers=40, stack=0, spill_stores=0, spill_loads=0, shared=0, barriers=1, max_threads=128, parameters=24,
    code=1024,
)  # fmt: skip
TEXT = """// fstc 0.1.0: {name}, 64 blocks of 128 threads
extern "C" __global__ void __launch_bounds__(128) {symbol}(const float* p0)  // %x
{{
    const int lane = threadIdx.x & 31;
    float v0 = p0[lane] * 2.0f;  // %scaled = mul
}}
"""


def side(symbol: str = "fst_kernel_1", name: str = "k0_exp", text: str = TEXT, used: Resources = USED) -> Side:
    """A package of one kernel."""
    code = KernelCode(
        symbol=symbol, name=name, file="kernels/a.cu", digest="", grid=64, block=128, shared=0, min_blocks=0,
        params=(), origins=(),
    )  # fmt: skip
    entry = KernelEntry(
        symbol=symbol, name=name, source="a.cu", cubin="a.cubin", compiled=used,
        planned=Estimate(registers=40, shared=0, blocks_per_sm=12, limiter="registers"), blocks_per_sm=12,
        limiter="registers",
    )  # fmt: skip
    codegen = Codegen(device="h200", kernels=(code,), steps=(Step(kind="kernel", kernel=0),), scratch=())
    built = Built(codegen, {symbol: entry}, {symbol: text.format(symbol=symbol, name=name)})
    return Side(plan([whole(name)]), built=built)


def compared(old: Side, new: Side, only: str = "") -> PlanDiff:
    return compare_plans("h200", old, new, only)


def the_change(old: Side, new: Side, only: str = "") -> Change:
    [change] = compared(old, new, only).changes
    return change


def test_symbols_banners_and_comments_are_no_difference() -> None:
    commented = TEXT.replace("// %x", "// %y").replace("0.1.0", "0.2.0")
    assert not compared(side(), side("fst_kernel_2", "k4_exp", commented)).changes


def test_code_is_compared_line_by_line() -> None:
    change = the_change(side(), side("fst_kernel_2", text=TEXT.replace("2.0f", "3.0f")))
    assert change.code == (
        "@@ -2,5 +2,5 @@",
        ' extern "C" __global__ void __launch_bounds__(128) fst_kernel(const float* p0)  // %x',
        " {",
        "     const int lane = threadIdx.x & 31;",
        "-    float v0 = p0[lane] * 2.0f;  // %scaled = mul",
        "+    float v0 = p0[lane] * 3.0f;  // %scaled = mul",
        " }",
    )
    assert compared(side(), side(text=TEXT.replace("2.0f", "3.0f")), "cost").changes == ()


def test_every_compiled_resource_is_compared() -> None:
    for name in USED.__struct_fields__:
        value = getattr(USED, name)
        changed = Instructions(total=value.total + 8) if isinstance(value, Instructions) else value + 8
        more = msgspec.structs.replace(USED, **{name: changed})
        [field] = the_change(side(), side(used=more), "cost").fields
        assert (field.name, field.new - field.old) == (f"compiled_{name}", 8)  # type: ignore[operator]
        assert compared(side(), side(used=more), "structure").changes == ()


def test_figures_of_packages_are_summed() -> None:
    spilling = msgspec.structs.replace(USED, spill_stores=4, spill_loads=8)
    total = compared(side(), side(used=spilling)).total
    assert (total["spills"].old, total["spills"].new) == (0, 12)
    assert "spills" not in compared(Side(plan([whole()])), Side(plan([whole()]))).total


def test_code_reads_as_a_diff() -> None:
    found = compare("package", {"h200": (side(), side(text=TEXT.replace("2.0f", "3.0f")))})
    assert "~  k0_exp  code +1 -1 lines\n" in as_text(diff_report(found))
    assert "code of k0_exp:\n@@ -2,5 +2,5 @@\n" in as_text(diff_report(found))
    assert "\n```diff\n@@ -2,5 +2,5 @@\n" in as_markdown(diff_report(found, markdown=True))


def test_devices_have_a_part_each() -> None:
    found = compare(
        "package", {"h200": (side(), side()), "a100": (side(), side(used=msgspec.structs.replace(USED, code=2048)))}
    )
    text = as_text(diff_report(found))
    assert "h200:\n\nno difference" in text
    assert "a100:\n\n   kernel  change\n~  k0_exp  compiled code 1,024 -> 2,048\n" in text
