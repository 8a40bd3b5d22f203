"""Write docs/onnx.md: what ONNX's operators become, and which of its node tests do not pass, with reasons.

Example: ``python bench/onnx_coverage.py``; with ``--host 40`` also every 40th case that passes, on the host target,
which is printed and not part of the page.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "onnx.md"


def main() -> int:
    parser = argparse.ArgumentParser(description="ONNX's node tests and what becomes of its operators.")
    parser.add_argument("--host", type=int, default=0, metavar="N", help="also run every Nth case on the host target")
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    from tests.frontends.onnx_backend import on_host
    from tests.frontends.onnx_cases import PASSED, outcome, outcomes, page

    found = outcomes()
    PAGE.write_text(page(found), encoding="utf-8")
    passing = [name for name, why in found.results.items() if why == PASSED]
    print(f"{len(passing)} of {len(found.results)} node tests pass; wrote {PAGE.relative_to(ROOT)}")
    failed = 0
    for name in passing[:: options.host] if options.host else []:
        try:
            why = outcome(name, on_host)
        except Exception as error:  # all of them are to be seen, whatever happens in one
            why = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        if why:
            failed += 1
            print(f"host: {name}: {why}")
    if options.host:
        print(f"host: {len(passing[:: options.host]) - failed} of {len(passing[:: options.host])} pass")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
