"""Same input, same bytes: plans and kernels of all samples do not depend on hash seeds, folders or locales."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.samples import SAMPLES_DIR

# Prints the digests of each sample's plan and codegen as written, and of its kernels' names and texts.
PROGRAM = """
import sys
from pathlib import Path
from fstc.driver.files import open_work
from fstc.stages import Settings
from fstc.support.files import sha256

for path in sorted(Path(sys.argv[1]).glob("*.fir")):
    work = open_work(str(path), Settings(device="h200"))
    names = {stage: f"{stage}.json" for stage in ("graph", "analysis", "plan", "codegen")}
    texts = "".join(f"{name}\\n{text}" for name, text in work.texts("codegen").items())
    parts = [work.encoded("plan", names), work.encoded("codegen", names), texts.encode()]
    print(path.stem, *(sha256(part) for part in parts))
"""


def digests(folder: Path, seed: str, locale: str) -> list[str]:
    folder.mkdir()
    environment = os.environ | {"PYTHONHASHSEED": seed, "LC_ALL": locale, "PYTHONPATH": str(SAMPLES_DIR.parent)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(SAMPLES_DIR)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_hash_seed_folder_and_locale_do_not_matter(tmp_path: Path) -> None:
    one = digests(tmp_path / "one", "0", "C.UTF-8")
    other = digests(tmp_path / "another folder", "4242", "C")
    assert len(one) == len(list(SAMPLES_DIR.glob("*.fir")))
    assert one == other
