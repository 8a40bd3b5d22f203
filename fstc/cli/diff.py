"""``fstc diff OLD NEW``: what changed between two plans or packages, what it costs, and which decision is behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from fstc.cli.shared import GITHUB, bind_option, bindings, diff_format_option, fail_if_option, option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fstc.report.diff.expression import Expression
    from fstc.report.diff.model import Diff


@click.command()
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@option(
    "--only", type=click.Choice(("structure", "cost")),
    help="structure: what runs; cost: what is predicted, and resources.",
)  # fmt: skip
@fail_if_option
@bind_option
@option("--device", default="", metavar="NAME", help="Plan a .fir for this device.  [default: that of the other side]")
@diff_format_option
def command(
    old: str, new: str, only: str | None, fail_if: tuple[str, ...], binds: tuple[str, ...], device: str, format: str
) -> int:
    """What changed between two plans or packages, and what it costs.

    Each of OLD and NEW is a plan, or a .fir, graph or analysis file, which is planned first; or both are packages.
    Exit code 1: they differ; with --fail-if: an expression holds.
    """
    from fstc.driver.compare import compare_files
    from fstc.report.diff.expression import parse
    from fstc.stages import Settings

    if old == new == "-":
        raise click.UsageError("OLD and NEW cannot both be standard input.")
    expressions = [parse(text) for text in fail_if]
    diff = compare_files(old, new, Settings(device=device, binds=bindings(binds)), only or "")
    return show_diff(diff, expressions, format, new)


def show_diff(diff: Diff, expressions: Sequence[Expression], format: str, file: str) -> int:
    """Print it; the exit code says whether it is a finding. ``file``: where annotations point."""
    from fstc.cli.output import show
    from fstc.report.diff.expression import checked
    from fstc.report.diff.text import diff_report, github

    diff = checked(diff, expressions)
    if format == GITHUB:
        click.echo(github(diff, "" if file == "-" else file), nl=False)
    else:
        show(diff_report(diff, format == "md"), format)
    return int(diff.failed)
