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
    import msgspec

    from fstc.support.artefact import Input

    body = _classes()[kind]
    (inputs, inside), definitions = msgspec.json.schema_components([Input, body], ref_template="#/$defs/{name}")
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"fstc {kind} {body.VERSION}",
        "type": "object",
        "required": ["kind", "format_version", "body"],
        "properties": {
            "kind": {"const": kind},
            "format_version": {"type": "string", "pattern": r"^\d+\.\d+$"},
            "tool": {"type": "string"},
            "device": {"type": "string"},
            "inputs": {"type": "array", "items": inputs},
            "options": {"type": "object"},
            "body": inside,
        },
        "$defs": definitions,
    }
    click.echo(json.dumps(document, indent=1, sort_keys=True))
    return 0


def _classes() -> dict[str, Any]:
    from fstc.build.artefact import Manifest
    from fstc.codegen.artefact import KernelMap
    from fstc.runtime.artefact import Verification
    from fstc.stages import STAGES

    return {s.role: s.writes for s in STAGES} | {"map": KernelMap, "package": Manifest, "verification": Verification}
