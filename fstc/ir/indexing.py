"""Which operand element an op reads for a given result element.

Example: for ``transpose {permutation = [1, 0]}`` at index ``(i, j)`` the one read is operand 0 at ``(j, i)``.
Reductions, windows and scans iterate and are not covered here; their walkers add the iteration variables.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fstc.ir.graph import Graph, Node
from fstc.ir.ops.opdef import Form
from fstc.support.affine import ZERO, Index, delinearize, linearize

At = tuple[Index, ...]


@dataclass(frozen=True, slots=True)
class Condition:
    """``low <= index < high``."""

    index: Index
    low: int
    high: int

    @property
    def always(self) -> bool:
        return self.index.low >= self.low and self.index.high < self.high

    @property
    def never(self) -> bool:
        return self.low >= self.high or self.index.high < self.low or self.index.low >= self.high


@dataclass(frozen=True, slots=True)
class Read:
    """Operand ``operand`` is read at ``at`` when all conditions hold."""

    operand: int
    at: At
    when: tuple[Condition, ...] = ()

    @property
    def always(self) -> bool:
        return all(c.always for c in self.when)

    @property
    def never(self) -> bool:
        return any(c.never for c in self.when)


Dynamic = Callable[[int, At, int, int], Index]
"""(operand, index in it, low, high) -> the integer stored there, clamped to [low, high], as an index."""

CHOOSES = frozenset({Form.CONCATENATE, Form.PAD, Form.DYNAMIC_UPDATE_SLICE})
"""Forms of which exactly one read, the first whose conditions hold, is the result."""

COPIES = CHOOSES | {
    Form.BROADCAST,
    Form.RESHAPE,
    Form.TRANSPOSE,
    Form.SLICE,
    Form.DYNAMIC_SLICE,
    Form.REVERSE,
    Form.GATHER,
}
"""Forms whose result element is an operand element."""


def reads(graph: Graph, node: Node, at: At, dynamic: Dynamic) -> tuple[Read, ...]:
    """The reads of ``node`` for its result element ``at``; for CHOOSES the last one is unconditional."""
    rule = _RULES.get(node.op.form)
    return rule(graph, node, at, dynamic) if rule else ()


def per_dim(node: Node, name: str, rank: int, default: int) -> tuple[int, ...]:
    """An attribute with one entry a dimension; an empty one stands for the default everywhere."""
    return tuple(node.attr(name) or (default,) * rank)


def _elementwise(graph: Graph, node: Node, at: At, _: Dynamic) -> tuple[Read, ...]:
    return tuple(Read(k, at if graph.type(v).rank else ()) for k, v in enumerate(node.inputs))


def _broadcast(graph: Graph, node: Node, at: At, _: Dynamic) -> tuple[Read, ...]:
    shape = graph.type(node.inputs[0]).shape
    return (Read(0, tuple(ZERO if e == 1 else at[d] for e, d in zip(shape, node.attr("dims"), strict=True))),)


def _reshape(graph: Graph, node: Node, at: At, _: Dynamic) -> tuple[Read, ...]:
    offset = linearize(at, graph.type(node.outputs[0]).shape)
    return (Read(0, delinearize(offset, graph.type(node.inputs[0]).shape)),)


def _transpose(graph: Graph, node: Node, at: At, _: Dynamic) -> tuple[Read, ...]:
    source: list[Index] = [ZERO] * len(at)
    for n, p in enumerate(node.attr("permutation")):
        source[p] = at[n]
    return (Read(0, tuple(source)),)


def _slice(graph: Graph, node: Node, at: At, _: Dynamic) -> tuple[Read, ...]:
    steps = per_dim(node, "strides", len(at), 1)
    return (Read(0, tuple(i * s + a for i, a, s in zip(at, node.attr("start"), steps, strict=True))),)


def _reverse(graph: Graph, node: Node, at: At, _: Dynamic) -> tuple[Read, ...]:
    shape, dims = graph.type(node.inputs[0]).shape, node.attr("dimensions")
    return (Read(0, tuple(i * -1 + (shape[n] - 1) if n in dims else i for n, i in enumerate(at))),)


def _dynamic_slice(graph: Graph, node: Node, at: At, dynamic: Dynamic) -> tuple[Read, ...]:
    shape, sizes = graph.type(node.inputs[0]).shape, node.attr("sizes")
    return (Read(0, tuple(i + dynamic(1 + n, (), 0, shape[n] - sizes[n]) for n, i in enumerate(at))),)


def _dynamic_update_slice(graph: Graph, node: Node, at: At, dynamic: Dynamic) -> tuple[Read, ...]:
    shape, sizes = graph.type(node.inputs[0]).shape, graph.type(node.inputs[1]).shape
    local = tuple(i - dynamic(2 + n, (), 0, shape[n] - sizes[n]) for n, i in enumerate(at))
    inside = tuple(Condition(i, 0, sizes[n]) for n, i in enumerate(local))
    return (Read(1, local, inside), Read(0, at))


def _concatenate(graph: Graph, node: Node, at: At, _: Dynamic) -> tuple[Read, ...]:
    d, offset, out = node.attr("dimension"), 0, []
    pieces = [(k, graph.type(v).shape[d]) for k, v in enumerate(node.inputs)]
    pieces = [(k, size) for k, size in pieces if size]
    even = len({size for _, size in pieces}) == 1
    inner = at[d] % pieces[0][1]
    # On a common unit the operand's own index has no trace of the concatenation axis: its value is a pick.
    split = even and all(term.kind == "var" for term, _ in inner.terms)
    for n, (k, size) in enumerate(pieces):
        local = inner if split else at[d] - offset
        offset += size
        test = Condition(at[d] // size, 0, n + 1) if split else Condition(at[d], 0, offset)
        out.append(Read(k, (*at[:d], local, *at[d + 1 :]), () if n == len(pieces) - 1 else (test,)))
    return tuple(out)


def _pad(graph: Graph, node: Node, at: At, _: Dynamic) -> tuple[Read, ...]:
    shape = graph.type(node.inputs[0]).shape
    interior = per_dim(node, "interior", len(at), 0)
    local: list[Index] = []
    when: list[Condition] = []
    for n, i in enumerate(at):
        step, x = interior[n] + 1, i - node.attr("low")[n]
        when.append(Condition(x, 0, (shape[n] - 1) * step + 1 if shape[n] else 0))
        if step > 1:
            # Shifted by whole steps so that the argument of the division is never negative.
            shift = -min(x.low // step, 0)
            lifted = x + shift * step
            when.append(Condition(lifted % step, 0, 1))
            x = lifted // step - shift
        local.append(x)
    return (Read(0, tuple(local), tuple(when)), Read(1, ()))


def _gather(graph: Graph, node: Node, at: At, dynamic: Dynamic) -> tuple[Read, ...]:
    operand, indices = (graph.type(v) for v in node.inputs)
    offset_dims, sizes = node.attr("offset_dims"), node.attr("slice_sizes")
    collapsed, batching = node.attr("collapsed_slice_dims"), node.attr("operand_batching_dims")
    ivd = node.attr("index_vector_dim")
    batch = [at[n] for n in range(len(at)) if n not in offset_dims]
    batch_of = [n for n in range(indices.rank) if n != ivd]
    source: list[Index] = [ZERO] * operand.rank
    kept = [n for n in range(operand.rank) if n not in collapsed and n not in batching]
    for n, d in zip(kept, offset_dims, strict=True):
        source[n] = at[d]
    for n, d in zip(batching, node.attr("start_indices_batching_dims"), strict=True):
        source[n] = source[n] + batch[batch_of.index(d)]
    for k, n in enumerate(node.attr("start_index_map")):
        where = list(batch)
        if ivd < indices.rank:
            where.insert(ivd, Index(k))
        source[n] = source[n] + dynamic(1, tuple(where), 0, operand.shape[n] - sizes[n])
    return (Read(0, tuple(source)),)


@dataclass(frozen=True, slots=True)
class Target:
    """Where an update goes: per operand dimension the window's part, and (dimension, place in the indices) to add."""

    window: At
    starts: tuple[tuple[int, At], ...]


