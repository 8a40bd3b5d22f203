"""What a packed launch reads: of a tensor that several parts read, only what is the same counts once."""

from __future__ import annotations

import pytest

from fstc.analysis.run import analyze
from fstc.device.device import load_device
from fstc.ir.parser import parse_text
from fstc.plan.run import make_plan

LOOKUP = "offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1"
HALVES = """func @main(%x: f32[64,64]) -> (f32[64,32], f32[64,LONG]) {
  %a = slice %x {start = [0, 0], limit = [64, 32]} : f32[64,32]
  %b = slice %x {start = [0, START], limit = [64, LIMIT]} : f32[64,LONG]
  %c = exp %a : f32[64,32]
  %d = tanh %b : f32[64,LONG]
  return %c, %d
}"""


def bytes_of(text: str) -> int:
    graph = parse_text(text)
    plan = make_plan(graph, analyze(graph), load_device("h200"))
    assert plan.summary.kernels == 1
    return plan.summary.bytes


def test_rows_of_one_table_that_are_looked_up_apart() -> None:
    text = f"""func @main(%t: f32[1000,64], %i: i64[8,1], %j: i64[16,1]) -> (f32[8,64], f32[16,64]) {{
      %a = gather %t, %i {{{LOOKUP}, slice_sizes = [1, 64]}} : f32[8,64]
      %b = gather %t, %j {{{LOOKUP}, slice_sizes = [1, 64]}} : f32[16,64]
      return %a, %b
    }}"""
    assert bytes_of(text) == 2 * (8 + 16) * 256 + (8 + 16) * 8


@pytest.mark.parametrize(("start", "limit", "read"), [(32, 64, 64), (0, 32, 32)])
def test_halves_of_a_tensor(start: int, limit: int, read: int) -> None:
    text = HALVES.replace("START", str(start)).replace("LIMIT", str(limit)).replace("LONG", str(limit - start))
    assert bytes_of(text) == 4 * 64 * (read + 32 + limit - start)
