"""What is left behind when NVRTC refuses a kernel: sources, options, log, and a script that shows it again.

Example: ``write_bundle(Path("out/failure"), text, headers, flags, log, "nvrtc 13.0")``. The script
needs the NVRTC wheels but not fstc.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from fstc import __version__
from fstc.build import repro
from fstc.support.files import write_atomic

SCRIPT = """#!/bin/sh
# Compiles the kernel of this folder once more and prints NVRTC's log.
exec "${PYTHON:-python3}" "$(dirname "$0")/repro.py" "$@"
"""


def write_bundle(
    folder: Path,
    source: str,
    headers: Mapping[str, str],
    options: Sequence[str],
    log: str,
    compiler: str,
) -> None:
    """Fill ``folder``; what an earlier failure left there is replaced file by file."""
    _put(folder / "kernel.cu", source)
    for header, text in headers.items():
        inside = PurePosixPath(header)
        assert not inside.is_absolute() and ".." not in inside.parts, header
        _put(folder / "headers" / inside, text)
    _put(folder / "options.txt", "".join(f"{option}\n" for option in options))
    _put(folder / "log.txt", f"{log}\n")
    _put(folder / "versions.txt", f"fstc {__version__}\n{compiler}\n")
    _put(folder / "repro.sh", SCRIPT)
    (folder / "repro.sh").chmod(0o755)
    shutil.copyfile(repro.__file__, folder / "repro.py")


def _put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, text.encode())
