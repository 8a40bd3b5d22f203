"""Mutation tests of ``verify --target host``: thread orders, checker and comparison must notice every mutant."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from fstc.build.host import HostKernel
from fstc.runtime.artefact import Verification
from tests.integration.shipped import Libraries, Shipped, compile_kernels, ship, verify_on_host
from tests.mutants.table import MUTANTS, Mutant

DEVICE = "h200"
TICKET = Path(__file__).parents[1] / "unit" / "host" / "kernels" / "ticket.cu"
FENCES = ("release", "acquire")
SAMPLES = tuple(dict.fromkeys(s for m in MUTANTS for s in m.samples))


def mutate(number: int, mutant: Mutant) -> Shipped | None:
    """The first sample that has the place, mutated; None where none has it."""
    return next(filter(None, (mutate_sample(number, mutant, sample) for sample in mutant.samples)), None)


def mutate_sample(number: int, mutant: Mutant, sample: str) -> Shipped | None:
    """The sample with one kernel changed, under a symbol of its own; None where no kernel has the place."""
    shipped = ship(sample, DEVICE)
    for index, kernel in enumerate(shipped.codegen.kernels):
        text = shipped.sources[kernel.file]
        found = list(re.finditer(mutant.find, text, re.MULTILINE))
        if len(found) <= mutant.nth:
            continue
        match = found[mutant.nth]
        changed = text[: match.start()] + match.expand(mutant.put) + text[match.end() :]
        assert changed != text, f"{mutant.name} changes nothing"
        symbol, file = f"{kernel.symbol}_m{number}", f"{kernel.file}.m{number}"
        kernels = list(shipped.codegen.kernels)
        kernels[index] = msgspec.structs.replace(kernel, symbol=symbol, file=file)
        return replace(
            shipped,
            codegen=msgspec.structs.replace(shipped.codegen, kernels=tuple(kernels)),
            sources=shipped.sources | {file: changed.replace(kernel.symbol, symbol)},
        )
    return None


@pytest.fixture(scope="module")
def mutated() -> dict[str, Shipped]:
    made = {m.name: mutate(n, m) for n, m in enumerate(MUTANTS)}
    return {name: shipped for name, shipped in made.items() if shipped}


@pytest.fixture(scope="module")
def libraries(mutated: dict[str, Shipped], tmp_path_factory: pytest.TempPathFactory) -> Libraries:
    originals = (ship(s, DEVICE) for s in SAMPLES)
    kernels = [k for shipped in (*originals, *mutated.values()) for k in shipped.kernels]
    return compile_kernels([*kernels, *(ticket(without) for without in ("", *FENCES))], tmp_path_factory)


def verdicts(found: Verification) -> Iterator[str]:
    """By what a mutant is caught. Wrong traffic is a hint at the planner, not at a kernel, and does not count."""
    yield from (f.kind for f in found.faults)
    if found.orders:
        yield "order"
    if not all(t.comparison.ok for t in found.tensors):
        yield "mismatch"


def test_there_are_enough() -> None:
    assert len({m.name for m in MUTANTS}) == len(MUTANTS) >= 40


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.name)
def test_mutant_is_caught(mutant: Mutant, mutated: dict[str, Shipped], libraries: Libraries) -> None:
    assert mutant.name in mutated, f"no kernel of {mutant.samples} has this place any more: find another"
    found = verify_on_host(mutated[mutant.name], libraries, specials=mutant.specials)
    assert not found.ok
    assert set(mutant.by.split(" or ")) & set(verdicts(found))


@pytest.mark.parametrize("sample", SAMPLES)
def test_originals_pass(sample: str, libraries: Libraries) -> None:
    """With the same seed: what is found in a mutant comes from the mutation."""
    assert not list(verdicts(verify_on_host(ship(sample, DEVICE), libraries)))


def ticket(without: str) -> HostKernel:
    """A sum that the last block finishes, written by hand: no generated kernel has fences yet."""
    fence = f"__threadfence();  // @{without}"
    text = TICKET.read_text(encoding="utf-8")
    assert not without or fence in text
    name = f"ticket_without_{without}" if without else "ticket"
    return HostKernel("ticket", text.replace(fence, "") if without else text, 5, 64, 16, 4, name)


@pytest.mark.parametrize("without", ["", *FENCES])
def test_fence_is_missed(without: str, libraries: Libraries) -> None:
    f32: Any = np.float32
    buffers = [np.ones(5 * 256, f32), np.empty(5 * 64, f32), np.zeros(1, np.uint32), np.empty(64, f32)]
    names, initialised = ["x", "partial", "done", "y"], [True, False, True, False]
    report = libraries.checked.check(ticket(without).name, buffers, names, initialised)
    assert (report.fault.kind if report.fault else "") == ("race" if without else "")
