"""``fstc analyze model.fir``: what the planner will know of the graph."""

from __future__ import annotations

import click

from fstc.cli.output import show
from fstc.cli.shared import (
    bind_option,
    dump_option,
    format_option,
    model_argument,
    opened,
    output_option,
    time_option,
    write_artefact,
)


@click.command()
@model_argument
@bind_option
@output_option("Write the .analysis.json there, and the graph beside it; - is stdout.")
@format_option
@dump_option
@time_option
def command(
    path: str, binds: tuple[str, ...], output: str | None, format: str, dump: str | None, time_stages: bool
) -> int:
    """Classes, regions, axes and bytes of a graph."""
    from fstc.report.analysis import analysis_report

    work = opened(path, binds=binds, dump=dump, time=time_stages)
    report = analysis_report(work.value("graph"), work.value("analysis"))
    if output:
        write_artefact(work, "analysis", output)
    if output != "-":
        show(report, format)
    return 0
