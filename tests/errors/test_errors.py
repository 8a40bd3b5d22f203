"""Each bad .fir here is refused with exactly the text beside it; a first line `// bind: N=4` binds extents."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from fstc.ir.parser import parse_bytes
from fstc.support.codes import CODES
from fstc.support.diagnostics import FstcError, render_text

HERE = Path(__file__).parent
CASES = sorted(HERE.glob("*.fir"))


@pytest.mark.parametrize("path", CASES, ids=lambda p: p.stem)
def test_message(path: Path, golden: Callable[[Path, str], None]) -> None:
    data = path.read_bytes()
    match = re.match(rb"// bind: (.*)\n", data)
    pairs = (item.split("=") for item in match[1].decode().split(",")) if match else ()
    binds = {name: int(value) for name, value in pairs}
    with pytest.raises(FstcError) as caught:
        parse_bytes(data, path.name, binds, folder=HERE)
    assert caught.value.exit_code == 3
    golden(path.with_suffix(".txt"), render_text(caught.value.diagnostics))


def test_every_code_of_the_language_has_a_case() -> None:
    text = "".join(p.with_suffix(".txt").read_text(encoding="utf-8") for p in CASES)
    wanted = {c for c in CODES if re.match(r"FST0[123]|FST0008", c)}
    in_unit_tests = {"FST0104", "FST0105"}  # thousands of characters or errors: tests/unit/ir/test_limits.py
    assert wanted - in_unit_tests == {c for c in wanted if c in text}
