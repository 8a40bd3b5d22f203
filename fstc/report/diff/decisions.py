"""The decision behind a change: what the planner says about the values of two kernels that came apart or together.

Example: a kernel was split and the new plan has ``FSN014 %cast.7 | %max``: that decision, before any other of theirs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from fstc.plan.artefact import Decision
from fstc.report.diff.model import Because
from fstc.report.diff.outline import names_in
from fstc.report.diff.side import Match, Side

MOST = 3  # decisions that a change names
LOOKED_AT = 64  # decisions of one value

Told = tuple[frozenset[str], frozenset[str], Decision]  # the values on its two sides


@dataclass(frozen=True, eq=False)
class Trail:
    """The decisions of a plan, by the values that they name."""

    side: Side
    role: str  # "old" or "new"

    @cached_property
    def all(self) -> dict[tuple[str, bool, str, str], Told]:
        found = (d for region in self.side.plan.regions for d in region.decisions)
        return {_key(d): (frozenset(names_in(d.left)), frozenset(names_in(d.right)), d) for d in found}

    @cached_property
    def by_name(self) -> dict[str, list[Told]]:
        found: dict[str, list[Told]] = defaultdict(list)
        for told in self.all.values():
            for name in sorted(told[0] | told[1]):
                found[name].append(told)
        return found

    def about(self, names: Iterable[str]) -> list[Told]:
        """Decisions that name one of these values, in the order of the values."""
        found = {id(told): told for name in names for told in self.by_name.get(name, ())[:LOOKED_AT]}
        return list(found.values())


def because(match: Match, old: Trail, new: Trail) -> tuple[Because, ...]:
    """At most a few decisions, the most telling first: between the kernels of the change, then new ones, by weight."""
    names = tuple(dict.fromkeys(name for launch in (*match.new, *match.old) for name in launch.ops))
    ranked: list[tuple[int, Because]] = []
    for trail, other, pieces, accepted in (
        (new, old, match.new, False),  # kept apart now
        (new, old, match.old, True),  # joined now
        (old, new, match.new, True),  # was joined
        (old, new, match.old, False),  # was kept apart
    ):
        owner = {name: n for n, piece in enumerate(pieces) for name in piece.ops}
        for told in trail.about(names):
            decision = told[2]
            if decision.accepted is not accepted or (match.equal and accepted):
                continue  # the same ops are together as before: what joined them explains nothing
            if len(pieces) > 1 and _between(told, owner):
                rank = 0 if trail is new else 1
            elif _key(decision) not in other.all and trail is new:
                rank = 2
            else:
                continue
            ranked.append((rank, _because(trail.role, decision)))
    ranked.sort(key=lambda item: (item[0], -abs(item[1].gain_us)))
    return tuple(dict.fromkeys(item for _, item in ranked))[:MOST]


def _between(told: Told, owner: dict[str, int]) -> bool:
    """Its two sides lie in two different kernels."""
    lefts = {owner[name] for name in told[0] if name in owner}
    rights = {owner[name] for name in told[1] if name in owner}
    return any(a != b for a in lefts for b in rights)


def _key(d: Decision) -> tuple[str, bool, str, str]:
    return d.code, d.accepted, d.left, d.right


def _because(role: str, d: Decision) -> Because:
    return Because(role, d.code, d.accepted, d.left, d.right, d.gain_us, d.reason, d.path)
