"""Artefacts: the typed files between two stages, each in one envelope.

Example::

    class Plan(Artefact, frozen=True, kw_only=True):
        KIND: ClassVar[str] = "plan"
        VERSION: ClassVar[str] = "1.0"
        kernels: tuple[Kernel, ...]

    write(path, plan, device="h200", inputs=(input_of("graph", graph_path),))
    plan = read(path, Plan)

Bytes are stable: JSON, indent 1, sorted keys, floats rounded to :data:`DIGITS` significant digits (a
body that needs exact floats stores them as text). Nothing is migrated: another kind or major version is
refused with what to rerun. Unknown fields are ignored under a newer minor version only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import msgspec

from fstc import __version__
from fstc.support.diagnostics import Diagnostic, FstcError, InternalError, Note
from fstc.support.files import read_bytes, sha256, write_atomic

DIGITS = 6

RERUN = {
    "graph": "fstc parse",
    "analysis": "fstc analyze",
    "plan": "fstc plan",
    "codegen": "fstc codegen",
    "package": "fstc build",
    "bench": "fstc bench",
}


class Artefact(msgspec.Struct, frozen=True, kw_only=True):
    """Base of everything a stage writes."""

    KIND: ClassVar[str]
    VERSION: ClassVar[str]


class Input(msgspec.Struct, frozen=True, kw_only=True):
    """A file the artefact was made from, by role, digest and sibling file name."""

    role: str
    sha256: str
    name: str = ""


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """What surrounds every body."""

    kind: str
    format_version: str
    tool: str = ""
    device: str = ""
    inputs: tuple[Input, ...] = ()
    options: dict[str, Any] = msgspec.field(default_factory=dict)
    body: msgspec.Raw = msgspec.Raw(b"null")


A = TypeVar("A", bound=Artefact)


def encode(
    artefact: Artefact, *, device: str = "", inputs: Sequence[Input] = (), options: Mapping[str, Any] | None = None
) -> bytes:
    """The artefact's file content."""
    document = {
        "kind": artefact.KIND,
        "format_version": artefact.VERSION,
        "tool": f"fstc {__version__}",
        "device": device,
        "inputs": msgspec.to_builtins(tuple(inputs)),
        "options": dict(options or {}),
        "body": msgspec.to_builtins(artefact, str_keys=True),
    }
    packed = msgspec.json.encode(_rounded(document), order="sorted")
    return msgspec.json.format(packed, indent=1) + b"\n"


def decode(data: bytes, cls: type[A], name: str) -> A:
    """The artefact in ``data``; ``name`` is the file's, for messages."""
    envelope = decode_envelope(data, name)
    rerun = rerun_help(cls.KIND)
    if envelope.kind != cls.KIND:
        raise _refused("FST0005", f"{name} is a {envelope.kind} file; a {cls.KIND} file is needed", name, rerun)
    minor = _accepted_minor(envelope, cls, name)
    try:
        artefact = msgspec.json.decode(envelope.body, type=cls)
        unknown = "" if minor > _version(cls.VERSION)[1] else _unknown_field(envelope.body, artefact)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise _refused("FST0004", f"{name} is not a well-formed {cls.KIND} file: {error}", name, rerun) from None
    if unknown:
        raise _refused("FST0004", f"{name} has a field that a {cls.KIND} file does not have: {unknown}", name, rerun)
    return artefact


def decode_envelope(data: bytes, name: str) -> Envelope:
    """The envelope alone, body undecoded; for `fstc` commands that look at the kind first."""
    try:
        return msgspec.json.decode(data, type=Envelope)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        message = f"{name} is not an artefact of fstc, or it is truncated: {error}"
        raise _refused("FST0004", message, name, "rerun the stage that writes it") from None


def write(
    path: Path,
    artefact: Artefact,
    *,
    device: str = "",
    inputs: Sequence[Input] = (),
    options: Mapping[str, Any] | None = None,
) -> bytes:
    """Write atomically; returns the bytes written (a caller may want their digest)."""
    data = encode(artefact, device=device, inputs=inputs, options=options)
    write_atomic(path, data)
    return data


