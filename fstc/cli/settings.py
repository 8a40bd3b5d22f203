"""Settings files: the nearest ``fstc.toml``, or ``[tool.fstc]`` of the nearest pyproject.toml.

Example::

    device = "h200"          # every command that has --device
    [build]
    jobs = 2                 # fstc build only

Precedence: flag, then ``FSTC_*`` variable, then this file, then the default.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click


def default_map(commands: Sequence[str]) -> dict[str, Any]:
    """click's default map: for each command the common settings, overridden by its own table."""
    found = _nearest(Path.cwd())
    if found is None:
        return {}
    path, document = found
    common = {k: v for k, v in document.items() if not isinstance(v, dict)}
    for key, value in document.items():
        if isinstance(value, dict) and key not in commands:
            raise click.UsageError(f"{path}: [{key}] names no command of fstc")
    return {command: _options({**common, **document.get(command, {})}) for command in commands}


def _options(table: dict[str, Any]) -> dict[str, Any]:
    """Setting names are written as the flags are, with dashes or underscores."""
    return {key.replace("-", "_"): value for key, value in table.items()}


def _nearest(start: Path) -> tuple[Path, dict[str, Any]] | None:
    for path in _candidates(start):
        if not path.is_file():
            continue
        import tomllib

        try:
            document = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            if path.name == "fstc.toml":
                raise click.UsageError(f"{path}: {error}") from None
            continue  # somebody else's pyproject.toml
        table = document if path.name == "fstc.toml" else document.get("tool", {}).get("fstc")
        if isinstance(table, dict):
            return path, table
    return None


def _candidates(start: Path) -> Iterator[Path]:
    for folder in (start, *start.parents):
        yield folder / "fstc.toml"
        yield folder / "pyproject.toml"
