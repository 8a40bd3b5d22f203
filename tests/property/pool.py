"""What random graphs are made from: a pool of values, and how one of a wanted type is come by.

Example: ``Pool(Random(1), rows=False).like(TensorType(F32, (4, 8)))`` is at hand, converted, repeated or new.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from random import Random

from fstc.ir.ops.opdef import OpError
from fstc.ir.types import DTYPES, F16, F32, I32, DType, TensorType
from tests.property.builder import Builder

EXTENTS = (0, 1, 1, 2, 3, 4, 5, 7, 8, 12, 16, 17, 31, 32, 33, 36, 48, 64, 65, 96, 128, 130, 257)
ROWS = (999, 1024, 2000, 4099, 8192, 16384, 20011, 40000)
FLOATS = tuple(d for d in DTYPES.values() if d.is_float)
COMMON = (F32, F32, F32, DTYPES["bf16"], F16, I32)


class Pool:
    def __init__(self, random: Random, rows: bool) -> None:
        self.r = random
        self.b = Builder()
        self.rows = rows
        self.most = 100_000 if rows else 4096
        self.pool: list[int] = []
        if rows:
            self.extents = [self.r.choice(ROWS), *self.r.sample((1, 2, 3, 4, 8, 16, 33), 2)]
        else:
            self.extents = self.r.sample(EXTENTS, self.r.choice((2, 3, 4, 4)))  # few: dimensions often agree

    def dtype(self) -> DType:
        return self.r.choice(COMMON) if self.r.random() < 0.7 else self.r.choice(tuple(DTYPES.values()))

    def shape(self) -> tuple[int, ...]:
        if self.rows:
            shape = [self.r.choice(self.extents[1:]), self.extents[0]]
            self.r.shuffle(shape)
            return tuple(shape) if self.r.random() < 0.8 else (self.extents[0],)
        for _ in range(20):
            rank = self.r.choice((0, 1, 1, 2, 2, 2, 3, 3, 4, 5, 8))
            shape = [self.r.choice(self.extents) for _ in range(rank)]
            if prod(shape) <= self.most and (0 not in shape or self.r.random() < 0.2):
                return tuple(shape)
        return (4,)

    def fresh(self) -> int:
        return self.b.input(self.dtype(), self.shape())

    def pick(self, want: Callable[[TensorType], bool] = lambda t: True) -> int:
        """A value of the pool, a late one more likely; OpError when none will do."""
        found = [v for v in self.pool if want(self.b.types[v])]
        if not found:
            raise OpError("no operand")
        return found[max(self.r.randrange(len(found)), self.r.randrange(len(found)))]

    def like(self, ttype: TensorType) -> int:
        """A value of exactly this type: one at hand, converted, repeated, or new."""
        b, chance = self.b, self.r.random()
        same = [v for v in self.pool if b.types[v] == ttype]
        if same and chance < 0.6:
            return self.r.choice(same)
        shaped = [v for v in self.pool if b.types[v].shape == ttype.shape and b.types[v].dtype != ttype.dtype]
        if shaped and chance < 0.75:
            return b.op("convert", self.r.choice(shaped), declared=[ttype])
        if ttype.rank == 2 and chance < 0.8:
            turned = [v for v in self.pool if b.types[v] == TensorType(ttype.dtype, ttype.shape[::-1])]
            if turned:
                return b.op("transpose", self.r.choice(turned), permutation=(1, 0))
        narrow = [v for v in self.pool if b.types[v].dtype == ttype.dtype and self.fits(b.types[v].shape, ttype.shape)]
        if narrow and chance < 0.95:
            return self.spread(self.r.choice(narrow), ttype)
        if chance < 0.97 or not ttype.rank:
            return b.constant(ttype.dtype, self.number(ttype.dtype), ttype.shape)
        return b.input(ttype.dtype, ttype.shape)

    @staticmethod
    def fits(shape: Sequence[int], into: Sequence[int]) -> bool:
        left = list(into)
        for e in shape:
            if e in left:
                left.remove(e)
            elif e == 1 and left:
                left.pop()
            else:
                return False
        return True

    def spread(self, value: int, ttype: TensorType) -> int:
        dims, free = [], list(range(ttype.rank))
        for e in self.b.types[value].shape:
            d = next((d for d in free if ttype.shape[d] == e), None)
            d = free[-1] if d is None and free else d
            if d is None:
                raise OpError("no dimension")
            free.remove(d)
            dims.append(d)
        return self.b.op("broadcast_in_dim", value, declared=[ttype], dims=tuple(dims))

    def number(self, dtype: DType) -> float | int | bool:
        if dtype.kind == "b":
            return self.r.random() < 0.5
        if dtype.is_integer:
            return self.r.randint(0, 5) if dtype.kind == "u" else self.r.randint(-3, 5)
        return self.r.choice((0.0, -0.0, 1.0, 0.5, -2.0, 3.25, 0.1))

    def scalar(self, dtype: DType, low: int = 0, high: int = 4) -> int:
        """A scalar integer: a constant, an input, or one computed."""
        chance = self.r.random()
        if chance < 0.4:
            return self.b.constant(dtype, self.r.randint(low, high))
        value = self.b.input(dtype, (), low=low, high=high + 1)
        return self.b.op("add", value, self.b.constant(dtype, 1)) if chance > 0.8 else value

    def subset(self, rank: int, least: int = 0) -> tuple[int, ...]:
        if rank < least:
            raise OpError("rank")
        return tuple(sorted(self.r.sample(range(rank), self.r.randint(least, rank))))
