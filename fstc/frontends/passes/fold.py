"""Compute what only depends on constants.

Example, a weight that is stored the other way round::

    before  %w = constant {data = "m.safetensors:w"} : f32[3072,768]
            %t = transpose %w {permutation = [1, 0]} : f32[768,3072]
    after   %t = constant {data = "m.safetensors:t"} : f32[768,3072]

Results are the reference's, which are correctly rounded. Numbers are always folded. Of other constants only so much as
cannot make the model larger: see :func:`_worth`. Library calls, random bits and iota stay ops.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fstc.frontends.emitter import FOLD_ELEMENTS, NEVER_FOLDED, as_attribute, is_uniform
from fstc.frontends.passes.rewriter import CONSTANT, Rewriter, Tensors, rewrite
from fstc.ir.graph import Graph, Node
from fstc.ir.ops.numerics import cast, quiet
from fstc.ir.ops.opdef import Form, Infer, Kind
from fstc.ir.types import TensorType

FOLD_BYTES = 1 << 31
"""Of a result and of what it is computed from: the reference holds both at once, the latter in float64."""
INLINE = 1 << 10  # elements up to which a repeated constant may become a stored one


def fold_constants(graph: Graph, tensors: Tensors) -> tuple[Graph, Tensors]:
    """Ops of constants as constants, and constants of one repeated number as that number."""
    return rewrite(graph, tensors, _fold)


def _fold(rw: Rewriter, node: Node) -> int | None:
    if node.op is CONSTANT:
        return _as_number(rw, node)
    if node.op.kind in NEVER_FOLDED or not node.inputs or len(node.outputs) != 1:
        return None
    known = []
    for value in node.inputs:
        array = rw.known(value)
        if array is None:
            return None
        known.append(array)
    result = rw.type(node.outputs[0])
    infer = Infer(tuple(rw.type(v) for v in node.inputs), dict(node.attrs), node.regions, (result,))
    numbers = [rw.number(v) for v in node.inputs]
    if node.op.form is Form.ELEMENTWISE and None not in numbers and result.elements:
        return rw.full(_of_scalars(node, known, infer), result)
    if node.op.form in (Form.BROADCAST, *_MOVES) and numbers[0] is not None and result.elements:
        return rw.full(numbers[0], result)
    if not _worth(rw, node, result):
        return None
    with quiet():
        (found,) = node.op.reference(known, infer)
    return rw.constant(cast(found, result.dtype), rw.name(node.outputs[0]))


_MOVES = (Form.RESHAPE, Form.TRANSPOSE, Form.SLICE, Form.REVERSE)
"""A repeated number stays what it is, in another shape."""


def _worth(rw: Rewriter, node: Node, result: TensorType) -> bool:
    """Small, or no larger than what it reads and then reads last.

    A broadcast of a tensor is never computed: it would store what a kernel reads again from a cache for nothing. A
    large tensor that others read too is not computed either, since both would have to be stored.
    """
    operands = [rw.type(v) for v in node.inputs]
    read = sum(t.nbytes for v, t in zip(node.inputs, operands, strict=True) if rw.number(v) is None)
    if node.op.form is Form.BROADCAST:
        return result.elements <= INLINE and result.nbytes <= read
    if result.elements <= INLINE and all(t.elements <= FOLD_ELEMENTS for t in operands):
        return True
    if result.nbytes > read or max(result.nbytes, read) > FOLD_BYTES:
        return False
    if node.op.kind is Kind.REDUCTION and node.regions:
        return False  # a body is folded step by step
    return all(t.elements <= INLINE or rw.reads[v] <= 1 for v, t in zip(node.inputs, operands, strict=True))


def _of_scalars(node: Node, known: list[Any], infer: Infer) -> bool | int | float:
    scalars = [array.reshape(-1)[:1].reshape(()) for array in known]
    dtype = infer.declared[0].dtype
    small = replace(
        infer,
        operands=tuple(TensorType(t.dtype, ()) for t in infer.operands),
        declared=(TensorType(dtype, ()),),
    )
    with quiet():
        (found,) = node.op.reference(scalars, small)
    number = cast(found, dtype)[()]
    return bool(number) if dtype.kind == "b" else float(number) if dtype.is_float else int(number)


def _as_number(rw: Rewriter, node: Node) -> int | None:
    """A list or stored tensor of equal elements as one number."""
    written = node.attr("value")
    if written is not None and not isinstance(written, tuple):
        return None
    array = rw.known_of(node)
    if array is None or not is_uniform(array):
        return None
    number = as_attribute(array, rw.dtype(node.outputs[0]))
    return None if number is None else rw.full(number, rw.type(node.outputs[0]))
