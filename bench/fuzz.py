"""Random graphs for as long as told: ``python bench/fuzz.py --minutes 10``.

Runs tests/property again and again, each time with another seed, until a graph is found that fails (exit 1, its
reproduction printed) or the time is over (exit 0). The seed of a round is printed: ``--seed N --rounds 1`` repeats it.
"""

from __future__ import annotations

import argparse
import itertools
import os
import secrets
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=float("inf"))
    parser.add_argument("--rounds", type=int, default=0, help="0: until the time is over")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1 << 32), help="of the first round")
    chosen, more = parser.parse_known_args()
    end = time.monotonic() + chosen.minutes * 60
    for number in itertools.count():
        if number and (time.monotonic() >= end or number == chosen.rounds):
            return 0
        seed = chosen.seed + number
        print(f"round {number + 1}, seed {seed}", flush=True)
        command = [sys.executable, "-m", "pytest", "-q", "-x", "tests/property", f"--hypothesis-seed={seed}", *more]
        environment = {**os.environ, "HYPOTHESIS_PROFILE": "fuzz"}
        if subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode:
            print(f"found with seed {seed}; keep it as a case under tests/property")
            return 1
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
