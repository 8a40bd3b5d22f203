"""``fstc schema plan``: the JSON Schema of an artefact's file."""

from __future__ import annotations

import json
from typing import Any

import click

KINDS = ("graph", "analysis", "plan", "codegen", "map", "package", "verification")


@click.command()
@click.argument("kind", type=click.Choice(KINDS))
def command(kind: str) -> int:
    """JSON Schema of an artefact."""
    from fstc.report.schema import schema

    click.echo(json.dumps(schema(_classes()[kind]), indent=1, sort_keys=True))
    return 0


def _classes() -> dict[str, Any]:
    from fstc.build.artefact import Manifest
    from fstc.codegen.artefact import KernelMap
    from fstc.runtime.artefact import Verification
    from fstc.stages import STAGES

    return {s.role: s.writes for s in STAGES} | {"map": KernelMap, "package": Manifest, "verification": Verification}
