"""Write docs/onnx.md: what ONNX's operators become, and which of its node tests do not pass, with reasons.

Example: ``python bench/onnx_coverage.py``; with ``--host 40`` also every 40th case that passes, on the host target. The
page says that all do; a case that does not is printed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "onnx.md"
BATCH = 50  # cases that share a library


def main() -> int:
    parser = argparse.ArgumentParser(description="ONNX's node tests and what becomes of its operators.")
    parser.add_argument("--host", type=int, default=0, metavar="N", help="also run every Nth case on the host target")
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    from fstc.build.cache import Cache
    from tests.frontends.onnx_cases import PASSED, outcomes, page
    from tests.frontends.onnx_host import complaints

    found = outcomes()
    PAGE.write_text(page(found), encoding="utf-8")
    passing = [name for name, why in found.results.items() if why == PASSED]
    print(f"{len(passing)} of {len(found.results)} node tests pass; wrote {PAGE.relative_to(ROOT)}")
    if not options.host:
        return 0
    chosen, failed = passing[:: options.host], 0
    for start in range(0, len(chosen), BATCH):
        with TemporaryDirectory() as folder:
            wrong = complaints(chosen[start : start + BATCH], Path(folder), Cache.open())
        failed += len(wrong)
        for name, why in wrong.items():
            print(f"host: {name}: {why}")
    print(f"host: {len(chosen) - failed} of {len(chosen)} pass")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
