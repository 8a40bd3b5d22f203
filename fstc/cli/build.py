"""``fstc build model.fir -o model.fpk``: plans, kernels and cubins for one or more devices in one file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fstc.cli.environment import cache_folder
from fstc.cli.expectations import checked_package, expect_option, read_expectations, tell
from fstc.cli.output import note, progress, show, write_out
from fstc.cli.shared import (
    bind_option,
    device_list_option,
    dump_option,
    format_option,
    jobs_option,
    listed,
    model_argument,
    opened,
    option,
    output_option,
    plan_options,
    planner,
    time_option,
    toolbox,
)

if TYPE_CHECKING:
    from fstc.build.artefact import Finding
    from fstc.driver.host import Toolbox

DENIABLE = {"spill": ("FST0510",), "stack": ("FST0511",), "occupancy": ("FST0512",)}


@click.command()
@model_argument
@bind_option
@device_list_option
@output_option("The package.  [default: the model's name with .fpk]")
@plan_options
@option("--host", is_flag=True, help="Also put libraries for the CPU in: kernels plain, and under the checker.")
@option("--ptx", is_flag=True, help="Also keep PTX, for chips that are newer than this fstc.")
@jobs_option
@option("--frozen", is_flag=True, help="Compile nothing: every kernel must be in the cache.")
@option(
    "--deny",
    "denied",
    multiple=True,
    type=click.Choice(tuple(DENIABLE)),
    help="Exit 1, without a package, on such a finding; repeat for more.",
)
@option("--replan", is_flag=True, help="Where the compiler needs more than planned, plan again with what it used.")
@expect_option
@option("--report", is_flag=True, help="Print the resources of every kernel.")
@option("--embed-constants", is_flag=True, help="Put constants files into the package instead of beside it.")
@format_option
@dump_option
@time_option
def command(
    path: str,
    binds: tuple[str, ...],
    device: str,
    output: str | None,
    host: bool,
    ptx: bool,
    jobs: int | None,
    frozen: bool,
    denied: tuple[str, ...],
    replan: bool,
    expect: str | None,
    report: bool,
    embed_constants: bool,
    format: str,
    dump: str | None,
    time_stages: bool,
    **planning: Any,
) -> int:
    """Compile kernels into a package (.fpk)."""
    from fstc.build.cache import Cache
    from fstc.driver.package import BuildOptions, build_package
    from fstc.report.build import build_report

    expected = read_expectations(expect)
    names = listed(device, "device") if device else ()
    work = opened(
        path,
        binds=binds,
        device=names[0] if names else "",
        dump=dump,
        time=time_stages,
        plan=planner(planning),
        pins=planning["pins"],
    )
    target = output or f"{work.stem}.fpk"
    options = BuildOptions(
        ptx=ptx,
        jobs=jobs or 0,
        frozen=frozen,
        embed_constants=embed_constants,
        bundle=Path("fstc-failure"),
        host=_tools(jobs) if host else None,
        replan=replan,
    )
    cache = Cache.open(cache_folder())
    with progress("compile") as advance:
        built = build_package(
            work, names or (work.settings.device,), options, cache, lambda p: advance(p.done, p.total, p.kernel)
        )
    refused = _denied(built.findings, denied)
    verdicts = checked_package(expected, work.value("graph"), built.package) if expected else ()
    as_expected = all(verdict.holds for verdict in verdicts)
    if not refused and as_expected:
        write_out(built.package, target)
    if target != "-":
        show(build_report(target, built.manifest, built.compiled, built.cached, full=report), format)
    for finding in refused:
        note(f"denied: {finding.code} {finding.device} {finding.kernel}: {finding.message}")
    if expected:
        tell(verdicts, format)
    return 0 if as_expected and not refused else 1


def _denied(findings: tuple[Finding, ...], denied: tuple[str, ...]) -> list[Finding]:
    codes = {code for name in denied for code in DENIABLE[name]}
    return [finding for finding in findings if finding.code in codes]


def _tools(jobs: int | None) -> Toolbox:
    return replace(toolbox(), jobs=jobs) if jobs else toolbox()
