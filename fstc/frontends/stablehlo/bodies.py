"""Bodies of reductions and sorts: which known function one computes, and a body applied to whole tensors.

Example: ``same(region, b.region((F32, F32), lambda b, x, y: b.ew("add", x, y)))``: equal but for names and the order of
operands that commute. Patterns are built by the same handlers as the body itself, so that both come out alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fstc.frontends.builder import Builder, Val
from fstc.frontends.stablehlo.elementwise import compared
from fstc.ir.graph import Region
from fstc.ir.ops.opdef import Form
from fstc.ir.types import DType, TensorType

MIRRORED = {"GT": "LT", "GE": "LE"}
Body = Callable[..., Val | Sequence[Val]]


def same(region: Region, pattern: Region) -> bool:
    return _expressions(region) == _expressions(pattern)


def _expressions(region: Region) -> tuple[str, ...]:
    """Each result as a canonical text of what it computes."""
    graph = region.graph
    texts = {v: f"p{i}" for i, v in enumerate(graph.inputs)}
    for node in graph.nodes:
        parts = [texts[v] for v in node.inputs]
        attrs = dict(node.attrs)
        direction = attrs.get("direction")
        if direction in MIRRORED:
            attrs["direction"], parts = MIRRORED[direction], parts[::-1]
        if node.op.commutative or direction in ("EQ", "NE"):
            parts = sorted(parts)
        shown = ",".join(f"{k}={v!r}" for k, v in sorted(attrs.items()))
        for i, value in enumerate(node.outputs):
            texts[value] = _short(f"{node.op.name}.{i}[{shown}]({';'.join(parts)}){graph.type(value)}")
    return tuple(texts[v] for v in graph.outputs)


def _short(text: str) -> str:
    """The text, or a digest of a long one: shared parts would double it at every op."""
    from hashlib import sha256

    return text if len(text) < 200 else sha256(text.encode()).hexdigest()


def pairwise(dtypes: Sequence[DType]) -> list[DType]:
    """Of a comparator: two parameters a tensor, side by side."""
    return [t for t in dtypes for _ in range(2)]


def is_comparison(b: Builder, region: Region, dtypes: Sequence[DType], direction: str) -> bool:
    """Does a comparator order by the first tensor alone? JAX's form makes zeros and NaNs equal before it compares."""

    def canonical(b: Builder, x: Val) -> Val:
        zeroed = b.select(b.compare("EQ", x, 0.0), 0.0, x)
        return b.select(b.compare("NE", x, x), float("nan"), zeroed)

    def plain(b: Builder, x: Val, y: Val, *_: Val) -> Val:
        return compared(b, direction, None, x, y)

    def total(b: Builder, x: Val, y: Val, *_: Val) -> Val:
        return compared(b, direction, "TOTALORDER", canonical(b, x), canonical(b, y))

    forms: list[Body] = [plain, total] if dtypes[0].is_float else [plain]
    return any(same(region, b.region(pairwise(dtypes), form)) for form in forms)


def is_arg(b: Builder, region: Region, value: DType, index: DType, direction: str) -> bool:
    """A reduction of (values, indices) to the largest (GT) or smallest (LT), the first NaN, the lowest index."""

    def jax(b: Builder, x: Val, i: Val, y: Val, j: Val) -> list[Val]:
        first = b.compare(direction, x, y)
        if value.is_float:
            first = b.ew("or", first, b.compare("NE", x, x))
        lower = b.ew("or", first, b.ew("and", b.compare("EQ", x, y), b.compare("LT", i, j)))
        return [b.select(first, x, y), b.select(lower, i, j)]

    def integers(b: Builder, x: Val, i: Val, y: Val, j: Val) -> list[Val]:
        """JAX's form for all types, where a value is never different from itself."""
        first = b.ew("or", b.compare(direction, x, y), b.compare("NE", x, x))
        lower = b.ew("or", first, b.ew("and", b.compare("EQ", x, y), b.compare("LT", i, j)))
        return [b.select(first, x, y), b.select(lower, i, j)]

    def tensorflow(b: Builder, x: Val, i: Val, y: Val, j: Val) -> list[Val]:
        first = b.compare("GE" if direction == "GT" else "LE", x, y)
        lower = b.select(first, i, j)
        return [b.select(first, x, y), b.select(b.compare("EQ", x, y), b.ew("min", i, j), lower)]

    types = (value, index, value, index)
    forms: list[Body] = [jax, integers] if value.is_float else [jax, integers, tensorflow]
    return any(same(region, b.region(types, form)) for form in forms)


def apply(b: Builder, region: Region, args: Sequence[Val]) -> list[Val]:
    """A body of scalars on tensors of one shape, element by element."""
    graph, shape = region.graph, args[0].shape
    values: dict[int, Val] = dict(zip(graph.inputs, args, strict=True))
    for node in graph.nodes:
        inputs = [values[v] for v in node.inputs]
        attrs = dict(node.attrs)
        types = [TensorType(graph.type(v).dtype, shape) for v in node.outputs]
        if node.op.form is Form.CONSTANT:
            made: tuple[Val, ...] = (b.full(attrs["value"], types[0].dtype, shape),)
        else:
            made = b.op(node.op.name, inputs, *types, **attrs)
        values.update(zip(node.outputs, made, strict=True))
    return [values[v] for v in graph.outputs]
