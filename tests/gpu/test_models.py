"""Every sample on the GPU: at small extents, planned for them, and with the kernels that ship on fewer blocks."""

from __future__ import annotations

from pathlib import Path

import pytest

from fstc.build.cache import Cache
from fstc.driver.execution import device_at_hand, verify_model
from fstc.driver.files import open_work
from fstc.driver.host import Toolbox
from fstc.runtime.verify import VerifyOptions
from fstc.stages import Settings
from tests.samples.bindings import ODD, SHIP, SMALL, Binding

SAMPLES = Path(__file__).resolve().parent.parent.parent / "samples"
OPTIONS = VerifyOptions(tensors="kernel-edges")


def wrong(name: str, binds: Binding, cache: Path, as_real: bool = False) -> list[str]:
    """What `verify --target cuda` finds."""
    work = open_work(str(SAMPLES / f"{name}.fir"), Settings(device=device_at_hand(), binds=binds, as_real=as_real))
    found = verify_model(work, "cuda", OPTIONS, Toolbox(Cache.open(cache)), orders=(), check=False)
    bad = [f"{t.kernel} {t.comparison.name}: {t.comparison.excess:.3g}" for t in found.tensors if not t.comparison.ok]
    return bad + [fault.message for fault in found.faults]


@pytest.mark.gpu
@pytest.mark.parametrize("name", sorted(SMALL))
def test_small_extents(name: str, tmp_path: Path) -> None:
    assert wrong(name, SMALL[name], tmp_path) == []


@pytest.mark.gpu
@pytest.mark.parametrize("name", sorted(ODD))
def test_odd_extents(name: str, tmp_path: Path) -> None:
    assert wrong(name, ODD[name], tmp_path) == []


@pytest.mark.gpu
@pytest.mark.parametrize("name", sorted(SHIP))
def test_the_kernels_that_ship(name: str, tmp_path: Path) -> None:
    assert wrong(name, SHIP[name], tmp_path, as_real=True) == []
