"""``fstc device list`` and ``fstc device show h200``: what can be planned for."""

from __future__ import annotations

from dataclasses import asdict

import click

from fstc.cli.output import show
from fstc.cli.shared import format_option
from fstc.report.table import Cell, Report, Table


@click.group()
def command() -> None:
    """The devices that fstc can plan for."""


@command.command("list")
@format_option
def list_devices(format: str) -> int:
    """One line a device."""
    from fstc.device.device import device_names, load_device

    devices = [load_device(name) for name in device_names()]
    columns = ("name", "title", "arch", "SMs", "shared/block", "memory GB/s")
    rows = tuple((d.name, d.title, d.arch, d.sms, d.shared_per_block_max, d.dram_gbps) for d in devices)
    show(Report([asdict(d) for d in devices], (Table(columns, rows),)), format)
    return 0


@command.command("show")
@click.argument("name")
@format_option
def show_device(name: str, format: str) -> int:
    """Every figure of one device, by name or from a .yaml file."""
    from fstc.device.device import load_device

    figures = asdict(load_device(name))
    show(
        Report(figures, (Table(("figure", "value"), tuple((key, _cell(value)) for key, value in figures.items())),)),
        format,
    )
    return 0


def _cell(value: Cell | tuple[int, ...]) -> Cell:
    return " ".join(map(str, value)) if isinstance(value, tuple) else value
