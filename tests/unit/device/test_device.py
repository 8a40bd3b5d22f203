"""Device descriptions: what ships is sound, what is wrong is refused at its place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fstc.device.device import FOLDER, Device, device_names, figures, load_device, parse_device
from fstc.support.diagnostics import FstcError, render_text

NAMES = ("a10", "a100", "b200", "h100", "h200", "l4", "l40s", "rtx4090", "t4", "v100")
GOOD = (FOLDER / "h200.yaml").read_text(encoding="utf-8")


def refused(text: str) -> str:
    with pytest.raises(FstcError) as caught:
        parse_device(text.encode(), "board.yaml")
    assert caught.value.exit_code == 2
    return render_text(caught.value.diagnostics)


def test_the_devices_that_ship() -> None:
    assert device_names() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_figures_fit_together(name: str) -> None:
    device = load_device(name)
    assert device.name == name
    assert device.warps_per_sm * device.warp_size == device.max_threads_per_sm
    assert device.shared_per_block_max + device.shared_reserved <= device.shared_per_sm
    assert 0 < device.dram_latency_us < device.launch_us
    assert device.l2_gbps > device.dram_gbps
    assert device.l2_bytes < device.dram_bytes
    assert device.arch == "sm_{}{}".format(*device.compute_capability)


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_has_a_source(name: str) -> None:
    for line in (FOLDER / f"{name}.yaml").read_text(encoding="utf-8").splitlines():
        if re.match(r"\w+:", line) and not line.startswith(("name:", "title:", "arch:")):
            assert "  # " in line, line


def test_a_path_is_read_as_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD.replace("name: h200", "name: mine").replace("sms: 132", "sms: 78"))
    device = load_device(path)
    assert isinstance(device, Device)
    assert (device.name, device.sms) == ("mine", 78)
    assert load_device(str(path)) == device


def test_every_number_of_a_description_is_a_constant_of_the_plan() -> None:
    found = figures(load_device("h200"))
    numbers = [line.split(":")[0] for line in GOOD.splitlines() if re.match(r"\w+: [\d.]+  #", line)]
    assert set(numbers) <= set(found)
    assert [found[f"block_warps[{n}]"] for n in range(2)] == [4.0, 8.0]
    assert found["delta_registers"] == 16
    assert {"name", "title", "arch"}.isdisjoint(found)


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(FstcError) as caught:
        load_device("h300")
    assert caught.value.exit_code == 2
    assert ", ".join(NAMES) in caught.value.diagnostics[0].help


def test_a_missing_file() -> None:
    with pytest.raises(FstcError) as caught:
        load_device("nowhere/board.yaml")
    assert caught.value.diagnostics[0].code == "FST0001"


def test_an_unknown_key_is_shown_with_what_was_meant() -> None:
    text = refused(GOOD.replace("sms: 132", "smss: 132"))
    assert "board.yaml:13:1" in text
    assert "smss: 132" in text
    assert "did you mean sms?" in text
    assert "board.yaml lacks sms" in text  # every problem in one run


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("sms: 132", "sms: many", "'many' is no whole number"),
        ("sms: 132", "sms: -1", "'-1' is no whole number"),
        ("sms: 132", "sms: 0", "cannot be 0"),
        ("sms: 132", "sms: [132]", "one value is needed"),
        ("sms: 132", "sms: 1e3", "no whole number"),
        ("sms: 132", "sms: 99999999999999999999", "no whole number"),
        ("clock_ghz: 1.75", "clock_ghz: .nan", "no decimal number"),
        ("arch: sm_90", "arch: gfx90a", "no architecture"),
        ("name: h200", "name: ../h200", "a name has"),
        ("name: h200", "name: h200\nname: h100", "'name' is given twice"),
        ("sms: 132", "sms: 132\n: : :", "no YAML"),
        ("block_warps: [4, 8]", "block_warps: 4", "a list of 1 to 16 whole numbers"),
        ("block_warps: [4, 8]", "block_warps: []", "a list of 1 to 16 whole numbers"),
        ("block_warps: [4, 8]", "block_warps: [4, [8]]", "one value is needed, not a list"),
        ("block_warps: [4, 8]", "block_warps: [4, 0]", "cannot be 0"),
        ("block_warps: [4, 8]", "block_warps: [4, x]", "'x' is no whole number"),
        ("block_warps: [4, 8]", "block_warps: {4: 8}", "a list of 1 to 16 whole numbers"),
        ("block_warps: [4, 8]", "block_warps: [" + "4, " * 17 + "4]", "a list of 1 to 16 whole numbers"),
        ("sms: 132", "sms: &a [*a, *a]", "one value is needed"),
        ("sms: 132", "sms: !!python/object/apply:os.system [true]", "one value is needed"),
    ],
)
def test_malformed_descriptions(before: str, after: str, says: str) -> None:
    assert says in refused(GOOD.replace(before, after, 1))


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just words", "[" * 65_000])
def test_not_a_mapping(text: str) -> None:
    assert "board.yaml" in refused(text)


def test_not_utf8() -> None:
    with pytest.raises(FstcError):
        parse_device(b"name: \xff", "board.yaml")