def read(path: Path, cls: type[A]) -> A:
    """Read and check an artefact of a known class."""
    return decode(read_bytes(path), cls, str(path))


def input_of(role: str, path: Path) -> Input:
    """The record of an input file."""
    return Input(role=role, sha256=sha256(read_bytes(path)), name=path.name)


def check_inputs(path: Path, envelope: Envelope, roles: Sequence[str] = ()) -> None:
    """Refuse an artefact whose inputs (of ``roles``, default all) are gone or changed beside it."""
    problems = []
    for entry in envelope.inputs:
        if not entry.name or (roles and entry.role not in roles):
            continue
        if Path(entry.name).name != entry.name:
            problems.append(_stale(path, envelope, f"its {entry.role} {entry.name!r} is not a sibling file name"))
            continue
        sibling = path.with_name(entry.name)
        if not sibling.is_file():
            problems.append(_stale(path, envelope, f"its {entry.role} {entry.name} is not there"))
        elif sha256(read_bytes(sibling)) != entry.sha256:
            problems.append(_stale(path, envelope, f"its {entry.role} {entry.name} has changed since"))
    if problems:
        raise FstcError(*problems)


def rerun_help(kind: str) -> str:
    """What to run to get a good file of this kind."""
    return f"rerun `{RERUN[kind]}`" if kind in RERUN else "rerun the stage that writes it"


def _accepted_minor(envelope: Envelope, cls: type[Artefact], name: str) -> int:
    """The file's minor version, when its major is ours."""
    try:
        major, minor = _version(envelope.format_version)
    except ValueError:
        message = f"{name} has format version {envelope.format_version!r}, which is no version"
        raise _refused("FST0006", message, name, rerun_help(cls.KIND)) from None
    ours = _version(cls.VERSION)[0]
    if major != ours:
        message = f"{name} has format version {envelope.format_version}; this fstc reads {ours}.x"
        newer = "it was written by a newer fstc: update fstc, or " if major > ours else ""
        raise _refused("FST0006", message, name, newer + rerun_help(cls.KIND))
    return minor


def _version(text: str) -> tuple[int, int]:
    major, _, minor = text.partition(".")
    if not (major.isascii() and major.isdigit() and minor.isascii() and minor.isdigit() and len(text) < 16):
        raise ValueError(text)
    return int(major), int(minor)


def _stale(path: Path, envelope: Envelope, why: str) -> Diagnostic:
    note = Note(f"{path.name} was written from it by {envelope.tool or 'fstc'}")
    message = f"{path.name} is stale: {why}"
    return Diagnostic("FST0007", message, notes=(note,), help=rerun_help(envelope.kind), file=str(path))


def _refused(code: str, message: str, name: str, help: str) -> FstcError:
    return FstcError(Diagnostic(code, message, help=help, file=name))


def _rounded(value: Any) -> Any:
    """The same document with every float rounded; files differ only where a digit that is kept differs."""
    if isinstance(value, float):
        if not math.isfinite(value):
            raise InternalError(f"{value} in an artefact: JSON has no such number")
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, dict):
        return {k: v if type(v) in _EXACT else _rounded(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [v if type(v) in _EXACT else _rounded(v) for v in value]
    return value


_EXACT = frozenset({str, int, bool, type(None)})  # by far most of a document: not worth a call each


def _unknown_field(body: msgspec.Raw, artefact: Artefact) -> str:
    """The path of a field in the file that the decoded artefact does not have, or nothing."""
    if msgspec.json.encode(artefact, order="sorted") == msgspec.json.format(body, indent=-1):
        return ""  # as it was written; the walk below takes ten times as long
    todo = [("body", msgspec.json.decode(body), msgspec.to_builtins(artefact, str_keys=True))]
    while todo:
        where, found, known = todo.pop()
        if isinstance(found, dict) and isinstance(known, dict):
            for key, value in found.items():
                if key not in known:
                    return f"{where}.{key}"
                todo.append((f"{where}.{key}", value, known[key]))
        elif isinstance(found, list) and isinstance(known, (list, tuple)):
            todo += [(f"{where}[{i}]", a, b) for i, (a, b) in enumerate(zip(found, known, strict=False))]
    return ""
