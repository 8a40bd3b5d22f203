"""Fixtures of the host target's tests: kernels by hand, compiled once in one library a flavour."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from fstc.build.cache import Cache
from fstc.build.host import HostKernel, HostLibrary, compile_host

KERNELS = Path(__file__).parent / "kernels"

# symbol: grid, block, bytes of shared memory, parameters
LAUNCHES = {
    "rowsum": (3, 256, 32, 2),
    "ticket": (5, 64, 16, 4),
    "transpose": (4, 256, 33 * 32 * 4, 2),
    "stream": (8, 64, 0, 3),
    "warps": (2, 64, 256, 2),
    "atomics": (4, 96, 0, 2),
}


def kernel(symbol: str, *edits: tuple[str, str], name: str = "") -> HostKernel:
    """A kernel of ``kernels/``, after replacing text; what is replaced must be there."""
    text = (KERNELS / f"{symbol}.cu").read_text(encoding="utf-8")
    for old, new in edits:
        assert old in text, f"{symbol}.cu has no {old!r}"
        text = text.replace(old, new)
    grid, block, shared, params = LAUNCHES[symbol]
    return HostKernel(symbol, text, grid, block, shared, params, name or symbol)


def line_of(kernel: HostKernel, mark: str) -> int:
    """The line that carries ``// @mark``."""
    (line,) = (i for i, text in enumerate(kernel.source.splitlines(), 1) if f"@{mark}" in text.split())
    return line


Build = Callable[..., HostLibrary]


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Compiles in a folder whose name has spaces; the runtime is compiled once."""
    folder = tmp_path_factory.mktemp("a folder with spaces")
    cache = Cache.open(folder / "cache")

    def compile_kernels(kernels: Sequence[HostKernel], *, checked: bool = False) -> HostLibrary:
        return compile_host(kernels, folder, checked=checked, cache=cache)

    return compile_kernels


@pytest.fixture(scope="session")
def plain(build: Build) -> HostLibrary:
    return build([kernel(symbol) for symbol in LAUNCHES])


@pytest.fixture(scope="session")
def checked(build: Build) -> HostLibrary:
    return build([kernel(symbol) for symbol in LAUNCHES], checked=True)
