"""What type rules refuse, and which operand or attribute they blame."""

from __future__ import annotations

from typing import Any

import pytest
from structured import binary, infer_of, region, types_of

from fstc.ir.ops import OPS
from fstc.ir.ops.opdef import Form, Kind, OpError

GATHER = {"offset_dims": (1,), "collapsed_slice_dims": (0,), "start_index_map": (0,), "index_vector_dim": 1,
          "slice_sizes": (1, 8)}  # fmt: skip
SCATTER = {"update_window_dims": (1,), "inserted_window_dims": (0,), "scatter_dims_to_operand_dims": (0,),
           "index_vector_dim": 1}  # fmt: skip
ROWS = ["f32[5,8]", "i32[3]"]
UPDATES = [*ROWS, "f32[3,8]"]
ADD = binary("add", "f32")

CASES: list[tuple[str, list[str], Any, dict[str, Any], str, str | int | None]] = [
    ("broadcast_in_dim", ["f32[3]"], "f32[2,3]", {"dims": (2,)}, "names dimension 2; allowed are 0 to 1", "dims"),
    ("broadcast_in_dim", ["f32[3]"], "f32[]", {"dims": (0,)}, "allowed are none, the operand is a scalar", "dims"),
    ("broadcast_in_dim", ["f32[3,3]"], "f32[3,3]", {"dims": (1, 1)}, "names dimension 1 twice", "dims"),
    ("broadcast_in_dim", ["f32[3]"], "f32[2,3]", {"dims": ()}, "has 0 entries, the operand f32[3] has rank 1", "dims"),
    ("broadcast_in_dim", ["f32[3]"], "f32[2,4]", {"dims": (1,)}, "dimension 0 of f32[3] has extent 3", 0),
    ("reshape", ["f32[2,3]"], "f32[5]", {}, "f32[2,3] has 6 elements, [5] has 5", None),
    ("transpose", ["f32[2,3]"], (), {"permutation": (0, 0)}, "names dimension 0 twice", "permutation"),
    ("transpose", ["f32[2,3]"], (), {"permutation": (0,)}, "has 1 entries", "permutation"),
    ("transpose", ["f32[2,3]"], (), {"permutation": (0, -1)}, "names dimension -1", "permutation"),
    ("reverse", ["f32[2,3]"], (), {"dimensions": (2,)}, "names dimension 2", "dimensions"),
    ("slice", ["f32[9]"], (), {"start": (5,), "limit": (4,)}, "5 in dimension 0, after the limit 4", "start"),
    ("slice", ["f32[9]"], (), {"start": (0,), "limit": (10,)}, "past the extent 9", "limit"),
    ("slice", ["f32[9]"], (), {"start": (-1,), "limit": (4,)}, "has entry -1", "start"),
    ("slice", ["f32[9]"], (), {"start": (0,), "limit": (4,), "strides": (0,)}, "has entry 0, the least", "strides"),
    ("slice", ["f32[9]"], (), {"start": (0, 0), "limit": (4,)}, "has 2 entries, expected 1", "start"),
    ("concatenate", ["f32[2]", "f32[2,1]"], (), {"dimension": 0}, "only dimension 0 may differ", 1),
    ("concatenate", ["f32[2,3]", "f32[3,3]"], (), {"dimension": 1}, "operand 1 is f32[3,3]", 1),
    ("concatenate", ["f32[2]", "f16[2]"], (), {"dimension": 0}, "operand 1 is f16, but operand 0 is f32", 1),
    ("concatenate", ["f32[]"], (), {"dimension": 0}, "the operand is a scalar", "dimension"),
    ("pad", ["f32[2]", "f16[]"], (), {"low": (0,), "high": (0,)}, "the padding value is f16[], expected f32[]", 1),
    ("pad", ["f32[2]", "f32[1]"], (), {"low": (0,), "high": (0,)}, "the padding value is f32[1]", 1),
    ("pad", ["f32[2]", "f32[]"], (), {"low": (-2,), "high": (-1,)}, "with extent -1", "low"),
    ("pad", ["f32[2]", "f32[]"], (), {"low": (0,), "high": (0,), "interior": (-1,)}, "has entry -1", "interior"),
    ("dynamic_slice", ["f32[4]", "i32[]"], (), {"sizes": (5,)}, "extent 5 in dimension 0", "sizes"),
    ("dynamic_slice", ["f32[4]"], (), {"sizes": (1,)}, "0 start indices, the operand f32[4] has rank 1", None),
    ("dynamic_slice", ["f32[4]", "f32[]"], (), {"sizes": (1,)}, "start index 0 is f32[], expected an integer", 1),
    ("dynamic_slice", ["f32[4]", "i32[1]"], (), {"sizes": (1,)}, "start index 0 is i32[1], expected a scalar", 1),
    ("dynamic_update_slice", ["f32[4]", "f32[5]", "i32[]"], (), {}, "extent 5", 1),
    ("dynamic_update_slice", ["f32[4]", "f32[1,1]", "i32[]"], (), {}, "the ranks must be equal", 1),
    ("dynamic_update_slice", ["f32[4]", "i32[1]", "i32[]"], (), {}, "operand 1 is i32", 1),
    ("gather", ["f32[5,8]", "f32[3]"], (), GATHER, "the index tensor is f32[3]", 1),
    ("gather", ROWS, (), GATHER | {"slice_sizes": (2, 8)}, "is 2 in dimension 0, which is not kept", "slice_sizes"),
    ("gather", ROWS, (), GATHER | {"slice_sizes": (1, 9)}, "is 9 in dimension 1, the operand has 8", "slice_sizes"),
    ("gather", ROWS, (), GATHER | {"slice_sizes": (1,)}, "has 1 entries, expected 2", "slice_sizes"),
    ("gather", ROWS, (), GATHER | {"start_index_map": (0, 1)}, "an index vector has 1", "start_index_map"),
    ("gather", ROWS, (), GATHER | {"start_index_map": (2,)}, "names dimension 2", "start_index_map"),
    ("gather", ROWS, (), GATHER | {"offset_dims": (0, 1)}, "have 2 + 1 + 0 entries", "offset_dims"),
    ("gather", ROWS, (), GATHER | {"offset_dims": (2,)}, "names dimension 2; allowed are 0 to 1", "offset_dims"),
    ("gather", ROWS, (), GATHER | {"index_vector_dim": 2}, "is 2, allowed are 0 to 1", "index_vector_dim"),
    ("gather", ROWS, (), GATHER | {"index_vector_dim": -1}, "is -1, allowed are 0 to 1", "index_vector_dim"),
    ("gather", ROWS, (), GATHER | {"collapsed_slice_dims": (0,), "operand_batching_dims": (0,), "offset_dims": ()},
     "dimension 0 is in both", "operand_batching_dims"),
    ("gather", ROWS, (), GATHER | {"collapsed_slice_dims": (), "operand_batching_dims": (0,), "start_index_map": (1,),
                                   "start_indices_batching_dims": ()}, "has 1 entries", "start_indices_batching_dims"),
    ("gather", ROWS, (), GATHER | {"collapsed_slice_dims": (), "operand_batching_dims": (0,), "start_index_map": (1,),
                                   "start_indices_batching_dims": (0,)}, "has extent 5", "operand_batching_dims"),
    ("scatter", [*ROWS, "f16[3,8]"], (), SCATTER | {"body": ADD}, "operand 2 is f16", 2),
    ("scatter", [*ROWS, "f32[2,8]"], (), SCATTER | {"body": ADD}, "have the batch", 2),
    ("scatter", [*ROWS, "f32[3,9]"], (), SCATTER | {"body": ADD}, "9 wide in dimension 1", 2),
    ("scatter", UPDATES, (), SCATTER, "takes one region, 0 are given", None),
    ("scatter", UPDATES, (), SCATTER | {"body": binary("add", "f16")}, "parameter 0 of the region is f16[]", None),
    ("scatter", UPDATES, (), SCATTER | {"body": ADD, "inserted_window_dims": ()}, "have 1 + 0 + 0 entries",
     "update_window_dims"),
    ("iota", [], "f32[3]", {"dimension": 1}, "names dimension 1", "dimension"),
    ("iota", [], "bool[3]", {"dimension": 0}, "expected a numeric type", None),
    ("iota", [], "f32[]", {"dimension": 0}, "the operand is a scalar", "dimension"),
    ("iota", [], (), {"dimension": 0}, "must be written out", None),
    ("constant", [], "f32[]", {}, "neither is given", None),
    ("constant", [], "f32[]", {"value": 1, "data": "a.safetensors:b"}, "both is given", "data"),
    ("constant", [], "f32[]", {"data": "a.npz:b"}, "expected \"file.safetensors:tensor\"", "data"),
    ("constant", [], "f32[]", {"data": "a.safetensors:"}, "expected", "data"),
    ("constant", [], "i8[]", {"value": 128}, "i8 holds -128 to 127", "value"),
    ("constant", [], "u8[]", {"value": -1}, "u8 holds 0 to 255", "value"),
    ("constant", [], "i32[]", {"value": 1.0}, "i32 needs an integer", "value"),
    ("constant", [], "i32[]", {"value": True}, "`value` is true, i32 needs a number", "value"),
    ("constant", [], "bool[]", {"value": 1}, "bool needs true or false", "value"),
    ("constant", [], "f16[]", {"value": 1e5}, "the largest f16 is 65504.0", "value"),
    ("constant", [], "f8e4m3fn[]", {"value": float("inf")}, "has no infinity", "value"),
    ("constant", [], "f32[2]", {"value": (1, 2, 3)}, "a list of 3 where f32[2] needs 2", "value"),
    ("constant", [], "f32[2,2]", {"value": (1, 2)}, "nests less deep than f32[2,2]", "value"),
    ("constant", [], "f32[2]", {"value": ((1,), (2,))}, "nests deeper than f32[2]", "value"),
    ("rng_bit_generator", ["u32[2]"], ("u64[2]", "u32[4]"), {}, "the state is u32[2]", 0),
    ("rng_bit_generator", ["u64[2]"], ("u64[2]", "i32[4]"), {}, "expected an unsigned integer type", None),
    ("reduce_sum", ["f32[2,3]"], (), {"axes": (2,)}, "names dimension 2", "axes"),
    ("reduce_sum", ["f32[2,3]"], (), {"axes": (1, 1)}, "names dimension 1 twice", "axes"),
    ("reduce_sum", ["bool[2]"], (), {"axes": (0,)}, "expected a numeric type", 0),
    ("reduce_and", ["f32[2]"], (), {"axes": (0,)}, "expected a bool or integer type", 0),
    ("argmax", ["f32[]"], (), {"axis": 0}, "the operand is a scalar", "axis"),
    ("cumsum", ["bool[2]"], (), {"axis": 0}, "expected a numeric type", 0),
    ("reduce", ["f32[2]", "f32[]", "f32[]"], (), {"axes": (0,), "body": ADD}, "as many initial values", None),
    ("reduce", ["f32[2]", "f16[]"], (), {"axes": (0,), "body": ADD}, "initial value 0 is f16[]", 1),
    ("reduce", ["f32[2]", "f32[1]"], (), {"axes": (0,), "body": ADD}, "initial value 0 is f32[1]", 1),
    ("reduce", ["f32[2]", "f32[3]", "f32[]", "f32[]"], (), {"axes": (0,), "body": ADD}, "shapes must be equal", 1),
    ("reduce", ["f32[2]", "f32[2]", "f32[]", "f32[]"], (), {"axes": (0,), "body": ADD}, "2 parameters", None),
    ("reduce", ["f32[2]", "f32[]"], (),
     {"axes": (0,), "body": region("(%a: f32[], %b: f32[]) -> (f32[], f32[]) { return %a, %b }")},
     "2 results, expected 1", None),
    ("window_max", ["f32[4]"], (), {"window_dimensions": (0,)}, "has entry 0", "window_dimensions"),
    ("window_max", ["f32[4]"], (), {"window_dimensions": (2, 2)}, "expected 1", "window_dimensions"),
    ("window_max", ["f32[4]"], (), {"window_dimensions": (2,), "window_strides": (0,)}, "entry 0", "window_strides"),
    ("window_max", ["f32[4]"], (), {"window_dimensions": (2,), "padding": ((0, 0), (0, 0))}, "2 pairs", "padding"),
    ("window_sum", ["bool[4]"], (), {"window_dimensions": (2,)}, "expected a numeric type", 0),
    ("reduce_window", ["f32[4]", "f16[]"], (), {"window_dimensions": (2,), "body": ADD}, "the initial value is", 1),
    ("dot_general", ["f32[2]", "f16[2]"], (), {}, "only 8-bit floats may differ", 1),
    ("dot_general", ["bool[2]", "bool[2]"], (), {}, "expected a numeric type", 0),
    ("dot_general", ["f32[2]", "f32[2]"], "i32[2,2]", {}, "a product of f32 cannot give i32", None),
    ("dot_general", ["f32[2]", "f32[3]"], (), {"lhs_contract": (0,), "rhs_contract": (0,)}, "has extent 2", 1),
    ("dot_general", ["f32[2]", "f32[3]"], (), {"lhs_contract": (0,)}, "`rhs_contract` 0", "rhs_contract"),
    ("dot_general", ["f32[2]", "f32[2]"], (),
     {"lhs_contract": (0,), "rhs_contract": (0,), "lhs_batch": (0,), "rhs_batch": (0,)},
     "dimension 0 is in both `lhs_batch` and `lhs_contract`", "lhs_contract"),
    ("dot_general", ["f32[1,1,1,1,1]", "f32[1,1,1,1]"], (), {}, "would have rank 9", None),
    ("convolution", ["f32[1,3,5]", "f32[2,4,3]"], (), {}, "the input has 3 features, the kernel takes 4", 1),
    ("convolution", ["f32[1,3,5]", "f32[2,3,0]"], (), {}, "its spatial extents are at least 1", 1),
    ("convolution", ["f32[1,3,5]", "f32[2,3]"], (), {}, "one rank of at least 2", 1),
    ("convolution", ["f32[1,4,5]", "f32[3,2,3]"], (), {"feature_group_count": 2}, "does not divide",
     "feature_group_count"),
    ("convolution", ["f32[1,4,5]", "f32[4,4,3]"], (), {"batch_group_count": 2}, "the batch is 1", "batch_group_count"),
    ("convolution", ["f32[1,4,5]", "f32[4,4,3]"], (), {"input_feature_dimension": 0}, "expected each of its 3",
     "input_spatial_dimensions"),
    ("convolution", ["f32[1,4,5]", "f32[4,4,3]"], (), {"lhs_dilation": (0,)}, "has entry 0", "lhs_dilation"),
    ("sort", ["f32[3]", "f32[4]"], (), {"dimension": 0}, "the shapes must be equal", 1),
    ("sort", ["f32[3]"], (), {"dimension": 1}, "names dimension 1", "dimension"),
    ("sort", ["f32[3]"], (), {"dimension": 0, "body": ADD}, "result 0 of the region is f32[], expected bool[]", None),
    ("top_k", ["f32[3]"], (), {"k": 4}, "`k` is 4", "k"),
    ("top_k", ["f32[]"], (), {"k": 0}, "expected a rank of at least 1", 0),
]  # fmt: skip


