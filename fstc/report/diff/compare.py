"""Two plans, or two packages, compared: context first, then every change with its price and the decision behind it.

Example: ``compare("plan", {"h200": (Side(old), Side(new))}).plans[0].changes``. Pure: files are read by
:mod:`fstc.driver.compare`. ``only`` keeps the changes of one aspect.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from fstc.report.diff.built import built_fields, code_diff
from fstc.report.diff.context import plan_context
from fstc.report.diff.decisions import Trail, because
from fstc.report.diff.fields import kernel_fields
from fstc.report.diff.figures import totals
from fstc.report.diff.library import library_changes
from fstc.report.diff.match import match_launches
from fstc.report.diff.model import (
    ADDED,
    CHANGED,
    COST,
    MERGED,
    REGROUPED,
    REMOVED,
    SPLIT,
    STRUCTURE,
    Change,
    Context,
    Delta,
    Diff,
    Field,
    PlanDiff,
    same,
)  # fmt: skip
from fstc.report.diff.side import Match, Side


def compare(kind: str, sides: Mapping[str, tuple[Side, Side]], only: str = "", context: Iterable[Context] = ()) -> Diff:
    """``sides``: old and new by device; ``context``: what a package was made with, besides what its plans say."""
    plans = tuple(compare_plans(device, old, new, only) for device, (old, new) in sides.items())
    about = dict.fromkeys((*context, *(c for old, new in sides.values() for c in plan_context(old, new))))
    different = any(c.counts for c in about) or any(p.changes for p in plans)
    return Diff(kind=kind, only=only, different=different, context=tuple(about), plans=plans)


def compare_plans(device: str, old: Side, new: Side, only: str = "") -> PlanDiff:
    trails = Trail(old, "old"), Trail(new, "new")
    matches = match_launches(old, new)
    changes = [c for m in matches for c in _changes(m, old, new, trails, only)]
    changes += library_changes(old, new)
    total = totals(old, new) | {"changes": Delta(0, len(changes))}
    return PlanDiff(device=device, total=total, changes=tuple(changes))


def _changes(match: Match, old: Side, new: Side, trails: tuple[Trail, Trail], only: str) -> Iterator[Change]:
    """The change that a match stands for, if it is one and of the aspect that was asked for."""
    fields: tuple[Field, ...] = ()
    code: tuple[str, ...] = ()
    kind = _kind(match)
    if kind == CHANGED:
        [a], [b] = match.old, match.new
        fields = kernel_fields(a, b, match.equal)
        fields += tuple(built_fields(old, a, new, b))
        code = code_diff(old, a, new, b) if old.built and new.built and only != COST else ()
    price = _price(match)
    fields = tuple(f for f in fields if only in ("", f.aspect))
    moved = any(not same(d.old, d.new) for d in price.values())
    if kind == CHANGED and not fields and not code:
        return
    if kind != CHANGED and only == COST and not moved:
        return
    decided = kind != CHANGED or any(f.aspect == STRUCTURE for f in fields)
    yield Change(
        kind=kind,
        count=match.count,
        old=tuple(a.name for a in match.old),
        new=tuple(b.name for b in match.new),
        fields=fields,
        price=price,
        because=because(match, *trails) if decided else (),
        code=code,
    )


def _kind(match: Match) -> str:
    if not match.old:
        return ADDED
    if not match.new:
        return REMOVED
    if len(match.old) == 1:
        return CHANGED if len(match.new) == 1 else SPLIT
    return MERGED if len(match.new) == 1 else REGROUPED


def _price(match: Match) -> dict[str, Delta]:
    def delta(figure: str) -> Delta:
        old, new = (sum(getattr(x.kernel, figure) for x in side) * match.count for side in (match.old, match.new))
        return Delta(old, new)

    launches = Delta(len(match.old) * match.count, len(match.new) * match.count)
    return {name: delta(name) for name in ("predicted_us", "bytes", "l2_bytes")} | {"launches": launches}
