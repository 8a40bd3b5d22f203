"""How far each load of a pattern runs: conditions above it keep it to some values of an axis.

Example: in ``concatenate %a, %b`` along an axis of 96 the load of ``%a`` runs over values 0 to 47 only, and not at
all in the blocks that make the second half.
"""

from __future__ import annotations

from collections.abc import Mapping

from fstc.ir.conditions import MILLION, SHARE
from fstc.ir.indexing import At
from fstc.ir.pattern import Key, Pattern

Range = tuple[int, int]  # low <= value < high
Limits = Mapping[str, Range]
"""Variable -> the values that occur; a variable that is not listed runs through all of its own."""


def limits(pattern: Pattern) -> dict[Key, Limits]:
    """Per instance the limits under which it is computed: of several paths to it, the hull."""
    roots = tuple(k for root in pattern.roots for k in root.keys)
    found: dict[Key, dict[str, Range]] = {k: {} for k in roots}
    for key in reversed(list(pattern.reach(roots))):
        instance = pattern.instances[key]
        if instance.role != "op":
            continue
        for child in instance.children:
            below = dict(found.get(key, {}))
            target = pattern.instances[child]
            for name, low, high in _over(target.at, pattern.graph.type(target.value).shape):
                below[name] = _meet(below.get(name), (low, high))
            for where, name, low, high in instance.within:
                if where == child:
                    narrow = _narrow if name == SHARE else _meet
                    below[name] = narrow(below.get(name), (low, high))
            earlier = found.get(child)
            found[child] = below if earlier is None else hull(earlier, below)
    return {**found}


def hull(a: Limits, b: Limits) -> dict[str, Range]:
    """What two paths to a value reach together; places that a condition over several axes selects add up."""
    if SHARE in a and SHARE in b:
        a = {**a, SHARE: (0, min(MILLION, a[SHARE][1] + b[SHARE][1]))}
    return {name: (min(a[name][0], b[name][0]), max(a[name][1], b[name][1])) for name in a if name in b}


def _meet(a: Range | None, b: Range) -> Range:
    return b if a is None else (max(a[0], b[0]), max(max(a[0], b[0]), min(a[1], b[1])))


def _narrow(a: Range | None, b: Range) -> Range:
    return b if a is None else (0, a[1] * b[1] // MILLION)


def _over(at: At, shape: tuple[int, ...]) -> list[tuple[str, int, int]]:
    """Variables that run further than the dimension that they index: a condition above holds them back."""
    found: list[tuple[str, int, int]] = []
    for index, extent in zip(at, shape, strict=True):
        plain = [(t, c) for t, c in index.terms if t.arg is None and not t.key.startswith("d")]
        if len(plain) != 1 or any(t.arg is not None for t, _ in index.terms):
            continue
        term, c = plain[0]
        most = -(-extent // abs(c))
        if term.high - term.low + 1 > most:
            known = len(index.terms) == 1 and c > 0
            low = max(0, -(index.const // c)) if known else 0
            found.append((term.key, low, min(low + most, term.high + 1)))
    return found
