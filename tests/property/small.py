"""Small graphs whose best plan can be computed: ``small_graph(seed)`` has 4 to 14 fusible ops in one region.

They are drawn so that what to fuse is a question: several reductions over rows, columns or both, producers with several
users, diamonds, siblings of one input, small tensors beside large ones, ops of every cost class from the op table, at
extents that people use. Nothing is computed on them, so the tensors may be large.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from fstc.ir.graph import Graph
from fstc.ir.ops import OPS
from fstc.ir.ops.opdef import Form, OpError
from fstc.ir.regions import is_inline_constant
from fstc.ir.types import DTYPES, F32, DType, TensorType
from tests.property.builder import Builder

MOST = 14  # fusible ops
ROWS = (64, 128, 256, 1000, 1024, 4096, 8192, 16384, 65536)
COLUMNS = (32, 64, 100, 256, 768, 1024, 2048, 4096, 8192)
LARGEST = 1 << 27  # elements
FLOATS = (F32, F32, DTYPES["bf16"])
REDUCTIONS = ("reduce_sum", "reduce_sum", "reduce_max", "reduce_min")


def _elementwise(arity: int) -> tuple[str, ...]:
    """Ops on floats alone that take a float of any width and return the same type."""
    found = []
    for op in OPS.values():
        if op.form is not Form.ELEMENTWISE or op.arity != (arity, arity) or any(a.required for a in op.attrs):
            continue
        b = Builder()
        try:
            for dtype in FLOATS:
                value = b.op(op.name, *(b.input(dtype, (4,)) for _ in range(arity)))
                if b.types[value] != TensorType(dtype, (4,)):
                    raise OpError("another type")
        except OpError:
            continue
        found.append(op.name)
    return tuple(found)


UNARY, BINARY = _elementwise(1), _elementwise(2)


def fusible(graph: Graph) -> int:
    return sum(1 for n in graph.nodes if not is_inline_constant(n))


def small_graph(seed: int) -> Graph:
    """Deterministic: one seed, one graph."""
    attempt = 0
    while True:
        graph = _Drawing(Random(f"{seed}/{attempt}")).run()
        if 4 <= fusible(graph) <= MOST:
            return graph
        attempt += 1


class _Drawing:
    def __init__(self, random: Random) -> None:
        self.r = random
        self.b = Builder()
        rows, columns = LARGEST, 2
        while rows * columns > LARGEST:
            rows, columns = random.choice(ROWS), random.choice(COLUMNS)
        self.rows, self.columns = rows, columns
        self.large = [self.b.input(random.choice(FLOATS), (rows, columns)) for _ in range(random.randint(1, 2))]
        self.small: list[int] = []  # one dimension
        self.made: list[int] = []

    def run(self) -> Graph:
        motifs: tuple[Callable[[], None], ...] = (
            self.chain,
            self.normalise,
            self.normalise,
            self.reduce,
            self.reduce,
            self.diamond,
            self.siblings,
            self.combine,
            self.beside,
            self.relayout,
            self.scale,
        )
        wanted = self.r.randint(5, MOST)
        while len(self.b.nodes) < wanted:
            self.r.choice(motifs)()
        unread = [v for v in self.made if not any(v in n[1] for n in self.b.nodes)]
        outputs = list(unread)
        if self.r.random() < 0.25:  # an output that others read, too
            outputs += [v for v in self.made if v not in unread and self.r.random() < 0.2]
        return self.b.graph(outputs or self.made[-1:])

    # -- values -----------------------------------------------------------------------------------------------

    def keep(self, value: int) -> int:
        shape = self.b.types[value].shape
        (self.large if shape == (self.rows, self.columns) else self.small if len(shape) == 1 else []).append(value)
        self.made.append(value)
        return value

    def pick(self) -> int:
        """A large value, a late one more likely."""
        return self.large[max(self.r.randrange(len(self.large)), self.r.randrange(len(self.large)))]

    def like(self, value: int) -> int:
        """A value of the same type: another large one, or a vector repeated along the other dimension."""
        ttype = self.b.types[value]
        chance = self.r.random()
        other = self.pick()
        if chance < 0.5 and other != value:
            return self.to(other, ttype.dtype)
        vectors = [v for v in self.small if self.b.types[v].shape[0] in ttype.shape]
        if chance < 0.75 and vectors:
            return self.wide(self.to(self.r.choice(vectors), ttype.dtype))
        if chance < 0.9:
            return self.wide(self.b.input(ttype.dtype, (self.r.choice(ttype.shape),)))
        return self.b.constant(ttype.dtype, self.r.choice((0.5, 1.0, 2.0)), ttype.shape)

    def to(self, value: int, dtype: DType) -> int:
        ttype = self.b.types[value]
        if ttype.dtype == dtype:
            return value
        return self.keep(self.b.op("convert", value, declared=[TensorType(dtype, ttype.shape)]))

    def wide(self, value: int) -> int:
        """A vector or scalar as a large tensor."""
        ttype = self.b.types[value]
        shape = (self.rows, self.columns)
        dims = tuple(shape.index(e) for e in ttype.shape)
        return self.keep(self.b.op("broadcast_in_dim", value, declared=[TensorType(ttype.dtype, shape)], dims=dims))

    def unary(self, value: int) -> int:
        return self.keep(self.b.op(self.r.choice(UNARY), value))

    def binary(self, value: int, other: int) -> int:
        name = self.r.choice(("add", "mul", "sub", *BINARY))
        return self.keep(self.b.op(name, *self.r.sample((value, other), 2)))

    def reduced(self, value: int, axes: tuple[int, ...]) -> int:
        return self.keep(self.b.op(self.r.choice(REDUCTIONS), value, axes=axes))

    # -- motifs -----------------------------------------------------------------------------------------------

    def chain(self) -> None:
        value = self.pick()
        for _ in range(self.r.randint(1, 2)):
            value = self.unary(value)

    def combine(self) -> None:
        value = self.pick()
        self.binary(value, self.like(value))

    def reduce(self) -> None:
        self.reduced(self.pick(), self.r.choice(((0,), (1,), (1,), (0, 1))))

    def normalise(self) -> None:
        """A reduction whose result meets its operand again."""
        value = self.pick()
        axes = self.r.choice(((1,), (1,), (1,), (0,)))
        self.binary(value, self.wide(self.reduced(value, axes)))

    def diamond(self) -> None:
        value = self.pick()
        self.binary(self.unary(value), self.unary(value))

    def siblings(self) -> None:
        """Several reductions of one producer."""
        value = self.unary(self.pick())
        for axes in self.r.sample(((0,), (1,), (0, 1)), 2):
            self.reduced(value, axes)

    def scale(self) -> None:
        """A small vector that is computed, and used by something large."""
        dtype = self.r.choice(FLOATS)
        vector = self.b.input(dtype, (self.r.choice((self.rows, self.columns)),))
        self.binary(self.to(self.pick(), dtype), self.wide(self.unary(vector)))

    def beside(self) -> None:
        """Work on another, mostly smaller tensor."""
        shape = (self.r.choice(ROWS[:5]), self.r.choice(COLUMNS[:5]))
        value = self.b.input(self.r.choice(FLOATS), shape)
        for _ in range(self.r.randint(1, 2)):
            value = self.unary(value)
        if self.r.random() < 0.5:
            value = self.reduced(value, (1,))

    def relayout(self) -> None:
        value = self.pick()
        shape = self.b.types[value].shape
        style = self.r.randrange(3)
        if style == 0:
            self.unary(self.keep(self.b.op("transpose", value, permutation=(1, 0))))
        elif style == 1 and shape[1] % 2 == 0:
            half = self.b.op("slice", value, start=(0, 0), limit=(shape[0], shape[1] // 2), strides=(1, 1))
            self.unary(self.keep(half))
        else:
            merged = TensorType(self.b.types[value].dtype, (shape[0] * shape[1],))
            self.made.append(self.b.op("neg", self.b.op("reshape", value, declared=[merged])))
