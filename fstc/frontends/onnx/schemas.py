"""ONNX's own description of its operators: what a node may look like, and the functions that some are.

Example: ``check(node, 17)`` raises Wrong for an attribute that LayerNormalization does not have.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from fstc.frontends.onnx.problems import short, wrong
from fstc.frontends.onnx.tensors import NUMBERS
from fstc.ir.types import TensorType

Proto = Any
Schema = Any


@cache
def schema_of(operator: str, domain: str, version: int) -> Schema | None:
    """The schema that is in force; None for an operator that onnx does not know."""
    from onnx import defs

    try:
        return defs.get_schema(operator, version, domain)
    except defs.SchemaError:
        return None


@cache
def _facts(schema: Schema) -> tuple[int, int, int, int, frozenset[str], frozenset[str]]:
    needed = frozenset(name for name, a in schema.attributes.items() if a.required)
    return (
        schema.min_input, schema.max_input, schema.min_output, schema.max_output, frozenset(schema.attributes), needed
    )  # fmt: skip


def check(node: Proto, schema: Schema) -> None:
    """The number of inputs and outputs, and the names of attributes."""
    least_in, most_in, least_out, most_out, known, needed = _facts(schema)
    inputs, outputs = _given(node.input), len(node.output)
    if not least_in <= inputs <= most_in:
        raise wrong(f"has {inputs} inputs, allowed are {least_in} to {most_in}")
    if not least_out <= outputs <= most_out:
        raise wrong(f"has {outputs} outputs, allowed are {least_out} to {most_out}")
    names = [a.name for a in node.attribute]
    if len(set(names)) != len(names):
        raise wrong("has an attribute twice")
    strange = [name for name in names if name not in known]
    if strange:
        raise wrong(f"has no attribute {short(strange[0])!r}; known are {', '.join(sorted(known)) or 'none'}")
    missing = needed.difference(names)
    if missing:
        raise wrong(f"attribute `{min(missing)}` is missing")


def _given(inputs: Sequence[str]) -> int:
    """The number of inputs up to the last that is not left out."""
    count = len(inputs)
    while count and not inputs[count - 1]:
        count -= 1
    return count


def function_of(schema: Schema, node: Proto, version: int, types: Sequence[TensorType | None]) -> Proto | None:
    """The function that an operator is defined as, for inputs of these types; None where it is none."""
    import onnx

    if schema.has_function:
        data = schema.get_function_with_opset_version(version) if version in schema.function_opset_versions else b""
        return onnx.FunctionProto.FromString(data) if data else schema.function_body
    if not schema.has_context_dependent_function:
        return None
    given = [_type_proto(t).SerializeToString() for t in types]
    data = schema.get_context_dependent_function_with_opset_version(version, node.SerializeToString(), given)
    return onnx.FunctionProto.FromString(data) if data else None


def _type_proto(type: TensorType | None) -> Proto:
    from onnx import TypeProto, helper

    return TypeProto() if type is None else helper.make_tensor_type_proto(NUMBERS[type.dtype], type.shape)
