"""The table of ONNX's operators: each has one handler, in the module of its family.

Example: ``OPERATORS["Gelu"](node)`` returns the node's results. An operator that is not here and that ONNX defines as
a function is imported as that function.
"""

from __future__ import annotations

from collections.abc import Mapping

from fstc.frontends.onnx.node import Handler
from fstc.frontends.onnx.operators.activations import ACTIVATIONS
from fstc.frontends.onnx.operators.attention import ATTENTION
from fstc.frontends.onnx.operators.contractions import CONTRACTIONS
from fstc.frontends.onnx.operators.contributed import CONTRIBUTED
from fstc.frontends.onnx.operators.control import CONTROL
from fstc.frontends.onnx.operators.elementwise import ELEMENTWISE
from fstc.frontends.onnx.operators.layout import LAYOUT
from fstc.frontends.onnx.operators.normalization import NORMALIZATION
from fstc.frontends.onnx.operators.picking import PICKING
from fstc.frontends.onnx.operators.pooling import POOLING
from fstc.frontends.onnx.operators.quantized import QUANTIZED
from fstc.frontends.onnx.operators.recurrent import RECURRENT
from fstc.frontends.onnx.operators.reductions import REDUCTIONS
from fstc.frontends.onnx.operators.refused import REFUSED
from fstc.frontends.onnx.operators.resampling import RESAMPLING
from fstc.frontends.onnx.operators.shapes import SHAPES
from fstc.frontends.onnx.operators.signal import SIGNAL
from fstc.frontends.onnx.operators.training import TRAINING

FAMILIES: tuple[tuple[str, Mapping[str, Handler]], ...] = (
    ("element-wise", ELEMENTWISE),
    ("activations", ACTIVATIONS),
    ("layout", LAYOUT),
    ("shapes", SHAPES),
    ("reductions", REDUCTIONS),
    ("gather and scatter", PICKING),
    ("contractions", CONTRACTIONS),
    ("normalisation", NORMALIZATION),
    ("pooling", POOLING),
    ("attention", ATTENTION),
    ("onnxruntime's own", CONTRIBUTED),
    ("resampling", RESAMPLING),
    ("signals", SIGNAL),
    ("optimisers", TRAINING),
    ("recurrent", RECURRENT),
    ("quantised", QUANTIZED),
    ("control flow and sequences", CONTROL),
    ("refused", REFUSED),
)


def _table() -> dict[str, Handler]:
    found: dict[str, Handler] = {}
    for _, family in FAMILIES:
        twice = found.keys() & family.keys()
        assert not twice, f"{min(twice)} has two handlers"
        found.update(family)
    return found


OPERATORS: Mapping[str, Handler] = _table()
