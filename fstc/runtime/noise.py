"""What rounding alone does to a result: the oracle once more, with every float a little off.

Example: the sum of a row whose terms cancel is 1e-20 exactly and 1e-12 in any order of f32 sums. No tolerance relative
to the result allows for that; ``Noise(graph, feeds, constants, exact)`` measures it. This is stochastic arithmetic
(CESTAC: Vignes, A stochastic arithmetic for reliable scientific computation, 1993): each f32 and f64 value is moved by
a random part of its last places where it is defined, and the spread of the results is what they are worth.

Values of 16 bits and less are not moved: the tolerance knows their roundings (:func:`fstc.runtime.compare.tolerance`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from fstc.ir.constants import ConstantStore
from fstc.ir.graph import Graph
from fstc.ir.ops.opdef import Kind
from fstc.ir.reference import evaluate
from fstc.runtime.artefact import Comparison
from fstc.runtime.compare import EPS
from fstc.runtime.peers import Spread, rms

Array = Any  # numpy.ndarray; numpy is imported where it is used

RUNS = 2
UNITS = 2.0  # last places that a value is moved by at most
MOVED = ("f32", "f64")
BAND_RMS, BAND_MAX = 4.0, 8.0  # times the spread that an error may be: a sum in one thread rounds at every term


def distance(one: Array, other: Array) -> Spread:
    """Where both are finite."""
    import numpy as np

    with np.errstate(all="ignore"):
        gap = np.abs(one.astype(np.float64) - other.astype(np.float64))
    gap = gap[np.isfinite(gap)]
    return Spread(float(gap.max(initial=0.0)), rms(gap))


@dataclass
class Noise:
    """The spreads of the values of one evaluation, measured when the first is asked for; ``exact`` are the oracle's."""

    graph: Graph
    feeds: Mapping[int, Array]
    constants: ConstantStore | None
    exact: Mapping[int, Array]
    _found: dict[int, Spread] = field(default_factory=dict)

    def spread(self, value: int) -> Spread:
        if not self._found:
            runs = [self._run(seed) for seed in range(RUNS)]
            for v, exact in self.exact.items():
                spreads = [distance(run[v], exact) for run in runs]
                self._found[v] = Spread(max(s.largest for s in spreads), max(s.rms for s in spreads))
        return self._found[value]

    def judged(self, value: int, got: Array, comparison: Comparison) -> Comparison:
        """The comparison itself, or of one that failed whether noise moves the result as far (``unstable``)."""
        if comparison.ok or comparison.nonfinite or not self.graph.type(value).dtype.is_float:
            return comparison
        spread, error = self.spread(value), distance(got, self.exact[value])
        if not spread.rms:
            return comparison
        share = max(error.rms / (BAND_RMS * spread.rms), error.largest / (BAND_MAX * spread.largest))
        return msgspec.structs.replace(comparison, ok=share <= 1, unstable=share)

    def _run(self, seed: int) -> dict[int, Array]:
        import numpy as np

        rng = np.random.Generator(np.random.SFC64(seed))

        def move(value: int, array: Array) -> Array:
            dtype, node = self.graph.type(value).dtype, self.graph.values[value].node
            if dtype.name not in MOVED or (node >= 0 and self.graph.nodes[node].op.kind in (Kind.LAYOUT, Kind.SOURCE)):
                return array
            unit = UNITS * EPS[dtype.name]
            with np.errstate(all="ignore"):
                return array * (1 + unit * (2 * rng.random(array.shape, dtype=np.float32) - 1))

        return evaluate(self.graph, self.feeds, self.constants, list(self.exact), wide=True, alter=move)
