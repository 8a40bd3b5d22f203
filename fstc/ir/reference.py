"""The reference interpreter: a graph in NumPy, op by op, from the table's own references.

Example: ``evaluate(graph, {graph.inputs[0]: x})[graph.outputs[0]]``. Without ``wide`` every value is rounded
to its type where it is defined (policy ``strict``). With it, f32 values keep float64's digits: that is the
oracle which kernels are compared with, and its own error is far below theirs. f16, bf16 and f8 values are
rounded in both, because ``strict`` makes that part of the result; integers and bools are exact.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal

from fstc.ir.constants import ConstantStore
from fstc.ir.graph import Graph, Node
from fstc.ir.ops.evaluate import carried, carry, run_op
from fstc.ir.ops.numerics import cast
from fstc.ir.ops.opdef import Form, OpError
from fstc.support.diagnostics import Diagnostic, FstcError, Label

Keep = Literal["outputs", "all"] | Collection[int]


def evaluate(
    graph: Graph,
    feeds: Mapping[int, Any],
    constants: ConstantStore | None = None,
    keep: Keep = "outputs",
    *,
    wide: bool = False,
    alter: Callable[[int, Any], Any] = lambda value, array: array,
) -> dict[int, Any]:
    """The kept values by id; others are dropped after their last use, and what none of them needs does not run.

    ``feeds`` may hold values that are no inputs: they are taken as given, so that a part of a graph can
    be judged by itself. ``alter`` gives what a value, by its id, shall be instead of what it is.
    """
    kept = _kept(graph, keep)
    values: dict[int, Any] = {i: alter(i, _given(graph, i, x, wide)) for i, x in feeds.items()}
    needed = _needed(graph, kept, frozenset(values))
    last = {i: n for n, node in enumerate(needed) for i in (*node.outputs, *node.inputs)}
    for n, node in enumerate(needed):
        missing = [graph.values[i].name for i in node.inputs if i not in values]
        assert not missing, f"no value for %{missing[0]}"
        found = _run(graph, node, [values[i] for i in node.inputs], constants, wide)
        for i, x in zip(node.outputs, found, strict=True):
            if i not in values:
                values[i] = alter(i, x)
        for i in dict.fromkeys((*node.inputs, *node.outputs)):
            if last[i] == n and i not in kept:
                del values[i]
    return {i: values[i] for i in sorted(kept)}


def run_node(
    graph: Graph, node: Node, operands: Sequence[Any], constants: ConstantStore | None = None
) -> tuple[Any, ...]:
    """One node in storage dtypes, as fast as NumPy can: the library calls of a run on the host."""
    if node.op.library is None:
        return _run(graph, node, operands, constants, wide=False)
    infer = graph.infer_args(node)
    found = node.op.library(operands, infer)
    return tuple(cast(x, t.dtype) for x, t in zip(found, infer.declared, strict=True))


def _run(
    graph: Graph, node: Node, operands: Sequence[Any], constants: ConstantStore | None, wide: bool
) -> tuple[Any, ...]:
    data = node.attr("data") if node.op.form is Form.CONSTANT else None
    if data is None:
        try:
            return run_op(graph, node, operands, wide)
        except OpError as error:
            label = Label(node.span) if node.span else None
            raise FstcError(Diagnostic("FST0401", error.message, label, help=error.help)) from None
    assert constants is not None, f"{data} is needed, but no ConstantStore is given"
    result = graph.type(node.outputs[0])
    return (carry(constants.load(data, result, node.span), result.dtype, wide),)


def _given(graph: Graph, value: int, array: Any, wide: bool) -> Any:
    import numpy as np

    wanted = graph.type(value)
    array = np.asarray(array)
    fits = array.dtype in (wanted.dtype.numpy(), carried(wanted.dtype, wide))
    assert array.shape == wanted.shape and fits, (
        f"%{graph.values[value].name} is {wanted}, given is {array.dtype}{list(array.shape)}"
    )
    return carry(array, wanted.dtype, wide)


def _kept(graph: Graph, keep: Keep) -> frozenset[int]:
    if keep == "outputs":
        return frozenset(graph.outputs)
    return frozenset(range(len(graph.values)) if keep == "all" else (int(i) for i in keep))


def _needed(graph: Graph, kept: frozenset[int], given: frozenset[int]) -> list[Node]:
    """The nodes that the kept values depend on, in order, not looking behind given values."""
    wanted = set(kept - given)
    nodes: list[Node] = []
    for node in reversed(graph.nodes):
        if not wanted.isdisjoint(node.outputs):
            nodes.append(node)
            wanted.update(i for i in node.inputs if i not in given)
    return nodes[::-1]


__all__ = ["ConstantStore", "evaluate", "run_node"]
