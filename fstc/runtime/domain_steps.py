"""One step backwards: what a result's domain asks of the operands, where the others are known.

Example: of ``add %x, 3`` whose result shall be in [0, 10), ``%x`` shall be in [-3, 7). What is known of a value that no
input reaches is its span, from the least to the largest: an iota, constants, and what is computed from them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import ceil, inf, isfinite
from typing import Any, NamedTuple

from fstc.ir.graph import Graph, Node
from fstc.ir.ops import OPS
from fstc.ir.ops.opdef import Form
from fstc.runtime.domains import COPIES, Domain, converts

COMPARE = OPS["compare"]


class Span(NamedTuple):
    """Both ends are taken."""

    low: float
    high: float


Spans = Sequence[Span | None]


class Step(NamedTuple):
    """An op on the way back. ``whole``: integers, whose domains end before ``high``."""

    graph: Graph
    node: Node
    result: Domain
    spans: Spans  # of the operands
    whole: bool


def known_spans(graph: Graph) -> list[Span | None]:
    """Per value what is known of it without any input."""
    found: list[Span | None] = [None] * len(graph.values)
    for node in graph.nodes:
        if len(node.outputs) == 1:
            found[node.outputs[0]] = _span(graph, node, [found[v] for v in node.inputs])
    return found


def operand_domains(
    graph: Graph, node: Node, result: Domain, spans: Sequence[Span | None]
) -> Iterator[tuple[int, Domain]]:
    """Values that the op reads, and what is asked of them so that its result is in ``result``."""
    rule = BACKWARD.get(node.op.name)
    if rule is None:
        return
    whole = graph.type(node.inputs[0]).dtype.is_integer
    for operand, domain in rule(Step(graph, node, result, [spans[v] for v in node.inputs], whole)):
        yield node.inputs[operand], domain


def _span(graph: Graph, node: Node, operands: Spans) -> Span | None:
    result = graph.type(node.outputs[0])
    if not result.elements:
        return None
    if node.op.form is Form.CONSTANT:
        numbers = list(_numbers(node.attr("value")))
        return Span(min(numbers), max(numbers)) if numbers and all(map(isfinite, numbers)) else None
    if node.op.form is Form.IOTA:
        return Span(0, result.shape[node.attr("dimension")] - 1)
    if any(s is None for s in operands) or not operands:
        return None
    known = [s for s in operands if s is not None]
    if node.op.form in COPIES or converts(graph, node):
        return Span(min(s.low for s in known), max(s.high for s in known))
    forward = FORWARD.get(node.op.name)
    ends = forward(*known) if forward else None
    return None if ends is None else Span(*ends)


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, tuple):
        for item in value:
            yield from _numbers(item)
    elif value is not None:
        yield float(value)


FORWARD: dict[str, Callable[..., tuple[float, float]]] = {
    "add": lambda x, y: (x.low + y.low, x.high + y.high),
    "sub": lambda x, y: (x.low - y.high, x.high - y.low),
    "neg": lambda x: (-x.high, -x.low),
    "mul": lambda x, y: (min(a * b for a in x for b in y), max(a * b for a in x for b in y)),
}

Asks = Iterator[tuple[int, Domain]]  # operand number and domain


def _add(s: Step) -> Asks:
    for i, other in enumerate(s.spans[::-1]):
        if other:
            yield i, Domain(s.result.low - other.low, s.result.high - other.high)


def _sub(s: Step) -> Asks:
    left, right = s.spans
    if right:
        yield 0, Domain(s.result.low + right.high, s.result.high + right.low)
    if left:
        one = 1 if s.whole else 0
        yield 1, Domain(left.high - s.result.high + one, left.low - s.result.low + one)


def _mul(s: Step) -> Asks:
    for i, other in enumerate(s.spans[::-1]):
        if other and other.low == other.high and other.low:
            yield from ((i, d) for d in _scaled(s, other.low))


def _scaled(s: Step, factor: float) -> Iterator[Domain]:
    """x where x * factor is in the domain."""
    low, high = s.result.low / factor, s.result.high / factor
    if s.whole:
        if factor > 0:
            yield Domain(_up(low), _up(high))
    else:
        yield Domain(min(low, high), max(low, high))


def _up(x: float) -> float:
    return ceil(x) if isfinite(x) else x


def _div(s: Step) -> Asks:
    by = s.spans[1]
    if not by or by.low != by.high or not by.low or (s.whole and (by.low < 0 or s.result.high <= 0)):
        return
    ends = s.result.low * by.low, s.result.high * by.low
    yield 0, Domain(min(ends), max(ends))


def _neg(s: Step) -> Asks:
    one = 1 if s.whole else 0
    yield 0, Domain(one - s.result.high, one - s.result.low)


def _rem(s: Step) -> Asks:
    """The remainder has the sign of what is divided, and is in range by itself otherwise."""
    if s.result.low >= 0:
        yield 0, Domain(low=0)


def _max(s: Step) -> Asks:
    """A bound that a constant ensures is not asked of a float; an index had better be inside by itself."""
    for i, other in enumerate(s.spans[::-1]):
        if other:
            ensured = other.low >= s.result.low and not s.whole
            yield i, Domain(-inf if ensured else s.result.low, s.result.high)


def _min(s: Step) -> Asks:
    for i, other in enumerate(s.spans[::-1]):
        if other:
            ensured = other.high <= s.result.high and not s.whole
            yield i, Domain(s.result.low, inf if ensured else s.result.high)


def _clamp(s: Step) -> Asks:
    low, _, high = s.spans
    above = low is not None and low.low >= s.result.low and not s.whole
    below = high is not None and high.high <= s.result.high and not s.whole
    yield 1, Domain(-inf if above else s.result.low, inf if below else s.result.high)


def _abs(s: Step) -> Asks:
    if s.result.low > 0:
        yield 0, Domain(s.result.low, s.result.high)
    elif s.result.high < inf:
        yield 0, Domain(-s.result.high, s.result.high)


def _sqrt(s: Step) -> Asks:
    if s.result.low >= 0:
        yield 0, Domain(s.result.low**2, s.result.high**2)


def _floor(s: Step) -> Asks:
    yield 0, Domain(s.result.low, s.result.high)


def _select(s: Step) -> Asks:
    """Both branches, but for an index that is tested for being negative: then what is read as it is."""
    p, *branches = s.node.inputs
    maker = s.graph.values[p].node
    tests = maker >= 0 and s.graph.nodes[maker].op is COMPARE
    tested = {_source(s.graph, t) for t in s.graph.nodes[maker].inputs} if tests else set()
    raw = [s.spans[i + 1] is None and _source(s.graph, v) in tested for i, v in enumerate(branches)]
    for i, other in enumerate(raw[::-1]):
        if raw[i] or not other:
            yield i + 1, Domain(s.result.low, s.result.high, points=s.result.points)


def _source(graph: Graph, value: int) -> int:
    """What a value was before it was moved or converted."""
    while (made := graph.values[value].node) >= 0:
        node = graph.nodes[made]
        if node.op.form not in (Form.RESHAPE, Form.BROADCAST) and not converts(graph, node):
            break
        value = node.inputs[0]
    return value


def _compare(s: Step) -> Asks:
    """An integer that is compared with a number should sometimes be it; with a counted index, be one of them."""
    for i, other in enumerate(s.spans[::-1]):
        if other and s.whole and not s.spans[i]:
            if other.low == other.high:
                yield i, Domain(points=(other.low,))
            elif s.node.attr("direction") in ("EQ", "NE"):
                yield i, Domain(other.low, other.high + 1)


BACKWARD: dict[str, Callable[[Step], Asks]] = {
    "add": _add, "sub": _sub, "mul": _mul, "div": _div, "neg": _neg, "rem": _rem, "max": _max, "min": _min,
    "clamp": _clamp, "abs": _abs, "sqrt": _sqrt, "floor": _floor, "select": _select, "compare": _compare,
}  # fmt: skip
