"""How good the cost model is: what was planned against what the compiler made of it.

Example: ``judge(compiled(sample_kernels(device), device))`` says for how many kernels of the samples the occupancy step
is right. Nothing is measured on a GPU here; :mod:`tests.integration.timings` reads what was.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from statistics import mean, median

from fstc.analysis.run import analyze
from fstc.build.artefact import Resources
from fstc.build.nvrtc import compile_cubin, prelude
from fstc.codegen.run import generate
from fstc.device.device import Device
from fstc.device.occupancy import blocks_per_sm
from fstc.ir.graph import Graph
from fstc.ir.parser import parse_file
from fstc.plan.artefact import Kernel
from fstc.plan.options import STRATEGIES, PlanOptions
from fstc.plan.run import make_plan
from fstc.support.diagnostics import FstcError
from tests.property.graphs import random_graph
from tests.samples import SAMPLES_DIR

TEXT_LEAST = 8  # instructions; shorter kernels only fill a constant, or nothing


@dataclass(frozen=True)
class Planned:
    """One distinct kernel before it is compiled."""

    name: str
    symbol: str
    source: str
    threads: int
    shared: int
    kernel: Kernel


@dataclass(frozen=True)
class Row:
    planned: Planned
    used: Resources
    blocks: int  # an SM, with what the compiler used

    @property
    def right(self) -> bool:
        return self.blocks == self.planned.kernel.blocks_per_sm

    @property
    def registers_off(self) -> int:
        return abs(self.used.registers - self.planned.kernel.registers)

    @property
    def text_ratio(self) -> float:
        """Planned instructions over those in the code."""
        return self.planned.kernel.instructions / self.used.instructions.total


@dataclass(frozen=True)
class Verdict:
    kernels: int
    right: float  # share with the occupancy step as planned
    lower: float  # share with fewer blocks than planned
    spilling: int
    registers_off: float  # median
    text_ratio: float  # median
    text_rank: float  # rank correlation


def kernels_of(name: str, graph: Graph, device: Device, strategy: str) -> Iterator[Planned]:
    plan = make_plan(graph, analyze(graph), device, PlanOptions(strategy=strategy))
    codegen, sources = generate(graph, plan, device)
    for planned, step in zip(plan.steps, codegen.steps, strict=True):
        if step.kernel >= 0:
            code = codegen.kernels[step.kernel]
            kernel = plan.regions[planned.region].kernels[planned.kernel]
            yield Planned(f"{name} {code.name}", code.symbol, sources[code.file], code.block, code.shared, kernel)


def sample_kernels(device: Device, strategies: Sequence[str] = STRATEGIES) -> list[Planned]:
    """Every distinct kernel of the samples."""
    found: dict[str, Planned] = {}
    for path in sorted(SAMPLES_DIR.glob("*.fir")):
        graph = parse_file(path, {})
        for strategy in strategies:
            for kernel in kernels_of(f"{path.stem} {strategy}", graph, device, strategy):
                found.setdefault(kernel.symbol, kernel)
    return list(found.values())


def random_kernels(device: Device, number: int, seed: int = 0) -> list[Planned]:
    """Distinct kernels of random graphs, half of them with rows of up to 40,000 elements."""
    found: dict[str, Planned] = {}
    for rows in (False, True):
        wanted = number // 2 if not rows else number
        for n in count(seed):
            if len(found) >= wanted:
                break
            try:
                made = list(kernels_of(f"random {n}", random_graph(n, rows=rows), device, "stitch"))
            except FstcError:  # offsets beyond 64 bits and the like: no kernel
                continue
            for kernel in made[: wanted - len(found)]:
                found.setdefault(kernel.symbol, kernel)
    return list(found.values())


def compiled(kernels: Iterable[Planned], device: Device, jobs: int = 2) -> list[Row]:
    headers = prelude()

    def one(planned: Planned) -> Row:
        used = compile_cubin(planned.source, planned.name, device.arch, headers).kernels[planned.symbol]
        blocks, _ = blocks_per_sm(device, planned.threads, used.registers, used.shared + planned.shared)
        return Row(planned, used, blocks)

    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(one, kernels))


def judge(rows: Sequence[Row]) -> Verdict:
    texts = [r for r in rows if r.used.instructions.total >= TEXT_LEAST]
    return Verdict(
        kernels=len(rows),
        right=mean(r.right for r in rows),
        lower=mean(r.blocks < r.planned.kernel.blocks_per_sm for r in rows),
        spilling=sum(bool(r.used.spill_stores + r.used.spill_loads) for r in rows),
        registers_off=median(r.registers_off for r in rows),
        text_ratio=median(r.text_ratio for r in texts),
        text_rank=rank_correlation(
            [float(r.planned.kernel.instructions) for r in texts], [float(r.used.instructions.total) for r in texts]
        ),
    )


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> float:
    """Spearman's; equal values share the mean of their ranks. 0 where one side is constant."""
    a, b = _ranks(first), _ranks(second)
    middle = (len(a) - 1) / 2
    spread = (sum((x - middle) ** 2 for x in a) * sum((y - middle) ** 2 for y in b)) ** 0.5
    return sum((x - middle) * (y - middle) for x, y in zip(a, b, strict=True)) / spread if spread else 0.0


def _ranks(values: Sequence[float]) -> list[float]:
    order = sorted(range(len(values)), key=lambda n: values[n])
    found = [0.0] * len(values)
    start = 0
    while start < len(order):
        end = start
        while end < len(order) and values[order[end]] == values[order[start]]:
            end += 1
        for n in order[start:end]:
            found[n] = (start + end - 1) / 2
        start = end
    return found
