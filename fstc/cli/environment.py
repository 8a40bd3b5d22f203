"""The variables that no flag stands for: where the cache lies and which C++ compiler to use.

``FSTC_CACHE_DIR`` names the cache folder, ``CXX`` (or ``FSTC_CXX``) the compiler of the host target.
"""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path | None:
    """The folder that was asked for; None is the user's own."""
    chosen = os.environ.get("FSTC_CACHE_DIR")
    return Path(chosen) if chosen else None


def host_compiler() -> str | None:
    """The compiler that was asked for; None looks for one."""
    return os.environ.get("FSTC_CXX") or os.environ.get("CXX") or None
