"""``fstc doctor``: what this machine can do, and what to install for the rest."""

from __future__ import annotations

import platform
from collections.abc import Callable

import click

from fstc import __version__
from fstc.cli.environment import cache_folder, host_compiler
from fstc.cli.output import show
from fstc.cli.shared import format_option
from fstc.report.table import Report, Table

Probe = Callable[[], str]


@click.command()
@format_option
def command(format: str) -> int:
    """What this machine can do, and what is missing."""
    rows = tuple((name, *_asked(probe), needed) for name, probe, needed in PROBES)
    facts = (("fstc", __version__), ("Python", platform.python_version()), ("platform", platform.platform()))
    data = {"facts": dict(facts), "probes": [{"name": n, "ok": ok, "found": f, "for": w} for n, ok, f, w in rows]}
    show(Report(data, (Table(("fact", "value"), facts), Table(("part", "ok", "found", "needed for"), rows))), format)
    return 0


def _asked(probe: Probe) -> tuple[bool, str]:
    """A probe's answer; its refusal says what to do."""
    from fstc.support.diagnostics import FstcError

    try:
        return True, probe()
    except FstcError as error:
        first = error.diagnostics[0]
        return False, f"{first.message}; {first.help}" if first.help else first.message


def _nvrtc() -> str:
    from fstc.build.nvrtc import compiler_version

    return compiler_version()


def _host() -> str:
    from fstc.build.host import find_compiler

    return find_compiler(host_compiler()).name


def _driver() -> str:
    from fstc.runtime.cuda_driver import require_driver

    return f"{require_driver()} devices"


def _cache() -> str:
    from fstc.build.cache import Cache

    found = Cache.open(cache_folder()).stats()
    return found.note or f"{found.folder}, {found.entries} entries, {found.bytes:,} bytes"


PROBES: tuple[tuple[str, Probe, str], ...] = (
    ("NVRTC", _nvrtc, "build"),
    ("C++ compiler", _host, "run and verify --target host"),
    ("NVIDIA driver", _driver, "run and verify --target cuda"),
    ("cache", _cache, "fast builds"),
)
