"""Compare a plan with what is expected of it: a verdict for each expectation, with the place where it is written.

Example::

    verdicts = check(parse_expectations(data, "plan.expect.yaml"), plan_facts(graph, plan))
    [v.line for v in verdicts if not v.holds]
    # plan.expect.yaml:4: bytes is 40.1 MB, expected <= 38 MB: 2.1 MB more (+5.53 %)

What only a compiler knows (spills) cannot be checked without a package: such an expectation is broken, and says how it
can be checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

from fstc.report.expect.facts import PlanFacts
from fstc.report.expect.metrics import KERNEL_METRICS, KERNEL_WORDS, PLAN_METRICS
from fstc.report.expect.names import apart, matching, not_found, stitched
from fstc.report.expect.parse import Choice, Expectations, Group, KernelRule, Limit
from fstc.report.expect.quantity import Number
from fstc.support.diagnostics import Diagnostic, Label
from fstc.support.source import Span
from fstc.support.suggest import alternatives

MOST_HINTS = 20  # of what may have been meant, where a name is not found
BROKEN, UNKNOWN = "FST0431", "FST0432"
NEEDS_PACKAGE = "check it with `fstc build --expect`, or a package: `fstc plan model.fpk --expect`"


@dataclass(frozen=True)
class Verdict:
    """One expectation. ``message`` says what is, and where it is broken what was expected and by how much."""

    what: str  # "bytes", "k0_y: registers", "stitched"
    expected: str
    message: str
    holds: bool
    span: Span
    code: str = BROKEN
    help: str = ""

    @property
    def line(self) -> str:
        """The finding on one line, with its place."""
        help = f"; {self.help}" if self.help else ""
        return f"{self.span.source.name}:{self.span.source.locate(self.span.start)[0]}: {self.message}{help}"

    def diagnostic(self) -> Diagnostic:
        return Diagnostic(self.code, self.message, Label(self.span), help=self.help)

    def as_dict(self) -> dict[str, Any]:
        place = {"file": self.span.source.name, "line": self.span.source.locate(self.span.start)[0]}
        told = {"what": self.what, "expected": self.expected, "message": self.message, "holds": self.holds}
        return {**told, **place} if self.holds else {**told, **place, "code": self.code}


def check(expected: Expectations, facts: PlanFacts) -> tuple[Verdict, ...]:
    """A verdict for each expectation, in the order of their kinds."""
    return tuple(_verdicts(expected, facts))


def _verdicts(expected: Expectations, facts: PlanFacts) -> Iterator[Verdict]:
    if expected.device:
        yield _chosen("device", expected.device, facts.plan.device)
    for limit in expected.limits:
        yield _bounded(limit.name, limit, PLAN_METRICS[limit.name].of(facts))
    hints = count()
    for group in expected.stitched:
        yield from _grouped("stitched", group, facts, stitched(group, facts), hints)
    for group in expected.apart:
        yield from _grouped("apart", group, facts, apart(group, facts), hints)
    for rule in expected.kernels:
        yield from _kernels(rule, facts)
    for limit in expected.decisions:
        yield _bounded(limit.name, limit, sum(d.code == limit.name for d in facts.decisions))


def _bounded(what: str, limit: Limit, actual: Number | None) -> Verdict:
    bound = limit.bound
    if actual is None:
        message = f"{what}, expected {bound}, is not known before kernels are compiled"
        return Verdict(what, str(bound), message, False, limit.span, UNKNOWN, NEEDS_PACKAGE)
    if bound.holds(actual):
        return Verdict(what, str(bound), f"{what} is {bound.shown(actual)}", True, limit.span)
    message = f"{what} is {bound.shown(actual)}, expected {bound}: {bound.missed_by(actual)}"
    return Verdict(what, str(bound), message, False, limit.span)


def _chosen(what: str, choice: Choice, actual: str) -> Verdict:
    expected = alternatives(choice.words)
    holds = actual in choice.words
    message = f"{what} is {actual}" + ("" if holds else f", expected {expected}")
    return Verdict(what, expected, message, holds, choice.span)


def _grouped(what: str, group: Group, facts: PlanFacts, problem: str, hints: Iterator[int]) -> Iterator[Verdict]:
    """First the patterns that no value has; the others are judged without them."""
    missing = [p for p in group.patterns if not matching(p, facts)]
    for pattern in missing:
        message, help = not_found(pattern, facts, next(hints) < MOST_HINTS)
        yield Verdict(what, str(group), f"{what} {group}: {message}", False, pattern.span, BROKEN, help)
    if problem or not missing:
        message = f"{what} {group}" + (f": {problem}" if problem else "")
        yield Verdict(what, str(group), message, not problem, group.span)


def _kernels(rule: KernelRule, facts: PlanFacts) -> Iterator[Verdict]:
    from fnmatch import fnmatchcase

    found = [k for k in facts.kernels if fnmatchcase(k.kernel.name, rule.pattern.text)]
    if not found:
        names = list(dict.fromkeys(k.kernel.name for k in facts.kernels))
        message = f"kernel {rule.pattern.text}: the plan has no kernel of such a name"
        yield Verdict("kernel", rule.pattern.text, message, False, rule.pattern.span, BROKEN, _kernels_are(names))
    for kernel in found:
        for limit in rule.limits:
            yield _bounded(f"{kernel.kernel.name}: {limit.name}", limit, KERNEL_METRICS[limit.name].of(kernel))
        for choice in rule.choices:
            yield _chosen(f"{kernel.kernel.name}: {choice.name}", choice, KERNEL_WORDS[choice.name].of(kernel))


def _kernels_are(names: Iterable[str], most: int = 8) -> str:
    *shown, last = list(names)[: most + 1] or ["none"]
    return f"its kernels: {', '.join([*shown, last if len(shown) < most else '...'])}"
