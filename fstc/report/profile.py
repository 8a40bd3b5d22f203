"""Where the time of a run went, for people: stretches as a tree, then counts.

Example: ``as_text(profile_report(profile))`` after ``with recording() as profile: ...``.
"""

from __future__ import annotations

from fstc.report.table import Cell, Report, Table
from fstc.support.profile import Profile

COLUMNS = ("where", "calls", "ms", "own ms", "own share")


def profile_report(profile: Profile) -> Report:
    """``own``: without the stretches below it; these add up to the whole."""
    found = profile.rows()
    whole = sum(row.own for row in found) or 1.0
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        ("  " * r.depth + r.name, r.calls, round(r.seconds * 1e3), round(r.own * 1e3), f"{r.own / whole:6.1%}")
        for r in found
    )
    blocks: list[str | Table] = [Table(COLUMNS, rows)]
    if profile.counts:
        blocks.append(Table(("what", "count"), tuple(profile.counts.items())))
    data = {"stretches": [row._asdict() for row in found], "counts": dict(profile.counts)}
    return Report(data, tuple(blocks))
