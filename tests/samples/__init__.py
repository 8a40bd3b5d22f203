"""The sample models under test: bindings at which tests run them, textbook oracles, inputs and comparison.

Example: ``expected("swiglu", feeds, extents)`` are the outputs of samples/swiglu.fir in float64.
"""

from __future__ import annotations

from pathlib import Path

from tests.samples.bindings import ODD, SHIP, SMALL
from tests.samples.compare import assert_close, worst_error
from tests.samples.feeds import random_feeds
from tests.samples.oracles import ORACLES, expected

SAMPLES_DIR = Path(__file__).parents[2] / "samples"

__all__ = ["ODD", "ORACLES", "SAMPLES_DIR", "SHIP", "SMALL", "assert_close", "expected", "random_feeds", "worst_error"]
