"""The table of names that are no ops speaks of ops and samples that exist."""

from __future__ import annotations

import re

import pytest

from fstc.ir.ops.composed import ALIASES, COMPOSED, hint
from fstc.ir.parser import TABLE
from tests.cli.conftest import ROOT


@pytest.mark.parametrize("name", COMPOSED)
def test_texts_name_what_exists(name: str) -> None:
    text = COMPOSED[name]
    assert name not in TABLE
    assert set(re.findall(r"`(.*?)`", text)) <= set(TABLE)
    assert all((ROOT / path).is_file() for path in re.findall(r"samples/\w+\.fir", text))
    assert hint(name, TABLE) == f"{name} is not an op: {text}"


def test_other_spellings() -> None:
    assert set(ALIASES.values()) <= set(COMPOSED)
    assert not set(ALIASES) & set(TABLE)
    assert hint("nn.LayerNorm", TABLE).startswith("nn.LayerNorm is not an op: mean and variance")
    assert hint("stablehlo.tanh", TABLE) == "ops have no prefix: write `tanh`"
    assert hint("frobnicate", TABLE) == ""
