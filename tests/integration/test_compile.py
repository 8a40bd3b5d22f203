"""Every kernel of every sample, compiled by NVRTC for three devices: resources in the manifest, no spills."""

from __future__ import annotations

import pytest

from fstc.build.cache import Cache
from fstc.driver.files import open_work
from fstc.driver.package import BuildOptions, build_package
from fstc.stages import Settings
from tests.integration.shipped import DEVICES, SAMPLES
from tests.samples import SAMPLES_DIR

ARCHITECTURES = {"h200": "sm_90", "a100": "sm_80", "b200": "sm_100"}
SPILL, STACK = "FST0510", "FST0511"
# (sample, device): why this one may spill
SPILLS: dict[tuple[str, str], str] = {
    ("rmsnorm_bwd", "a100"): "some words at 1,024 threads; `build --replan` plans it away for 0.7 % of the time",
}

pytestmark = pytest.mark.nvrtc


@pytest.mark.parametrize("sample", SAMPLES)
def test_compiles_without_spilling(sample: str) -> None:
    work = open_work(str(SAMPLES_DIR / f"{sample}.fir"), Settings())
    built = build_package(work, DEVICES, BuildOptions(jobs=1), Cache(None))
    assert built.cached == 0
    assert {d.name: d.arch for d in built.manifest.devices} == ARCHITECTURES
    for device in built.manifest.devices:
        assert device.kernels
        for kernel in device.kernels:
            used = kernel.compiled
            assert 0 < used.registers <= 255
            assert kernel.blocks_per_sm >= 1
            assert used.barriers <= 1
            if (sample, device.name) not in SPILLS:
                assert (used.spill_stores, used.spill_loads, used.stack) == (0, 0, 0), f"{kernel.name} on {device.name}"
    spilled = {f.device for f in built.findings if f.code in (SPILL, STACK)}
    assert spilled == {device for name, device in SPILLS if name == sample}, "a spill and its finding go together"
