"""Make the development environment: ``python3 .ci/venv.py .venv``.

Standard library only. A bare Debian has the venv module without ensurepip, so three ways are
tried in order: venv, virtualenv, and venv without pip followed by pip's own wheel from the index.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable
from html import unescape
from pathlib import Path
from urllib.parse import urljoin

OLDEST = (3, 11)


def works(python: Path) -> bool:
    """Is this an interpreter with pip?"""
    probe = [str(python), "-m", "pip", "--version"]
    return python.exists() and subprocess.run(probe, capture_output=True, check=False).returncode == 0


def run(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def pip_wheel(folder: Path) -> Path:
    """Download the newest pip wheel from the package index; pip runs from inside its own wheel."""
    index = os.environ.get("PIP_INDEX_URL", "https://pypi.org/simple").rstrip("/") + "/pip/"
    with urllib.request.urlopen(index, timeout=60) as page:
        links = re.findall(
            r'href="([^"]+/(pip-(\d+)\.(\d+)(?:\.(\d+))?-py3-none-any\.whl)[^"]*)"', page.read().decode()
        )
    newest: tuple[str, ...] = max(links, key=lambda link: tuple(int(part or 0) for part in link[2:5]))
    target: Path = folder / newest[1]
    with urllib.request.urlopen(urljoin(index, unescape(newest[0])), timeout=120) as data:
        target.write_bytes(data.read())
    return target


def without_ensurepip(folder: Path, python: Path) -> bool:
    if not run(sys.executable, "-m", "venv", "--clear", "--without-pip", str(folder)):
        return False
    if run(sys.executable, "-m", "pip", "--python", str(python), "install", "pip"):
        return True
    with tempfile.TemporaryDirectory() as scratch:
        try:
            wheel = pip_wheel(Path(scratch))
        except (OSError, ValueError) as error:
            print(f"could not fetch pip: {error}", file=sys.stderr)
            return False
        return run(str(python), f"{wheel}/pip", "install", str(wheel))


def main() -> int:
    if sys.version_info < OLDEST:
        version = ".".join(map(str, sys.version_info[:3]))
        print(f"fstc needs Python 3.11 or newer; {sys.executable} is {version}. Set PYTHON=...", file=sys.stderr)
        return 1
    folder = Path(sys.argv[1])
    python = folder / "bin" / "python"
    if works(python):
        return 0
    ways: tuple[Callable[[], bool], ...] = (
        lambda: run(sys.executable, "-m", "venv", "--clear", str(folder)),
        lambda: run(sys.executable, "-m", "virtualenv", "--clear", str(folder)),
        lambda: shutil.which("virtualenv") is not None and run("virtualenv", "-p", sys.executable, str(folder)),
        lambda: without_ensurepip(folder, python),
    )
    for way in ways:
        if way() and works(python):
            return 0
    shutil.rmtree(folder, ignore_errors=True)
    print(
        "no virtual environment could be made: apt install python3-venv (or: pip install virtualenv)", file=sys.stderr
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
