"""What stands beside a field in the code is its description."""

from __future__ import annotations

from collections import namedtuple

import msgspec

from fstc.plan.artefact import Kernel, Plan
from fstc.support.field_docs import field_docs


class Inner(msgspec.Struct):
    """Fields with and without a word."""

    plain: int
    told: int = 3  # microseconds, "a # in it"
    ignored: int = 0  # type: ignore[assignment]
    below: dict[str, float] = msgspec.field(default_factory=dict)
    """Figures of
    the device."""
    several: tuple[int, ...] = ()  # over three lines

    def method(self) -> int:
        inside: int = 1  # not a field
        return inside


def test_comments_and_strings() -> None:
    assert field_docs(Inner) == {
        "told": 'microseconds, "a # in it"',
        "below": "Figures of the device.",
        "several": "over three lines",
    }


def test_of_a_plan() -> None:
    assert field_docs(Kernel)["shared"] == "dynamic, bytes"
    assert field_docs(Plan)["constants"].startswith("Figures of the device")


def test_without_source_nothing_is_told() -> None:
    assert field_docs(namedtuple("made", "a b")) == {}  # type: ignore[misc]
