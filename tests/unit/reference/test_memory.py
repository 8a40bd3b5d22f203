"""What does not fit this machine is refused before it is tried, or where an allocation fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from fstc.ir.graph import Graph
from fstc.ir.parser import parse_text
from fstc.runtime import memory
from fstc.support.diagnostics import FstcError
from fstc.support.sizes import binary

SIZES = [
    (0, "0 bytes"),
    (1023, "1023 bytes"),
    (1024, "1.0 KiB"),
    (1536 << 10, "1.5 MiB"),
    (4 * 10**12, "3.6 TiB"),
    (1 << 80, "1,048,576.0 EiB"),
]


def negation(extent: int) -> Graph:
    type = f"f32[{extent}]"
    return parse_text(f"func @f(%x: {type}) -> ({type}) {{ %y = neg %x : {type} return %y }}")


@pytest.mark.parametrize("size, text", SIZES)
def test_sizes(size: int, text: str) -> None:
    assert binary(size) == text


def test_checked_before_anything_is_allocated() -> None:
    refused = pytest.raises(FstcError, match=r"inputs and results need 7\.3 TiB, this machine has .* free")
    with refused as caught, memory.fitting(negation(10**12)):
        pytest.fail("nothing may run")
    assert caught.value.exit_code == 5


def test_an_allocation_that_fails() -> None:
    refused = pytest.raises(FstcError, match=r"inputs and results need 32 bytes, .*; no 9 TiB")
    with refused as caught, memory.fitting(negation(4)):
        raise MemoryError("no 9 TiB")
    assert caught.value.diagnostics[0].code == "FST0604"


def test_the_tightest_limit_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:       900 kB\nMemAvailable:   500 kB\n", encoding="ascii")
    monkeypatch.setattr(memory, "MEMINFO", meminfo)
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    assert memory.available() == 500 << 10
    (tmp_path / "memory.max").write_text("max\n", encoding="ascii")
    assert memory.available() == 500 << 10
    (tmp_path / "memory.max").write_text("4096\n", encoding="ascii")
    assert memory.available() == 4096
