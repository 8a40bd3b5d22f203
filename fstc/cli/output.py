"""Everything that reaches a stream: reports and raw data to stdout, diagnostics and progress to stderr.

Example: ``show(report, "auto")`` draws rich tables on a terminal and plain lines into a pipe. This is
the one place that makes a console.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fstc.report.table import Report, Table, Tree, as_markdown, as_text

if TYPE_CHECKING:
    from rich.console import Console

    from fstc.support.diagnostics import Diagnostic


def console(stderr: bool = False) -> Console:
    """The console factory; rich itself honours NO_COLOR and the terminal's width."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, soft_wrap=True)


def show(report: Report, format: str = "auto") -> None:
    """Print a report to stdout; ``auto`` looks at the terminal only, never guesses JSON."""
    if format == "json":
        click.echo(json.dumps(report.data, indent=1, sort_keys=True, ensure_ascii=False))
    elif format == "yaml":
        click.echo(as_yaml(report.data), nl=False)
    elif format == "md":
        click.echo(as_markdown(report), nl=False)
    elif format == "auto" and sys.stdout.isatty():
        _draw(report)
    else:
        click.echo(as_text(report), nl=False)


def as_yaml(data: Any) -> str:
    import yaml

    text = yaml.safe_dump(data, sort_keys=True, allow_unicode=True, default_flow_style=False)
    assert isinstance(text, str)
    return text


def write_out(data: bytes, target: str) -> None:
    """Bytes to a file, whole or not at all; ``-`` is stdout."""
    if target == "-":
        stream = sys.stdout.buffer
        stream.write(data)
        stream.flush()
        return
    from fstc.support.files import write_atomic

    write_atomic(Path(target), data)


def note(text: str) -> None:
    """A line for people, on stderr."""
    click.echo(text, err=True)


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int, str], None]]:
    """``advance(done, total, name)``: a bar on a terminal, else a line for each; both on stderr."""
    if not sys.stderr.isatty():
        yield lambda done, total, name: note(f"{what} {done}/{total} {name}")
        return
    from rich.progress import Progress

    with Progress(console=console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)

        def advance(done: int, total: int, name: str) -> None:
            bar.update(task, completed=done, total=total, description=f"{what} {name}")

        yield advance


def show_diagnostics(diagnostics: Iterable[Diagnostic], format: str = "text") -> None:
    """Errors and warnings: text to stderr; json and github, being asked for, to stdout."""
    from fstc.support.diagnostics import RENDERERS

    click.echo(RENDERERS[format](tuple(diagnostics)), err=format == "text", nl=False)


def _draw(report: Report) -> None:
    out = console()
    for block in report.drawn or report.blocks:
        if isinstance(block, Table):
            out.print(_rich_table(block))
        elif isinstance(block, Tree):
            _draw_tree(out, block)
        elif block:
            out.print(block, markup=False)


def _rich_table(table: Table) -> Any:
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    drawn = RichTable(box=box.SIMPLE_HEAD, title=table.title or None, title_justify="left", pad_edge=False)
    for name, right in zip(table.columns, table.right_aligned(), strict=True):
        drawn.add_column(name, justify="right" if right else "left", overflow="fold")
    for row in table.cells():
        drawn.add_row(*_texts(Text, row))
    return drawn


def _draw_tree(out: Console, tree: Tree) -> None:
    """Line by line: rich's own tree crops what is wider than the terminal."""
    from rich.text import Text

    out.print(Text(tree.head, style="bold"))
    lines = tree.lines()
    for number, line in enumerate(lines):
        guide = "\u2514\u2500\u2500 " if number == len(lines) - 1 else "\u251c\u2500\u2500 "
        out.print(Text.assemble((guide, "dim"), (line, "dim" if number in tree.faint else "")))


def _texts(text: Any, row: Sequence[str]) -> list[Any]:
    """Cells as rich texts, so that brackets in names are not read as markup."""
    return [text(cell) for cell in row]
