"""Pages and pictures of a plan, made from the work's artefacts.

Example: ``pages(work, ("dot", "html"))["html"]`` is the content of ``model.plan.html``.
"""

from __future__ import annotations

from collections.abc import Iterable

from fstc.driver.work import Work
from fstc.support.artefact import decode_envelope


def pages(work: Work, kinds: Iterable[str]) -> dict[str, bytes]:
    """The content of each kind asked for; the HTML needs the kernels, so it runs codegen too."""
    from fstc.report.launches import launches_of

    launches = launches_of(work.value("graph"), work.value("plan"))
    made: dict[str, bytes] = {}
    for kind in kinds:
        if kind == "dot":
            from fstc.report.dot import plan_dot

            made[kind] = plan_dot(work.stem, launches).encode()
        else:
            from fstc.report.html import plan_html

            options = decode_envelope(work.encoded("plan", work.names(work.stem)), work.stem).options
            page = plan_html(work.stem, launches, options, work.value("codegen"), work.texts("codegen"))
            made[kind] = page.encode()
    return made
