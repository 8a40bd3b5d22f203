"""``fstc cache stats|gc|verify``: upkeep of the build cache."""

from __future__ import annotations

import re
from dataclasses import asdict

import click

from fstc.cli.environment import cache_folder
from fstc.cli.output import show
from fstc.cli.shared import format_option, option
from fstc.report.table import Report, Table

UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


@click.group()
def command() -> None:
    """Statistics and upkeep of the build cache."""


@command.command()
@format_option
def stats(format: str) -> int:
    """Where the cache lies and what it holds."""
    from fstc.build.cache import Cache

    found = asdict(Cache.open(cache_folder()).stats())
    show(Report(found, (Table(("fact", "value"), tuple(found.items())),)), format)
    return 0


@command.command()
@option("--keep", default="512M", metavar="SIZE", help="Remove what was unused for longest until this much is left.")
def gc(keep: str) -> int:
    """Make the cache smaller."""
    from fstc.build.cache import Cache

    match = re.fullmatch(r"(\d+)([kmg]?)b?", keep.lower())
    if not match:
        raise click.UsageError(f"--keep {keep}: give a number of bytes, for example 200M.")
    freed = Cache.open(cache_folder()).gc(int(match[1]) * UNITS[match[2]])
    click.echo(f"{freed:,} bytes freed")
    return 0


@command.command()
def verify() -> int:
    """Read every entry of the cache and remove the damaged ones; exit 1 when there were any."""
    from fstc.build.cache import Cache

    checked, damaged = Cache.open(cache_folder()).verify()
    click.echo(f"{checked} entries, {damaged} damaged and removed")
    return 1 if damaged else 0
