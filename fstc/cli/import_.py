"""``fstc import model.onnx -o model.fir``: a framework's model as a .fir and a safetensors file."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from fstc.cli.output import note, show
from fstc.cli.shared import bindings, format_option, option, output_option

HELP_OUTPUT = "The .fir to write; stored constants go beside it.  [default: FILE with .fir, in the current folder]"


@click.command()
@click.argument("path", metavar="[FILE]", required=False)
@option(
    "--torch", "factory", default="", metavar="MODULE:FUNCTION",
    help="Instead of FILE: call the function, which returns a torch module and example inputs, and export it.",
)  # fmt: skip
@option(
    "--from",
    "source",
    type=click.Choice(("onnx", "torch", "stablehlo", "fir")),
    help="The format, where the name hides it.",
)
@option("--bind", "binds", multiple=True, metavar="NAME=N", help="The extent of a symbolic dimension; repeat for more.")
@option(
    "--allow-unsupported", is_flag=True,
    help="Leave operators that cannot be mapped as library calls that only the framework can run.",
)  # fmt: skip
@format_option
@output_option(HELP_OUTPUT)
def command(
    path: str | None,
    factory: str,
    source: str | None,
    binds: tuple[str, ...],
    allow_unsupported: bool,
    format: str,
    output: str | None,
) -> int:
    """Bring an ONNX, PyTorch or StableHLO model as a .fir.

    FILE is an ONNX model (.onnx), a torch.export program (.pt2), or StableHLO as jax.export and TensorFlow write it
    (.mlir, .mlirbc). The model stays as it is. Prints how each operator was mapped. A .fir is only simplified.
    """
    from fstc.driver.imports import write_imported
    from fstc.frontends.artefact import ImportOptions
    from fstc.frontends.run import import_model
    from fstc.report.coverage import coverage_report
    from fstc.support.diagnostics import Diagnostic, FstcError

    if bool(path) == bool(factory):
        raise click.UsageError("give either a model FILE or --torch package.module:function.")
    if output == "-":
        raise click.UsageError("an import is two files: give -o a name, not -.")
    name = path or factory
    plain = not name.lower().endswith(".fir")
    target = Path(output or f"{_stem(name)}{'' if plain else '.simple'}.fir")
    if factory:
        sys.path.insert(0, str(Path.cwd()))
    options = ImportOptions(bindings(binds), factory)
    imported = import_model(Path(path) if path else None, options, f"{target.stem}.safetensors", source or "")
    show(coverage_report(name, imported), format)
    refused = imported.coverage.refused
    if refused and not allow_unsupported:
        kinds = ", ".join(row.operator for row in refused[:5]) + (", ..." if len(refused) > 5 else "")
        message = f"{len(refused)} kinds of operators cannot be imported: {kinds}"
        help = "the table says why; --allow-unsupported leaves them in the graph"
        raise FstcError(Diagnostic("FST0803", message, file=path or "", help=help))
    write_imported(imported, target, factory, options.binds)
    beside = f" and {imported.file}" if imported.tensors else ""
    note(f"wrote {target}{beside}")
    return 0


def _stem(name: str) -> str:
    """bert.onnx and package.module:bert are ``bert``."""
    return Path(name).stem if ":" not in name else name.rpartition(":")[2]
