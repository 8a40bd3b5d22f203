"""The table of StableHLO ops: complete, and shown on its page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fstc.frontends.stablehlo.page import page
from fstc.frontends.stablehlo.table import TABLE
from fstc.ir.ops import OPS
from tests.conftest import Golden

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"
NOT_OPS = ("stablehlo.return", "chlo.constant")  # a terminator; a form of constant that only rewriting makes


def test_page(golden: Golden) -> None:
    golden(DOCS / "stablehlo.md", page())


@pytest.mark.parametrize("dialect", ["stablehlo", "chlo"])
def test_every_op_of_jaxlib_has_an_entry(dialect: str) -> None:
    pytest.importorskip("jaxlib.mlir.ir")
    from importlib import import_module

    ops = import_module(f"jaxlib.mlir.dialects._{dialect}_ops_gen")
    names = {c.OPERATION_NAME for c in vars(ops).values() if hasattr(c, "OPERATION_NAME")}
    missing = sorted(n for n in names if n.startswith(dialect) and n not in TABLE and n not in NOT_OPS)
    assert not missing


def test_entries_name_ops_of_the_table() -> None:
    for name, entry in TABLE.items():
        assert bool(entry.doc) != bool(entry.refused), f"{name}: says how it is mapped, or why not"
        if not name.startswith(("stablehlo.custom_call", "sdy.")):
            assert all(op in OPS for op in re.findall(r"`(\w+)`", entry.doc)), name
