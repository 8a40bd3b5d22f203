"""How the compiler scales: seconds and memory of parse, analyze and plan as graphs grow.

Example: ``python bench/scale.py --ops 1000 chain fanout``, or ``make bench ARGS=--scale``. Each figure is that of a
fresh process on one core: seconds of the processor, without start-up, so that a busy machine matters little. Growth
is that of a doubling, the mean over two. A benchmark, not a test: nothing fails; tests/integration/test_scale.py
keeps the promises at moderate sizes.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from math import log2
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent))

from graphs import BY_OPS

if TYPE_CHECKING:
    from fstc.driver.work import Work
    from fstc.stages import Stage

ROOT = Path(__file__).resolve().parent.parent
GROWTH = 2.3  # promised: of a doubling, at most
SMALL, SMALL_SECONDS = 10_000, 10.0  # promised for training graphs: ops, seconds
LARGE, LARGE_SECONDS, LARGE_MB = 100_000, 120.0, 4096
STAGES = ("parse", "analyze", "plan")


class Cost(NamedTuple):
    """What one run took; ``seconds`` by stage, the encoding and decoding of its artefact included."""

    ops: int
    kernels: int
    seconds: dict[str, float]
    megabytes: int

    @property
    def total(self) -> float:
        return sum(self.seconds.values())


def measure(path: Path, strategy: str) -> Cost:
    """Parse, analyze and plan in this process, which should be a fresh one."""
    import gc

    from fstc.cli.main import YOUNG
    from fstc.driver.files import open_work
    from fstc.plan.options import PlanOptions
    from fstc.stages import Settings

    gc.set_threshold(YOUNG, 50, 50)  # as the command line does
    seconds: dict[str, float] = {}

    def observe(work: Work, stage: Stage, wall: float) -> None:
        seconds[stage.name] = time.process_time() - start - sum(seconds.values())

    work = open_work(str(path), Settings(device="h200", plan=PlanOptions(strategy=strategy)), observe)
    start = time.process_time()
    summary = work.value("plan").summary
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    return Cost(summary.ops, summary.kernels, seconds, peak)


def in_fresh_process(family: str, ops: int, strategy: str = "stitch", limit: float = 600.0) -> Cost | None:
    """The cost of a family's graph; None when it takes longer than ``limit`` seconds."""
    with tempfile.TemporaryDirectory(prefix="fstc-scale-") as folder:
        path = Path(folder) / f"{family}.fir"
        path.write_text(BY_OPS[family](ops), encoding="utf-8")
        command = [sys.executable, __file__, "--measure", str(path), "--strategy", strategy]
        try:
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=limit, check=False)
        except subprocess.TimeoutExpired:
            return None
    if done.returncode:
        sys.exit(f"{family} of {ops} ops gives {done.returncode}\n{done.stderr}")
    return Cost(**json.loads(done.stdout))


def growth(costs: Sequence[Cost]) -> float:
    """Of a doubling of the ops: the mean of the doublings from the first to the last."""
    return float((costs[-1].total / costs[0].total) ** (1 / log2(costs[-1].ops / costs[0].ops)))


def table(families: Sequence[str], ops: int, strategy: str, limit: float) -> None:
    print(f"{'':22}{'ops':>9}{'kernels':>9}" + "".join(f"{s:>10}" for s in STAGES) + f"{'total s':>10}{'MB':>7}")
    for family in families:
        costs: list[Cost] = []
        for n in (ops, 2 * ops, 4 * ops):
            cost = in_fresh_process(family, n, strategy, limit)
            if cost is None:
                print(f"{family:22}{n:>9,}  more than {limit:.0f} s", flush=True)
                break
            costs.append(cost)
            row(family, cost)
        if len(costs) > 1:
            found = growth(costs)
            verdict = "" if found <= GROWTH else "  over"
            print(f"{'':22}growth of a doubling {found:.2f}, promised {GROWTH}{verdict}", flush=True)


def row(family: str, cost: Cost) -> None:
    stages = "".join(f"{cost.seconds[s]:10.2f}" for s in STAGES)
    print(f"{family:22}{cost.ops:>9,}{cost.kernels:>9,}{stages}{cost.total:10.2f}{cost.megabytes:7,}", flush=True)


def budgets(full: bool, strategy: str, limit: float) -> None:
    """The two sizes for which seconds are promised."""
    promises = [(SMALL, SMALL_SECONDS, LARGE_MB)] + ([(LARGE, LARGE_SECONDS, LARGE_MB)] if full else [])
    for ops, seconds, megabytes in promises:
        for family in ("training", "unclipped"):
            cost = in_fresh_process(family, ops, strategy, limit)
            if cost is None:
                print(f"{family:22}{ops:>9,}  more than {limit:.0f} s, promised {seconds:.0f}", flush=True)
                continue
            row(family, cost)
            verdict = "" if cost.total <= seconds and cost.megabytes <= megabytes else "  over"
            print(f"{'':22}promised {seconds:.0f} s and {megabytes:,} MB{verdict}", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("families", nargs="*", metavar="FAMILY", help=f"of {', '.join(BY_OPS)}; default: all")
    parser.add_argument(
        "--ops", type=int, default=500, help="of the smallest graph; the others have twice and four times"
    )
    parser.add_argument("--budgets", action="store_true", help="also training graphs of 10,000 ops")
    parser.add_argument("--full", action="store_true", help="also training graphs of 10,000 and of 100,000 ops")
    parser.add_argument("--strategy", default="stitch", choices=("stitch", "classic", "none"))
    parser.add_argument("--limit", type=float, default=900.0, help="seconds after which a run is given up")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    unknown = [f for f in given.families if f not in BY_OPS]
    if unknown:
        parser.error(f"no family is called {unknown[0]}")
    if given.measure:
        print(json.dumps(measure(given.measure, given.strategy)._asdict()))
        return
    table(given.families or list(BY_OPS), given.ops, given.strategy, given.limit)
    if given.budgets or given.full:
        budgets(given.full, given.strategy, given.limit)


if __name__ == "__main__":
    main()
