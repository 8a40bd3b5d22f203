"""``fstc plan --explain A,B`` and ``--why-not A B``: their options, and what prints the answers.

Example: ``fstc plan model.fir --explain`` prints the plan with every decision; ``--explain=max,loss``, or ``--explain
max,loss``, asks about two values. A word after a bare ``--explain`` is an answer's names only when it has a comma and
is no file, so that ``fstc plan --explain model.fir`` means what it says.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from fstc.cli.shared import option

if TYPE_CHECKING:
    from fstc.driver.work import Work
    from fstc.report.table import Report

EXPLAIN, WHY_NOT, EVERYTHING = "--explain", "--why-not", "="
MOST = 2  # values of one question


class Asking(click.Command):
    """A command whose ``--explain`` may stand alone, wherever it stands."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        end = args.index("--") if "--" in args else len(args)
        for flag in (EXPLAIN, WHY_NOT):
            if sum(word.partition("=")[0] == flag for word in args[:end]) > 1:
                ctx.fail(f"{flag} is there twice: one question at a time.")
        plain = [n for n, word in enumerate(args[:end]) if word == EXPLAIN]
        for n in reversed(plain):
            following = args[n + 1] if n + 1 < end else ""
            named = "," in following and not following.startswith("-") and not Path(following).exists()
            args[n : n + 1 + named] = [f"{EXPLAIN}={following if named else EVERYTHING}"]
        return super().parse_args(ctx, args)


def _names(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    """None: not asked; no names: everything. A variable or a settings file can only switch it on."""
    if value is None:
        return None
    if context.get_parameter_source(parameter.name or "") is not ParameterSource.COMMANDLINE:
        return () if str(value).lower() in ("1", "true", "yes", "on") else None
    if value == EVERYTHING:
        return ()
    from fstc.plan.wishes import parts_of

    names = tuple(dict.fromkeys(name for part in parts_of(value) for name in part))
    if not names or len(names) > MOST:
        raise click.BadParameter(f"{value!r} names {len(names)} values, not one or two.", context, parameter)
    return names


explain_option = option(
    EXPLAIN, metavar="[A,B]", callback=_names, show_default=False,
    help="Also print every decision: what was joined or kept apart, and why. With names: whether these two values are "
    "in one kernel, and what led there.",
)  # fmt: skip
why_not_option = option(
    WHY_NOT, nargs=2, metavar="A B", envvar=None,
    help="Plan a copy in which these two values are in one kernel, and print what that costs, or why it cannot be.",
)  # fmt: skip


def refuse_beside_a_question(*others: object) -> None:
    if any(others):
        raise click.UsageError(
            "--explain A,B and --why-not A B print an answer: one of them, without -o, --emit, --compare, --against, "
            "--expect, --write-expect, --format brief and github."
        )


def answered(work: Work, explain: tuple[str, ...], why_not: tuple[str, str] | None) -> Report:
    from fstc.driver import questions

    if why_not is not None:
        from fstc.report.questions.why_not import why_not_report

        return why_not_report(questions.why_not(work, *why_not))
    from fstc.report.questions.explain import explain_report

    homes = questions.homes_in(work)
    return explain_report(homes, [homes.resolved(name) for name in explain])
