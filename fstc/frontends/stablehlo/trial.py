"""Read a file in a process of its own first: MLIR's reader of bytecode, and the bindings' strings, fall over damage.

Example: ``try_out(Path("model.mlirbc"))`` returns where the file can be read, or is refused in an orderly way, and
raises FST0802 where the reader would have taken this process with it. Text has no such trouble, unless a string in it
holds bytes that are no UTF-8.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from fstc.support.diagnostics import Diagnostic, FstcError

SECONDS, BYTES_PER_SECOND = 20.0, 2e6  # damage can also make the reader loop
RISKY_TEXT = re.compile(rb"\\[89A-Fa-f][0-9A-Fa-f]")
PROGRAM = "import sys; sys.path[:] = {path!r}; from fstc.frontends.stablehlo.trial import child; child(sys.argv[1])"


def is_risky(data: bytes, is_bytecode: bool) -> bool:
    return is_bytecode or RISKY_TEXT.search(data) is not None


def try_out(path: Path) -> None:
    limit = SECONDS + path.stat().st_size / BYTES_PER_SECOND
    command = [sys.executable, "-c", PROGRAM.format(path=sys.path), str(path)]
    try:
        code = subprocess.run(command, capture_output=True, timeout=limit, check=False).returncode
    except subprocess.TimeoutExpired:
        message = f"{path.name} is damaged: MLIR has not read it after {limit:.0f} s"
        raise FstcError(Diagnostic("FST0802", message, file=str(path), help="export the model again")) from None
    if code < 0:
        message = f"{path.name} is damaged: MLIR's reader falls over it (signal {-code})"
        raise FstcError(Diagnostic("FST0802", message, file=str(path), help="export the model again"))


def child(name: str) -> None:
    """In the other process: what the importer does with MLIR, and nothing else. Refusals are left to the parent."""
    from contextlib import suppress

    from fstc.frontends.stablehlo.decode import decode
    from fstc.frontends.stablehlo.parse import load

    path = Path(name)
    with suppress(Exception):
        load(path, lambda module: decode(module, path.name), trusted=True)
