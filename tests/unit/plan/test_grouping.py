"""Expensive values as sub-roots or not: kept between phases, or computed again, by price."""

from __future__ import annotations

from dataclasses import replace

from fstc.device.device import Device, load_device
from fstc.ir.parser import parse_bytes
from fstc.ir.pattern import Pattern, make_pattern
from fstc.plan.candidate import Placed, best, place_as
from fstc.plan.code import EXPENSIVE, Codes

# exp takes four bytes an element and what it is made of two: where exp costs nothing, keeping it is a waste of room.
TEXT = """module @m

func @main(%x: bf16[4096,16384]) -> (bf16[4096,16384]) {
  %w = convert %x : f32[4096,16384]
  %e = exp %w : f32[4096,16384]
  %s = reduce_sum %e {axes = [1]} : f32[4096]
  %b = broadcast_in_dim %s {dims = [0]} : f32[4096,16384]
  %q = div %e, %b : f32[4096,16384]
  %y = convert %q : bf16[4096,16384]
  return %y
}
"""
EXP = 2


def pattern() -> Pattern:
    return make_pattern(parse_bytes(TEXT.encode(), "m.fir", {}))


def placed(device: Device) -> Placed:
    found = best(pattern(), device)
    assert isinstance(found, Placed)
    return found


def test_an_expensive_value_is_kept_and_the_alternative_remembered() -> None:
    found = placed(load_device("h200"))
    assert EXP in {h.value for h in found.schedule.holds} and not found.schedule.again
    assert [(r.value, r.kept) for r in found.rejected] == [(EXP, False)]
    assert found.rejected[0].us > 0


def test_where_it_costs_nothing_it_is_computed_again() -> None:
    cheap = replace(load_device("h200"), issue_expensive=0.1)
    found = placed(cheap)
    assert found.schedule.again == (EXP,)
    assert EXP not in {h.value for h in found.schedule.holds}
    assert [(r.value, r.kept) for r in found.rejected] == [(EXP, True)]
    kept = place_as(pattern(), found.placement, cheap)
    assert isinstance(kept, Placed) and kept.estimate.time > found.estimate.time


def test_a_phase_without_the_held_value_computes_it() -> None:
    """Two phases: the sum computes exp, the quotient only where exp is not at hand."""
    nests = placed(load_device("h200")).schedule.nests
    codes = Codes(pattern())
    first, second = (codes.of(n, frozenset()) for n in nests)
    counts = [sum(s.times for s in code.steps if s.cost == EXPENSIVE) for code in (first, second)]
    assert counts == [1, 2]  # exp; exp and the division
    assert sum(s.times for s in codes.of(nests[1], frozenset({EXP})).steps if s.cost == EXPENSIVE) == 1