@pytest.mark.parametrize("name, operands, result, attrs, message, blamed", CASES,
                         ids=[f"{i}-{c[0]}" for i, c in enumerate(CASES)])  # fmt: skip
def test_refused(name: str, operands: Any, result: Any, attrs: Any, message: str, blamed: str | int | None) -> None:
    with pytest.raises(OpError) as caught:
        types_of(name, operands, result, **attrs)
    assert message in caught.value.message
    assert blamed == (caught.value.attr if isinstance(blamed, str) else caught.value.operand)


def test_a_region_holds_scalars_of_elementwise_ops_only() -> None:
    reduces = region("(%a: f32[], %b: f32[]) -> (f32[]) { %c = add %a, %b : f32[] return %c }")
    node = reduces.graph.nodes[0]
    from dataclasses import replace

    wrong = replace(reduces, graph=replace(reduces.graph, nodes=(replace(node, op=OPS["reduce_sum"]),)))
    with pytest.raises(OpError, match="`reduce_sum` may not stand in a region"):
        types_of("reduce", ["f32[2]", "f32[]"], body=wrong, axes=(0,))


def test_the_table_is_consistent() -> None:
    for op in OPS.values():
        assert op.doc.endswith("."), op.name
        assert len({a.name for a in op.attrs}) == len(op.attrs)
        assert (op.form is Form.LIBRARY) == (op.kind is Kind.LIBRARY)
        for attr in op.attrs:
            assert attr.type in ("int", "ints", "float", "bool", "str", "value", "dtype", "pairs")
            assert not (attr.required and attr.default is not None)


def test_library_forms_are_of_library_calls() -> None:
    assert infer_of("sort", ["f32[3]"], dimension=0).attrs["descending"] is False
    assert all(op.kind is Kind.LIBRARY for op in OPS.values() if op.library)
