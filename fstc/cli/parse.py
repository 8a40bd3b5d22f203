"""``fstc parse model.fir``: check a file, print it in canonical form, or write its graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from fstc.cli.output import note, write_out
from fstc.cli.shared import bind_option, model_argument, opened, option, output_option, write_artefact

if TYPE_CHECKING:
    from fstc.driver.work import Work


@click.command()
@model_argument
@bind_option
@option("--check", is_flag=True, help="Write nothing; with --emit fir exit 1 when the file is not in canonical form.")
@option("--emit", type=click.Choice(("json", "fir")), default="json", help="The graph, or the canonical text.")
@output_option("Where to write it; - is stdout, which is the default.")
def command(path: str, binds: tuple[str, ...], check: bool, emit: str, output: str | None) -> int:
    """Check a .fir file, format it, or write its graph."""
    work = opened(path, binds=binds)
    if emit == "fir":
        return _format(work, path, check, output or "-")
    work.value("graph")
    if not check:
        write_artefact(work, "graph", output or "-")
    return 0


def _format(work: Work, path: str, check: bool, target: str) -> int:
    """A text is formatted as text, comments and named extents kept; a graph file is printed."""
    source = work.values.get("source")
    if source is None:
        from fstc.ir.printer import print_graph

        formatted = print_graph(work.value("graph")).encode()
    else:
        from fstc.ir.formatter import format_text
        from fstc.ir.reader import decode_text

        formatted = format_text(decode_text(source.data, source.name).text, source.name).encode()
    if not check:
        write_out(formatted, target)
        return 0
    if source is None or source.data == formatted:
        return 0
    note(f"{path} is not in canonical form; `fstc parse {path} --emit fir -o {path}` writes it so")
    return 1
