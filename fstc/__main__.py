"""``python -m fstc`` and the console script ``fstc``."""

from __future__ import annotations

import sys

from fstc.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
