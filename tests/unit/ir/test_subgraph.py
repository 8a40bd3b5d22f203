"""Cutting graphs, and the hash that equal parts share."""

from __future__ import annotations

from fstc.ir.parser import parse_text
from fstc.ir.subgraph import extract, structural_hash, structural_text
from fstc.ir.verify import verify

TEXT = """
func @f(%x: f32[4] {alias = 1}, %y: f32[4] {low = 0.0}) -> (f32[4], f32[4]) {
  %a = exp %y : f32[4]
  %b = add %a, %x : f32[4] loc("one")
  %c = mul %b, %a : f32[4]
  %d = exp %c : f32[4]
  %e = add %d, %x : f32[4] loc("two")
  %f = mul %e, %d : f32[4]
  return %a, %f
}
"""


def test_extract() -> None:
    graph = parse_text(TEXT)
    part, origin = extract(graph, [2, 1])
    verify(part)
    assert [graph.values[g].name for g in origin] == ["a", "x", "b", "c"]
    assert [part.values[i].name for i in part.inputs] == ["a", "x"]
    assert [part.values[i].name for i in part.outputs] == ["c"]
    assert [n.op.name for n in part.nodes] == ["add", "mul"]


def test_outputs_are_what_is_read_outside_or_returned() -> None:
    part, _ = extract(parse_text(TEXT), [0, 1, 5])
    assert [part.values[i].name for i in part.outputs] == ["a", "b", "f"]


def test_an_alias_follows_its_output() -> None:
    graph = parse_text(TEXT)
    whole, _ = extract(graph, range(6))
    assert dict(whole.values[whole.inputs[1]].attrs)["alias"] == 1
    last, _ = extract(graph, [4, 5])
    assert [dict(last.values[i].attrs) for i in last.inputs] == [{}, {"alias": 0}]
    first, _ = extract(graph, [1])
    assert all(not v.attrs for v in first.values)


def test_equal_parts_have_one_hash() -> None:
    graph = parse_text(TEXT.replace(" {alias = 1}", ""))
    parts = [extract(graph, ids)[0] for ids in ((0, 1, 2), (3, 4, 5), (0, 1), (1, 2))]
    hashes = [structural_hash(p) for p in parts]
    assert hashes[0] != hashes[1]  # %a is returned, %d is not
    hidden, _ = extract(parse_text(TEXT.replace("%a, %f", "%f, %f").replace(" {alias = 1}", "")), (0, 1, 2))
    assert structural_hash(hidden) == hashes[1]
    assert len(set(hashes)) == 4


def test_text_shows_values_types_and_attributes_only() -> None:
    graph = parse_text(
        'func @f(%x: f32[2,3] {low = 1.0}) -> (f32[2]) { %s = reduce_sum %x {axes = [1]} : f32[2] loc("a")\n'
        '%w = constant {data = "w.safetensors:w"} : f32[2] %z = constant {value = -0.0} : f32[2]\n'
        "%a = add %w, %z : f32[2] %b = add %a, %s : f32[2] return %b }"
    )
    assert structural_text(graph) == "\n".join(
        [
            "in f32[2,3]",
            "reduce_sum 0{axes=(1)} : f32[2]",
            "constant {data=} : f32[2]",
            "constant {value=-0x0.0p+0} : f32[2]",
            "add 2 3 : f32[2]",
            "add 4 1 : f32[2]",
            "out 5",
        ]
    )
