"""Where time goes: named stretches and counts, kept only while somebody records.

Example::

    with recording() as profile:
        with timed("plan.place"):
            count("plan.placed")
    profile.rows()        # [Row("plan.place", calls=1, seconds=..., own=...)]

A name is ``stage.part``. Stretches nest: ``own`` is the time of a stretch without those inside it, so that the own
times of all rows add up to what was recorded; a stretch inside one of the same name counts once. Off, a measuring
point costs a look at a variable. Nothing here prints, and no artefact holds a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from time import perf_counter
from types import TracebackType
from typing import NamedTuple


class Row(NamedTuple):
    """One name: how often it was entered, its seconds, and its seconds without the stretches inside it."""

    name: str
    calls: int
    seconds: float
    own: float


@dataclass
class Profile:
    """What was recorded; rows and counts stand in the order in which their names first came up."""

    counts: dict[str, int] = field(default_factory=dict)
    _calls: dict[str, int] = field(default_factory=dict)
    _seconds: dict[str, float] = field(default_factory=dict)
    _own: dict[str, float] = field(default_factory=dict)
    _open: list[_Stretch] = field(default_factory=list)

    def rows(self) -> list[Row]:
        return [Row(name, calls, self._seconds[name], self._own[name]) for name, calls in self._calls.items()]


class _Stretch:
    """A stretch of time on its profile's stack; ``inner`` are the seconds of those inside it."""

    __slots__ = ("inner", "name", "outermost", "profile", "start")

    def __init__(self, profile: Profile, name: str) -> None:
        self.profile = profile
        self.name = name
        self.inner = 0.0

    def __enter__(self) -> None:
        profile, name = self.profile, self.name
        self.outermost = all(s.name != name for s in profile._open)
        profile._calls[name] = profile._calls.get(name, 0) + 1
        profile._seconds.setdefault(name, 0.0)
        profile._own.setdefault(name, 0.0)
        profile._open.append(self)
        self.start = perf_counter()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        seconds = perf_counter() - self.start
        profile, name = self.profile, self.name
        profile._open.pop()
        profile._own[name] += seconds - self.inner
        if self.outermost:
            profile._seconds[name] += seconds
        if profile._open:
            profile._open[-1].inner += seconds


_RECORDING: ContextVar[Profile | None] = ContextVar("profile", default=None)
_OFF = nullcontext()


def timed(name: str) -> AbstractContextManager[None]:
    """``with timed("plan.search"):`` adds the block's time to that name, where somebody records."""
    profile = _RECORDING.get()
    return _OFF if profile is None else _Stretch(profile, name)


def count(name: str, times: int = 1) -> None:
    """Add to a count, where somebody records."""
    profile = _RECORDING.get()
    if profile is not None:
        profile.counts[name] = profile.counts.get(name, 0) + times


@contextmanager
def recording() -> Iterator[Profile]:
    """Record what happens in this thread inside the block."""
    profile = Profile()
    token = _RECORDING.set(profile)
    try:
        yield profile
    finally:
        _RECORDING.reset(token)
