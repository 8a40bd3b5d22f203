"""``make demo``: one BERT layer, planned, built for an H200 and for the CPU, run there, compared tensor by tensor.

Example: ``python bench/demo.py``. Each command is printed before it runs, so that it can be repeated by hand.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODEL = "samples/bert_layer.fir"
COMMANDS = (
    ("plan", MODEL, "--device", "h200"),
    ("build", MODEL, "--device", "h200", "--host", "--report", "-o", "out/bert_layer.fpk"),
    ("verify", "out/bert_layer.fpk", "--target", "host", "--strict-traffic"),
)


def main() -> int:
    (ROOT / "out").mkdir(exist_ok=True)
    start = time.perf_counter()
    for command in COMMANDS:
        print(f"\n$ fstc {' '.join(command)}", flush=True)
        code = subprocess.run([sys.executable, "-m", "fstc", *command], cwd=ROOT, check=False).returncode
        if code:
            return code
    print(f"\n{time.perf_counter() - start:.0f} seconds. The package: out/bert_layer.fpk (a zip file; look inside).")
    return 0


if __name__ == "__main__":
    sys.exit(main())
