"""What ``--expect`` and ``--write-expect`` do in every command that has them.

Example::

    expected = read_expectations(path)              # before any work: a file that is wrong shows at once
    ok = tell(checked(expected, work), format)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from fstc.cli.output import note, show_diagnostics, write_out
from fstc.cli.shared import GITHUB, into_folder, option

if TYPE_CHECKING:
    from fstc.driver.work import Work
    from fstc.ir.graph import Graph
    from fstc.report.expect.check import Verdict
    from fstc.report.expect.parse import Expectations
    from fstc.report.table import Report

MOST_SHOWN = 100

expect_option = option("--expect", metavar="FILE", help="Exit 1 when the plan is not what this YAML file says.")
write_expect_option = option(
    "--write-expect", metavar="FILE", callback=into_folder,
    help="Write expectations that this plan meets; - is stdout.",
)  # fmt: skip


def read_expectations(path: str | None) -> Expectations | None:
    """The file of ``--expect``, where one was given."""
    if not path:
        return None
    from fstc.report.expect.parse import FILE_LIMIT, parse_expectations
    from fstc.support.files import read_bytes

    return parse_expectations(read_bytes(Path(path), FILE_LIMIT), path)


def checked(expected: Expectations, work: Work) -> tuple[Verdict, ...]:
    """About a plan."""
    from fstc.report.expect.check import check
    from fstc.report.expect.facts import plan_facts

    return check(expected, plan_facts(work.value("graph"), work.value("plan")))


def checked_package(expected: Expectations, graph: Graph, data: bytes, device: str = "") -> tuple[Verdict, ...]:
    """About the plans in a package, and what the compiler made of them.

    Of several devices the one that was asked for, or that the expectations name; where neither is in it, all.
    """
    from fstc.build.package import Package
    from fstc.plan.artefact import Plan
    from fstc.report.expect.check import check
    from fstc.report.expect.facts import plan_facts
    from fstc.support.artefact import decode

    asked = (device,) if device else expected.device.words if expected.device else ()
    with Package.from_bytes(data) as package:
        entries = [e for e in package.manifest.devices if e.name in asked] or package.manifest.devices
        return tuple(
            verdict
            for entry in entries
            for plan in [decode(package.plan(entry), Plan, entry.plan)]
            for verdict in check(expected, plan_facts(graph, plan, (package.codegen(entry), entry)))
        )


def write_expected(target: str, work: Work) -> None:
    """A file of expectations that the plan meets."""
    from fstc.report.expect.facts import plan_facts
    from fstc.report.expect.write import write_expectations

    facts = plan_facts(work.value("graph"), work.value("plan"))
    write_out(write_expectations(facts, work.stem).encode(), target)


def with_verdicts(report: Report, verdicts: Sequence[Verdict]) -> Report:
    """The report's data with the verdicts, for programs; people get lines and annotations."""
    if not verdicts:
        return report
    return replace(report, data={**report.data, "expectations": [verdict.as_dict() for verdict in verdicts]})


def tell(verdicts: Sequence[Verdict], format: str) -> bool:
    """Findings a line each on stderr, or on stdout as annotations where those were asked for. True: there are none."""
    broken = [verdict for verdict in verdicts if not verdict.holds]
    if format == GITHUB:
        show_diagnostics((verdict.diagnostic() for verdict in broken), GITHUB)
    else:
        for verdict in broken[:MOST_SHOWN]:
            note(f"{verdict.line} [{verdict.code}]")
    if broken:
        note(f"{len(broken)} of {_expectations(len(verdicts))} broken")
    else:
        note(f"{_expectations(len(verdicts))} met")
    return not broken


def _expectations(count: int) -> str:
    return f"{count} expectation{'' if count == 1 else 's'}"
