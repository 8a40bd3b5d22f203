"""What an importer makes: the graph, its tensors, and a table of how each operator was mapped.

Example: ``imported.coverage.refused`` is empty when everything was understood. An importer maps its operators one by
one; one that it cannot map raises :class:`Unsupported`, the importer notes it with :meth:`Coverage.refuse` and goes
on with a ``custom_call`` in its place, so that all that is missing is reported at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fstc.ir.graph import Graph

FOLDED, OP, EXPANSION, LIBRARY, REFUSED = "folded", "op", "expansion", "library call", "refused"


class Unsupported(Exception):
    """An operator, or a use of it, that cannot be mapped; the message says what and why."""


@dataclass(frozen=True)
class ImportOptions:
    """``binds``: extents of symbolic dimensions. ``factory``: ``package.module:function`` that makes a torch module."""

    binds: Mapping[str, int] = field(default_factory=dict)
    factory: str = ""


@dataclass
class Row:
    """An operator of the framework: how often it occurs, and what became of it each time."""

    operator: str
    count: int = 0
    how: dict[str, int] = field(default_factory=dict)  # FOLDED, OP, ... -> how often
    into: dict[str, int] = field(default_factory=dict)  # op of the table -> how many of them in all
    refused: dict[str, list[str]] = field(default_factory=dict)  # reason -> places in the source


@dataclass
class Coverage:
    rows: dict[str, Row] = field(default_factory=dict)

    def mapped(self, operator: str, ops: Sequence[str], *, library: bool = False) -> None:
        """``operator`` became these ops; none where it was computed while importing, or is another's result."""
        row = self._row(operator)
        how = LIBRARY if library else FOLDED if not ops else OP if len(ops) == 1 else EXPANSION
        row.how[how] = row.how.get(how, 0) + 1
        for op in ops:
            row.into[op] = row.into.get(op, 0) + 1

    def refuse(self, operator: str, reason: str, place: str) -> None:
        """``place``: the node in the source, by name or location."""
        row = self._row(operator)
        row.how[REFUSED] = row.how.get(REFUSED, 0) + 1
        row.refused.setdefault(reason, []).append(place)

    def _row(self, operator: str) -> Row:
        row = self.rows.setdefault(operator, Row(operator))
        row.count += 1
        return row

    @property
    def refused(self) -> list[Row]:
        return [row for row in self.rows.values() if row.refused]


@dataclass(frozen=True)
class Imported:
    """An imported function.

    ``tensors``: the arrays of constants by their names in ``file``, the safetensors file that the graph's constants
    name. ``frontend``: onnx, torch or stablehlo.
    """

    graph: Graph
    tensors: Mapping[str, Any]
    file: str
    coverage: Coverage
    frontend: str
    source: Path | None = None  # the model file; none where a function made the model
