"""The answer of a comparison: what ``fstc diff --format json`` prints, field by field.

Example: ``diff.plans[0].changes[0].kind == "split"``. A price is a total over all launches that a change stands for.
"""

from __future__ import annotations

from typing import Any

import msgspec

STRUCTURE, COST = "structure", "cost"
ASPECTS = (STRUCTURE, COST)

CHANGED, SPLIT, MERGED, REGROUPED, ADDED, REMOVED = "changed", "split", "merged", "regrouped", "added", "removed"

Value = str | int | float | None


class Delta(msgspec.Struct, frozen=True):
    """A sum in the old and in the new plan."""

    old: float
    new: float

    @property
    def change(self) -> float:
        return self.new - self.old


class Field(msgspec.Struct, frozen=True):
    """One property of a kernel that differs; ``None``: that side does not have it."""

    name: str
    aspect: str  # one of ASPECTS
    old: Value
    new: Value


class Because(msgspec.Struct, frozen=True):
    """A decision of the planner that a change rests on, and whose plan says so."""

    plan: str  # "old" or "new"
    code: str
    accepted: bool
    left: str
    right: str
    gain_us: float
    reason: str
    path: tuple[str, ...] = ()  # values on a cycle


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """Kernels of the old plan, and those of the new plan that do their work. ``count``: how often it is launched."""

    kind: str
    count: int
    old: tuple[str, ...]
    new: tuple[str, ...]
    fields: tuple[Field, ...] = ()
    price: dict[str, Delta] = {}  # predicted_us, bytes, l2_bytes, launches
    because: tuple[Because, ...] = ()
    code: tuple[str, ...] = ()  # unified diff of the kernel's text; packages only


class PlanDiff(msgspec.Struct, frozen=True, kw_only=True):
    """Two plans. ``total`` has every figure that ``--fail-if`` knows, ``changes`` the order of the new plan."""

    device: str
    total: dict[str, Delta]
    changes: tuple[Change, ...]


class Context(msgspec.Struct, frozen=True):
    """Something the plans were made with. ``counts``: it is a difference even where all kernels are equal."""

    what: str  # format, tool, device, graph, option, constant, policy, index_bits, compiler, code for
    name: str
    old: Value
    new: Value
    counts: bool = False


class Check(msgspec.Struct, frozen=True):
    """An expression of ``--fail-if``, and what it was about."""

    expression: str
    device: str
    holds: bool
    old: float
    new: float


class Diff(msgspec.Struct, frozen=True, kw_only=True):
    """``plans`` has one entry; for packages one for each device that both have code for."""

    kind: str  # plan or package
    only: str = ""  # the aspect that was asked for, one of ASPECTS; empty: both
    different: bool
    context: tuple[Context, ...]
    plans: tuple[PlanDiff, ...]
    checks: tuple[Check, ...] = ()

    @property
    def failed(self) -> bool:
        """A finding: an expression holds; without expressions, anything differs."""
        return any(c.holds for c in self.checks) if self.checks else self.different

    def as_data(self) -> Any:
        """For JSON and YAML, floats with as many digits as artefacts have."""
        return _rounded(msgspec.to_builtins(self))


def same(a: object, b: object) -> bool:
    """Equal, or numbers that artefacts cannot tell apart: they keep six digits."""
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        return abs(a - b) <= 1e-5 * max(abs(a), abs(b))
    return a == b


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {k: _rounded(v) for k, v in value.items()}
    return [_rounded(v) for v in value] if isinstance(value, (list, tuple)) else value
