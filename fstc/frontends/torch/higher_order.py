"""Operators that take graphs: regions, branches and loops of known course.

Example: ``HIGHER_ORDER["cond"](converter, predicate, then, otherwise, [x])``. A region is inlined, a branch on what is
only known at run time computes both sides and chooses, a loop of known trips is unrolled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from fstc.frontends.artefact import Unsupported
from fstc.frontends.builder import Val
from fstc.frontends.torch.context import each

if TYPE_CHECKING:
    from fstc.frontends.torch.convert import Converter

MOST_TRIPS = 100_000


def _region(c: Converter, *args: Any, **kwargs: Any) -> Any:
    """What stands before the graph says how torch runs it (gradients, checkpoints); behind it, its values."""
    at = next((i for i, a in enumerate(args) if hasattr(a, "graph")), None)
    if at is None:
        raise Unsupported("no graph among its arguments")
    values = args[at + 1 :]
    if values and isinstance(values[0], str):  # invoke_subgraph has an identifier here
        values = values[1:]
    return c.run(args[at], values)


def _cond(c: Converter, predicate: Any, then: Any, otherwise: Any, operands: Sequence[Any] = ()) -> Any:
    known = _truth(predicate)
    if known is not None:
        return c.run(then if known else otherwise, operands)
    first, second = c.run(then, operands), c.run(otherwise, operands)
    b = c.cx.b
    p = b.reshape(predicate, ())
    return [
        b.select(p, x, y) if isinstance(x, Val) and isinstance(y, Val) else x
        for x, y in zip(first, second, strict=True)
    ]


def _truth(x: Any) -> bool | None:
    """Of a number or of a tensor that is known."""
    if not isinstance(x, Val):
        return bool(x)
    return None if x.known is None else bool(x.known.reshape(()))


def _while(c: Converter, condition: Any, body: Any, carried: Sequence[Any], others: Sequence[Any] = ()) -> Any:
    state = list(carried)
    for _ in range(MOST_TRIPS):
        (going,) = _several(c.run(condition, [*state, *others]))
        known = _truth(going)
        if known is None:
            raise Unsupported("a loop whose end depends on data")
        if not known:
            return state
        state = _several(c.run(body, [*state, *others]))
    raise Unsupported(f"a loop of more than {MOST_TRIPS:,} trips")


def _scan(c: Converter, combine: Any, init: Sequence[Val], xs: Sequence[Val], others: Sequence[Any] = ()) -> Any:
    """Carried values, and each trip's outputs stacked along a new first dimension."""
    b, state = c.cx.b, list(init)
    rows: list[list[Val]] = []
    for i in range(xs[0].shape[0]):
        now = [b.squeeze(b.slice_axis(x, 0, i, i + 1), [0]) for x in xs]
        found = _several(c.run(combine, [*state, *now, *others]))
        state, row = found[: len(init)], found[len(init) :]
        rows.append([b.expand(v, [0]) for v in row])
    return [*state, *(b.concat(list(column), 0) for column in zip(*rows, strict=True))]


def _map(c: Converter, body: Any, xs: Sequence[Val], others: Sequence[Any] = ()) -> Any:
    return _scan(c, body, [], xs, others)


def _several(found: Any) -> list[Any]:
    return list(found) if isinstance(found, tuple | list) else [found]


HIGHER_ORDER: dict[str, Callable[..., Any]] = {
    **each(
        "wrap_with_set_grad_enabled wrap wrap_activation_checkpoint tag_activation_checkpoint "
        "invoke_subgraph hints_wrapper strict_mode inductor_compiled_code", _region,
    ),
    "cond": _cond, "while_loop": _while, "scan": _scan, "map_impl": _map, "map": _map,
}  # fmt: skip
