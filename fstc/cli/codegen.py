"""``fstc codegen model.fir -o DIR``: kernels as CUDA text, the map to their ops, and the steps that run them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from fstc.cli.output import note
from fstc.cli.shared import (
    as_real_option,
    bind_option,
    device_option,
    dump_option,
    model_argument,
    opened,
    option,
    plan_options,
    planner,
    time_option,
)


@click.command()
@model_argument
@bind_option
@device_option
@click.option("-o", "--output", metavar="DIR", default=".", show_default=True, help="The folder to write into.")
@plan_options
@as_real_option
@option("--check", is_flag=True, help="Write nothing; exit 1 when DIR holds something else than would be written.")
@dump_option
@time_option
def command(
    path: str,
    binds: tuple[str, ...],
    device: str,
    output: str,
    as_real: bool,
    check: bool,
    dump: str | None,
    time_stages: bool,
    **planning: Any,
) -> int:
    """Write the kernels as CUDA text."""
    work = opened(
        path,
        binds=binds,
        device=device,
        dump=dump,
        time=time_stages,
        plan=planner(planning),
        pins=planning["pins"],
        as_real=as_real,
    )
    target = Path(output) / work.names(work.stem)["codegen"]
    contents = work.contents("codegen", target)
    if not check:
        work.write("codegen", target)
        note(f"{len(work.value('codegen').kernels)} kernels in {target.parent}")
        return 0
    different = [p for p, data in contents.items() if not p.is_file() or p.read_bytes() != data]
    for file in different:
        note(f"{file} {'differs' if file.is_file() else 'is not there'}")
    return 1 if different else 0
