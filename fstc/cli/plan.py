"""``fstc plan model.fir``: kernels, their placements, the bytes they move, and why no more was stitched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fstc.cli.output import show, write_out
from fstc.cli.shared import (
    GITHUB,
    as_real_option,
    bind_option,
    device_option,
    diff_format_option,
    dump_option,
    fail_if_option,
    listed,
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
    from fstc.report.table import Table

EMITS = ("dot", "html")


def _emits(context: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    """``--emit dot,html`` and ``--emit dot --emit html`` are the same."""
    kinds = listed(",".join(value), "kind of page") if value else ()
    for kind in kinds:
        if kind not in EMITS:
            raise click.BadParameter(f"{kind!r} is not one of {', '.join(EMITS)}.", context, parameter)
    return kinds


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
@option(
    "--emit",
    "emits",
    multiple=True,
    callback=_emits,
    metavar="dot,html",
    help="Also draw the plan, for Graphviz or as a page that opens offline: MODEL.plan.dot and MODEL.plan.html beside "
    "the file of -o, else in this folder. With -o - the one that is named goes to stdout, in place of the plan.",
)  # fmt: skip
@option("--built", metavar="PACKAGE", help="Also print what the compiler used, from a package of this plan.")
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
    emits: tuple[str, ...],
    built: str | None,
    format: str,
    dump: str | None,
    time_stages: bool,
    **planning: Any,
) -> int:
    """Decide which ops share a kernel, and say why."""
    from fstc.device.device import load_device
    from fstc.report.plan import plan_report
    from fstc.report.table import Report

    compared = _compared(against, fail_if, output, format)
    _one_on_stdout(output, emits)
    work = opened(
        path, binds=binds, device=device, dump=dump, time=time_stages, plan=planner(planning), as_real=as_real
    )
    beside = _built(work, built) if built else ()
    plan = work.value("plan")
    memory = load_device(work.settings.device).dram_bytes
    report = plan_report(work.stem, work.value("graph"), plan, explain, memory)
    pages = _pages(work, emits, output)
    if output and not (output == "-" and emits):
        write_artefact(work, "plan", output)
    for target, data in pages.items():
        write_out(data, target)
    if compared:
        return compared(work)
    if output != "-":
        show(Report(report.data, (*report.blocks, *beside)), format)
    return 0


def _built(work: Work, package: str) -> tuple[Table]:
    from fstc.device.device import load_device
    from fstc.driver.built import built
    from fstc.report.built import built_table

    found = built(work, Path(package))
    device = load_device(work.settings.device)
    return (built_table(found.launches, found.device, device.max_threads_per_sm, found.compiler),)


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


def _one_on_stdout(output: str | None, emits: tuple[str, ...]) -> None:
    if output == "-" and len(emits) > 1:
        raise click.UsageError(f"-o - takes one of {', '.join(emits)}: two pages cannot share stdout.")
    if emits and output and Path(output).suffix.removeprefix(".") in EMITS:
        raise click.UsageError(f"-o {output} names the .plan.json; pages are written beside it, named after it.")


def _pages(work: Work, emits: tuple[str, ...], output: str | None) -> dict[str, bytes]:
    """What to write where; made before anything is written."""
    if not emits:
        return {}
    from fstc.driver.pages import pages

    made = pages(work, emits)
    if output == "-":
        return {"-": made[emits[0]]}
    target = Path(output or work.names(work.stem)["plan"])
    stem = target.name.removesuffix(".json").removesuffix(".plan")
    return {str(target.with_name(f"{stem}.plan.{kind}")): data for kind, data in made.items()}
