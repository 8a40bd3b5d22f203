"""The compiler's own speed: start-up, planning, cold and warm builds, verification, and how all grows with the graph.

Example: ``python bench/speed.py --repeat 5``; with ``--scale`` only the last, and what follows is for bench/scale.py.
Every figure is that of a fresh process, the median of the repetitions, beside what the project promises. A benchmark,
not a test: a machine may be busy, nothing fails.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import scale

ROOT = Path(__file__).resolve().parent.parent
BERT = str(ROOT / "samples" / "bert_layer.fir")
SOFTMAX = str(ROOT / "samples" / "softmax_mask.fir")


def seconds(arguments: list[str], folder: Path, cache: Path) -> float:
    """One run of fstc in a process of its own."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"FSTC_CACHE_DIR": str(cache), "PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": str(folder / "pyc")}
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "fstc", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    taken = time.perf_counter() - start
    if done.returncode:
        sys.exit(f"fstc {' '.join(arguments)} gives {done.returncode}\n{done.stderr}")
    return taken


def median(arguments: list[str], folder: Path, cache: Path, repeat: int) -> float:
    return statistics.median(seconds(arguments, folder, cache) for _ in range(repeat))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--scale", action="store_true", help="only how it scales; more options: bench/scale.py --help")
    given, others = parser.parse_known_args()
    if given.scale:
        scale.main(others)
        return
    if others:
        parser.error(f"unknown: {' '.join(others)}")
    repeat = given.repeat
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, median of {repeat} processes")
    print(f"{'':44}{'seconds':>9}{'promised':>10}")
    with tempfile.TemporaryDirectory(prefix="fstc-bench-") as scratch:
        folder = Path(scratch)
        warm = folder / "warm"

        def row(what: str, taken: float, promised: float) -> None:
            print(f"{what:44}{taken:9.3f}{promised:10.2f}{'' if taken <= promised else '  over'}", flush=True)

        # Modules are compiled once after an installation: not what is measured.
        seconds(["build", SOFTMAX, "--host", "-o", "first.fpk"], folder, folder / "first")
        row("fstc --help", median(["--help"], folder, warm, repeat), 0.15)
        row("fstc plan samples/softmax_mask.fir", median(["plan", SOFTMAX], folder, warm, repeat), 0.3)
        build = ["build", BERT, "-o", "bert.fpk"]
        cold = statistics.median(seconds(build, folder, folder / f"cold-{i}") for i in range(min(3, repeat)))
        row("fstc build samples/bert_layer.fir, cold", cold, 5.0)
        seconds(build, folder, warm)
        row("fstc build samples/bert_layer.fir, warm", median(build, folder, warm, repeat), 0.5)
        verify = ["verify", BERT, "--target", "host", "--strict-traffic"]
        row("fstc verify samples/bert_layer.fir, cold", seconds(verify, folder, warm), 60.0)
        row("fstc verify samples/bert_layer.fir, warm", seconds(verify, folder, warm), 60.0)
    print()
    scale.main([])


if __name__ == "__main__":
    main()
