"""``fstc plan model.fir``: kernels, their placements, the bytes they move, and why no more was stitched."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from fstc.cli.output import show
from fstc.cli.shared import (
    GITHUB,
    as_real_option,
    bind_option,
    device_option,
    diff_format_option,
    dump_option,
    fail_if_option,
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

if TYPE_CHECKING:
    from fstc.driver.work import Work


@click.command()
@model_argument
@bind_option
@device_option
@output_option("Write the .plan.json there, with graph and analysis beside it; - is stdout.")
@plan_options
@as_real_option
@option("--explain", is_flag=True, help="Also print every decision: what was joined or kept apart, and why.")
@option("--against", metavar="OLD", help="Print what changes against an earlier plan, and end as `fstc diff` does.")
@fail_if_option
@diff_format_option
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
    against: str | None,
    fail_if: tuple[str, ...],
    format: str,
    dump: str | None,
    time_stages: bool,
    **planning: Any,
) -> int:
    """Decide which ops share a kernel, and say why."""
    from fstc.device.device import load_device
    from fstc.report.plan import plan_report

    compared = _compared(against, fail_if, output, format)
    work = opened(
        path, binds=binds, device=device, dump=dump, time=time_stages, plan=planner(planning), as_real=as_real
    )
    plan = work.value("plan")
    memory = load_device(work.settings.device).dram_bytes
    report = plan_report(work.stem, work.value("graph"), plan, explain, memory)
    if output:
        write_artefact(work, "plan", output)
    if compared:
        return compared(work)
    if output != "-":
        show(report, format)
    return 0


def _compared(
    against: str | None, fail_if: tuple[str, ...], output: str | None, format: str
) -> Callable[[Work], int] | None:
    """What to do with the plan instead of showing it. OLD is read now: -o may replace it."""
    if against is None:
        for given, flag in ((bool(fail_if), "--fail-if"), (format == GITHUB, f"--format {GITHUB}")):
            if given:
                raise click.UsageError(f"{flag} is about a difference: give an earlier plan as --against OLD.")
        return None
    if output == "-":
        raise click.UsageError("-o - prints the plan, --against OLD what it changes: one of them goes to a file.")
    from fstc.cli.diff import show_diff
    from fstc.driver.compare import against as changes
    from fstc.driver.compare import given_plan
    from fstc.report.diff.expression import parse

    expressions = [parse(text) for text in fail_if]
    old = given_plan(against)
    return lambda work: show_diff(changes(old, work), expressions, format, output or "")
