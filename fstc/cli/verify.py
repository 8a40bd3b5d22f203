"""``fstc verify model.fir``: fresh random inputs, every kernel in four thread orders and under the checker."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from fstc.cli.output import show, write_out
from fstc.cli.shared import (
    as_real_option,
    bind_option,
    format_option,
    listed,
    model_argument,
    opened,
    option,
    output_option,
    plan_options,
    planner,
    run_device_option,
    target_option,
    toolbox,
    trust_option,
)


@click.command()
@model_argument
@bind_option
@run_device_option
@target_option
@plan_options
@as_real_option
@option(
    "--seeds", type=click.IntRange(min=1), default=1, help="Random inputs are drawn with this many seeds: 0, 1, ..."
)
@option(
    "--tensors", type=click.Choice(("outputs", "kernel-edges", "all")), default="kernel-edges",
    help="What to compare: outputs; also every value that crosses kernels; also results of library calls.",
)  # fmt: skip
@option(
    "--orders",
    default="forward,reverse,warp-forward,warp-reverse",
    help="Thread orders of the host target, separated by commas.",
)
@option(
    "--check/--no-check",
    default=True,
    help="Look for races, wrong addresses and uninitialised reads, and count traffic (host only).",
)
@option("--strict-traffic", is_flag=True, help="Fail also when a kernel moves other bytes than its plan predicted.")
@option("--edge-values", is_flag=True, help="Put NaN, Inf, -0.0 and subnormals among the inputs.")
@click.option(
    "--inputs", metavar="FILE", help="A .npz or .safetensors with the inputs by name; random ones are drawn without it."
)
@option(
    "--against", type=click.Choice(("onnxruntime", "torch", "jax")),
    help="Also run the model that the .fir was imported from, in its framework, and compare the errors.",
)  # fmt: skip
@option("--model", metavar="FILE", help="With --against: the model, where it is not what the .fir names.")
@trust_option
@output_option("Also write the findings as JSON there.")
@format_option
def command(
    path: str,
    binds: tuple[str, ...],
    device: str,
    target: str | None,
    as_real: bool,
    seeds: int,
    tensors: str,
    orders: str,
    check: bool,
    strict_traffic: bool,
    edge_values: bool,
    inputs: str | None,
    against: str | None,
    model: str | None,
    trust: bool,
    output: str | None,
    format: str,
    **planning: Any,
) -> int:
    """Compare every result with the float64 reference; exit 1 when one differs.

    With --against the framework's own results stand beside ours; further from float64 than them, by more than rounding
    explains, is a finding too.
    """
    from fstc.build.host_library import ORDERS
    from fstc.driver.execution import default_target, device_for, verify_model
    from fstc.driver.files import is_package
    from fstc.driver.peers import find_peer
    from fstc.report.verify import verify_report
    from fstc.runtime.verify import VerifyOptions
    from fstc.support.artefact import encode

    wanted = listed(orders, "thread order")
    unknown = [order for order in wanted if order not in ORDERS]
    if unknown:
        raise click.UsageError(f"there is no thread order {unknown[0]!r}; there are {', '.join(ORDERS)}.")
    chosen = target or default_target()
    if chosen == "reference":
        raise click.UsageError("the reference is what verify compares with; give --target host or cuda.")
    if model and not against:
        raise click.UsageError("--model is the model of --against; give both.")
    if inputs and (seeds > 1 or edge_values):
        raise click.UsageError("--inputs are the inputs: --seeds and --edge-values would draw others.")
    if against == "torch":
        sys.path.insert(0, str(Path.cwd()))  # a function that makes the model is found as `import` finds it
    work = opened(
        path,
        binds=binds,
        device=device or device_for(chosen, path),
        plan=planner(planning),
        pins=planning["pins"],
        as_real=as_real,
    )
    options = VerifyOptions(
        seeds=tuple(range(seeds)), tensors=tensors, specials=edge_values, strict_traffic=strict_traffic
    )
    package = Path(path) if is_package(path) else None
    peer = None
    if against:
        origin = Path(work.folder / work.stem).with_suffix(".fir")
        peer = against, find_peer(work.value("graph"), origin, against, Path(model) if model else None)
    found = verify_model(
        work, chosen, options, toolbox(trust), orders=wanted, check=check, package=package,
        inputs=Path(inputs) if inputs else None, peer=peer,
    )  # fmt: skip
    if output:
        write_out(encode(found, device=work.settings.device), output)
    if output != "-":
        show(verify_report(work.stem, found), format)
    return 0 if found.ok else 1
