"""Random graphs drawn from the op table: ``random_graph(seed)``, and the hypothesis strategy ``graphs()``.

Example: ``random_graph(7)`` has 3 to 40 ops; ``random_graph(7, rows=True)`` has rows of up to 40,000 elements, which
reach the register, shared and re-read carriers and the split reductions. The decisions come from a ``random.Random``,
so that hypothesis can shrink what it draws.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from random import Random

from hypothesis import strategies as st

from fstc.ir.graph import Graph
from fstc.ir.ops import OPS
from fstc.ir.ops.opdef import Form, OpError
from fstc.ir.types import BOOL, DTYPES, F32, I8, I32, I64, U8, U64, TensorType
from tests.property.builder import Builder, scalar_body
from tests.property.pool import Pool

ELEMENTWISE = tuple(op for op in OPS.values() if op.form is Form.ELEMENTWISE)
STEPS = 160  # of a reduction with a body, which NumPy takes one by one


def random_graph(seed: int, *, rows: bool = False) -> Graph:
    return draw_graph(Random(seed), rows=rows)


@st.composite
def graphs(draw: st.DrawFn, *, rows: bool = False) -> Graph:
    """Graphs that shrink: fewer ops, earlier choices."""
    return draw_graph(draw(st.randoms(use_true_random=False)), rows=rows)


def draw_graph(random: Random, *, rows: bool = False) -> Graph:
    return _Drawing(random, rows).run()


class _Drawing(Pool):
    def run(self) -> Graph:
        r = self.r
        for _ in range(r.randint(1, 3)):
            self.pool.append(self.fresh())
        wanted = r.randint(3, 16) if self.rows else r.randint(3, 44)
        tries = 0
        while len(self.b.nodes) < wanted and tries < 6 * wanted:
            tries += 1
            make, weight = r.choices(MAKERS, [w for _, w in MAKERS])[0]
            before = len(self.b.nodes), len(self.b.types)
            try:
                made = [v for v in make(self) if self.b.types[v].elements <= self.most]
            except OpError:
                continue
            assert len(self.b.nodes) >= before[0] and weight
            self.pool += made
        computed = [v for v in self.pool if v in self.b.producer] or [self.b.op("neg", self.b.input(F32, (3,)))]
        unread = set(computed) - {v for n in self.b.nodes for v in n[1]}
        outputs = r.sample(sorted(unread), min(len(unread), r.randint(1, 14))) or [computed[-1]]
        if r.random() < 0.3:
            outputs.append(r.choice(computed))  # an output that is also read, or comes twice
        if r.random() < 0.05:
            outputs.append(r.choice(self.pool))  # an input, perhaps
        if r.random() < 0.2:
            outputs.reverse()
        return self.b.graph(outputs)

    # -- ops --------------------------------------------------------------------------------------------------

    def elementwise(self) -> Sequence[int]:
        r, b = self.r, self.b
        op = r.choice(ELEMENTWISE)
        if r.random() < 0.3:
            op = OPS[r.choice(("add", "mul", "sub", "max", "select", "exp"))]
        attrs = {a.name: r.choice(a.choices) for a in op.attrs if a.choices}
        if any(a.name == "mantissa_bits" for a in op.attrs):
            attrs |= {"exponent_bits": r.randint(2, 8), "mantissa_bits": r.randint(0, 10)}
        value = self.pick()
        ttype = b.types[value]
        if op.name == "select":
            flag = self.like(TensorType(BOOL, ttype.shape if r.random() < 0.7 else ()))
            return (b.op("select", flag, *r.sample([value, self.like(ttype)], 2)),)
        if op.name == "clamp":
            low, high = (self.like(TensorType(ttype.dtype, ttype.shape if r.random() < 0.4 else ())) for _ in range(2))
            return (b.op("clamp", low, value, high),)
        if op.arity == (1, 1) and len({op.name} & {"convert", "bitcast_convert"}):
            target = r.choice([d for d in DTYPES.values() if op.name == "convert" or d.size == ttype.dtype.size])
            return (b.op(op.name, value, declared=[TensorType(target, ttype.shape)]),)
        operands = [value, *(self.like(ttype) for _ in range(op.arity[0] - 1))]
        return (b.op(op.name, *r.sample(operands, len(operands)), **attrs),)

    def broadcast(self) -> Sequence[int]:
        value = self.pick()
        shape = self.b.types[value].shape
        target = [e if e != 1 or self.r.random() < 0.5 else self.r.choice(self.extents) for e in shape]
        for _ in range(self.r.randint(0, 2)):
            target.insert(self.r.randint(0, len(target)), -self.r.choice(self.extents) - 1)
        dims = [d for d, e in enumerate(target) if e >= 0]
        result = TensorType(self.b.types[value].dtype, tuple(e if e >= 0 else -e - 1 for e in target))
        self.small(result)
        return (self.b.op("broadcast_in_dim", value, declared=[result], dims=tuple(dims)),)

    def small(self, ttype: TensorType) -> None:
        if ttype.elements > self.most:
            raise OpError("too large")

    def reshape(self) -> Sequence[int]:
        value = self.pick()
        ttype = self.b.types[value]
        left = ttype.elements
        if not left:
            shape = list(ttype.shape)
            self.r.shuffle(shape)
            return (self.b.op("reshape", value, declared=[TensorType(ttype.dtype, tuple(shape))]),)
        shape = []
        while left > 1 and len(shape) < 5:
            divisors = [d for d in range(1, min(left, 300) + 1) if left % d == 0]
            shape.append(self.r.choice(divisors))
            left //= shape[-1]
        shape.append(left)
        if self.r.random() < 0.4:
            self.r.shuffle(shape)
        return (self.b.op("reshape", value, declared=[TensorType(ttype.dtype, tuple(shape))]),)

    def transpose(self) -> Sequence[int]:
        value = self.pick(lambda t: t.rank > 1)
        rank = self.b.types[value].rank
        turned = self.b.op("transpose", value, permutation=tuple(self.r.sample(range(rank), rank)))
        if self.b.types[turned] == self.b.types[value] and self.r.random() < 0.7:
            return turned, self.b.op("add", value, turned)
        return (turned,)

    def reverse(self) -> Sequence[int]:
        value = self.pick(lambda t: t.rank > 0)
        return (self.b.op("reverse", value, dimensions=self.subset(self.b.types[value].rank)),)

    def slice(self) -> Sequence[int]:
        value = self.pick(lambda t: t.rank > 0)
        start, limit, strides = [], [], []
        for e in self.b.types[value].shape:
            chance = self.r.random()
            if chance < 0.4:
                a, z, s = 0, e, 1
            elif chance < 0.6 and e % 2 == 0:
                a = self.r.choice((0, e // 2))
                z, s = a + e // 2, 1
            elif chance < 0.75 and e % 2 == 0:
                a, z, s = self.r.choice((0, 1)) if e else 0, e, 2
            else:
                a = self.r.randint(0, e)
                z, s = self.r.randint(a, e), self.r.choice((1, 1, 2, 3))
            start.append(a)
            limit.append(z)
            strides.append(s)
        steps = tuple(strides) if any(s > 1 for s in strides) or self.r.random() < 0.5 else ()
        return (self.b.op("slice", value, start=tuple(start), limit=tuple(limit), strides=steps),)

    def concatenate(self) -> Sequence[int]:
        value = self.pick(lambda t: t.rank > 0)
        ttype = self.b.types[value]
        d = self.r.randrange(ttype.rank)
        parts = [value]
        for _ in range(self.r.randint(0, 2)):
            extent = ttype.shape[d] if self.r.random() < 0.6 else self.r.randint(0, 5)
            parts.append(self.like(TensorType(ttype.dtype, (*ttype.shape[:d], extent, *ttype.shape[d + 1 :]))))
        self.r.shuffle(parts)
        return (self.b.op("concatenate", *parts, dimension=d),)

    def rotate(self) -> Sequence[int]:
        """Halves swapped, as rotary embeddings do."""
        value = self.pick(lambda t: t.rank > 0 and t.shape[-1] % 2 == 0 and t.dtype.kind != "b")
        shape = self.b.types[value].shape
        half, zeros, ones = shape[-1] // 2, (0,) * len(shape), (1,) * len(shape)
        low = self.b.op("slice", value, start=zeros, limit=(*shape[:-1], half), strides=ones)
        high = self.b.op("slice", value, start=(*zeros[:-1], half), limit=shape, strides=ones)
        turned = self.b.op("concatenate", self.b.op("neg", high), low, dimension=len(shape) - 1)
        return turned, self.b.op("add", value, turned)

    def pad(self) -> Sequence[int]:
        value = self.pick(lambda t: t.rank > 0)
        ttype = self.b.types[value]
        low = tuple(self.r.choice((0, 0, 1, 3, -1, -2)) for _ in ttype.shape)
        high = tuple(self.r.choice((0, 0, 1, 2, -1)) for _ in ttype.shape)
        interior = tuple(self.r.choice((0, 0, 0, 1, 2)) for _ in ttype.shape)
        fill = self.like(TensorType(ttype.dtype, ()))
        if not any(interior) and self.r.random() < 0.5:
            interior = ()
        return (self.b.op("pad", value, fill, low=low, high=high, interior=interior),)

    def dynamic_slice(self) -> Sequence[int]:
        value = self.pick(lambda t: t.rank > 0)
        shape = self.b.types[value].shape
        sizes = tuple(self.r.choice((e, self.r.randint(0, e), min(e, 1))) for e in shape)
        kind = self.r.choice((I32, I32, I64, U8, U64))
        low = 0 if kind.kind == "u" else -2
        starts = [self.scalar(kind, low, max(e, 1) + 1) for e in shape]
        return (self.b.op("dynamic_slice", value, *starts, sizes=sizes),)

    def dynamic_update_slice(self) -> Sequence[int]:
        value = self.pick(lambda t: t.rank > 0)
        ttype = self.b.types[value]
        sizes = tuple(self.r.choice((e, self.r.randint(0, e))) for e in ttype.shape)
        update = self.like(TensorType(ttype.dtype, sizes))
        kind = self.r.choice((I32, I8, I64))
        return (self.b.op("dynamic_update_slice", value, update, *(self.scalar(kind, -2, 5) for _ in sizes)),)

    def gather(self) -> Sequence[int]:
        value = self.pick(lambda t: t.rank > 0 and t.elements > 0)
        shape, r = self.b.types[value].shape, self.r
        mapped = tuple(r.sample(range(len(shape)), r.randint(1, min(2, len(shape)))))
        collapsed = tuple(sorted(d for d in mapped if r.random() < 0.7))
        sizes = tuple(1 if d in collapsed else r.randint(0, e) if d in mapped else e for d, e in enumerate(shape))
        batch = tuple(r.choice((1, 2, 3, 5, 8)) for _ in range(r.randint(0, 2)))
        kind = r.choice((I32, I64, U8))
        last = len(mapped) > 1 or r.random() < 0.5
        ivd = r.randint(0, len(batch)) if last else len(batch)
        indices = (*batch[:ivd], len(mapped), *batch[ivd:]) if last else batch
        index = self.b.input(kind, indices, low=0 if kind.kind == "u" else -2, high=min(120, max(shape) + 2))
        if r.random() < 0.3:
            index = self.b.op("add", index, self.b.constant(kind, 1, indices))
        kept = len(shape) - len(collapsed)
        offset = tuple(sorted(r.sample(range(len(batch) + kept), kept)))
        return (
            self.b.op(
                "gather",
                value,
                index,
                offset_dims=offset,
                collapsed_slice_dims=collapsed,
                operand_batching_dims=(),
                start_indices_batching_dims=(),
                start_index_map=mapped,
                index_vector_dim=ivd,
                slice_sizes=sizes,
            ),
        )

    def batched_gather(self) -> Sequence[int]:
        """One row of each batch, as a lookup along an axis."""
        value = self.pick(lambda t: t.rank > 1 and t.elements > 0)
        shape = self.b.types[value].shape
        count = self.r.choice((1, 3, 4))
        index = self.b.input(I32, (shape[0], count), low=-1, high=shape[1] + 1)
        return (
            self.b.op(
                "gather",
                value,
                index,
                offset_dims=tuple(range(2, len(shape))),
                collapsed_slice_dims=(1,),
                operand_batching_dims=(0,),
                start_indices_batching_dims=(0,),
                start_index_map=(1,),
                index_vector_dim=2,
                slice_sizes=(1, 1, *shape[2:]),
            ),
        )

    def reduce(self) -> Sequence[int]:
        r = self.r
        name = r.choice(("reduce_sum", "reduce_sum", "reduce_max", "reduce_max", "reduce_min", "reduce_prod"))
        if r.random() < 0.15:
            name = r.choice(("reduce_and", "reduce_or"))
            value = self.pick(lambda t: not t.dtype.is_float)
        else:
            value = self.pick(lambda t: t.rank > 0)
        return (self.b.op(name, value, axes=self.subset(self.b.types[value].rank)),)

    def normalise(self) -> Sequence[int]:
        """A reduction whose result meets its operand again: what carriers and phases are for."""
        value = self.pick(lambda t: t.rank > 0 and t.dtype.kind != "b" and t.elements > 1)
        ttype, b = self.b.types[value], self.b
        axes = self.subset(ttype.rank, 1)
        total = b.op(self.r.choice(("reduce_sum", "reduce_max", "reduce_min")), value, axes=axes)
        kept = tuple(d for d in range(ttype.rank) if d not in axes)
        wide = b.op("broadcast_in_dim", total, declared=[ttype], dims=kept)
        return total, b.op(self.r.choice(("sub", "max", "mul")), value, wide)

    def argmax(self) -> Sequence[int]:
        value = self.pick(lambda t: t.rank > 0)
        return self.b.ops(self.r.choice(("argmax", "argmin")), value, axis=self.r.randrange(self.b.types[value].rank))

    def fold(self) -> Sequence[int]:
        """A general reduce: one known combiner, or bodies that are none and go in order."""
        r, b = self.r, self.b
        value = self.pick(lambda t: t.rank > 0 and t.dtype.kind != "b")
        ttype = b.types[value]
        axes = self.subset(ttype.rank)
        if prod(ttype.shape[a] for a in axes) > STEPS:
            raise OpError("too many steps")
        init = self.like(TensorType(ttype.dtype, ()))
        style = r.randrange(4)
        if style == 0:
            name = r.choice(("add", "mul", "max", "min"))
            body = scalar_body([ttype.dtype] * 2, lambda c, p: [c.op(name, *p)])
            return b.ops("reduce", value, init, axes=axes, region=body)
        if style == 1:
            body = scalar_body([ttype.dtype] * 2, lambda c, p: [c.op("sub", p[1], p[0])])
            return b.ops("reduce", value, init, axes=axes, region=body)
        other = self.like(TensorType(self.dtype(), ttype.shape))
        second = b.types[other].dtype
        start = self.like(TensorType(second, ()))

        def pair(c: Builder, p: Sequence[int]) -> Sequence[int]:
            less = c.op("compare", p[0], p[2], direction="LT")
            return c.op("select", less, p[0], p[2]), c.op("select", less, p[1], p[3])

        dtypes = [ttype.dtype, second]
        return b.ops("reduce", value, other, init, start, axes=axes, region=scalar_body([*dtypes, *dtypes], pair))

    def window(self) -> Sequence[int]:
        r, b = self.r, self.b
        value = self.pick(lambda t: 0 < t.rank <= 4 and t.dtype.kind != "b")
        ttype = b.types[value]
        n = ttype.rank
        attrs = {
            "window_dimensions": tuple(r.choice((1, 1, 2, 3)) for _ in range(n)),
            "window_strides": tuple(r.choice((1, 1, 2)) for _ in range(n)) if r.random() < 0.6 else (),
            "base_dilations": tuple(r.choice((1, 1, 2)) for _ in range(n)) if r.random() < 0.3 else (),
            "window_dilations": tuple(r.choice((1, 1, 2)) for _ in range(n)) if r.random() < 0.3 else (),
            "padding": tuple((r.choice((0, 0, 1, 2)), r.choice((0, 1, -1))) for _ in range(n)),
        }
        if r.random() < 0.6:
            return (b.op(r.choice(("window_sum", "window_max", "window_min")), value, **attrs),)
        name = r.choice(("add", "max", "mul", "sub"))
        body = scalar_body([ttype.dtype] * 2, lambda c, p: [c.op(name, *p)])
        return (b.op("reduce_window", value, self.like(TensorType(ttype.dtype, ())), region=body, **attrs),)

    def cumsum(self) -> Sequence[int]:
        value = self.pick(lambda t: t.rank > 0)
        d = self.r.randrange(self.b.types[value].rank)
        return (self.b.op("cumsum", value, axis=d, reverse=self.r.random() < 0.5),)

    def iota(self) -> Sequence[int]:
        shape = self.shape() or (3,)
        dtype = self.dtype()
        return (self.b.op("iota", declared=[TensorType(dtype, shape)], dimension=self.r.randrange(len(shape))),)

    def constant(self) -> Sequence[int]:
        dtype = self.dtype()
        if self.r.random() < 0.3:
            return (self.b.constant(dtype, tuple(self.number(dtype) for _ in range(5)), (5,)),)
        return (self.b.constant(dtype, self.number(dtype), self.shape()),)

    def random_bits(self) -> Sequence[int]:
        state = self.b.input(U64, (2,))
        bits = TensorType(self.r.choice([d for d in DTYPES.values() if d.kind == "u"]), self.shape())
        return self.b.ops("rng_bit_generator", state, declared=[TensorType(U64, (2,)), bits])

    def scatter(self) -> Sequence[int]:
        value = self.pick(lambda t: t.rank > 0 and t.elements > 0 and t.dtype.kind != "b")
        ttype, r, b = self.b.types[value], self.r, self.b
        count = r.choice((1, 3, min(7, ttype.shape[0])))
        unique = r.random() < 0.5 and count <= ttype.shape[0]
        hint = {"domain": "permutation", "high": ttype.shape[0]} if unique else {"low": -1, "high": ttype.shape[0] + 1}
        index = b.input(I32, (count,), **hint)
        updates = self.like(TensorType(ttype.dtype, (count, *ttype.shape[1:])))
        name = r.choice(("add", "max"))
        body = scalar_body([ttype.dtype] * 2, lambda c, p: [c.op(name, *p)])
        return (
            b.op(
                "scatter",
                value,
                index,
                updates,
                region=body,
                update_window_dims=tuple(range(1, ttype.rank)),
                inserted_window_dims=(0,),
                input_batching_dims=(),
                scatter_indices_batching_dims=(),
                scatter_dims_to_operand_dims=(0,),
                index_vector_dim=1,
                unique_indices=unique,
            ),
        )

    def sort(self) -> Sequence[int]:
        value = self.pick(lambda t: t.rank > 0)
        return self.b.ops("sort", value, dimension=self.r.randrange(self.b.types[value].rank), descending=False)

    def dot(self) -> Sequence[int]:
        value = self.pick(lambda t: t.rank == 2 and t.dtype.kind != "b")
        ttype = self.b.types[value]
        other = self.like(TensorType(ttype.dtype, (ttype.shape[1], self.r.choice((1, 3, 8)))))
        return (self.b.op("dot_general", value, other, lhs_contract=(1,), rhs_contract=(0,)),)


MAKERS: tuple[tuple[Callable[[_Drawing], Sequence[int]], int], ...] = (
    (_Drawing.elementwise, 40),
    (_Drawing.broadcast, 5),
    (_Drawing.reshape, 7),
    (_Drawing.transpose, 6),
    (_Drawing.reverse, 2),
    (_Drawing.slice, 4),
    (_Drawing.concatenate, 4),
    (_Drawing.rotate, 2),
    (_Drawing.pad, 4),
    (_Drawing.dynamic_slice, 2),
    (_Drawing.dynamic_update_slice, 2),
    (_Drawing.gather, 3),
    (_Drawing.batched_gather, 2),
    (_Drawing.reduce, 8),
    (_Drawing.normalise, 6),
    (_Drawing.argmax, 3),
    (_Drawing.fold, 3),
    (_Drawing.window, 3),
    (_Drawing.cumsum, 2),
    (_Drawing.iota, 3),
    (_Drawing.constant, 2),
    (_Drawing.random_bits, 2),
    (_Drawing.scatter, 1),
    (_Drawing.sort, 1),
    (_Drawing.dot, 1),
)
