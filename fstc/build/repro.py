"""Compile the kernel that lies beside this script as a failed build did; copied into every failure bundle.

Example: ``sh out/failure/repro.sh``; the exit status is 0 when NVRTC accepts the kernel. It imports nothing of fstc.
"""

from __future__ import annotations

import sys
from pathlib import Path


def main(folder: Path) -> int:
    """Compile ``folder``/kernel.cu with its options and headers, and print the log."""
    from cuda.bindings import nvrtc

    root = folder / "headers"
    files = sorted(p for p in root.rglob("*") if p.is_file())
    names = [str(p.relative_to(root).as_posix()).encode() for p in files]
    options = [line.encode() for line in (folder / "options.txt").read_text().splitlines()]
    source = (folder / "kernel.cu").read_bytes()
    _, program = nvrtc.nvrtcCreateProgram(source, b"kernel.cu", len(files), [p.read_bytes() for p in files], names)
    (status,) = nvrtc.nvrtcCompileProgram(program, len(options), options)
    _, size = nvrtc.nvrtcGetProgramLogSize(program)
    log = bytes(size)
    nvrtc.nvrtcGetProgramLog(program, log)
    sys.stdout.write(log.rstrip(b"\0").decode("utf-8", "replace") + f"\n{status}\n")
    return 0 if int(status) == 0 else 1


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parent))
