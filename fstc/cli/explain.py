"""``fstc explain FST0202``: the long form of a code. Without one, a list; with --format md the page in docs/."""

from __future__ import annotations

import click

from fstc.cli.output import show
from fstc.cli.shared import format_option


@click.command()
@click.argument("code", required=False)
@format_option
def command(code: str | None, format: str) -> int:
    """What a diagnostic (FST...) or a planner's decision (FSN...) means and what to do about it."""
    from fstc.report.codes import code_list, codes_markdown, one_code
    from fstc.support.codes import CODES

    if code is None and format == "md":
        click.echo(codes_markdown(), nl=False)
        return 0
    if code is None:
        show(code_list(), format)
        return 0
    entry = CODES.get(code.upper())
    if entry is None:
        raise click.UsageError(f"there is no code {code!r}; `fstc explain` lists them.")
    show(one_code(entry), format)
    return 0
