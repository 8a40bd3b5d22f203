"""Control flow that is known while importing: calls are inlined, loops unrolled, branches chosen.

Example: a ``while`` that counts to 4 is its body four times, with the counter computed and gone. A loop or branch that
depends on data is refused: fstc's graphs have none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fstc.frontends.artefact import Unsupported
from fstc.frontends.builder import Val
from fstc.frontends.emitter import LimitError
from fstc.frontends.stablehlo.program import Block
from fstc.frontends.stablehlo.walk import Alien, Entry, Site, Value

MOST_TURNS = 1_000_000


def call(s: Site, *args: Value) -> list[Value]:
    return s.call(s.attr("callee"), args)


def composite(s: Site, *args: Value) -> Any:
    """One that has an entry of its own by name (chlo.erf, ...) is that op; any other is its decomposition."""
    name = s.attr("name")
    entry = s.walk.table.get(name)
    if entry is None or entry.refused:
        return s.call(s.attr("decomposition"), args)
    return s.as_op(name, s.attr("composite_attributes") or {}, args)


def while_(s: Site, *state: Value) -> list[Value]:
    condition, body = s.op.regions
    now: list[Value] = list(state)
    for _ in range(MOST_TURNS):
        (goes_on,) = s.inline(condition, now)
        if not isinstance(goes_on, Val) or goes_on.known is None:
            raise Unsupported("a loop whose end depends on data: only a number of turns that is known is unrolled")
        if not bool(goes_on.known):
            return now
        now = s.inline(body, now)
    raise LimitError(f"a loop of more than {MOST_TURNS:,} turns")


def if_(s: Site, predicate: Val) -> list[Value]:
    branch = 0 if _scalar(predicate, "a branch that depends on data") else 1
    return _branch(s, s.op.regions[branch])


def case(s: Site, index: Val) -> list[Value]:
    """An index out of range is the last branch."""
    chosen = _scalar(index, "a branch that depends on data")
    last = len(s.op.regions) - 1
    return _branch(s, s.op.regions[chosen if 0 <= chosen <= last else last])


def _branch(s: Site, block: Block) -> list[Value]:
    return s.inline(block)


def _scalar(x: Value, what: str) -> int:
    if not isinstance(x, Val) or x.known is None:
        raise Unsupported(f"{what}: both sides would have to be computed and selected from")
    return int(x.known.reshape(()))


def tuple_(s: Site, *parts: Value) -> list[Value]:
    return [tuple(parts)]


def get_tuple_element(s: Site, whole: Value) -> Value:
    if not isinstance(whole, tuple):
        raise Unsupported(whole.reason if isinstance(whole, Alien) else "the operand is no tuple")
    return whole[s.attr("index")]


def same(s: Site, *values: Value) -> list[Value]:
    return list(values)


CONTROL: Mapping[str, Entry] = {
    "func.call": Entry(call, "inlined", any_type=True),
    "stablehlo.composite": Entry(composite, "its decomposition, or the chlo op of its name", any_type=True),
    "stablehlo.while": Entry(while_, "unrolled where the number of turns is known, else refused", any_type=True),
    "stablehlo.if": Entry(if_, "the branch, where the predicate is known, else refused", any_type=True),
    "stablehlo.case": Entry(case, "the branch, where the index is known, else refused", any_type=True),
    "stablehlo.tuple": Entry(tuple_, "gone", any_type=True),
    "stablehlo.get_tuple_element": Entry(get_tuple_element, "gone", any_type=True),
    "stablehlo.optimization_barrier": Entry(same, "gone", any_type=True),
}  # fmt: skip
