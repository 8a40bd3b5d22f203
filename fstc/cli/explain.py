"""``fstc explain FST0202``: the long form of a code. Without a code, all of them, one a line."""

from __future__ import annotations

import click

from fstc.cli.output import show
from fstc.cli.shared import format_option
from fstc.report.table import Report, Table


@click.command()
@click.argument("code", required=False)
@format_option
def command(code: str | None, format: str) -> int:
    """What a diagnostic (FST...) or a planner's decision (FSN...) means and what to do about it."""
    from fstc.support.codes import CODES

    if code is None:
        rows = tuple((c.code, c.meaning) for c in CODES.values())
        data = [{"code": c.code, "meaning": c.meaning} for c in CODES.values()]
        show(Report(data, (Table(("code", "meaning"), rows),)), format)
        return 0
    entry = CODES.get(code.upper())
    if entry is None:
        raise click.UsageError(f"there is no code {code!r}; `fstc explain` lists them.")
    fields = {"code": entry.code, "meaning": entry.meaning, "text": entry.text, "exit": entry.exit}
    show(Report(fields, (f"{entry.code}: {entry.meaning}", entry.text)), format)
    return 0
