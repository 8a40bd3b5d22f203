"""Reports: the data of a command's answer and how it reads, apart from where it is printed.

Example::

    report = Report(data={"kernels": 2}, blocks=("2 kernels", Table(("kernel", "bytes"), (("k0", 1024),))))
    as_text(report)      # plain, one record a line, never cropped
    as_markdown(report)

JSON and YAML print ``data``; text and Markdown print ``blocks``. Nothing here knows of a terminal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Cell = str | int | float | bool | None


@dataclass(frozen=True)
class Table:
    """Numbers align right, everything else left."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    title: str = ""

    def right_aligned(self) -> tuple[bool, ...]:
        """Per column: does it hold numbers?"""
        return tuple(
            any(_is_number(row[i]) for row in self.rows)
            and all(row[i] is None or _is_number(row[i]) for row in self.rows)
            for i in range(len(self.columns))
        )

    def cells(self) -> tuple[tuple[str, ...], ...]:
        return tuple(tuple(cell_text(c) for c in row) for row in self.rows)


@dataclass(frozen=True)
class Tree:
    """A head line with a branch for each row, cells below each other; ``faint``: rows of less weight."""

    head: str
    rows: tuple[tuple[str, ...], ...]
    faint: frozenset[int] = frozenset()

    def lines(self) -> tuple[str, ...]:
        """A row a line, columns aligned; a short row ends early."""
        widths: list[int] = []
        for row in self.rows:
            widths += [0] * (len(row) - len(widths))
            widths = [max(w, len(row[n])) if n < len(row) else w for n, w in enumerate(widths)]
        return tuple("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=False)).rstrip() for row in self.rows)


@dataclass(frozen=True)
class Report:
    """``data`` is JSON-able; a string block is a paragraph. ``drawn``: what a terminal shows in place of the blocks."""

    data: Any
    blocks: tuple[str | Table, ...]
    drawn: tuple[str | Table | Tree, ...] = ()


def cell_text(cell: Cell) -> str:
    """How a value reads in any table."""
    if cell is None:
        return "-"
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, int):
        return f"{cell:,}"
    if isinstance(cell, float):
        return f"{cell:.4g}"
    return cell


def as_text(report: Report) -> str:
    return "\n\n".join(b if isinstance(b, str) else _plain(b) for b in report.blocks if b != "") + "\n"


def as_markdown(report: Report) -> str:
    return "\n\n".join(b if isinstance(b, str) else markdown_table(b) for b in report.blocks if b != "") + "\n"


def markdown_table(table: Table) -> str:
    head = [f"**{table.title}**", ""] if table.title else []
    rule = ["---:" if right else "---" for right in table.right_aligned()]
    rows = [table.columns, rule, *([c.replace("|", "\\|") for c in row] for row in table.cells())]
    return "\n".join(head + ["| " + " | ".join(row) + " |" for row in rows])


def _plain(table: Table) -> str:
    rows: list[Sequence[str]] = [table.columns, *table.cells()]
    widths = [max(len(row[i]) for row in rows) for i in range(len(table.columns))]
    right = table.right_aligned()
    lines = [table.title] if table.title else []
    for row in rows:
        cells = [c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _is_number(cell: Cell) -> bool:
    return isinstance(cell, (int, float)) and not isinstance(cell, bool)
