"""Arguments and options that several commands have, each declared once.

Example::

    @click.command()
    @model_argument
    @bind_option
    def command(path: str, binds: tuple[str, ...]) -> int: ...

Every option also reads its ``FSTC_*`` variable, named after the flag.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from fstc.cli.environment import cache_folder, host_compiler
from fstc.cli.output import write_out
from fstc.plan.options import PlanOptions
from fstc.support.options import Option, as_dict, declared, make

if TYPE_CHECKING:
    from fstc.driver.host import Toolbox
    from fstc.driver.work import Work

F = TypeVar("F", bound=Callable[..., Any])
FORMATS = ("auto", "text", "json", "yaml", "md")
GITHUB = "github"


def option(*names: str, **settings: Any) -> Callable[[F], F]:
    """``click.option`` with the variable of the flag: --smem-limit reads FSTC_SMEM_LIMIT."""
    flag = next(n for n in names if n.startswith("--")).split("/")[0]
    settings.setdefault("envvar", "FSTC_" + flag.removeprefix("--").replace("-", "_").upper())
    settings.setdefault("show_default", settings.get("default") not in (None, "") and not settings.get("is_flag"))
    return click.option(*names, **settings)


model_argument = click.argument("path", metavar="FILE")
bind_option = option(
    "--bind", "binds", multiple=True, metavar="NAME=N", help="Set a named extent of a .fir; repeat for more."
)


def formats_option(*formats: str) -> Callable[[F], F]:
    """``--format`` of a command that has more formats than most."""
    help = "auto: tables on a terminal, plain text in a pipe."
    help += " github: annotations of a workflow, for findings." if GITHUB in formats else ""
    return option("--format", "format", type=click.Choice(formats), default="auto", help=help)


format_option = formats_option(*FORMATS)
fail_if_option = option(
    "--fail-if", "fail_if", multiple=True, metavar="EXPR",
    help="A difference is a finding only when this holds, for example predicted_us>+2% or bytes>+1MB; repeat for more.",
)  # fmt: skip
diff_format_option = formats_option(*FORMATS, GITHUB)
device_option = option(
    "--device", default="h200", metavar="NAME", help="The device to plan for; see `fstc device list`."
)
run_device_option = option(
    "--device", default="", metavar="NAME",
    help="The device to plan for, or whose part of a package to use.  [default: with --target cuda the GPU here, "
    "else h200]",
)  # fmt: skip
target_option = option(
    "--target",
    type=click.Choice(("host", "reference", "cuda")),
    help="Where to run; cuda where there is a GPU, else host.",
)
device_list_option = option(
    "--device",
    default="",
    show_default=False,
    metavar="NAME[,NAME]",
    help="The devices to build for, separated by commas.  [default: that of FILE, else h200]",
)
jobs_option = option("-j", "--jobs", type=click.IntRange(min=1), help="Compile this many kernels at a time.")
trust_option = option(
    "--trust", is_flag=True, help="Run a package's kernels and host library on the CPU as they are; know who made it."
)
dump_option = option(
    "--dump", type=click.Path(file_okay=False), metavar="DIR", help="Write what every stage made, numbered, into DIR."
)
time_option = option("--time", "time_stages", is_flag=True, help="Print the time of every stage on stderr.")


def _profile(context: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        from fstc.cli.profile import profiled

        context.with_resource(profiled(f"fstc {context.info_name}"))


profile_option = option(
    "--profile", is_flag=True, expose_value=False, callback=_profile,
    help="Print on stderr where the time went, and what was counted.",
)  # fmt: skip


as_real_option = option(
    "--as-real", is_flag=True,
    help="With --bind: plan for the file's own extents and carry that plan over to the bound ones: the kernels "
    "that ship, on fewer blocks.",
)  # fmt: skip


def plan_options(command: F) -> F:
    """Every option of the planner, declared in :class:`fstc.plan.options.PlanOptions`; :func:`opened` takes them."""
    for declaration in reversed(declared(PlanOptions)):
        command = (pins_option if declaration.name == PINS else _declared_option(declaration))(command)
    return command


PINS = "pins"  # the flag names a file, the option holds what stands in it: `opened` reads it
pins_option = option(
    "--pins", PINS, metavar="FILE",
    help="Kernels as they shall be: a YAML file `kernels: [[max, exp], [out]]`, or a plan. The rest stays free.",
)  # fmt: skip


def _declared_option(declaration: Option) -> Callable[[F], F]:
    shown = [str(choice) for choice in declaration.choices]
    bounded = click.IntRange(min=int(declaration.minimum or 0)) if declaration.type is int else str
    return option(
        declaration.flag,
        declaration.name,
        type=click.Choice(shown) if shown else bounded,
        default=None,
        multiple=declaration.multiple,
        metavar=declaration.metavar or None,
        help=declaration.help + (f"  [default: {declaration.default}]" if declaration.default else ""),
    )


def planner(given: Mapping[str, Any]) -> PlanOptions:
    """The planner's options from what click gave; what was not given keeps its default."""
    said = {name: value for name, value in given.items() if name != PINS and value not in (None, ())}
    return make(PlanOptions, said, "command line")


