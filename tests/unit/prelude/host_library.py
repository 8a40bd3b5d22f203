"""Compile a C++ text against the prelude and the host shim, without the shim's runtime, and call it by pointers.

Example: ``build(folder, text).call("name", array, 3)``; integers are passed as ``int``.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path
from typing import Any

from fstc.support.resources import resource

# One thread and no scheduler: a warp operation gives the caller's own value back.
ALONE = """
extern "C" unsigned long fst_host_warp(unsigned, unsigned, unsigned long value, unsigned, unsigned) { return value; }
#define ENTRY extern "C" __attribute__((visibility("default"))) void
"""


class Library:
    def __init__(self, path: Path) -> None:
        self._loaded = ctypes.CDLL(str(path))

    def call(self, name: str, *args: Any) -> None:
        passed = [ctypes.c_int(a) if isinstance(a, int) else ctypes.c_void_p(a.ctypes.data) for a in args]
        getattr(self._loaded, name)(*passed)


def build(folder: Path, text: str) -> Library:
    compiler = shutil.which("g++") or shutil.which("c++")
    assert compiler, "the host target needs a C++ compiler: apt-get install g++"
    unit, library = folder / "unit.cu", folder / "unit.so"
    unit.write_text('#include "fstc.cuh"\n' + ALONE + text, encoding="utf-8")
    command = [
        compiler, "-std=c++17", "-O1", "-ffp-contract=off", "-Wall", "-Wextra", "-Wno-unknown-pragmas", "-Werror",
        "-fPIC", "-shared", f"-I{resource('templates', 'lib')}", f"-I{resource('templates', 'host')}",
        "-include", "cuda_on_cpu.h", "-x", "c++", str(unit), "-o", str(library),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:4000]
    return Library(library)
