"""The page of ops names every op and attribute."""

from __future__ import annotations

from fstc.ir.ops import OPS
from fstc.ir.ops.doc import op_reference_markdown


def test_every_op_and_attribute_is_on_the_page() -> None:
    page = op_reference_markdown()
    for op in OPS.values():
        assert f"`{op.name}`" in page and op.doc.replace("|", r"\|") in page
        assert all(f"`{a.name}`" in page for a in op.attrs)
    assert page.count("### ") == 5


def test_tables_are_rectangular() -> None:
    block: list[str] = []
    for line in [*op_reference_markdown().splitlines(), ""]:
        if line.startswith("|"):
            block.append(line)
        else:
            assert len({row.replace(r"\|", "").count("|") for row in block}) <= 1
            block = []
