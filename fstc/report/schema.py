"""The JSON Schema of an artefact's file, from the types that read and write it.

Example: ``schema(Plan)``. Descriptions are what the code says of a class and its fields. Unknown fields are refused, as
fstc does where a file's version is its own; so a schema is for its own minor version and those before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from inspect import cleandoc
from typing import Any, get_args, get_type_hints

import msgspec

from fstc.support.artefact import Artefact, Input
from fstc.support.field_docs import field_docs

DIALECT = "https://json-schema.org/draft/2020-12/schema"
ENVELOPE = {
    "kind": "what the file is",
    "format_version": "major.minor; a reader refuses another major",
    "tool": "what wrote it",
    "device": "what it was made for, where that matters",
    "inputs": "the files that it was made from, with their digests",
    "options": "options of the stage that differ from their defaults",
    "body": "what the stage made",
}


def schema(body: type[Artefact]) -> dict[str, Any]:
    """The whole document; deterministic."""
    (inputs, inside), definitions = msgspec.json.schema_components([Input, body], ref_template="#/$defs/{name}")
    classes = {cls.__name__: cls for cls in (*_structs(Input), *_structs(body))}
    properties: dict[str, Any] = {
        "kind": {"const": body.KIND},
        "format_version": {"type": "string", "pattern": _versions(body.VERSION)},
        "tool": {"type": "string"},
        "device": {"type": "string"},
        "inputs": {"type": "array", "items": inputs},
        "options": {"type": "object"},
        "body": inside,
    }
    return {
        "$schema": DIALECT,
        "title": f"fstc {body.KIND} {body.VERSION}",
        "type": "object",
        "required": ["kind", "format_version", "body"],
        "properties": {name: {**entry, "description": ENVELOPE[name]} for name, entry in properties.items()},
        "$defs": {name: _described(entry, classes.get(name)) for name, entry in definitions.items()},
    }


def _versions(version: str) -> str:
    """Of this major, up to this minor."""
    major, minor = version.split(".")
    return rf"^{major}\.({'|'.join(str(n) for n in range(int(minor) + 1))})$"


def _described(entry: dict[str, Any], cls: type | None) -> dict[str, Any]:
    """One struct, closed, with what the code says of it and of its fields."""
    if cls is None or "properties" not in entry:
        return entry
    texts = field_docs(cls)
    described = {**entry, "additionalProperties": False}
    described["properties"] = {
        name: {**field, "description": texts[name]} if name in texts else field
        for name, field in entry["properties"].items()
    }
    if "description" in entry:
        described["description"] = cleandoc(entry["description"])
    return described


def _structs(found: Any) -> Iterator[type]:
    """A type's structs, each once, through containers and unions."""
    todo, seen = [found], set()
    while todo:
        kind = todo.pop()
        todo += get_args(kind)
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind not in seen:
            seen.add(kind)
            todo += get_type_hints(kind, include_extras=True).values()
            yield kind