def into_folder(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """A file's folder must be there: a mistyped one is not made, and shows before any work is done."""
    if value and value != "-" and not Path(value).parent.is_dir():
        raise click.BadParameter(f"there is no folder {Path(value).parent}; make it first.", context, parameter)
    return value


def output_option(help: str) -> Callable[[F], F]:
    return click.option("-o", "--output", metavar="FILE", callback=into_folder, help=help)


def bindings(binds: tuple[str, ...]) -> Mapping[str, int]:
    """``("B=4", "Q=16")`` as a mapping; the parser knows which names exist."""
    found: dict[str, int] = {}
    for text in binds:
        name, _, number = text.partition("=")
        if not name or not (number.isascii() and number.isdigit() and len(number) < 20):
            raise click.UsageError(f"--bind {text}: give it as NAME=N with N a whole number, for example --bind B=4.")
        if found.get(name, int(number)) != int(number):
            raise click.UsageError(f"--bind gives {name} two values, {found[name]} and {number}.")
        found[name] = int(number)
    return found


def listed(text: str, what: str) -> tuple[str, ...]:
    """A comma-separated list without repetitions, in the order given."""
    names = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not names:
        raise click.UsageError(f"no {what} named in {text!r}.")
    return names


def opened(
    path: str,
    *,
    binds: tuple[str, ...] = (),
    device: str = "",
    dump: str | None = None,
    time: bool = False,
    as_real: bool = False,
    plan: PlanOptions | None = None,
    pins: str | None = None,
    anew: bool = False,
) -> Work:
    """The model that a command was given, watched as its flags ask.

    ``pins``: a file of the planner's pins. ``anew``: a plan that was read is not what the command is about.
    """
    from fstc.cli.observe import observer
    from fstc.driver.files import open_work
    from fstc.stages import Settings

    settings = Settings(device=device, binds=bindings(binds), as_real=as_real, plan=plan or PlanOptions())
    work = open_work(path, settings, observer(dump, time))
    if "plan" in work.values and not anew:
        refuse_planning(path, settings.plan)
    if not pins:
        return work
    from fstc.driver.pins import read_pins

    return work.asked(replace(settings.plan, pins=read_pins(pins, work.value("graph"))))


def refuse_planning(path: str, options: PlanOptions) -> None:
    """A plan that is there is not made again, so options of the planner would do nothing."""
    given = [f"--{name.replace('_', '-')}" for name in as_dict(options)]
    if given:
        from fstc.support.diagnostics import Diagnostic, FstcError

        message = f"{path} holds a plan that is made already: {', '.join(given)} would change nothing"
        help = "give the .fir, the graph or the analysis; or leave the options away"
        raise FstcError(Diagnostic("FST0015", message, file=path, help=help))


def write_artefact(work: Work, role: str, target: str) -> None:
    """To a file, with what it was made from beside it; or alone to stdout."""
    if target == "-":
        write_out(work.encoded(role, work.names(work.stem)), target)
    else:
        work.write(role, Path(target))


def toolbox(trust: bool = False) -> Toolbox:
    """The cache and the C++ compiler, as the environment says."""
    from fstc.build.cache import Cache
    from fstc.driver.host import Toolbox

    return Toolbox(Cache.open(cache_folder()), jobs=os.cpu_count() or 2, compiler=host_compiler(), trust=trust)
