"""Reading and writing whole files, with errors a user can act on.

Example: ``write_atomic(Path("a.plan.json"), data)``. A reader never sees half a file, and a failed
command leaves none: the bytes go to a temporary file beside the target, are synced, then renamed.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO

from fstc.support.diagnostics import Diagnostic, FstcError


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def check_name(path: Path) -> None:
    """FST0008 for a file whose name is not text: what is made from it, or written there, could not name it."""
    try:
        path.name.encode()
    except UnicodeEncodeError:
        shown = os.fsencode(path.name).decode("utf-8", "backslashreplace")
        help = "rename it"
        raise FstcError(
            Diagnostic("FST0008", f"the name of the file {shown} is not UTF-8", file=shown, help=help)
        ) from None


def read_bytes(path: Path, limit: int | None = None) -> bytes:
    """The file's bytes; FST0001 when it cannot be read, FST0003 when it is larger than ``limit``."""
    try:
        with path.open("rb") as file:
            if limit is None:
                return file.read()
            data = file.read(limit + 1)
    except (OSError, ValueError) as error:
        raise FstcError(Diagnostic("FST0001", f"cannot read {path}: {_reason(error)}", file=str(path))) from None
    if len(data) > limit:
        message = f"{path} is larger than {limit:,} bytes, the most that is read"
        raise FstcError(Diagnostic("FST0003", message, file=str(path)))
    return data


def write_atomic(path: Path, data: bytes | Callable[[BinaryIO], None]) -> None:
    """Write through a temporary file in the same folder; the target is replaced whole or left alone.

    ``data``: the bytes, or a function that writes them to a stream.
    """
    temporary = path.with_name(f".{path.name}.{token_hex(6)}.tmp")
    try:
        try:
            with temporary.open("xb") as file:
                if isinstance(data, bytes):
                    file.write(data)
                else:
                    data(file)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise FstcError(Diagnostic("FST0002", f"cannot write {path}: {_reason(error)}", file=str(path))) from None


def make_folder(path: Path) -> None:
    """The folder and those above it; FST0002 when it cannot be made."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FstcError(Diagnostic("FST0002", f"cannot make {path}: {_reason(error)}", file=str(path))) from None


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
