"""What a plan did not stitch and why: pairs of kernels, what passes between them, and how to ask on.

Example, a row: ``FSN021  %row_loss  %loss  0.0005 MB  +456 us as one  ...  --why-not row_loss loss``. Decisions speak
of clusters that may have met later: only those whose two sides lie in different kernels of the plan count.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fstc.plan.artefact import Decision, Kernel, Plan, RegionPlan
from fstc.report.diff.outline import Outline, names_in
from fstc.report.table import Cell, Table, Tree
from fstc.support.codes import CODES

MOST = 8
COLUMNS = ("code", "between", "and", "MB between", "price", "reason", "ask")
ALTERNATIVES = ("FSN032", "FSN042")  # what was tried and is slower: nothing is apart for it
ABOVE_FLOOR = "FSN050"  # its gain is what it costs to stay apart; that of the others, what it costs to be one


@dataclass(frozen=True)
class Told:
    """A decision, and the kernels of its region that compute what stands on its two sides."""

    region: int
    decision: Decision
    left: frozenset[int]
    right: frozenset[int]

    @property
    def kernels(self) -> frozenset[int]:
        return self.left | self.right


def told_by(plan: Plan) -> tuple[Told, ...]:
    """Every decision in order. A side that names no value of a kernel has no kernels."""
    found = []
    for number, region in enumerate(plan.regions):
        where = _kernels_of(region)
        for d in _distinct(region.decisions):
            found.append(Told(number, d, _kernels(where, d.left), _kernels(where, d.right)))
    return tuple(found)


def _distinct(decisions: Iterable[Decision]) -> list[Decision]:
    """The same said twice, by two sweeps of the search, is said once."""
    return list({(d.code, d.accepted, d.left, d.right, d.reason): d for d in decisions}.values())


def apart_table(plan: Plan, every: bool = False) -> list[str | Table]:
    """The table, those first between which most is moved, and a line on what else there is to say."""
    told = told_by(plan)
    rows = sorted(_pairs(plan, told), key=lambda item: item[0], reverse=True)
    shown = rows if every else rows[:MOST]
    blocks: list[str | Table] = []
    if shown:
        title = "not stitched, the dearest first; ask on with fstc plan FILE --why-not A B"
        blocks.append(Table(COLUMNS, tuple(row for _, row in shown), title=title))
    more = [f"{len(rows) - len(shown)} more pairs"] if len(rows) > len(shown) else []
    declined = (t for t in told if not t.decision.accepted and t.decision.code not in ALTERNATIVES)
    alone = Counter(t.decision.code for t in declined if not (t.left and t.right))
    more += [f"{code} {CODES[code].meaning} x {n}" for code, n in sorted(alone.items()) if code in CODES]
    if more:
        blocks.append(f"and {', '.join(more)}: --explain")
    return blocks


def apart_tree(table: Table) -> Tree:
    """The same for a terminal: what and how much first, the reason last."""
    rows = (
        (code, f"{left} | {right}", f"{moved} MB", price, f"fstc plan FILE {ask}", reason)
        for code, left, right, moved, price, reason, ask in table.cells()
    )
    return Tree(table.title, tuple(rows))


def _pairs(plan: Plan, told: tuple[Told, ...]) -> list[tuple[tuple[float, float], tuple[Cell, ...]]]:
    """(weight, row) of each pair of kernels that are apart: one row for why they are, one for its price."""
    runs = Counter(step.region for step in plan.steps if step.kernel == 0)
    best: dict[tuple[int, int, int, bool], Told] = {}
    for t in told:
        if t.decision.accepted or not t.left or not t.right or not t.left.isdisjoint(t.right):
            continue
        a, b = sorted((min(t.left), min(t.right)))
        key = (t.region, a, b, t.decision.code == ABOVE_FLOOR)
        if key not in best or abs(t.decision.gain_us) > abs(best[key].decision.gain_us):
            best[key] = t
    found: list[tuple[tuple[float, float], tuple[Cell, ...]]] = []
    for (region, a, b, _), t in best.items():
        kernels = plan.regions[region].kernels
        moved = passing(kernels[a], kernels[b]) * runs[region]
        found.append(((moved, abs(t.decision.gain_us)), _row(t.decision, moved)))
    return found


def passing(a: Kernel, b: Kernel) -> int:
    """Bytes that one kernel for both would not move: written by one and read by the other, or read by both."""
    sides = [{(x.value, x.mode): x.bytes for part in kernel.parts for x in part.accesses} for kernel in (a, b)]
    total = 0
    for one, other in (sides, sides[::-1]):
        total += sum(n + other[v, "read"] for (v, mode), n in one.items() if mode == "write" and (v, "read") in other)
    written = {v for side in sides for v, mode in side if mode == "write"}
    both = [(v, n) for (v, mode), n in sides[0].items() if mode == "read" and (v, "read") in sides[1]]
    return total + sum(min(n, sides[1][v, "read"]) for v, n in both if v not in written)


def _row(d: Decision, moved: int) -> tuple[Cell, ...]:
    price = "-"
    if d.gain_us < 0:
        price = f"{-d.gain_us:.4g} us to stay" if d.code == ABOVE_FLOOR else f"{-d.gain_us:+.4g} us as one"
    reason = f"{d.reason}, by {' -> '.join(d.path)}" if d.path else d.reason
    return (d.code, d.left, d.right, moved / 1e6, price, reason, ask(d.left, d.right))


def ask(left: str, right: str) -> str:
    """The option that asks on, for a shell."""
    names = [(names_in(side) or (side,))[0].removeprefix("%") for side in (left, right)]
    return f"--why-not {' '.join(map(shlex.quote, names))}"


def _kernels_of(region: RegionPlan) -> Mapping[str, set[int]]:
    """The kernels that compute each value, by its name."""
    outline = Outline(region.text)
    where: dict[str, set[int]] = {}
    for number, kernel in enumerate(region.kernels):
        for name in (name for part in kernel.parts for name in outline.results(part.nodes)):
            where.setdefault(name.replace('"', ""), set()).add(number)
    return where


def _kernels(where: Mapping[str, set[int]], side: str) -> frozenset[int]:
    if side in where:
        return frozenset(where[side])
    return frozenset(k for name in names_in(side) for k in where.get(name, ()))
