"""Where time goes: named stretches and counts, kept only while somebody records.

Example::

    with recording() as profile:
        with timed("plan"), timed("place"):
            count("patterns placed")
    profile.rows()        # [Row("plan", 0, 1, ...), Row("place", 1, 1, ...)]

Stretches nest, and make a tree: ``hash`` below ``plan`` and below ``analyze`` are two rows. A stretch inside one of the
same name is part of that one. Off, a measuring point costs a look at a variable. Nothing here prints, and no
artefact holds a time.
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
    """A name below those it stands in: how often it was entered, its seconds, and those outside of the rows below."""

    name: str
    depth: int
    calls: int
    seconds: float
    own: float


@dataclass
class Stretch:
    """One name at one place of the tree."""

    name: str
    calls: int = 0
    seconds: float = 0.0
    inner: dict[str, Stretch] = field(default_factory=dict)

    def rows(self, depth: int) -> Iterator[Row]:
        below = sum(s.seconds for s in self.inner.values())
        yield Row(self.name, depth, self.calls, self.seconds, self.seconds - below)
        for stretch in self.inner.values():
            yield from stretch.rows(depth + 1)


class Profile:
    """What was recorded; rows and counts stand in the order in which their names first came up."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.open = [Stretch("")]

    def rows(self) -> list[Row]:
        """A stretch comes before those inside it; the own seconds of all rows are the whole time."""
        return [row for stretch in self.open[0].inner.values() for row in stretch.rows(0)]


class _Measure:
    """The context manager of one measured block."""

    __slots__ = ("name", "profile", "start", "stretch")

    def __init__(self, profile: Profile, name: str) -> None:
        self.profile = profile
        self.name = name

    def __enter__(self) -> None:
        inner = self.profile.open[-1].inner
        self.stretch = inner.get(self.name) or inner.setdefault(self.name, Stretch(self.name))
        self.stretch.calls += 1
        self.profile.open.append(self.stretch)
        self.start = perf_counter()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stretch.seconds += perf_counter() - self.start
        self.profile.open.pop()


_RECORDING: ContextVar[Profile | None] = ContextVar("profile", default=None)
_NOTHING = nullcontext()


def timed(name: str) -> AbstractContextManager[None]:
    """``with timed("search"):`` adds the block's time to that name, where somebody records."""
    profile = _RECORDING.get()
    if profile is None:
        return _NOTHING
    for stretch in profile.open:
        if stretch.name == name:
            stretch.calls += 1
            return _NOTHING
    return _Measure(profile, name)


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
