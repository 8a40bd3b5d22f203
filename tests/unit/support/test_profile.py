"""Stretches against a clock that a test moves."""

from __future__ import annotations

import pytest

from fstc.support import profile as module
from fstc.support.profile import count, recording, timed


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(module, "perf_counter", made)
    return made


def test_own_times_add_up(clock: Clock) -> None:
    with recording() as profile, timed("plan"):
        clock.now += 1
        for _ in range(2):
            with timed("plan.place"):
                clock.now += 10
                with timed("plan.price"):
                    clock.now += 100
            with timed("plan.price"):
                clock.now += 1000
    assert profile.rows() == [
        ("plan", 0, 1, 2221, 1),
        ("plan.place", 1, 2, 220, 20),
        ("plan.price", 2, 2, 200, 200),
        ("plan.price", 1, 2, 2000, 2000),
    ]
    assert sum(row.own for row in profile.rows()) == 2221


def test_a_stretch_inside_itself_is_part_of_it(clock: Clock) -> None:
    def down(depth: int) -> None:
        with timed("search"):
            clock.now += 1
            with timed("step"):
                clock.now += 10
                if depth:
                    down(depth - 1)

    with recording() as profile:
        down(3)
    assert profile.rows() == [("search", 0, 4, 44, 1), ("step", 1, 4, 43, 43)]


def test_an_error_ends_its_stretches(clock: Clock) -> None:
    with recording() as profile:
        with pytest.raises(ValueError, match="no"), timed("a"), timed("b"):
            clock.now += 5
            raise ValueError("no")
        with timed("c"):
            clock.now += 1
    assert profile.rows() == [("a", 0, 1, 5, 0), ("b", 1, 1, 5, 5), ("c", 0, 1, 1, 1)]


def test_counts() -> None:
    with recording() as profile:
        count("placed")
        count("placed", 2)
        count("hits", 0)
    assert profile.counts == {"placed": 3, "hits": 0}


def test_nothing_is_kept_when_nobody_records(clock: Clock) -> None:
    with timed("a"):
        count("b")
    with recording() as profile:
        pass
    with timed("a"):
        count("b")
    assert profile.rows() == []
    assert profile.counts == {}
