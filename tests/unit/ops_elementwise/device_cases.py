"""Every element-wise op with every dtype it takes: as functions of one C++ source, and as values to try.

``CASES`` come from the table, so a new op is tested as soon as it is declared. ``source(cases)`` compiles with
the host shim (plain functions over arrays) and with NVRTC (kernels).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from fstc.ir.ops import Infer, OpDef, OpError, cuda_expr
from fstc.ir.ops.elementwise import ELEMENTWISE
from fstc.ir.types import BOOL, DTYPES, DType, TensorType


@dataclass(frozen=True)
class Case:
    op: OpDef
    operands: tuple[DType, ...]
    result: DType
    attrs: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        extra = "".join(f"_{value}" for _, value in self.attrs)
        changed = f"_{self.result}" if self.result != self.operands[-1] else ""
        return f"{self.op.name}{extra}_{self.operands[-1]}{changed}"

    def infer(self, count: int) -> Infer:
        operands = tuple(TensorType(d, (count,)) for d in self.operands)
        return Infer(operands, dict(self.attrs), (), (TensorType(self.result, (count,)),))

    @cached_property
    def text(self) -> str:
        """A function ``void NAME(p0, p1, ..., q, n)``."""
        params = [f"const {d.storage}* p{i}" for i, d in enumerate(self.operands)]
        reads = [f"    const {d.compute} v{i} = fst::up(p{i}[k]);" for i, d in enumerate(self.operands)]
        args = [f"v{i}" for i in range(len(self.operands))]
        value = cuda_expr(self.op, self.operands, self.result, dict(self.attrs), args)
        head = f"ENTRY {self}({', '.join(params)}, {self.result.storage}* q, int n) {{"
        write = f"    q[k] = fst::down<{self.result.storage}>(r);"
        body = [*reads, f"    const {self.result.compute} r = {value};", write]
        return "\n".join([head, "  for (int k = 0; k < n; ++k) {", *body, "  }", "}"])


def _attr_choices(op: OpDef, dtype: DType) -> Iterator[tuple[tuple[str, Any], ...]]:
    if op.attr("exponent_bits"):
        for exponent, mantissa in ((8, 7), (5, 10), (4, 3), (2, 0), (8, 23), (11, 52)):
            yield (("exponent_bits", exponent), ("mantissa_bits", mantissa))
    elif op.attrs:
        (attr,) = op.attrs
        yield from (((attr.name, choice),) for choice in attr.choices)
    else:
        yield ()


def _cases() -> Iterator[Case]:
    for op, dtype in itertools.product(ELEMENTWISE, DTYPES.values()):
        for attrs in _attr_choices(op, dtype):
            operands = (dtype,) * op.arity[0]
            if op.arity[0] == 3 and "select" in op.name:
                operands = (BOOL, dtype, dtype)
            for declared in DTYPES.values():
                types = tuple(TensorType(d, (4,)) for d in operands)
                try:
                    (result,) = op.infer(Infer(types, dict(attrs), (), (TensorType(declared, (4,)),)))
                except OpError:
                    continue
                if result.dtype == declared:
                    yield Case(op, operands, declared, attrs)


CASES = tuple(_cases())


def source(cases: Sequence[Case]) -> str:
    """The functions, in need of ``fstc.cuh`` and of a macro ENTRY before them."""
    return "\n".join(case.text for case in cases) + "\n"


# ---- values -----------------------------------------------------------------------------------------------

FLOAT_EDGES = (
    0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -2.5, 2.0, -3.0, 0.1, 3.14159265, 0.49999997, 7.0, 100.0, -88.0, 255.5,
    -128.7, 448.0, 464.0, 465.0, 57344.0, 61440.0, 65504.0, 65519.99, 65520.0, 1e-8, 5.96e-8, 6.1e-5, 2147483648.0,
    -2147483648.0, 4294967296.0, 9.223372036854775807e18, -9.3e18, 1.8446744073709552e19, 1e30, 3.4028234e38,
    -3.4e38, 1.17549435e-38, 1e-40, 1.4e-45, -1.4e-45, 2.2e-308, 5e-324, 1.7976931348623157e308, np.inf,
    -np.inf, np.nan, 1.0009765625, 1.00048828125 + 2**-40, 1.00390625 + 2**-40, 1.0625 + 2**-40, 1.125 - 2**-40,
)  # fmt: skip
INT_EDGES = (0, 1, 2, 3, 7, 8, 15, 16, 31, 32, 63, 64, 100, 127, 128, 255, 2**24 + 1, 2**53 + 1, 2**62 + 2**38 + 1)


def edges(dtype: DType, rng: np.random.Generator, extra: int) -> Any:
    """Awkward values of a dtype, then ``extra`` random bit patterns."""
    target = dtype.numpy()
    if dtype.kind == "b":
        return np.concatenate([[False, True], rng.integers(0, 2, extra).astype(bool)])
    bits = rng.integers(0, 256, (extra, dtype.size), dtype=np.uint8).reshape(-1).view(target)
    if dtype.is_float:
        with np.errstate(all="ignore"):
            return np.concatenate([np.array(FLOAT_EDGES).astype(target), bits])
    low, high = int(np.iinfo(target).min), int(np.iinfo(target).max)
    near = [low, low + 1, high, high - 1, high // 2 + 1, *INT_EDGES, *(-i for i in INT_EDGES)]
    return np.concatenate([np.array([i for i in near if low <= i <= high], dtype=target), bits])


def all_patterns(dtype: DType) -> Any:
    """Every value of a type of at most 16 bits."""
    return np.arange(1 << 8 * dtype.size, dtype=f"u{dtype.size}").view(dtype.numpy())


def operands(case: Case) -> tuple[Any, ...]:
    """One operand: every value, or edges and random ones. More: all pairs of edges, and random ones in the domain."""
    rng = np.random.default_rng(11)
    if len(case.operands) == 1:
        (dtype,) = case.operands
        if dtype.size <= 2 and dtype.kind != "b":
            return (all_patterns(dtype),)
        return (np.concatenate([edges(dtype, rng, 2000), *in_domain(case, rng, 1000)]),)
    lists = [edges(d, rng, 2 if len(case.operands) == 3 else 30) for d in case.operands]
    grid = [g.reshape(-1) for g in np.meshgrid(*lists, indexing="ij")]
    return tuple(np.concatenate([g, more]) for g, more in zip(grid, in_domain(case, rng, 500), strict=True))


def in_domain(case: Case, rng: np.random.Generator, count: int) -> tuple[Any, ...]:
    domain = case.op.domain or ((-100.0, 100.0),) * len(case.operands)
    values = []
    for dtype, (low, high) in zip(case.operands, domain, strict=True):
        drawn = rng.uniform(max(low, 0.0) if dtype.kind in "ub" else low, high, count)
        values.append(drawn.astype(dtype.numpy()))
    return tuple(values)
