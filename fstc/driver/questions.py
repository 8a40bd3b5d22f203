"""Questions that take another plan to answer: ``--why-not A B`` plans a copy in which a wish holds.

Example: ``why_not(work, "max", "loss").reason``. The plan that was asked about stays as it is. A plan that was read
from a file is asked with the options that its file records.
"""

from __future__ import annotations

from dataclasses import replace

from fstc.driver.work import Work
from fstc.ir.literals import value_name
from fstc.plan.options import PlanOptions
from fstc.plan.wishes import Refused
from fstc.report.questions.homes import Homes, homes_of
from fstc.report.questions.why_not import Answer
from fstc.support.artefact import decode_envelope
from fstc.support.diagnostics import FstcError
from fstc.support.options import make

WISH = "FST0420"


def why_not(work: Work, a: str, b: str) -> Answer:
    """Raises FstcError (FST0422) for names that the model does not have."""
    homes = homes_of(work.value("graph"), work.value("plan"))
    names = homes.resolved(a), homes.resolved(b)
    asked = Answer(names, homes)
    if names[0] == names[1]:
        return replace(asked, reason="they are the same value")
    for name in names:
        if not homes.of(name):
            return replace(asked, reason=f"%{name} is {homes.outside(name)}, no kernel computes it")
        if name not in {v.name for v in homes.graph.values}:
            reason = f"%{name} is made where a reduction is split, and what reads it waits for all blocks (FSN031)"
            return replace(asked, reason=reason, code="FSN031")
    options = _options(work)
    pair = ",".join(map(value_name, names))
    if asked.together:
        wished = replace(options, forbid=(*options.forbid, pair))
    else:
        wished = replace(options, force=(*options.force, pair))
    try:
        other = work.asked(wished).value("plan")
    except FstcError as error:
        return _refused(asked, error)
    return replace(asked, wished=homes_of(homes.graph, other))


def homes_in(work: Work) -> Homes:
    return homes_of(work.value("graph"), work.value("plan"))


def _options(work: Work) -> PlanOptions:
    file = work.loaded.get("plan")
    if file is None:
        return work.settings.plan
    return make(PlanOptions, decode_envelope(file.data, file.name).options, file.name)


def _refused(asked: Answer, error: FstcError) -> Answer:
    """The wish cannot be kept: that is the answer. Anything else is an error all the same."""
    first = error.diagnostics[0]
    if first.code != WISH:
        raise error
    if not isinstance(error, Refused):
        return replace(asked, reason=first.message, help=first.help)
    reason = f"{error.why} ({error.because})" if error.because else error.why
    return replace(asked, reason=reason, code=error.because, help=first.help)
