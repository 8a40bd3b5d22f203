"""Write docs/stablehlo.md from the importer's table, after a change to it.

Example: ``python bench/stablehlo_page.py``.
"""

from __future__ import annotations

from pathlib import Path

from fstc.frontends.stablehlo.page import page

TARGET = Path(__file__).resolve().parent.parent / "docs" / "stablehlo.md"

if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
