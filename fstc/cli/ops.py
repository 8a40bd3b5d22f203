"""``fstc ops``: the operator reference, printed from the op table. ``--format md`` is the one in docs/fir.md."""

from __future__ import annotations

from difflib import get_close_matches

import click

from fstc.cli.output import show
from fstc.cli.shared import format_option


@click.command()
@click.argument("name", required=False)
@format_option
def command(name: str | None, format: str) -> int:
    """List the operators, or show one."""
    from fstc.ir.ops import OPS, lookup
    from fstc.report.ops import one_op, op_list

    if name is None and format == "md":
        from fstc.ir.ops.doc import op_reference_markdown

        click.echo(op_reference_markdown(), nl=False)
        return 0
    if name is None:
        show(op_list(tuple(OPS.values())), format)
        return 0
    op = lookup(name)
    if op is None:
        close = get_close_matches(name, OPS, n=1)
        raise click.UsageError(f"there is no op {name!r}." + (f" Did you mean {close[0]!r}?" if close else ""))
    show(one_op(op), format)
    return 0
