"""How good the search is: the planner against the best plan there is, on random small graphs.

Example: ``python bench/optimum.py --graphs 300 --seed 0`` prints how much of the optimum's gain over one kernel an op
the plans have, and the worst graphs with both sets of launches. All times are predictions, of the same model for both.
A share of 0.999 means that no plan is better by more than a thousandth of the gain; nothing better is looked for then.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from statistics import mean

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # the exact solver is an oracle of the tests

from fstc.device.device import load_device  # noqa: E402
from fstc.ir.printer import print_graph  # noqa: E402
from tests.property.exact import Prices  # noqa: E402
from tests.property.gain import Gain, launches, measure  # noqa: E402

EDGES = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--graphs", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0, help="of the first graph")
    parser.add_argument("--device", default="h200")
    parser.add_argument("--worst", type=int, default=5, help="graphs to print")
    parser.add_argument("--verbose", action="store_true", help="a line for each graph, as it is done")
    chosen = parser.parse_args()
    device = load_device(chosen.device)
    prices = Prices(device)
    found: list[Gain] = []
    start = time.monotonic()
    for seed in range(chosen.seed, chosen.seed + chosen.graphs):
        before = time.monotonic()
        found.append(measure(seed, device, prices))
        if chosen.verbose:
            print(f"{found[-1]} ({time.monotonic() - before:.1f} s)", flush=True)
    shares = sorted(g.share for g in found)
    print(f"{len(found)} graphs, {time.monotonic() - start:.0f} s, {len(prices.placed)} patterns placed")
    undecided = [g for g in found if not g.proved]
    proved = min(g.share for g in found if g.proved)
    print(f"share of the optimum's gain: average {mean(shares):.4f}, worst {proved:.4f} of those decided")
    for gain in undecided:
        print(f"undecided, at least {gain.share:.4f}: seed {gain.seed}")
    for low, high in zip(EDGES, (*EDGES[1:], float("inf")), strict=True):
        print(f"  from {low:<5g} {sum(low <= s < high for s in shares):4d}")
    for gain in sorted(found, key=lambda g: g.share)[: chosen.worst]:
        if gain.share < EDGES[-1]:
            print(f"\n{gain}\n{print_graph(gain.graph)}plan:")
            print("\n".join(f"  {line}" for line in launches(gain.plan)))
            print(f"optimum:\n  {gain.optimum or 'no better plan'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
