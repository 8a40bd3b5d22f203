"""Bounds with units: what is read, what holds, and how a miss reads."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fstc.report.expect.quantity import Bound, Dimension, in_unit, parse_bound

POWERS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


def bound(text: str, dimension: Dimension) -> Bound:
    found, why = parse_bound(text, dimension)
    assert found is not None, why
    return found


@pytest.mark.parametrize(
    ("text", "dimension", "sign", "value"),
    [
        ("12", Dimension.COUNT, "==", 12),
        ("<=12", Dimension.COUNT, "<=", 12),
        ("= 12", Dimension.COUNT, "==", 12),
        ("12.0", Dimension.COUNT, "==", 12),
        ("> 0", Dimension.COUNT, ">", 0),
        ("<= 38 MB", Dimension.BYTES, "<=", 38_000_000),
        ("<= 58.77MB", Dimension.BYTES, "<=", 58_770_000),
        (">= 1.5 MiB", Dimension.BYTES, ">=", 1_572_864),
        ("512", Dimension.BYTES, "==", 512),
        ("< 41.2", Dimension.TIME, "<", 41.2),
        ("< 0.0412 ms", Dimension.TIME, "<", 41.2),
        ("1 s", Dimension.TIME, "==", 1_000_000),
        ("<= 1.02", Dimension.RATIO, "<=", 1.02),
        ("<= 102%", Dimension.RATIO, "<=", 1.02),
        (">= 50 %", Dimension.SHARE, ">=", 0.5),
        (">= 0.5", Dimension.SHARE, ">=", 0.5),
        ("  <=   3  ", Dimension.COUNT, "<=", 3),
    ],
)
def test_what_is_read(text: str, dimension: Dimension, sign: str, value: float) -> None:
    found = bound(text, dimension)
    assert (found.sign, found.value) == (sign, value)


@pytest.mark.parametrize(
    ("text", "dimension"),
    [
        ("", Dimension.COUNT), ("x", Dimension.COUNT), ("-1", Dimension.COUNT), ("1.5", Dimension.COUNT),
        ("1e3", Dimension.COUNT), ("12 kernels", Dimension.COUNT), ("<= <= 3", Dimension.COUNT),
        ("nan", Dimension.TIME), (".nan", Dimension.TIME), (".inf", Dimension.TIME), ("<= inf", Dimension.RATIO),
        ("1,024", Dimension.BYTES), ("1_024", Dimension.BYTES), ("38 XB", Dimension.BYTES), ("38 mb", Dimension.BYTES),
        ("9" * 19, Dimension.BYTES), ("0.1234567890123456789", Dimension.RATIO), ("٣", Dimension.COUNT),
        ("101%", Dimension.SHARE), ("50", Dimension.SHARE), ("3 %", Dimension.TIME), ("<=", Dimension.COUNT),
        ("!= 3", Dimension.COUNT),
    ],
)  # fmt: skip
def test_what_is_refused(text: str, dimension: Dimension) -> None:
    found, why = parse_bound(text, dimension)
    assert found is None
    assert why


@given(st.sampled_from(["<=", ">=", "<", ">", "==", ""]), st.integers(0, 10**15), st.integers(0, 10**15))
def test_signs_are_those_of_mathematics(sign: str, limit: int, actual: int) -> None:
    holds = eval(f"{actual} {sign or '=='} {limit}")
    assert bound(f"{sign} {limit}", Dimension.BYTES).holds(actual) is holds


@given(st.sampled_from(sorted(POWERS)), st.integers(0, 10**6))
def test_units(unit: str, number: int) -> None:
    assert bound(f"{number} {unit}", Dimension.BYTES).value == number * POWERS[unit]


@given(st.integers(0, 10**12), st.integers(0, 10**12), st.sampled_from(["MB", "KiB", "B"]))
def test_rounding_never_hides_a_miss(limit: int, actual: int, unit: str) -> None:
    found = Bound("<=", limit, Dimension.BYTES, unit)
    shown, expected = (Decimal(t.removesuffix(unit)) for t in (found.shown(actual), str(found).removeprefix("<= ")))
    assert (shown > expected, shown < expected) == (actual > limit, actual < limit)


@pytest.mark.parametrize(
    ("text", "dimension", "actual", "shown", "missed"),
    [
        ("<= 38 MB", Dimension.BYTES, 40_100_000, "40.1 MB", "2.1 MB more (+5.53 %)"),
        ("<= 38 MB", Dimension.BYTES, 38_000_001, "38.000001 MB", "0.000001 MB more (+2.63e-06 %)"),
        ("<= 12", Dimension.COUNT, 15, "15", "3 more (+25 %)"),
        ("0", Dimension.COUNT, 2, "2", "2 more"),
        (">= 50%", Dimension.SHARE, 0.375, "37.5%", "12.5% less (-25 %)"),
        ("< 3", Dimension.COUNT, 3, "3", "the limit itself is not allowed"),
        ("<= 10", Dimension.TIME, 1234.5, "1234 us", "1224 us more (+12,245 %)"),
    ],
)
def test_how_a_miss_reads(text: str, dimension: Dimension, actual: float, shown: str, missed: str) -> None:
    found = bound(text, dimension)
    assert not found.holds(actual)
    assert (found.shown(actual), found.missed_by(actual)) == (shown, missed)


def test_no_exponents() -> None:
    assert in_unit(123_456_789, Dimension.BYTES, "KB") == "123457 KB"
    assert in_unit(1, Dimension.BYTES, "TB") == "0.000000000001 TB"
