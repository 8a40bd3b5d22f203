"""A bug in fstc leaves a folder that reproduces it: traceback, versions, inputs, the command.

Example: ``fstc-failure-3fa2c1/repro.sh`` runs the same command on the copied inputs.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import shutil
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path

from fstc import __version__

COPY_LIMIT = 32 << 20  # bytes; a larger input is named, not copied


def leave_bundle(error: Exception, arguments: Sequence[str]) -> str:
    """Write the bundle; returns the one line for the user."""
    text = "".join(traceback.format_exception(error))
    what = f"{type(error).__name__}: {error}".splitlines()[0][:200]
    try:
        folder = _write(text, arguments)
    except OSError as problem:
        return f"{text}internal error in fstc: {what} (no bundle could be written: {problem.strerror})"
    return f"internal error in fstc: {what}; to reproduce it: {folder}/repro.sh"


def _write(text: str, arguments: Sequence[str]) -> Path:
    name = f"fstc-failure-{hashlib.sha256(text.encode(errors='replace')).hexdigest()[:8]}"
    parent = Path.cwd() if os.access(Path.cwd(), os.W_OK) else Path(tempfile.gettempdir())
    folder = parent / name
    folder.mkdir(exist_ok=True)
    settings = {k: v for k, v in sorted(os.environ.items()) if k.startswith("FSTC_")}
    words = [_copied(word, folder) for word in arguments]
    about = [f"fstc {__version__}", f"Python {sys.version}", platform.platform(), f"{len(settings)} FSTC_ variables"]
    exports = [f"export {k}={shlex.quote(v)}" for k, v in settings.items()]
    script = ["#!/bin/sh", 'cd "$(dirname "$0")" || exit', *exports, "exec fstc " + shlex.join(words)]
    (folder / "traceback.txt").write_text(text, encoding="utf-8", errors="replace")
    (folder / "about.txt").write_text("\n".join(about) + "\n")
    (folder / "repro.sh").write_text("\n".join(script) + "\n", encoding="utf-8", errors="surrogateescape")
    (folder / "repro.sh").chmod(0o755)
    return folder


def _copied(word: str, folder: Path) -> str:
    """The argument as the script names it: input files are copied into the bundle."""
    path = Path(word)
    try:
        if word != "-" and path.is_file() and path.stat().st_size <= COPY_LIMIT:
            shutil.copyfile(path, folder / path.name)
            return path.name
    except (OSError, ValueError):
        pass  # not a file we can copy; the argument stays as it was
    return word
