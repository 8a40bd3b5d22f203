"""``fstc plan --why-not A B``: what one kernel for both would cost, or why there is none.

Example, the verdict: ``one kernel: +6.3 us (12.1 -> 18.4); occupancy 62% -> 25% (registers 45 -> 96), bound memory ->
latency``. It is the difference of two plans: the one that was asked about, and one in which a wish holds; values that
share a kernel already are asked the other way, what apart would cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from fstc.report.diff.compare import compare_plans
from fstc.report.diff.match import match_launches
from fstc.report.diff.model import PlanDiff
from fstc.report.diff.side import Launch, Match, Side
from fstc.report.diff.text import headline
from fstc.report.plan import COLUMNS, kernel_row
from fstc.report.questions.compare import binding, terms_of
from fstc.report.questions.homes import Homes
from fstc.report.table import Report, Table

POSSIBLE, IMPOSSIBLE, TOGETHER = "possible", "impossible", "together"
MOST = 8
NO_DIFFERENCE = 0.001  # of the time of the kernels that change


@dataclass(frozen=True)
class Answer:
    """``wished``: the plan in which they are together, or apart if they are together now; None when there is none:
    then ``reason`` says why, and ``code`` names it.
    """

    names: tuple[str, str]
    homes: Homes
    wished: Homes | None = None
    reason: str = ""
    code: str = ""
    help: str = ""

    @property
    def together(self) -> bool:
        a, b = ({h.launch.step for h in self.homes.of(name)} for name in self.names)
        return not a.isdisjoint(b)


def why_not_report(answer: Answer) -> Report:
    a, b = (f"%{name}" for name in answer.names)
    if answer.wished is None:
        return _impossible(answer)
    matches = [m for m in match_launches(Side(answer.homes.plan), Side(answer.wished.plan)) if not m.equal]
    old, new = _sides(matches)
    difference = compare_plans("", Side(answer.homes.plan), Side(answer.wished.plan))
    us = tuple(sum(x.kernel.predicted_us * count for x, count in side) for side in (old, new))
    change = us[1] - us[0]
    held = _held(answer, old, new)
    comes = _taken_in(answer) if not answer.together else []
    price = f"{change:+.4g} us ({us[0]:.4g} -> {us[1]:.4g})"
    if not old and not new:
        where = answer.homes.of(answer.names[0])[0].launch.name if answer.together else ""
        verdict = f"{a} and {b} are in one kernel, {where}" if where else f"{a} and {b}: the plan stays as it is"
    elif answer.together:
        home = _shared_name(answer)
        verdict = f"{a} and {b} are in one kernel already, {home}; apart: {price}"
    else:
        verdict = f"{a} and {b} in one kernel: {price}"
    if held:
        verdict += "; " + ", ".join(held)
    blocks: list[str | Table] = [verdict]
    if comes:
        more = f" and {len(comes) - MOST} more" if len(comes) > MOST else ""
        blocks.append(f"what lies between comes along: {', '.join(comes[:MOST])}{more}")
    if change < -NO_DIFFERENCE * us[0]:
        flag = "--forbid" if answer.together else "--force"
        blocks.append(f"this is predicted to be faster: the search did not find it; {flag} keeps it")
    if old or new:
        rows = [("now", *_named(x, n)) for x, n in old] + [("then", *_named(x, n)) for x, n in new]
        blocks += [Table(("", *COLUMNS), tuple(rows)), _terms(old, new), headline(difference)]
    blocks.append(_said(answer))
    data = _data(answer, POSSIBLE if not answer.together else TOGETHER, verdict)
    data |= {
        "binding": held,
        "comes_along": comes,
        "now": [x.name for x, _ in old],
        "then": [x.name for x, _ in new],
        "terms": {
            name: {"now": _terms_of(old).get(name, 0.0), "then": _terms_of(new).get(name, 0.0)}
            for name in dict.fromkeys((*_terms_of(old), *_terms_of(new)))
        },
        "total": _totals(difference),
    }
    return Report(_rounded(data), tuple(blocks))


def _impossible(answer: Answer) -> Report:
    a, b = (f"%{name}" for name in answer.names)
    verdict = f"{a} and {b} cannot be {'apart' if answer.together else 'in one kernel'}: {answer.reason}"
    if a == b:
        verdict = f"{a} is one value: give two"
    data = _data(answer, IMPOSSIBLE, verdict) | {"code": answer.code, "reason": answer.reason}
    return Report(data, (verdict, answer.help, _said(answer)))


def _data(answer: Answer, kind: str, verdict: str) -> dict[str, Any]:
    return {
        "question": "why-not",
        "values": list(answer.names),
        "answer": kind,
        "verdict": verdict,
        "homes": {name: [h.launch.name for h in answer.homes.of(name)] for name in answer.names},
        "decisions": [msgspec.to_builtins(d) for d in _between(answer)],
    }


# -- the two plans ------------------------------------------------------------------------------------------------

Counted = list[tuple[Launch, int]]


def _sides(matches: Sequence[Match]) -> tuple[Counted, Counted]:
    """Launches that differ, on each side, with how often they are launched."""
    sides: list[dict[Launch, int]] = [{}, {}]
    for match in matches:
        for side, launches in zip(sides, (match.old, match.new), strict=True):
            for launch in launches:
                side[launch] = side.get(launch, 0) + match.count
    ordered = [sorted(side.items(), key=lambda item: item[0].first) for side in sides]
    return ordered[0], ordered[1]


def _held(answer: Answer, old: Counted, new: Counted) -> list[str]:
    """What binds the kernel of both against the kernels that there are, or would be."""
    if not old or not new or answer.wished is None:
        return []
    kernels = [x.kernel for x, _ in old], [x.kernel for x, _ in new]
    return binding(kernels[0], kernels[1], answer.homes.plan.constants)


def _taken_in(answer: Answer) -> list[str]:
    """Values of the one kernel that were in neither of the two."""
    assert answer.wished is not None
    a, b = ({h.launch.step: h for h in answer.wished.of(name)} for name in answer.names)
    step = next((s for s in a if s in b), None)
    if step is None:
        return []
    home = a[step]
    graph = home.place.graph
    own = {h.launch.step for name in answer.names for h in answer.homes.of(name)}
    made = (graph.values[v].name for n in home.launch.nodes for v in graph.nodes[n].outputs)
    elsewhere = ((name, answer.homes.of(name)) for name in made)
    return [f"%{name}" for name, homes in elsewhere if homes and all(h.launch.step not in own for h in homes)]


def _shared_name(answer: Answer) -> str:
    other = {h.launch.step for h in answer.homes.of(answer.names[1])}
    return next(h.launch.name for h in answer.homes.of(answer.names[0]) if h.launch.step in other)


def _named(launch: Launch, count: int) -> tuple[Any, ...]:
    row = kernel_row(launch.kernel)
    return (f"{row[0]} x {count}" if count > 1 else row[0], *row[1:])


def _terms_of(side: Counted) -> dict[str, float]:
    return terms_of([x.kernel for x, _ in side], [n for _, n in side])


def _terms(old: Counted, new: Counted) -> Table:
    before, after = _terms_of(old), _terms_of(new)
    rows = [
        (name, before.get(name, 0.0), after.get(name, 0.0), f"{after.get(name, 0.0) - before.get(name, 0.0):+.4g}")
        for name in dict.fromkeys((*before, *after))
    ]
    us = [sum(x.kernel.predicted_us * n for x, n in side) for side in (old, new)]
    rows.append(("predicted", us[0], us[1], f"{us[1] - us[0]:+.4g}"))
    return Table(("us of term", "now", "then", "change"), tuple(rows))


def _totals(difference: PlanDiff) -> dict[str, Any]:
    names = ("predicted_us", "bytes", "l2_bytes", "kernels", "library_calls")
    return {name: {"now": difference.total[name].old, "then": difference.total[name].new} for name in names}


# -- what the planner said ----------------------------------------------------------------------------------------


def _between(answer: Answer) -> list[Any]:
    """Decisions of the plan between the kernels of the two values."""
    a, b = ({h.launch.number for h in answer.homes.of(name)} for name in answer.names)
    regions = [
        {answer.homes.launches.places[h.launch.place].region for h in answer.homes.of(name)} for name in answer.names
    ]
    found = []
    for told in answer.homes.told:
        if not all(told.region in found for found in regions) or told.decision.accepted or not told.right:
            continue
        if (told.left & a and told.right & b) or (told.left & b and told.right & a):
            found.append(told.decision)
    return found


def _said(answer: Answer) -> str:
    """The planner's own words on the pair of kernels."""
    if answer.together:
        return ""
    lines = []
    for d in _between(answer)[:MOST]:
        way = f" (through {' -> '.join(d.path)})" if d.path else ""
        lines.append(f"{d.code} {d.left} | {d.right}: {d.reason}{way}")
    return "\n".join(["the plan says:", *(f"  {line}" for line in lines)]) if lines else ""


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {k: _rounded(v) for k, v in value.items()}
    return [_rounded(v) for v in value] if isinstance(value, list) else value
