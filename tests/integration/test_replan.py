"""Planning again with what the compiler used: a device description whose register estimates are far too low."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from fstc.analysis.run import analyze
from fstc.build.artefact import DeviceEntry
from fstc.build.cache import Cache
from fstc.build.package import Package
from fstc.device.device import FOLDER, load_device
from fstc.driver.built import built
from fstc.driver.files import open_work
from fstc.driver.package import BuildOptions, build_package
from fstc.ir.parser import parse_file
from fstc.plan.artefact import Plan
from fstc.plan.run import make_plan
from fstc.stages import Settings
from fstc.support.artefact import decode, encode
from fstc.support.diagnostics import FstcError
from tests.samples import SAMPLES_DIR

pytestmark = pytest.mark.nvrtc
SAMPLE = SAMPLES_DIR / "asr_conv_module.fir"


@pytest.fixture(scope="module")
def low(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An H200 on which a thread is believed to need a tenth of a register for everything but what it holds."""
    text = (FOLDER / "h200.yaml").read_text(encoding="utf-8").replace("name: h200", "name: low")
    text, found = re.subn(r"^(registers_(?:base|tensor|loaded|alive|partial)): [\d.]+", r"\1: 0.1", text, flags=re.M)
    assert found == 5
    path = tmp_path_factory.mktemp("low") / "low.yaml"
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def package(low: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample, planned until nothing was news."""
    cache = Cache(tmp_path_factory.mktemp("cache"))
    work = open_work(str(SAMPLE), Settings(device=str(low)))
    path = tmp_path_factory.mktemp("built") / "m.fpk"
    path.write_bytes(build_package(work, [str(low)], BuildOptions(replan=True), cache).package)
    return path


def opened(package: Path) -> tuple[DeviceEntry, Plan]:
    with Package.open(package) as found:
        entry = found.device("low")
        return entry, decode(found.plan(entry), Plan, "plan.json")


def test_spills_are_planned_away(package: Path) -> None:
    entry, plan = opened(package)
    first, kept = entry.rounds[0], next(r for r in entry.rounds if r.kept)
    assert len(first.spilling) >= 2
    assert 1 < len(entry.rounds) <= 4
    assert not kept.spilling and kept.number > 0
    assert kept.compiled_us < first.compiled_us
    assert not any(k.compiled.spill_stores for k in entry.kernels)
    assert plan.measured


def test_the_plan_follows_from_its_record(low: Path, package: Path) -> None:
    entry, plan = opened(package)
    graph = parse_file(SAMPLE, {})
    again = make_plan(graph, analyze(graph), load_device(low), measured=reversed(plan.measured))
    assert encode(again) == encode(plan)
    kept = next(r for r in entry.rounds if r.kept)
    assert kept.predicted_us == pytest.approx(again.summary.predicted_us)
    without = make_plan(graph, analyze(graph), load_device(low))
    assert encode(without) != encode(plan)


def test_where_estimates_hold_nothing_is_planned_again(tmp_path: Path) -> None:
    work = open_work(str(SAMPLES_DIR / "softmax_mask.fir"), Settings(device="h200"))
    found = build_package(work, ["h200"], BuildOptions(replan=True), Cache(tmp_path))
    (entry,) = found.manifest.devices
    assert [(r.number, r.kept, r.spilling, r.lower) for r in entry.rounds] == [(0, True, (), ())]
    plain = build_package(
        open_work(str(SAMPLES_DIR / "softmax_mask.fir"), Settings(device="h200")), ["h200"], BuildOptions(), Cache(None)
    )
    assert Package.from_bytes(plain.package).plan(plain.manifest.devices[0]) == Package.from_bytes(found.package).plan(
        entry
    )


def test_the_compilers_figures_stand_beside_the_plan(low: Path, package: Path) -> None:
    found = built(open_work(str(SAMPLE), Settings(device=str(low))), package)
    assert len(found.launches) == len(found.device.kernels)
    for planned, entry in found.launches:
        assert entry.planned.registers == planned.registers
        assert entry.planned.instructions == planned.instructions > 0
        assert entry.compiled.instructions.total > entry.compiled.instructions.loads > 0


def test_a_package_of_another_plan_is_refused(low: Path, package: Path) -> None:
    for work, why in (
        (open_work(str(SAMPLES_DIR / "softmax_mask.fir"), Settings(device=str(low))), "another model|its model"),
        (open_work(str(SAMPLE), Settings(device=str(low), binds={"B": 1})), "extents"),
    ):
        with pytest.raises(FstcError) as caught:
            built(work, package)
        assert caught.value.diagnostics[0].code == "FST0524"
        assert caught.value.exit_code == 3
        assert re.search(why, caught.value.diagnostics[0].message)


def test_a_plan_cannot_be_planned_again(package: Path) -> None:
    work = open_work(str(package), Settings())
    with pytest.raises(FstcError) as caught:
        build_package(work, ["low"], BuildOptions(replan=True), Cache(None))
    assert caught.value.diagnostics[0].code in ("FST0014", "FST0011")


def test_the_record_is_data(package: Path) -> None:
    _, plan = opened(package)
    body = json.loads(encode(plan))["body"]
    assert {*body["measured"][0]} == {
        "instructions", "min_blocks", "pattern", "placement", "planned", "registers", "spill_loads", "spill_stores",
        "stack",
    }  # fmt: skip
