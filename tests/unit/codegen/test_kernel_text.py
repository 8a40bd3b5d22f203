"""Kernels as text: what a reader of generated code sees, and that nobody changes it unawares.

Example: ``tests/golden/codegen/softmax`` holds ``in.fir`` and ``out.cu``, all its kernels without their banners.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from fstc.analysis.run import analyze
from fstc.codegen.artefact import Codegen
from fstc.codegen.run import generate
from fstc.device.device import load_device
from fstc.ir.graph import Graph
from fstc.ir.parser import parse_file, parse_text
from fstc.ir.types import F32
from fstc.plan.options import PlanOptions
from fstc.plan.run import make_plan
from tests.property.builder import Builder, renamed

CASES = sorted((Path(__file__).parents[2] / "golden" / "codegen").iterdir())
Golden = Callable[[Path, str], None]


def made(graph: Graph, options: PlanOptions | None = None) -> tuple[Codegen, dict[str, str]]:
    device = load_device("h200")
    return generate(graph, make_plan(graph, analyze(graph), device, options), device)


@pytest.mark.parametrize("case", CASES, ids=lambda p: p.name)
def test_kernels(case: Path, golden: Golden) -> None:
    codegen, sources = made(parse_file(case / "in.fir", {}))
    texts = [re.sub(r"fst_kernel_\w+", f"kernel_{n}", sources[k.file]) for n, k in enumerate(codegen.kernels)]
    bodies = [text.split("\n", 1)[1] for text in texts]  # the banner has the version
    golden(case / "out.cu", "\n".join(bodies))


@pytest.mark.parametrize("case", CASES, ids=lambda p: p.name)
def test_names_of_values_are_in_comments_only(case: Path) -> None:
    graph = parse_file(case / "in.fir", {})
    first, other = (made(g)[0] for g in (graph, renamed(graph, "another_")))
    assert [k.symbol for k in first.kernels] == [k.symbol for k in other.kernels]


def test_equal_kernels_of_other_names_are_one() -> None:
    """Two layers around a GEMM, each followed by the same kernel."""
    text = """func @main(%x: f32[8,8], %w: f32[8,8]) -> (f32[8,8]) {
  %a = dot_general %x, %w {lhs_contract = [1], rhs_contract = [0]} : f32[8,8]
  %b = exp %a : f32[8,8]
  %c = dot_general %b, %w {lhs_contract = [1], rhs_contract = [0]} : f32[8,8]
  %d = exp %c : f32[8,8]
  return %d
}
"""
    codegen, _ = made(parse_text(text))
    assert len(codegen.kernels) == 1
    assert sum(1 for s in codegen.steps if s.kernel == 0) == 2


def test_long_chains_are_no_recursion() -> None:
    b = Builder()
    x = y = b.input(F32, (1000,))
    for n in range(1500):
        y = b.op("add", y, x) if n % 2 else b.op("neg", y)
    codegen, _ = made(b.graph([y]), PlanOptions(max_ops=1500))
    assert len(codegen.kernels) == 1
    codegen, _ = made(b.graph([y]))
    assert 1 < len(codegen.kernels) <= 1500 // 128 + 1, "patterns have a bound"
