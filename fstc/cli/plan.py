"""``fstc plan model.fir``: kernels, their placements, the bytes they move, and why no more was stitched."""

from __future__ import annotations

from typing import Any

import click

from fstc.cli.output import show
from fstc.cli.shared import (
    as_real_option,
    bind_option,
    device_option,
    dump_option,
    format_option,
    model_argument,
    opened,
    option,
    output_option,
    plan_options,
    planner,
    profile_option,
    time_option,
    write_artefact,
)


@click.command()
@model_argument
@bind_option
@device_option
@output_option("Write the .plan.json there, with graph and analysis beside it; - is stdout.")
@plan_options
@as_real_option
@option("--explain", is_flag=True, help="Also print every decision: what was joined or kept apart, and why.")
@format_option
@dump_option
@time_option
@profile_option
def command(
    path: str,
    binds: tuple[str, ...],
    device: str,
    output: str | None,
    as_real: bool,
    explain: bool,
    format: str,
    dump: str | None,
    time_stages: bool,
    **planning: Any,
) -> int:
    """Decide which ops share a kernel, and say why."""
    from fstc.device.device import load_device
    from fstc.report.plan import plan_report

    work = opened(
        path, binds=binds, device=device, dump=dump, time=time_stages, plan=planner(planning), as_real=as_real
    )
    plan = work.value("plan")
    memory = load_device(work.settings.device).dram_bytes
    report = plan_report(work.stem, work.value("graph"), plan, explain, memory)
    if output:
        write_artefact(work, "plan", output)
    if output != "-":
        show(report, format)
    return 0
