"""The command line, as the tests of the commands have it."""

from __future__ import annotations

from tests.cli.conftest import fstc, process

__all__ = ["fstc", "process"]
