"""The ``fstc`` group. A command's module is imported when that command runs, so ``--help`` stays fast.

Example: ``COMMANDS["plan"]`` is its one-line help; the command itself is ``fstc.cli.plan.command``.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from keyword import iskeyword

import click

from fstc import __version__
from fstc.cli.settings import default_map

COMMANDS: Mapping[str, str] = {
    "import": "Bring an ONNX, PyTorch or StableHLO model as a .fir.",
    "parse": "Check a .fir file, format it, or write its graph.",
    "analyze": "Classes, regions, axes and bytes of a graph.",
    "plan": "Decide which ops share a kernel, and say why.",
    "diff": "What changed between two plans or packages, and what it costs.",
    "codegen": "Write the kernels as CUDA text.",
    "build": "Compile kernels into a package (.fpk).",
    "run": "Execute a model on the GPU, the CPU or in NumPy.",
    "verify": "Compare every result with the float64 reference.",
    "ops": "List the operators.",
    "explain": "The long form of a diagnostic or decision code.",
    "schema": "JSON Schema of an artefact.",
    "device": "The devices that fstc can plan for.",
    "cache": "Statistics and upkeep of the build cache.",
    "doctor": "What this machine can do, and what is missing.",
}


class LazyGroup(click.Group):
    """Sub-commands by name; their help lines come from the table."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = import_module(f"fstc.cli.{cmd_name}{'_' * iskeyword(cmd_name)}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches

            close = get_close_matches(args[0], COMMANDS, n=1)
            ctx.fail(f"no such command: {args[0]!r}." + (f" Did you mean {close[0]!r}?" if close else ""))
        return super().resolve_command(ctx, args)


@click.command(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 1 a negative finding, 2 usage, 3 input refused, 4 compiler failed, 5 device, "
    "70 a bug in fstc, 75 try again.",
)
@click.version_option(__version__, prog_name="fstc")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Stitch memory-intensive operators into few large CUDA kernels."""
    ctx.default_map = default_map(tuple(COMMANDS))
