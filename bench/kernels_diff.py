"""Generated CUDA of every sample here against another revision: ``python bench/kernels_diff.py --base main``.

A refactoring is proved by an empty difference (exit 0); otherwise it is printed (exit 1). The other revision
is checked out beside, in a temporary worktree, and runs with its own code on its own samples.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def generate(checkout: Path, target: Path) -> None:
    """One folder a sample; a sample that cannot be generated leaves its message instead."""
    for sample in sorted((checkout / "samples").glob("*.fir")):
        folder = target / sample.stem
        folder.mkdir(parents=True)
        done = subprocess.run(
            [sys.executable, "-m", "fstc", "codegen", str(sample), "-o", str(folder)],
            cwd=target,
            env={**os.environ, "PYTHONPATH": str(checkout)},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            (folder / "refused.txt").write_text(done.stderr.replace(str(checkout), ""))
        for artefact in folder.glob("*.json"):
            artefact.unlink()  # kernels only


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", default="main")
    base = parser.parse_args().base
    with tempfile.TemporaryDirectory(prefix="fstc-kernels-") as scratch:
        folder = Path(scratch)
        git("worktree", "add", "--detach", str(folder / "checkout"), base)
        try:
            generate(folder / "checkout", folder / "base")
        finally:
            git("worktree", "remove", "--force", str(folder / "checkout"))
        generate(ROOT, folder / "here")
        shown = subprocess.run(["git", "--no-pager", "diff", "--no-index", "base", "here"], cwd=folder, check=False)
    return 1 if shown.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
