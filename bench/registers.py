"""How good the register estimate is: planned against compiled, for every sample and strategy.

Example: ``python bench/registers.py --device h200`` prints the share of kernels whose occupancy step is right, the
median error, and the worst ten. Nothing is measured on a GPU: NVRTC compiles for the device's architecture.
"""

from __future__ import annotations

import argparse
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import NamedTuple

from fstc.analysis.run import analyze
from fstc.build.nvrtc import compile_cubin, prelude
from fstc.codegen.run import generate
from fstc.device.device import Device, load_device
from fstc.device.occupancy import blocks_per_sm
from fstc.ir.parser import parse_file
from fstc.plan.options import STRATEGIES, PlanOptions
from fstc.plan.run import make_plan

SAMPLES = Path(__file__).parent.parent / "samples"
BOUNDS = re.compile(r"__launch_bounds__\((\d+), \d+\)")


class Kernel(NamedTuple):
    name: str
    symbol: str
    source: str  # without a bound on registers, so that the compiler is free
    threads: int
    shared: int
    planned: int


def kernels(device: Device) -> list[Kernel]:
    """Every distinct kernel of the samples under every strategy."""
    found: dict[str, Kernel] = {}
    for path in sorted(SAMPLES.glob("*.fir")):
        graph = parse_file(path, {})
        analysis = analyze(graph)
        for strategy in STRATEGIES:
            plan = make_plan(graph, analysis, device, PlanOptions(strategy=strategy))
            codegen, sources = generate(graph, plan, device)
            for planned, step in zip(plan.steps, codegen.steps, strict=True):
                if step.kernel < 0:
                    continue
                code = codegen.kernels[step.kernel]
                kernel = plan.regions[planned.region].kernels[planned.kernel]
                text = BOUNDS.sub(r"__launch_bounds__(\1)", sources[code.file])
                name = f"{path.stem} {strategy} {code.name}"
                found.setdefault(
                    code.symbol, Kernel(name, code.symbol, text, code.block, code.shared, kernel.registers)
                )
    return list(found.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="h200")
    device = load_device(parser.parse_args().device)
    found, headers = kernels(device), prelude()

    def compiled(kernel: Kernel) -> int:
        return compile_cubin(kernel.source, kernel.name, device.arch, headers).kernels[kernel.symbol].registers

    with ThreadPoolExecutor(2) as pool:
        real = list(pool.map(compiled, found))
    rows = []
    for kernel, registers in zip(found, real, strict=True):
        steps = [blocks_per_sm(device, kernel.threads, r, kernel.shared)[0] for r in (kernel.planned, registers)]
        rows.append((abs(kernel.planned - registers), steps[0] == steps[1], kernel, registers))
    right = sum(same for _, same, _, _ in rows) / len(rows)
    print(f"{len(rows)} kernels for {device.name}: occupancy step right for {right:.1%}, ", end="")
    print(f"median error {median(error for error, _, _, _ in rows)} registers")
    for error, _, kernel, registers in sorted(rows, key=lambda row: -row[0])[:10]:
        print(f"  {kernel.name}: planned {kernel.planned}, compiled {registers} ({error} apart)")


if __name__ == "__main__":
    main()
