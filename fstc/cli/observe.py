"""What ``--dump`` and ``--time`` do: stages never print or write, the driver tells an observer.

Example: ``observer("out/dump", time=True)`` writes ``out/dump/03-plan.plan.json`` and prints its time.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fstc.cli.output import note

if TYPE_CHECKING:
    from fstc.driver.work import Observer, Work
    from fstc.stages import Stage


def observer(dump: str | None, time: bool) -> Observer:
    """An observer for the driver; nothing is done where nothing was asked for."""
    number = 0

    def observe(work: Work, stage: Stage, seconds: float) -> None:
        nonlocal number
        number += 1
        if time:
            note(f"{stage.name:10} {seconds * 1e3:8.1f} ms")
        if dump:
            _dump(Path(dump), f"{number:02}-{stage.name}", work, stage)

    return observe


def _dump(folder: Path, prefix: str, work: Work, stage: Stage) -> None:
    from fstc.support.files import make_folder, write_atomic

    make_folder(folder)
    write_atomic(folder / f"{prefix}{stage.suffix}", work.encoded(stage.role, work.names(work.stem)))
    for name, text in work.texts(stage.role).items():
        target = folder / prefix / name
        make_folder(target.parent)
        write_atomic(target, text.encode())
