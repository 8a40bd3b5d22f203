"""``fstc plan model.fir``: kernels, their placements, the bytes they move, and why no more was stitched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fstc.cli.expectations import (
    checked,
    checked_package,
    expect_option,
    read_expectations,
    tell,
    with_verdicts,
    write_expect_option,
    write_expected,
)
from fstc.cli.output import show, write_out
from fstc.cli.questions import Asking, answered, explain_option, refuse_beside_a_question, why_not_option
from fstc.cli.shared import (
    FORMATS,
    GITHUB,
    as_real_option,
    bind_option,
    device_option,
    dump_option,
    fail_if_option,
    formats_option,
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
from fstc.plan.options import STRATEGIES, PlanOptions

if TYPE_CHECKING:
    from fstc.driver.work import Work
    from fstc.report.expect.check import Verdict
    from fstc.report.expect.parse import Expectations
    from fstc.report.table import Report, Table

BRIEF = "brief"

EMITS = ("dot", "html")


def _emits(context: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    """``--emit dot,html`` and ``--emit dot --emit html`` are the same."""
    kinds = listed(",".join(value), "kind of page") if value else ()
    for kind in kinds:
        if kind not in EMITS:
            raise click.BadParameter(f"{kind!r} is not one of {', '.join(EMITS)}.", context, parameter)
    return kinds


@click.command(cls=Asking)
@model_argument
@bind_option
@device_option
@output_option("Write the .plan.json there, with graph and analysis beside it; - is stdout.")
@plan_options
@as_real_option
@explain_option
@why_not_option
@option("--all", "every", is_flag=True, help="A line for each launch, also where equal ones are many.")
@option("--compare", is_flag=True, help="Print what the strategies none, classic and stitch would do, side by side.")
@expect_option
@write_expect_option
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
@formats_option(*FORMATS, BRIEF, GITHUB)
@dump_option
@time_option
@profile_option
def command(
    path: str,
    binds: tuple[str, ...],
    device: str,
    output: str | None,
    as_real: bool,
    explain: tuple[str, ...] | None,
    why_not: tuple[str, str] | None,
    every: bool,
    compare: bool,
    expect: str | None,
    write_expect: str | None,
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

    if compare and (output or expect or write_expect or against or emits or built or format == BRIEF):
        raise click.UsageError(
            "--compare makes several plans: it goes with none of -o, --emit, --built, --format brief and what looks at "
            "one plan."
        )
    asked = bool(explain) or why_not is not None
    if asked:
        refuse_beside_a_question(
            output,
            compare,
            expect,
            write_expect,
            against,
            emits,
            built,
            format in (BRIEF, GITHUB),
            bool(explain and why_not),
        )
    expected = read_expectations(expect)
    changed = _changes(against, fail_if, output, format, expected is not None)
    _one_on_stdout(output, write_expect, emits)
    work = opened(
        path, binds=binds, device=device, dump=dump, time=time_stages, plan=planner(planning), pins=planning["pins"],
        as_real=as_real, anew=compare,
    )  # fmt: skip
    options = work.settings.plan
    if asked:
        show(answered(work, explain or (), why_not), format)
        return 0
    if compare:
        show(_compared(work, options), format)
        return 0
    beside = _built(work, built) if built else ()
    plan = work.value("plan")
    memory = load_device(work.settings.device).dram_bytes
    report = plan_report(work.stem, work.value("graph"), plan, explain is not None, memory, every)
    report = replace(report, blocks=(*report.blocks, *beside), drawn=(*report.drawn, *beside))
    verdicts = _checked(expected, work, path) if expected else ()
    pages = _pages(work, emits, output)
    if output and not (output == "-" and emits):
        write_artefact(work, "plan", output)
    for target, data in pages.items():
        write_out(data, target)
    if write_expect:
        write_expected(write_expect, work)
    ends = 0
    if changed:
        ends = changed(work)
    elif "-" not in (output, write_expect):
        _print(work, with_verdicts(report, verdicts), format)
    return ends if expected is None or tell(verdicts, format) else 1


def _built(work: Work, package: str) -> tuple[Table]:
    from fstc.driver.built import built
    from fstc.report.built import built_table

    return (built_table(*built(work, Path(package))),)


def _checked(expected: Expectations, work: Work, path: str) -> tuple[Verdict, ...]:
    """Of a package also what the compiler did."""
    from fstc.driver.files import is_package

    if is_package(path):
        return checked_package(expected, work.value("graph"), Path(path).read_bytes(), work.settings.device)
    return checked(expected, work)


def _print(work: Work, report: Report, format: str) -> None:
    """``brief`` is the form that goldens hold; annotations stand alone."""
    if format == BRIEF:
        from fstc.report.plan_text import plan_text

        click.echo(plan_text(work.stem, work.value("graph"), work.value("plan")), nl=False)
    elif format != GITHUB:
        show(report, format)


def _compared(work: Work, options: PlanOptions) -> Report:
    """The strategies in the order in which they became known."""
    from fstc.report.compare import compare_report

    made = {strategy: work.asked(replace(options, strategy=strategy)) for strategy in reversed(STRATEGIES)}
    return compare_report(work.stem, {strategy: there.value("plan") for strategy, there in made.items()})


def _changes(
    against: str | None, fail_if: tuple[str, ...], output: str | None, format: str, expected: bool
) -> Callable[[Work], int] | None:
    """What to do with the plan instead of showing it. OLD is read now: -o may replace it."""
    if against is None:
        if fail_if:
            raise click.UsageError("--fail-if is about a difference: give an earlier plan as --against OLD.")
        if format == GITHUB and not expected:
            raise click.UsageError("--format github prints findings: give --expect FILE or --against OLD with it.")
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


def _one_on_stdout(output: str | None, write_expect: str | None, emits: tuple[str, ...]) -> None:
    if output == write_expect == "-":
        raise click.UsageError("-o - and --write-expect - cannot share stdout.")
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
