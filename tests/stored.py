"""The constants of an import that was not written to files, as the evaluator asks for them.

Example: ``evaluate(imported.graph, feeds, stored(imported.tensors))``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fstc.ir.ops.source import split_data
from fstc.ir.types import TensorType


class Stored:
    """A ConstantStore over arrays."""

    def __init__(self, arrays: Mapping[str, Any]) -> None:
        self.arrays = arrays

    def load(self, data: str, type: TensorType, span: object = None) -> Any:
        found = self.arrays[split_data(data)[1]]
        assert found.shape == type.shape and found.dtype == type.dtype.numpy()
        return found


def stored(arrays: Mapping[str, Any]) -> Any:
    """Where a ConstantStore is asked for."""
    return Stored(arrays)
