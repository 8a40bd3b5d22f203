"""``fstc run model.fpk --inputs x.npz --save y.npz``: execute a model and look at its outputs."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fstc.cli.output import show, write_out
from fstc.cli.shared import (
    bind_option,
    format_option,
    into_folder,
    model_argument,
    opened,
    option,
    run_device_option,
    target_option,
    toolbox,
    trust_option,
)
from fstc.report.table import Report, Table

if TYPE_CHECKING:
    from collections.abc import Mapping


@click.command()
@model_argument
@bind_option
@run_device_option
@target_option
@click.option(
    "--inputs", metavar="FILE", help="A .npz or .safetensors with the inputs by name; random ones are drawn without it."
)
@option("--seed", type=int, default=0, help="Seed of random inputs.")
@click.option(
    "--save", metavar="FILE", callback=into_folder,
    help="Write the outputs to a .npz or .safetensors; - is stdout, as .npz.",
)  # fmt: skip
@trust_option
@format_option
def command(
    path: str,
    binds: tuple[str, ...],
    device: str,
    target: str | None,
    inputs: str | None,
    seed: int,
    save: str | None,
    trust: bool,
    format: str,
) -> int:
    """Execute a model on the GPU, the CPU or in NumPy."""
    from fstc.driver.execution import default_target, device_for, outputs_by_name, run_model
    from fstc.driver.files import is_package
    from fstc.runtime.inputs import load_inputs, make_inputs
    from fstc.runtime.memory import fitting

    chosen = target or default_target()
    work = opened(path, binds=binds, device=device or device_for(chosen, path))
    graph = work.value("graph")
    package = Path(path) if is_package(path) else None
    with fitting(graph):
        feeds = load_inputs(Path(inputs), graph) if inputs else make_inputs(graph, seed)
        values = run_model(work, chosen, feeds, toolbox(trust), package)
        outputs = outputs_by_name(work, values)
        if save:
            write_out(_file(outputs, save), save)
        if save != "-":
            show(_summary(outputs), format)
    return 0


def _summary(outputs: Mapping[str, Any]) -> Report:
    """One row an output: enough to see whether it is alive."""
    import numpy as np

    rows = []
    for name, array in outputs.items():
        wide = array.astype(np.float64)
        finite = wide[np.isfinite(wide)]
        ends = (float(finite.min()), float(finite.max()), float(finite.mean())) if finite.size else (None, None, None)
        shape = ",".join(map(str, array.shape))
        rows.append((f"%{name}", f"{array.dtype}[{shape}]", *ends, int(wide.size - finite.size)))
    columns = ("output", "type", "min", "max", "mean", "not finite")
    data = [dict(zip(columns, row, strict=True)) for row in rows]
    return Report(data, (Table(columns, tuple(rows)),))


def _file(outputs: Mapping[str, Any], target: str) -> bytes:
    if target.endswith(".safetensors"):
        from safetensors.numpy import save

        return bytes(save(dict(outputs)))
    import numpy as np

    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **outputs)
    return buffer.getvalue()
