"""Textbook formulas of the sample models in float64, written from the models' definitions and not from the .fir files.

An oracle takes a sample's inputs by name (floats as float64) and returns its outputs in float64.
Example: ``ORACLES["swiglu"](gate=gate, up=up)``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tests.samples.oracles.activations import ACTIVATIONS
from tests.samples.oracles.attention import ATTENTION
from tests.samples.oracles.layers import LAYERS
from tests.samples.oracles.losses import LOSSES
from tests.samples.oracles.norms import NORMS

Oracle = Callable[..., tuple[Any, ...]]

ORACLES: dict[str, Oracle] = {
    oracle.__name__: oracle for oracle in (*NORMS, *ATTENTION, *ACTIVATIONS, *LOSSES, *LAYERS)
}

# Extents that a formula needs and no input's shape shows: oracle's keyword, named extent.
EXTENTS = {"bert_layer": ("heads", "H"), "groupnorm_silu": ("groups", "G")}


def expected(sample: str, feeds: Mapping[str, Any], extents: Mapping[str, int]) -> tuple[Any, ...]:
    """The outputs that ``sample`` must have for ``feeds`` (arrays of the inputs' own dtypes, by input name)."""
    wide = {name: a if a.dtype.kind in "biu" else a.astype(np.float64) for name, a in feeds.items()}
    if sample in EXTENTS:
        keyword, extent = EXTENTS[sample]
        return ORACLES[sample](**wide, **{keyword: extents[extent]})
    return ORACLES[sample](**wide)


__all__ = ["ORACLES", "Oracle", "expected"]
