"""What ``--profile`` does: the time of a command's parts and what was counted, on stderr when it is done.

Example: ``with profiled("fstc plan"): ...``. What the command prints on stdout stays as it is, in every format.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fstc.cli.output import note


@contextmanager
def profiled(what: str) -> Iterator[None]:
    """Measure the block under the name ``what``."""
    from fstc.report.profile import profile_report
    from fstc.report.table import as_text
    from fstc.support.profile import recording, timed

    with recording() as profile:
        try:
            with timed(what):
                yield
        finally:
            note(as_text(profile_report(profile)).rstrip("\n"))