def scatter_target(graph: Graph, node: Node, at: At) -> Target:
    """The operand element that the update element ``at`` of a scatter belongs to."""
    operand, indices = graph.type(node.inputs[0]), graph.type(node.inputs[1])
    windows, ivd = node.attr("update_window_dims"), node.attr("index_vector_dim")
    batching = node.attr("input_batching_dims")
    batch = [at[n] for n in range(len(at)) if n not in windows]
    looked = [n for n in range(indices.rank) if n != ivd]
    source: list[Index] = [ZERO] * operand.rank
    kept = [n for n in range(operand.rank) if n not in node.attr("inserted_window_dims") and n not in batching]
    for n, d in zip(kept, windows, strict=True):
        source[n] = at[d]
    for n, d in zip(batching, node.attr("scatter_indices_batching_dims"), strict=True):
        source[n] = source[n] + batch[looked.index(d)]
    starts = []
    for k, n in enumerate(node.attr("scatter_dims_to_operand_dims")):
        where = list(batch)
        if ivd < indices.rank:
            where.insert(ivd, Index(k))
        starts.append((n, tuple(where)))
    return Target(tuple(source), tuple(starts))


_RULES: dict[Form, Callable[[Graph, Node, At, Dynamic], tuple[Read, ...]]] = {
    Form.ELEMENTWISE: _elementwise,
    Form.BROADCAST: _broadcast,
    Form.RESHAPE: _reshape,
    Form.TRANSPOSE: _transpose,
    Form.SLICE: _slice,
    Form.REVERSE: _reverse,
    Form.DYNAMIC_SLICE: _dynamic_slice,
    Form.DYNAMIC_UPDATE_SLICE: _dynamic_update_slice,
    Form.CONCATENATE: _concatenate,
    Form.PAD: _pad,
    Form.GATHER: _gather,
}
