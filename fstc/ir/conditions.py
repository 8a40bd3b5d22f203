"""Under which values of an axis each of several exclusive reads applies.

Example: of ``concatenate %a, %b`` along an axis of 96, the read of ``%a`` applies to values 0 to 47 and that of ``%b``
to the rest; a condition over several axes is told as a share of all places.
"""

from __future__ import annotations

from fstc.ir.indexing import Read
from fstc.support.affine import Index

SHARE = ""  # in place of a variable: the read applies to ``high`` millionths of all places
MILLION = 1_000_000


def shares_of(found: tuple[Read, ...]) -> list[tuple[str, int, int] | None]:
    """Of reads of which the first that applies counts: (variable, low, high) within which each applies."""
    shares: list[tuple[str, int, int] | None] = []
    ends: dict[str, tuple[int, int]] = {}  # condition's index -> where the earlier reads begin and end
    last: Index | None = None
    for read in found:
        tests = [c for c in read.when if not c.always]
        if len(tests) > 1 or (not tests and (len(ends) != 1 or not all(shares))):
            shares.append(None)
            continue
        if tests:
            last = tests[0].index
            begin, end = ends.get(last.key, (max(tests[0].low, last.low), last.low))
            low, high = max(tests[0].low, end), min(tests[0].high, last.high + 1)
            ends[last.key] = (begin, max(low, high))
        else:  # what is left: the end, or both sides of a middle part, of which only the size matters
            assert last is not None
            begin, end = ends[last.key]
            low, high = (end, last.high + 1) if begin == last.low else (last.low, last.high + 1 - (end - begin))
        shares.append(_share(last, low, max(low, high)))
    return shares


def _share(index: Index, low: int, high: int) -> tuple[str, int, int]:
    plain = [t for t, _ in index.terms if t.arg is None and not t.key.startswith("d")]
    if len(plain) == len(index.terms) == 1 and index.coefficient(plain[0].key) == 1:
        return plain[0].key, low - index.const, high - index.const
    if len(plain) == 1 and index.coefficient(plain[0].key) == 1 and all(t.arg is None for t, _ in index.terms):
        return plain[0].key, 0, min(high - low, plain[0].high + 1)  # shifted by a run-time index
    return SHARE, 0, MILLION * (high - low) // max(1, index.high + 1 - index.low)
