"""What two plans were made with, where it differs: named before anything that follows from it.

Example: ``Context("constant", "launch_us", 2.2, 4.0)``. Another tool, option or constant is no difference by
itself: it is one when kernels change. Another device, policy or width of offsets is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fstc.report.diff.model import Context, Value, same
from fstc.report.diff.side import Side


def plan_context(old: Side, new: Side) -> Iterator[Context]:
    a, b = old.plan, new.plan
    yield from _known("tool", "", old.tool, new.tool)
    yield from _known("format", "", old.format, new.format)
    yield from _differing("device", "", a.device, b.device, counts=True)
    yield from _differing("policy", "", a.policy, b.policy, counts=True)
    yield from _differing("index_bits", "", a.index_bits, b.index_bits, counts=True)
    options = [{"strategy": side.plan.strategy, **side.options} for side in (old, new)]
    yield from _all("option", options[0], options[1])
    if a.constants and b.constants:  # a file of 1.0 has none
        yield from _all("constant", a.constants, b.constants)


def _all(what: str, old: Mapping[str, object], new: Mapping[str, object]) -> Iterator[Context]:
    for name in sorted({*old, *new}):
        yield from _differing(what, name, _plain(old.get(name)), _plain(new.get(name)))


def _known(what: str, name: str, old: str, new: str) -> Iterator[Context]:
    """Differs, and both files say it."""
    if old and new:
        yield from _differing(what, name, old, new)


def _differing(what: str, name: str, old: Value, new: Value, counts: bool = False) -> Iterator[Context]:
    if not same(old, new):
        yield Context(what, name, old, new, counts)


def _plain(value: object) -> Value:
    """An option's value as one word; None where it has its default."""
    if value is None or isinstance(value, (str, int, float)):
        return value
    return " ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
