"""Which inputs are masks: what they are read for says so.

Example: an ``i64[8,128]`` input that is only read as ``(1 - x) * -1e9``, or compared with 0, marks with ones which of
the 128 places count. One that also looks something up in a table is no mask.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from fstc.ir.graph import Graph, Node
from fstc.ir.ops.opdef import Form, Kind
from fstc.runtime.domains import COPIES

LARGE = 1e3  # a factor or a fill beyond this takes a place out of a softmax
SEEN = 200  # values that are looked at for one input


class Read(NamedTuple):
    """A value that follows from the input.

    ``sign``: 1 where what is true, or 1, in it counts. ``shifted``: it is 1 - x (or x - 1), 0 where x is 1.
    ``settled``: it is a truth value, and what is done with that says nothing against a mask.
    """

    value: int
    sign: int = 1
    shifted: bool = False
    settled: bool = False


class Evidence(NamedTuple):
    """``sign`` 1: ones count, -1: zeros do, 0: this is no mask. What is not ``sure`` gives way to what is."""

    sign: int
    sure: bool = True


Numbers = Mapping[int, float]
Found = Iterator[Read | Evidence]


def find_masks(graph: Graph) -> dict[int, int]:
    """Inputs that are masks: 1 where ones count, -1 where zeros do."""
    users, numbers = graph.users(), _numbers(graph)
    signs = ((value, _judge(graph, value, users, numbers)) for value in graph.inputs)
    return {value: sign for value, sign in signs if sign}


def _judge(graph: Graph, value: int, users: tuple[tuple[int, ...], ...], numbers: Numbers) -> int:
    """Follow all readers: a mask shows itself at least once, and nothing contradicts."""
    integer = graph.type(value).dtype.is_integer
    todo, seen = [Read(value, settled=not integer)], {value}
    sure = guess = 0
    while todo:
        read = todo.pop()
        for number in users[read.value]:
            for found in _follow(graph, graph.nodes[number], read, numbers):
                if isinstance(found, Read):
                    if found.value not in seen and len(seen) < SEEN:
                        seen.add(found.value)
                        todo.append(found)
                elif not found.sign and not read.settled:
                    return 0
                elif found.sure:
                    sure = sure or found.sign
                elif integer:
                    guess = guess or found.sign
    return sure or guess


def _follow(graph: Graph, node: Node, read: Read, numbers: Numbers) -> Found:
    if node.op.form in COPIES:
        copied = node.inputs if node.op.form is Form.CONCATENATE else node.inputs[:1]
        if read.value in copied:
            yield read._replace(value=node.outputs[0])
        else:
            yield Evidence(0)
    elif node.op.form is Form.GATHER and read.value == node.inputs[0]:
        yield read._replace(value=node.outputs[0])
    elif node.op.kind not in (Kind.REDUCTION, Kind.LIBRARY):  # how many places count, which is the last
        rule = RULES.get(node.op.name)
        if rule is None:
            yield Evidence(0)
        else:
            yield from rule(graph, node, read, numbers)


def _truth(read: Read, value: int, opposite: bool) -> Read:
    """The read value as a truth value."""
    return Read(value, -read.sign if read.shifted != opposite else read.sign, settled=True)


def _convert(graph: Graph, node: Node, read: Read, numbers: Numbers) -> Found:
    if graph.type(node.outputs[0]).dtype.kind != "b":
        yield read._replace(value=node.outputs[0])
    else:
        yield Evidence(1, sure=False)
        yield _truth(read, node.outputs[0], opposite=False)


def _compare(graph: Graph, node: Node, read: Read, numbers: Numbers) -> Found:
    """With 0 or 1, an integer."""
    x, y = node.inputs
    if read.value != x or numbers.get(y) not in (0.0, 1.0):
        yield Evidence(0)
    elif not graph.type(x).dtype.is_float or read.shifted:  # any float may be compared with 0
        direction = node.attr("direction")
        yield Evidence(1, sure=False)
        yield _truth(
            read, node.outputs[0], (direction in ("EQ", "LE")) if not numbers[y] else direction in ("NE", "LT")
        )


def _select(graph: Graph, node: Node, read: Read, numbers: Numbers) -> Found:
    """A fill that takes places out of a softmax says which do not count."""
    p, a, b = node.inputs
    if read.value != p:
        yield read._replace(value=node.outputs[0])
    elif numbers.get(b, 0.0) <= -LARGE:
        yield Evidence(read.sign)
    elif numbers.get(a, 0.0) <= -LARGE:
        yield Evidence(-read.sign)


def _sub(graph: Graph, node: Node, read: Read, numbers: Numbers) -> Found:
    if 1.0 in (numbers.get(v) for v in node.inputs):
        yield read._replace(value=node.outputs[0], shifted=not read.shifted)
    else:
        yield Evidence(0)


def _mul(graph: Graph, node: Node, read: Read, numbers: Numbers) -> Found:
    """A large factor of 1 - x; a product with a tensor leaves out what does not count, and says nothing."""
    x, y = node.inputs
    factor = abs(numbers.get(y if x == read.value else x, 0.0))
    if factor >= LARGE and read.shifted:
        yield Evidence(read.sign)
    elif factor >= LARGE and not read.settled:
        yield Evidence(-read.sign)
    elif factor:
        yield read._replace(value=node.outputs[0])


def _not(graph: Graph, node: Node, read: Read, numbers: Numbers) -> Found:
    yield read._replace(value=node.outputs[0], sign=-read.sign)


def _through(graph: Graph, node: Node, read: Read, numbers: Numbers) -> Found:
    yield read._replace(value=node.outputs[0])


RULES: dict[str, Callable[[Graph, Node, Read, Numbers], Found]] = {
    "convert": _convert, "compare": _compare, "select": _select, "sub": _sub, "mul": _mul, "not": _not,
    "and": _through, "or": _through, "min": _through, "max": _through,
}  # fmt: skip


def _numbers(graph: Graph) -> dict[int, float]:
    """Constants of one number, also where they are copied."""
    found: dict[int, float] = {}
    for node in graph.nodes:
        value = node.attr("value") if node.op.form is Form.CONSTANT else None
        if value is not None and not isinstance(value, tuple):
            found[node.outputs[0]] = float(value)
        elif node.op.form in COPIES and len(node.inputs) == 1 and node.inputs[0] in found:
            found[node.outputs[0]] = found[node.inputs[0]]
    return found
