"""Options are declared once: names, conversion, refusal."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from fstc.support.diagnostics import FstcError
from fstc.support.options import as_dict, declared, make, option


@dataclass(frozen=True)
class Options:
    smem_limit: int = option(49152, "Bytes of shared memory per block.", minimum=0)
    policy: str = option("strict", "Where to round.", choices=("strict", "fused"))
    verbose: bool = option(False, "Say more.")
    force: tuple[str, ...] = option((), "Pairs to join.")


def test_names_come_from_the_field() -> None:
    first = declared(Options)[0]
    assert (first.flag, first.variable, first.type, first.default) == ("--smem-limit", "FSTC_SMEM_LIMIT", int, 49152)
    assert [o.multiple for o in declared(Options)] == [False, False, False, True]


def test_text_is_converted() -> None:
    made = make(Options, {"smem_limit": "65536", "verbose": "yes", "force": "a, b"})
    assert made == Options(smem_limit=65536, verbose=True, force=("a", "b"))
    assert as_dict(made) == {"smem_limit": 65536, "verbose": True, "force": ["a", "b"]}


@pytest.mark.parametrize(
    "given", [{"smem_limit": "many"}, {"smem_limit": -1}, {"policy": "fast"}, {"verbose": "maybe"}]
)
def test_bad_values(given: dict[str, object]) -> None:
    with pytest.raises(FstcError) as caught:
        make(Options, given, "FSTC_X")
    assert caught.value.exit_code == 2
    assert "FSTC_X" in str(caught.value)
