"""Fixtures and options of the whole suite: goldens, hypothesis profiles, the gpu marker."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent
Golden = Callable[[Path, str], None]

COMMON: dict[str, Any] = {"deadline": None, "suppress_health_check": (HealthCheck.too_slow, HealthCheck.data_too_large)}
settings.register_profile("ci", derandomize=True, database=None, max_examples=100, print_blob=True, **COMMON)
settings.register_profile("full", derandomize=True, database=None, max_examples=1000, print_blob=True, **COMMON)
settings.register_profile("fuzz", max_examples=100, print_blob=True, **COMMON)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update", action="store_true", help="rewrite the goldens instead of comparing")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--update") and os.environ.get("CI"):
        raise pytest.UsageError("goldens are not rewritten in CI")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """``golden(path, text)``: the file holds exactly this text; --update writes it."""

    def check(path: Path, actual: str) -> None:
        if request.config.getoption("--update"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(actual, encoding="utf-8")
            return
        assert path.exists(), f"no {path.name}: run `make golden`, read the diff"
        assert actual == path.read_text(encoding="utf-8"), "run `make golden` if the change is meant, read the diff"

    return check


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's FSTC_ variables do not change what the tests see."""
    for name in [n for n in os.environ if n.startswith("FSTC_") and n != "FSTC_CACHE_DIR"]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session", autouse=True)
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Builds of one test run share a cache of their own, under the run's base folder."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "fstc-cache"
    before = os.environ.get("FSTC_CACHE_DIR")
    os.environ["FSTC_CACHE_DIR"] = before or str(folder)
    yield
    if before is None:
        del os.environ["FSTC_CACHE_DIR"]


# Tests marked gpu are left out where no driver answers, and the last lines of the run say how many.

LEFT_OUT = pytest.StashKey[int]()


@cache
def has_gpu() -> bool:
    """Asks the driver itself; importing CUDA's Python packages without one is no answer."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    count = ctypes.c_int(0)
    return driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value > 0


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    wanting = [] if has_gpu() else [item for item in items if item.get_closest_marker("gpu")]
    config.stash[LEFT_OUT] = len(wanting)
    if wanting:
        config.hook.pytest_deselected(items=wanting)
        items[:] = [item for item in items if not item.get_closest_marker("gpu")]


def pytest_sessionfinish(session: pytest.Session) -> None:
    output = getattr(session.config, "workeroutput", None)
    if output is not None:  # a process of xdist tells the one that prints
        output["left_out"] = session.config.stash.get(LEFT_OUT, 0)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: Any) -> None:
    count = getattr(node, "workeroutput", {}).get("left_out", 0)
    node.config.stash[LEFT_OUT] = max(count, node.config.stash.get(LEFT_OUT, 0))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    count = config.stash.get(LEFT_OUT, 0)
    if count:
        terminalreporter.write_line(f"not run: {count} tests marked gpu (no CUDA driver here)", yellow=True)
